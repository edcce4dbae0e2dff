"""-m cluster: this node's share of the connections (libxt_cluster, xt_cluster.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Cluster(Extension):
    name = "cluster"
    conntrack = True
    options = (
        Opt("cluster-total-nodes", "uint32", mand=True, low=1, high=32),
        Opt("cluster-local-node", "uint32", invert=True, low=1, high=32, excl=("cluster-local-nodemask",)),
        Opt("cluster-local-nodemask", "uint32", invert=True, low=1, high=32, excl=("cluster-local-node",)),
        Opt("cluster-hash-seed", "uint32", mand=True),
    )

    def check(self, names: Names) -> None:
        if "cluster-local-node" not in self.values and "cluster-local-nodemask" not in self.values:
            raise problem("cluster match: `--cluster-local-node' or`--cluster-local-nodemask' is missing")
        total = self.values.get("cluster-total-nodes", 32)
        if self.values.get("cluster-local-node", 0) > total:
            raise problem("cluster match: `--cluster-local-node' must be <= `--cluster-total-nodes'")
        if self.values.get("cluster-local-nodemask", 0) >= 1 << total:
            raise problem("cluster match: `--cluster-local-nodemask' too big for `--cluster-total-nodes'")

    def _mask(self) -> int:
        if "cluster-local-node" in self.values:
            return 1 << self.values["cluster-local-node"] - 1
        return self.values["cluster-local-nodemask"]

    def save(self) -> str:
        return (
            f"{'! ' if self.inverted else ''}--cluster-local-nodemask 0x{self._mask():08x} "
            f"--cluster-total-nodes {self.values['cluster-total-nodes']} --cluster-hash-seed 0x{self.values['cluster-hash-seed']:08x}"
        )

    def listing(self, names: Names | None) -> str:
        return (
            f"cluster {'!' if self.inverted else ''}node_mask=0x{self._mask():08x} "
            f"total_nodes={self.values['cluster-total-nodes']} hash_seed=0x{self.values['cluster-hash-seed']:08x}"
        )

    def nft(self, rule: XtRule) -> str | None:
        mask = self._mask()
        nodes = [number for number in range(32) if mask >> number & 1]
        head = f"jhash ct original saddr mod {self.values['cluster-total-nodes']} seed 0x{self.values['cluster-hash-seed']:08x}"
        if len(nodes) == 1:
            return f"{head} eq {mask} meta pkttype set host"
        return f"{head} {'!= ' if self.inverted else ''}{{ {', '.join(map(str, nodes))} }} meta pkttype set host"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        mask, total, seed = self._mask(), self.values["cluster-total-nodes"], self.values["cluster-hash-seed"]
        inverted = bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            ct = skb.nfct
            if ct is None or ct is UNTRACKED:
                return False
            mixed = (int(ct.orig[0]) * 0x9E3779B1 ^ seed) & 0xFFFFFFFF
            node = (mixed ^ mixed >> 15) * 0x2C1B3C6D % (1 << 32) * total >> 32
            found = bool(mask >> node & 1) != inverted
            if found:
                skb.pkt_type = 0
            return found

        return test


EXTENSION = Cluster
