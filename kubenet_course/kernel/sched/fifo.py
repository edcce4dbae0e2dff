"""First in, first out: pfifo, bfifo, pfifo_fast, and noqueue (net/sched/sch_fifo.c, sch_generic.c).

fq_codel and sfq share a link between flows; with one sender at a time, as in a lab, what they do to packets
is a
FIFO's, so they are one here, under their own names and settings.
"""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.sched.qdisc import Fifo, Qdisc, packet_length, priority_of
from kubenet_course.kernel.skbuff import SkBuff

PRIOMAP = (1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)


class Pfifo(Qdisc):
    """`limit` in packets."""

    kind = "pfifo"

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.queue = Fifo()
        self.limit = dev.qlen or 1

    def change(self, options: dict[str, Any]) -> None:
        self.limit = options.get("limit", self.limit)

    def full(self, skb: SkBuff) -> bool:
        return len(self.queue) >= self.limit

    def enqueue(self, skb: SkBuff) -> bool:
        if self.full(skb):
            return self.drop(skb)
        self.queue.push(skb)
        return True

    def dequeue(self) -> SkBuff | None:
        skb = self.queue.pop()
        if skb is not None:
            self.stats.sent(packet_length(skb))
        return skb

    @property
    def qlen(self) -> int:
        return len(self.queue)

    @property
    def backlog(self) -> int:
        return self.queue.bytes

    def reset(self) -> list[SkBuff]:
        return self.queue.clear()

    def options(self) -> dict[str, Any]:
        return {"limit": self.limit}


class Bfifo(Pfifo):
    """`limit` in bytes."""

    kind = "bfifo"

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.limit = (dev.qlen or 1) * (dev.mtu + 14)

    def full(self, skb: SkBuff) -> bool:
        return self.queue.bytes + packet_length(skb) > self.limit


class PfifoFast(Qdisc):
    """Three FIFOs by the packet's priority."""

    kind = "pfifo_fast"

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.bands = [Fifo() for _ in range(3)]

    def enqueue(self, skb: SkBuff) -> bool:
        if self.qlen >= (self.dev.qlen or 1):
            return self.drop(skb)
        self.bands[PRIOMAP[priority_of(skb) & 15]].push(skb)
        return True

    def dequeue(self) -> SkBuff | None:
        for band in self.bands:
            skb = band.pop()
            if skb is not None:
                self.stats.sent(packet_length(skb))
                return skb
        return None

    @property
    def qlen(self) -> int:
        return sum(len(band) for band in self.bands)

    @property
    def backlog(self) -> int:
        return sum(band.bytes for band in self.bands)

    def reset(self) -> list[SkBuff]:
        return [skb for band in self.bands for skb in band.clear()]

    def options(self) -> dict[str, Any]:
        return {"bands": 3, "priomap": list(PRIOMAP)}


class Noqueue(Qdisc):
    """No queue at all: the device takes each packet at once."""

    kind = "noqueue"

    def enqueue(self, skb: SkBuff) -> bool:
        self.dev.xmit(skb)
        return True

    def dequeue(self) -> SkBuff | None:
        return None


class FqCodel(Pfifo):
    """fq_codel by its options; all flows share one queue of `limit` packets: neither fairness nor CoDel's drops."""

    kind = "fq_codel"

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.settings: dict[str, Any] = {
            "limit": 10240, "flows": 1024, "quantum": dev.mtu + 14, "target": 4999, "interval": 99999,
            "memory_limit": 33554432, "ecn": True, "drop_batch": 64,
        }  # fmt: skip
        self.limit = 10240

    def change(self, options: dict[str, Any]) -> None:
        self.settings.update(options)
        self.limit = self.settings["limit"]

    def options(self) -> dict[str, Any]:
        return dict(self.settings)


class Sfq(Pfifo):
    """sfq by its options; all flows share one queue of `limit` packets: no fairness."""

    kind = "sfq"

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.settings: dict[str, Any] = {"limit": 127, "quantum": dev.mtu + 14, "depth": 127, "divisor": 1024}
        self.limit = 127

    def change(self, options: dict[str, Any]) -> None:
        self.settings.update(options)
        self.limit = self.settings["limit"]

    def options(self) -> dict[str, Any]:
        return dict(self.settings)
