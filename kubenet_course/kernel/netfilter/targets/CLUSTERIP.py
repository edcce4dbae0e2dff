"""-j CLUSTERIP: iptables knows it, the kernel has no module for it (libxt_CLUSTERIP)."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.missing import Missing
from kubenet_course.kernel.netfilter.xt import Names, Opt, problem


class Clusterip(Missing):
    name = "CLUSTERIP"
    families = (4,)
    options = (Opt("new"), Opt("hashmode", "string"), Opt("clustermac", "mac"), Opt("total-nodes", "uint16", high=16), Opt("local-node", "uint16", high=16), Opt("hash-init", "uint32"),)  # fmt: skip  # noqa: E501

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "hashmode" and value not in ("sourceip", "sourceip-sourceport", "sourceip-sourceport-destport"):
            raise problem(f'Unknown hashmode "{value}"')
        if opt.id == "clustermac" and not int(value) >> 40 & 1:
            raise problem("MAC has to be a multicast ethernet address")

    def check(self, names: Names) -> None:
        needed = {"new", "hashmode", "clustermac", "total-nodes", "local-node"}
        if set(self.values) - {"hash-init"} not in (set(), needed):
            raise problem("CLUSTERIP target: Invalid parameter combination")


EXTENSION = Clusterip
