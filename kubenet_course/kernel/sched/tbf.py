"""The token bucket filter (net/sched/sch_tbf.c): a rate, and bursts up to a bucket's size.

A packet leaves when there are tokens for its length; tokens come at `rate` and are at most `burst` bytes'
worth.
`limit` bytes may wait; what comes beyond is dropped.
"""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.sched.qdisc import Fifo, Qdisc, TcClass, packet_length
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND


class Tbf(Qdisc):
    """Rates in bytes a second, `buffer` and the tokens in ns of sending."""

    kind = "tbf"
    classful = True

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.rate = 0
        self.peak = 0
        self.limit = 0
        self.buffer = 0
        self.mtu = 0
        self.minburst = 0
        self.tokens = self.peak_tokens = 0
        self.checked = dev.net.loop.now
        self.queue = Fifo()
        self.head: SkBuff | None = None
        self.settings: dict[str, Any] = {}
        self.classes[handle | 1] = TcClass(self, handle | 1, handle)

    def change(self, options: dict[str, Any]) -> None:
        """tbf_change(): the bucket starts full."""
        self.settings = options
        self.rate, self.peak = options["rate"], options.get("peakrate", 0)
        self.limit = options["limit"]
        self.buffer = options["buffer_ns"]
        self.mtu = options.get("mtu_ns", 0)
        self.tokens, self.peak_tokens = self.buffer, self.mtu
        self.checked = self.dev.net.loop.now
        if self.handle | 1 not in self.classes:
            self.classes[self.handle | 1] = TcClass(self, self.handle | 1, self.handle)

    @property
    def child(self) -> Qdisc | None:
        return self.classes[self.handle | 1].child

    def _max_size(self) -> int:
        size = self.buffer * self.rate // SECOND
        return min(size, self.mtu * self.peak // SECOND) if self.peak else size

    def enqueue(self, skb: SkBuff) -> bool:
        length = packet_length(skb)
        if length > self._max_size() + 1:
            return self.drop(skb)
        if self.child is not None:
            taken = self.child.enqueue(skb)
            self.stats.drops += not taken
            return taken
        if self.queue.bytes + length > self.limit:
            return self.drop(skb)
        self.queue.push(skb)
        return True

    def dequeue(self) -> SkBuff | None:
        """tbf_dequeue()."""
        if self.head is None:
            self.head = self.child.dequeue() if self.child is not None else self.queue.pop()
        if self.head is None:
            return None
        length = packet_length(self.head)
        now = self.dev.net.loop.now
        passed = min(now - self.checked, self.buffer)
        peak_tokens = 0
        if self.peak:
            peak_tokens = min(passed + self.peak_tokens, self.mtu) - length * SECOND // self.peak
        tokens = min(passed + self.tokens, self.buffer) - length * SECOND // self.rate
        if tokens >= 0 and peak_tokens >= 0:
            self.checked, self.tokens, self.peak_tokens = now, tokens, peak_tokens
            skb, self.head = self.head, None
            self.stats.sent(length)
            return skb
        self.stats.overlimits += 1
        self.wake_at(now + max(-tokens, -peak_tokens))
        return None

    @property
    def qlen(self) -> int:
        inside = self.child.qlen if self.child is not None else len(self.queue)
        return inside + (self.head is not None)

    @property
    def backlog(self) -> int:
        inside = self.child.backlog if self.child is not None else self.queue.bytes
        return inside + (packet_length(self.head) if self.head is not None else 0)

    def reset(self) -> list[SkBuff]:
        items = self.queue.clear()
        if self.head is not None:
            items.insert(0, self.head)
            self.head = None
        return items

    def options(self) -> dict[str, Any]:
        return self.settings
