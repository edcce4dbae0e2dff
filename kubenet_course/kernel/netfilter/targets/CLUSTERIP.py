"""-j CLUSTERIP: iptables knows it, the kernel has no module for it (libxt_CLUSTERIP)."""

from __future__ import annotations

from kubenet_course.kernel.netfilter.missing import Missing
from kubenet_course.kernel.netfilter.xt import Names, Opt, problem


class Clusterip(Missing):
    name = "CLUSTERIP"
    families = (4,)
    options = (Opt("new"), Opt("hashmode", "string"), Opt("clustermac", "mac"), Opt("total-nodes", "uint16"), Opt("local-node", "uint16"), Opt("hash-init", "uint32"),)  # fmt: skip  # noqa: E501

    def check(self, names: Names) -> None:
        needed = {"new", "hashmode", "clustermac", "total-nodes", "local-node"}
        if set(self.values) - {"hash-init"} not in (set(), needed):
            raise problem("CLUSTERIP target: Invalid parameter combination")


EXTENSION = Clusterip
