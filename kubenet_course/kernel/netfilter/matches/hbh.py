"""-m hbh: the hop-by-hop options header of IPv6 (libip6t_hbh, ip6t_hbh.c)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.matches._options import OptionsHeader
from kubenet_course.kernel.netfilter.xt import Opt


class Hbh(OptionsHeader):
    name = "hbh"
    header = 0
    options = (Opt("hbh-len", "uint32", invert=True), Opt("hbh-opts", "string"))


EXTENSION = Hbh
