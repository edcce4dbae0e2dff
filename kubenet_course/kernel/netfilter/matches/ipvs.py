"""-m ipvs: properties of an IPVS connection; the kernel has no xt_ipvs (libxt_ipvs)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.missing import Missing
from kubenet_course.kernel.netfilter.xt import Opt


class Ipvs(Missing):
    name = "ipvs"
    options = (
        Opt("ipvs", invert=True), Opt("vproto", "string", invert=True), Opt("vaddr", "hostmask", invert=True),
        Opt("vport", "port", invert=True), Opt("vdir", "string"), Opt("vmethod", "string", invert=True),
        Opt("vportctl", "port", invert=True),
    )  # fmt: skip


EXTENSION = Ipvs
