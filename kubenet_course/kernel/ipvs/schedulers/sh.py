"""Source hashing (ip_vs_sh.c): the client's address (and, with sh-port,
its port) chooses one of 256 buckets, filled by
weight. With sh-fallback the next buckets are tried where the server may not be used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import TABLE_BITS, Base, fold, hash_32

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    """By a hash of the source: one client keeps its destination (net/netfilter/ipvs/ip_vs_sh.c)."""

    name = "sh"

    def __init__(self, service: Service):
        self.buckets: list[Destination] = []
        super().__init__(service)

    def changed(self) -> None:
        """ip_vs_sh_reassign()."""
        around = self.service.destinations
        self.buckets = []
        position = filled = 0
        while around and len(self.buckets) < 1 << TABLE_BITS:
            each = around[position % len(around)]
            self.buckets.append(each)
            filled += 1
            if filled >= each.weight:
                position, filled = position + 1, 0

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        if not self.buckets:
            return None
        port = skb.transport.source_port if "sh-port" in service.flags else 0
        key = hash_32(port + fold(int(skb.network.source)) & 0xFFFFFFFF)
        offsets = range(len(self.buckets)) if "sh-fallback" in service.flags else (0,)
        for offset in offsets:
            each = self.buckets[(key + offset) % len(self.buckets)]
            if each.usable:
                return each
        return None
