"""-m hl: hops left, IPv6 (libip6t_hl, xt_hl.c)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.matches.ttl import Ttl
from kubenet_course.kernel.netfilter.xt import Opt


class Hl(Ttl):
    name = "hl"
    families = (6,)
    word = "hl"
    field = "ip6 hoplimit"
    tick = "'"
    options = (
        Opt("hl-lt", "uint8", excl=("hl-eq", "hl-gt")),
        Opt("hl-gt", "uint8", excl=("hl-eq", "hl-lt")),
        Opt("hl-eq", "uint8", invert=True, excl=("hl-lt", "hl-gt")),
        Opt("hl", "uint8", invert=True, excl=("hl-lt", "hl-gt"), key="hl-eq"),
    )


EXTENSION = Hl
