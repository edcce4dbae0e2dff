"""Hierarchical token buckets (net/sched/sch_htb.c): classes with a rate of their own,
who may borrow up to a ceiling.

A leaf sends when it has tokens of its own; without, it borrows from the nearest ancestor that has some, as
long as
no ceiling on the way is reached. Among those that may send, the lower `prio` goes first, equals take turns.
"""

from __future__ import annotations

from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.sched.fifo import Pfifo
from kubenet_course.kernel.sched.filters import classify
from kubenet_course.kernel.sched.qdisc import Qdisc, TcClass, packet_length
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND

MAX_LEVEL = 7


class HtbClass(TcClass):
    """Rates in bytes a second; buckets (`burst`, `cburst`) and tokens in ns."""

    def __init__(self, qdisc: Htb, classid: int, parent: int):
        super().__init__(qdisc, classid, parent)
        self.above: HtbClass | None = None
        self.below: list[HtbClass] = []
        self.fifo = Pfifo(qdisc.dev, 0, classid)
        self.settings: dict[str, Any] = {}
        self.tokens = self.ctokens = 0
        self.checked = qdisc.dev.net.loop.now
        self.lended = self.borrowed = self.giants = 0

    def change(self, options: dict[str, Any], fresh: bool) -> None:
        self.settings = options
        if fresh:
            self.tokens, self.ctokens = options["burst_ns"], options["cburst_ns"]
            self.checked = self.qdisc.dev.net.loop.now

    @property
    def leaf(self) -> Qdisc:
        return self.child or self.fifo

    @property
    def level(self) -> int:
        if not self.below:
            return 0
        if self.above is None:
            return MAX_LEVEL
        return self.above.level - 1

    def state(self, now: int) -> tuple[str, int]:
        """htb_class_mode(): (may send, may borrow or not, ns until that changes)."""
        passed = now - self.checked
        ceiling = min(passed + self.ctokens, self.settings["cburst_ns"])
        if ceiling < 0:
            return "cant_send", -ceiling
        own = min(passed + self.tokens, self.settings["burst_ns"])
        if own >= 0:
            return "can_send", 0
        return "may_borrow", -own

    def charge(self, length: int, now: int, lender: bool) -> None:
        """htb_accnt_tokens() and htb_accnt_ctokens()."""
        passed = now - self.checked
        if lender:
            own = min(passed + self.tokens, self.settings["burst_ns"])
            self.tokens = own - length * SECOND // self.settings["rate"]
        else:
            self.tokens += passed
        ceiling = min(passed + self.ctokens, self.settings["cburst_ns"])
        self.ctokens = ceiling - length * SECOND // self.settings["ceil"]
        self.checked = now


class Htb(Qdisc):
    """A hierarchy of token buckets (net/sched/sch_htb.c): classes lend what they do not use."""

    kind = "htb"
    classful = True

    def __init__(self, dev: Any, handle: int, parent: int):
        super().__init__(dev, handle, parent)
        self.default = 0
        self.r2q = 10
        self.direct = Pfifo(dev, 0, handle)
        self.direct_packets = 0
        self.turn: dict[int, int] = {}

    def change(self, options: dict[str, Any]) -> None:
        self.default = options.get("default", self.default)
        self.r2q = options.get("r2q", self.r2q)

    # -- classes ----------------------------------------------------------------------------
    def change_class(
        self, classid: int, parent: int, options: dict[str, Any], *, create: bool, excl: bool
    ) -> None:
        """htb_change_class()."""
        found = self.classes.get(classid)
        if found is not None:
            if excl:
                raise KernelError(errno.EEXIST)
            assert isinstance(found, HtbClass)
            found.change(options, False)
            return
        if not create:
            raise KernelError(errno.ENOENT)
        if classid >> 16 << 16 != self.handle:
            raise KernelError(errno.EINVAL)
        above = self.classes.get(parent)
        if parent not in (self.handle, 0xFFFFFFFF) and above is None:
            raise KernelError(errno.EINVAL)
        new = HtbClass(self, classid, parent)
        new.change(options, True)
        if isinstance(above, HtbClass):
            new.above = above
            above.below.append(new)
        self.classes[classid] = new

    def delete_class(self, classid: int) -> None:
        found = self.classes.get(classid)
        if not isinstance(found, HtbClass):
            raise KernelError(errno.ENOENT)
        if found.below or any(each.flowid == classid for each in self.filters):
            raise KernelError(errno.EBUSY)
        for skb in found.leaf.reset():
            skb.drop("QDISC_DROP", self.dev)
        if found.above is not None:
            found.above.below.remove(found)
        del self.classes[classid]

    # -- packets ----------------------------------------------------------------------------
    def _class_for(self, skb: SkBuff) -> HtbClass | None | bool:
        """htb_classify(): a leaf, None for unclassified traffic, False where a filter took the packet."""
        result = classify(self.filters, skb)
        if result is False:
            return False
        for wanted in (result if result is not True else 0, skb.priority, self.handle | self.default):
            found = self.classes.get(wanted)
            if isinstance(found, HtbClass) and not found.below:
                return found
        return None

    def enqueue(self, skb: SkBuff) -> bool:
        target = self._class_for(skb)
        if target is False:
            return False
        if not isinstance(target, HtbClass):
            if self.direct.enqueue(skb):
                self.direct_packets += 1
                return True
            self.stats.drops += 1
            return False
        if target.leaf.enqueue(skb):
            return True
        self.stats.drops += 1
        target.stats.drops += 1
        return False

    def dequeue(self) -> SkBuff | None:
        skb = self.direct.dequeue()
        if skb is not None:
            self.stats.sent(packet_length(skb))
            return skb
        now = self.dev.net.loop.now
        wake: int | None = None
        waiting = [
            c for c in self.classes.values() if isinstance(c, HtbClass) and not c.below and c.leaf.qlen
        ]
        for prio in sorted({c.settings["prio"] for c in waiting}):
            peers = [c for c in waiting if c.settings["prio"] == prio]
            start = self.turn.get(prio, 0) % len(peers)
            for candidate in peers[start:] + peers[:start]:
                lender, wait = self._lender(candidate, now)
                if lender is None:
                    wake = wait if wake is None else min(wake, wait)
                    continue
                skb = candidate.leaf.dequeue()
                if skb is None:
                    continue
                self.turn[prio] = peers.index(candidate) + 1
                self._account(candidate, lender, skb, now)
                return skb
        if wake is not None:
            self.stats.overlimits += 1
            self.wake_at(now + wake)
        return None

    def _lender(self, leaf: HtbClass, now: int) -> tuple[HtbClass | None, int]:
        """Who pays for the leaf's next packet; else None and the ns to wait."""
        at: HtbClass | None = leaf
        wait = 0
        while at is not None:
            mode, left = at.state(now)
            if mode == "can_send":
                return at, 0
            wait = max(wait, left) if mode == "cant_send" else left if not wait else min(wait, left)
            if mode == "cant_send":
                return None, left
            at = at.above
        return None, max(wait, 1)

    def _account(self, leaf: HtbClass, lender: HtbClass, skb: SkBuff, now: int) -> None:
        """htb_charge_class()."""
        length = packet_length(skb)
        self.stats.sent(length)
        at: HtbClass | None = leaf
        paying = False
        while at is not None:
            if at is lender:
                paying = True
                if at is leaf:
                    at.lended += 1
            if not paying:
                at.borrowed += 1
            elif at is lender and at is not leaf:
                at.lended += 1
            at.charge(length, now, paying)
            at.stats.sent(length)
            at = at.above

    @property
    def qlen(self) -> int:
        return self.direct.qlen + sum(c.leaf.qlen for c in self.classes.values() if isinstance(c, HtbClass))

    @property
    def backlog(self) -> int:
        return self.direct.backlog + sum(
            c.leaf.backlog for c in self.classes.values() if isinstance(c, HtbClass)
        )

    def reset(self) -> list[SkBuff]:
        items = self.direct.reset()
        for found in self.classes.values():
            if isinstance(found, HtbClass):
                items += found.fifo.reset()
        return items

    def options(self) -> dict[str, Any]:
        return {
            "r2q": self.r2q, "default": f"{self.default:#x}" if self.default else "0",
            "direct_packets_stat": self.direct_packets, "direct_qlen": self.dev.qlen,
        }  # fmt: skip
