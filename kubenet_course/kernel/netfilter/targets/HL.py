"""-j HL: write the hops left, IPv6 (libip6t_HL, xt_HL.c)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.targets.TTL import Ttl
from kubenet_course.kernel.netfilter.xt import Opt


class Hl(Ttl):
    name = "HL"
    families = (6,)
    word = "hl"
    options = (
        Opt("hl-set", "uint8", excl=("hl-dec", "hl-inc")),
        Opt("hl-dec", "uint8", low=1, excl=("hl-set", "hl-inc")),
        Opt("hl-inc", "uint8", low=1, excl=("hl-set", "hl-dec")),
    )


EXTENSION = Hl
