"""Strict priorities (net/sched/sch_prio.c): band 0 before band 1 before band 2."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.sched.fifo import PRIOMAP, Pfifo
from kubenet_course.kernel.sched.filters import classify
from kubenet_course.kernel.sched.qdisc import Qdisc, TcClass, packet_length, priority_of
from kubenet_course.kernel.skbuff import SkBuff


class Prio(Qdisc):
    """A packet's band is what a filter says, else the priority map's."""

    kind = "prio"
    classful = True

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.bands = 0
        self.priomap = list(PRIOMAP)
        self.fifos: list[Pfifo] = []
        self.change({})

    def change(self, options: dict[str, Any]) -> None:
        self.bands = options.get("bands", self.bands or 3)
        self.priomap = options.get("priomap", self.priomap)
        while len(self.fifos) < self.bands:
            number = len(self.fifos) + 1
            self.fifos.append(Pfifo(self.dev, 0, self.handle | number))
            self.classes[self.handle | number] = TcClass(self, self.handle | number, self.handle)

    def leaf(self, band: int) -> Qdisc:
        return self.classes[self.handle | (band + 1)].child or self.fifos[band]

    def enqueue(self, skb: SkBuff) -> bool:
        result = classify(self.filters, skb)
        if result is False:
            return False
        band = -1
        if isinstance(result, int) and result is not True and result >> 16 << 16 == self.handle:
            band = (result & 0xFFFF) - 1
        if not 0 <= band < self.bands:
            band = self.priomap[priority_of(skb) & 15]
        if self.leaf(band).enqueue(skb):
            return True
        self.stats.drops += 1
        return False

    def dequeue(self) -> SkBuff | None:
        for band in range(self.bands):
            skb = self.leaf(band).dequeue()
            if skb is not None:
                self.stats.sent(packet_length(skb))
                return skb
        return None

    @property
    def qlen(self) -> int:
        return sum(self.leaf(band).qlen for band in range(self.bands))

    @property
    def backlog(self) -> int:
        return sum(self.leaf(band).backlog for band in range(self.bands))

    def reset(self) -> list[SkBuff]:
        return [skb for fifo in self.fifos for skb in fifo.reset()]

    def options(self) -> dict[str, Any]:
        return {"bands": self.bands, "priomap": list(self.priomap)}
