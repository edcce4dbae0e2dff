"""-m hl: hops left, IPv6 (libip6t_hl, xt_hl.c)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.matches.ttl import Ttl, hop_options


class Hl(Ttl):
    name = "hl"
    families = (6,)
    word = "hl"
    field = "ip6 hoplimit"
    tick = "'"
    options = hop_options("hl")


EXTENSION = Hl
