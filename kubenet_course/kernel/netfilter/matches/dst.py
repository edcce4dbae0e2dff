"""-m dst: the destination options header of IPv6 (libip6t_dst, ip6t_hbh.c)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.matches._options import OptionsHeader
from kubenet_course.kernel.netfilter.xt import Opt


class Dst(OptionsHeader):
    name = "dst"
    header = 60
    options = (Opt("dst-len", "uint32", invert=True), Opt("dst-opts", "string"))


EXTENSION = Dst
