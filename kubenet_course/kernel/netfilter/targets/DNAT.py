"""-j DNAT: a new destination for the connection (libxt_NAT, xt_nat.c)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.nat import DST
from kubenet_course.kernel.netfilter.targets.SNAT import Snat
from kubenet_course.kernel.netfilter.xt import Opt


class Dnat(Snat):
    name = "DNAT"
    hooks = (0, 3)
    kind = DST
    flag = "to-destination"
    word = "dnat"
    options = (Opt("to-destination", "string", mand=True), Opt("random"), Opt("persistent"))  # type: ignore[assignment]


EXTENSION = Dnat
