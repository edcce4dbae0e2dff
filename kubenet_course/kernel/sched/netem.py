"""The network emulator (net/sched/sch_netem.c): delay, jitter, loss, duplication, reordering, corruption,
rate.

Every packet gets the time at which it leaves. Chance comes from the host's seeded random, with the kernel's
correlation: the next number is a mix of a new one and the last.
"""

from __future__ import annotations

from bisect import insort
from statistics import NormalDist
from typing import Any

from kubenet_course.kernel.sched.qdisc import Qdisc, TcClass, packet_length
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND

FULL = 0xFFFFFFFF


class Correlated:
    """struct crndstate: numbers of 32 bits, each pulled towards the last by `rho`."""

    __slots__ = ("rho", "last", "random")

    def __init__(self, random: Any, rho: int = 0):
        self.random = random
        self.rho = rho
        self.last = random.getrandbits(32) if rho else 0

    def next(self) -> int:
        value: int = self.random.getrandbits(32)
        if self.rho:
            value = (value * ((1 << 32) - self.rho) + self.last * self.rho) >> 32
            self.last = value
        return value


class Netem(Qdisc):
    """Times in ns, probabilities as 32-bit fractions of one, `rate` in bytes a second."""

    kind = "netem"
    classful = True

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.random = dev.net.host.random
        self.latency = self.jitter = 0
        self.loss = self.duplicate = self.gap = self.reorder = self.corrupt = 0
        self.limit = 1000
        self.rate: tuple[int, int, int, int] = (0, 0, 0, 0)
        self.distribution = ""
        self.model: tuple[Any, ...] | None = None
        self.model_state = 1
        self.ecn = False
        self.correlations = {
            name: Correlated(self.random) for name in ("delay", "loss", "duplicate", "reorder", "corrupt")
        }
        self.counter = 0
        self.order = 0
        self.queue: list[tuple[int, int, SkBuff]] = []
        self.bytes = 0
        self.settings: dict[str, Any] = {}
        self.classes[handle | 1] = TcClass(self, handle | 1, handle)

    def change(self, options: dict[str, Any]) -> None:
        """netem_change(): the basic settings are set anew; the others stay where nothing is said of them."""
        self.latency, self.jitter = options.get("latency", 0), options.get("jitter", 0)
        self.limit = options.get("limit", 1000)
        self.loss, self.duplicate, self.gap = (
            options.get("loss", 0),
            options.get("duplicate", 0),
            options.get("gap", 0),
        )
        self.model = options.get("loss_model")
        self.ecn = options.get("ecn", False)
        self.distribution = options.get("distribution", self.distribution)
        self.counter = 0
        if "correlations" in options:
            for name in ("delay", "loss", "duplicate"):
                self.correlations[name] = Correlated(self.random, options["correlations"].get(name, 0))
        for name in ("reorder", "corrupt"):
            if name in options:
                probability, correlation = options[name]
                setattr(self, name, probability)
                self.correlations[name] = Correlated(self.random, correlation)
        if "rate" in options:
            self.rate = options["rate"]
        if self.gap and not self.reorder:
            self.reorder = FULL

    @property
    def child(self) -> Qdisc | None:
        found = self.classes.get(self.handle | 1)
        return found.child if found is not None else None

    # -- sending ----------------------------------------------------------------------------
    def enqueue(self, skb: SkBuff) -> bool:
        """netem_enqueue(). A lost packet counts as sent for its sender: True."""
        count = 1
        if self.duplicate and self.duplicate >= self.correlations["duplicate"].next():
            count += 1
        if self._lost():
            count -= 1
            self.stats.drops += 1
        if count == 0:
            skb.drop("QDISC_DROP", self.dev)
            return True
        if count > 1:
            # rootq->enqueue(): the copy passes the whole discipline, without another duplication.
            twin = skb.clone(self.dev.net.loop)
            duplicate, self.duplicate = self.duplicate, 0
            self.enqueue(twin)
            self.duplicate = duplicate
        if self.corrupt and self.corrupt >= self.correlations["corrupt"].next():
            skb.cb = {**(skb.cb or {}), "corrupted": True}
        if len(self.queue) + (self.child.qlen if self.child is not None else 0) >= self.limit:
            return self.drop(skb)
        in_order = (
            self.gap == 0 or self.counter < self.gap - 1 or self.reorder < self.correlations["reorder"].next()
        )
        if in_order:
            self._push(self._departure(skb), skb)
            self.counter += 1
        else:
            self.counter = 0
            self._push(self.dev.net.loop.now, skb, first=True)
        return True

    def _departure(self, skb: SkBuff) -> int:
        now = self.dev.net.loop.now
        delay = self._delay()
        rate, overhead, cell, cell_overhead = self.rate
        if rate:
            if self.queue:
                last = self.queue[-1][0]
                delay = max(0, delay - (last - now))
                now = last
            length = packet_length(skb) + overhead
            if cell:
                length = -(-length // cell) * (cell + cell_overhead)
            delay += length * SECOND // rate
        return now + max(0, delay)

    def _delay(self) -> int:
        """tabledist()."""
        if not self.jitter:
            return self.latency
        number = self.correlations["delay"].next()
        if not self.distribution or self.distribution == "uniform":
            return number % (2 * self.jitter) + self.latency - self.jitter
        return self.latency + round(self.jitter * quantile(self.distribution, (number + 0.5) / 2**32))

    def _lost(self) -> bool:
        """loss_event()."""
        if self.model is None:
            return bool(self.loss and self.loss >= self.correlations["loss"].next())
        roll = self.random.getrandbits(32)
        if self.model[0] == "gemodel":
            p, r, h, k1 = self.model[1:]
            if self.model_state == 1:
                if roll < p:
                    self.model_state = 2
                return bool(self.random.getrandbits(32) < k1)
            if roll < r:
                self.model_state = 1
            return bool(self.random.getrandbits(32) > h)
        return self._four_states(roll)

    def _four_states(self, roll: int) -> bool:
        """loss_4state(): 1 good, 2 good within a burst, 3 lost within a burst, 4 lost alone."""
        assert self.model is not None
        p13, p31, p32, p23, p14 = self.model[1:]
        if self.model_state == 1:
            if roll < p14:
                self.model_state = 4
                return True
            if p14 < roll < p13 + p14:
                self.model_state = 3
                return True
        elif self.model_state == 2:
            if roll < p23:
                self.model_state = 3
                return True
        elif self.model_state == 3:
            if roll < p32:
                self.model_state = 2
            elif p32 < roll < p31 + p32:
                self.model_state = 1
            else:
                return True
        else:
            self.model_state = 1
        return False

    def _push(self, when: int, skb: SkBuff, first: bool = False) -> None:
        """tfifo_enqueue(): by time; a reordered packet before all others."""
        self.order += 1
        insort(self.queue, (when, -1 if first else self.order, skb), key=lambda item: item[:2])
        self.bytes += packet_length(skb)

    def dequeue(self) -> SkBuff | None:
        """netem_dequeue()."""
        now = self.dev.net.loop.now
        while self.queue and self.queue[0][0] <= now:
            _, _, skb = self.queue.pop(0)
            self.bytes -= packet_length(skb)
            if (skb.cb or {}).get("corrupted"):
                # A flipped bit: the receiver's checksum finds it.
                self.stats.sent(packet_length(skb))
                skb.drop("SKB_CSUM", self.dev)
                continue
            if self.child is not None:
                self.stats.drops += not self.child.enqueue(skb)
                continue
            self.stats.sent(packet_length(skb))
            return skb
        if self.queue:
            self.wake_at(self.queue[0][0])
        if self.child is not None:
            ready = self.child.dequeue()
            if ready is not None:
                self.stats.sent(packet_length(ready))
            return ready
        return None

    @property
    def qlen(self) -> int:
        return len(self.queue) + (self.child.qlen if self.child is not None else 0)

    @property
    def backlog(self) -> int:
        return self.bytes + (self.child.backlog if self.child is not None else 0)

    def reset(self) -> list[SkBuff]:
        items = [skb for _, _, skb in self.queue]
        self.queue.clear()
        self.bytes = 0
        return items


def quantile(distribution: str, u: float) -> float:
    """The value below which `u` of a distribution with mean 0 and deviation 1 lies,
    as tc's tables have it."""
    normal = max(-4.0, min(4.0, NormalDist().inv_cdf(u)))
    if distribution == "normal":
        return normal
    # Pareto with shape 3: mean 3/2, deviation sqrt(3)/2.
    pareto = max(-4.0, min(4.0, ((1 - u) ** (-1 / 3) - 1.5) / (3**0.5 / 2)))
    return pareto if distribution == "pareto" else 0.25 * normal + 0.75 * pareto
