"""The base of queueing disciplines, and the place where a device's root one hangs (net/sched/sch_api.c,
sch_generic.c)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

from kubenet_course.kernel.skbuff import SkBuff

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.sim.loop import Timer

TC_H_ROOT = 0xFFFFFFFF
TC_H_INGRESS = 0xFFFFFFF1
#: ip_tos2prio[]: the packet's priority from bits 1 to 4 of its TOS.
TOS_PRIORITY = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)


def packet_length(skb: SkBuff) -> int:
    """qdisc_pkt_len(): with the Ethernet header."""
    return skb.len + (14 if skb.eth is not None else 0)


def priority_of(skb: SkBuff) -> int:
    """skb->priority: what was set, or what the TOS says."""
    if skb.priority:
        return skb.priority
    return TOS_PRIORITY[getattr(skb.network, "tos", 0) >> 1 & 15]


class Stats:
    """gnet_stats: what ``tc -s`` prints."""

    __slots__ = ("bytes", "packets", "drops", "overlimits", "requeues")

    def __init__(self) -> None:
        self.bytes = self.packets = self.drops = self.overlimits = self.requeues = 0

    def sent(self, length: int) -> None:
        self.bytes += length
        self.packets += 1


class TcClass:
    """One class of a classful discipline: `child` is the discipline under it, None for the built-in FIFO."""

    def __init__(self, qdisc: Qdisc, classid: int, parent: int):
        self.qdisc = qdisc
        self.classid = classid
        self.parent = parent
        self.child: Qdisc | None = None
        self.stats = Stats()


class Qdisc:
    """`handle` is major << 16, `parent` the class it hangs under (or TC_H_ROOT)."""

    kind: ClassVar[str] = ""
    #: The handle is shown and children may be attached.
    classful: ClassVar[bool] = False

    def __init__(self, dev: NetDevice, handle: int, parent: int):
        self.dev = dev
        self.handle = handle
        self.parent = parent
        self.stats = Stats()
        self.classes: dict[int, TcClass] = {}
        self.filters: list[Any] = []
        self._timer: Timer | None = None

    # -- what a kind overrides --------------------------------------------------------------
    def change(self, options: dict[str, Any]) -> None:
        """Take options (from the command's parser); KernelError where they make no sense."""

    def enqueue(self, skb: SkBuff) -> bool:
        """Queue the packet; False where it was dropped here."""
        raise NotImplementedError

    def dequeue(self) -> SkBuff | None:
        """The next packet that may leave now, or None (and `wake_at` is set where time will help)."""
        raise NotImplementedError

    def options(self) -> dict[str, Any]:
        """The settings, in iproute2's JSON words."""
        return {}

    @property
    def qlen(self) -> int:
        return 0

    @property
    def backlog(self) -> int:
        """Bytes waiting."""
        return 0

    def reset(self) -> list[SkBuff]:
        """Take out every packet (qdisc_reset())."""
        return []

    def find_class(self, classid: int) -> TcClass | None:
        return self.classes.get(classid)

    # -- shared -----------------------------------------------------------------------------
    def drop(self, skb: SkBuff) -> bool:
        self.stats.drops += 1
        skb.drop("QDISC_DROP", self.dev)
        return False

    def wake_at(self, when: int) -> None:
        """qdisc_watchdog_schedule_ns(): run the device's queue again at `when`."""
        if self._timer is not None and self._timer.active:
            if self._timer.when <= when and self._timer.when > self.dev.net.loop.now:
                return
            self._timer.cancel()
        self._timer = self.dev.net.loop.call_at(when, self._wake)

    def _wake(self) -> None:
        queue = self.dev.qdisc
        if queue is not None:
            queue.run()

    def destroy(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for skb in self.reset():
            skb.drop("QDISC_DROP", self.dev)
        for found in self.classes.values():
            if found.child is not None:
                found.child.destroy()

    def descendants(self) -> list[Qdisc]:
        """This discipline and all below it, in the order of classes."""
        found = [self]
        for each in self.classes.values():
            if each.child is not None:
                found += each.child.descendants()
        return found


class Fifo:
    """A queue of packets with its length in bytes."""

    __slots__ = ("items", "bytes")

    def __init__(self) -> None:
        self.items: deque[SkBuff] = deque()
        self.bytes = 0

    def push(self, skb: SkBuff) -> None:
        self.items.append(skb)
        self.bytes += packet_length(skb)

    def pop(self) -> SkBuff | None:
        if not self.items:
            return None
        skb = self.items.popleft()
        self.bytes -= packet_length(skb)
        return skb

    def clear(self) -> list[SkBuff]:
        items = list(self.items)
        self.items.clear()
        self.bytes = 0
        return items

    def __len__(self) -> int:
        return len(self.items)


class TxQueue:
    """A device's sending side: filters of clsact, then the root discipline. `dev.qdisc` is one of these,
    or None."""

    def __init__(self, dev: NetDevice):
        self.dev = dev
        self.root: Qdisc | None = None
        self.egress: Any = None
        self._running = False

    @property
    def kind(self) -> str:
        if self.root is not None:
            return self.root.kind
        return self.dev.default_qdisc

    def enqueue(self, skb: SkBuff) -> bool:
        """__dev_queue_xmit(): sch_handle_egress(), then the queue."""
        if self.egress is not None and not self.egress.classify(skb):
            return False
        root = self.root
        if root is None or root.kind == "noqueue":
            self.dev.xmit(skb)
            return True
        taken = root.enqueue(skb)
        self.run()
        return taken

    def run(self) -> None:
        """__qdisc_run(): send what may leave now."""
        if self._running or self.root is None:
            return
        self._running = True
        try:
            while self.root is not None:
                skb = self.root.dequeue()
                if skb is None:
                    break
                if self.dev.up:
                    self.dev.xmit(skb)
                else:
                    skb.drop("DEV_READY", self.dev)
        finally:
            self._running = False
