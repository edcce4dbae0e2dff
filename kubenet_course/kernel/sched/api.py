"""Requests about queueing disciplines, classes and filters, as the kernel takes them (net/sched/sch_api.c,
cls_api.c).

`link_netem` sets the parameters of a lab's link (delay, loss, rate) on one end, as ``tc qdisc add … root
netem`` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.sched.fifo import Bfifo, FqCodel, Noqueue, Pfifo, PfifoFast, Sfq
from kubenet_course.kernel.sched.filters import Filter, FilterBlock
from kubenet_course.kernel.sched.htb import Htb
from kubenet_course.kernel.sched.netem import Netem
from kubenet_course.kernel.sched.prio import Prio
from kubenet_course.kernel.sched.qdisc import TC_H_INGRESS, TC_H_ROOT, Qdisc, TxQueue
from kubenet_course.kernel.sched.tbf import Tbf

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

KINDS: dict[str, type[Qdisc]] = {
    kind.kind: kind for kind in (Pfifo, Bfifo, PfifoFast, Noqueue, FqCodel, Sfq, Tbf, Netem, Prio, Htb)
}
INGRESS_HANDLE = 0xFFFF0000


class Ingress:
    """The ingress or clsact pseudo-discipline (sch_ingress.c): no queue, two lists of filters."""

    def __init__(self, dev: NetDevice, kind: str):
        self.kind = kind
        self.dev = dev
        self.inside = FilterBlock(dev, True)
        self.outside = FilterBlock(dev, False)

    def ingress(self, skb: Any) -> bool:
        return self.inside.classify(skb)


def root_of(dev: NetDevice) -> Qdisc | None:
    """The discipline that was set, None for the device's default."""
    return dev.qdisc.root if dev.qdisc is not None else None


def tx_queue(dev: NetDevice) -> TxQueue:
    if dev.qdisc is None:
        dev.qdisc = TxQueue(dev)
    queue: TxQueue = dev.qdisc
    return queue


def _settle(dev: NetDevice) -> None:
    """Take the sending side away where nothing is set any more: the fast path costs one test."""
    queue = dev.qdisc
    if queue is not None and queue.root is None and queue.egress is None:
        dev.qdisc = None


def qdiscs(dev: NetDevice) -> list[Qdisc]:
    root = root_of(dev)
    return root.descendants() if root is not None else []


def find_qdisc(dev: NetDevice, handle: int) -> Qdisc | None:
    return next((each for each in qdiscs(dev) if each.handle == handle), None)


def leaf_of(dev: NetDevice, parent: int, missing: str = "Failed to find specified qdisc") -> Qdisc:
    """qdisc_leaf(): the discipline with the class `parent`; KernelError(ENOENT)."""
    above = find_qdisc(dev, parent & 0xFFFF0000)
    if above is None:
        raise KernelError(errno.ENOENT, missing)
    return above


def allocate_handle(dev: NetDevice) -> int:
    """qdisc_alloc_handle(): 8001:, 8002:, … counted for the whole machine."""
    counters = dev.net.host.__dict__.setdefault("tc_handles", {"next": 0x8000})
    counters["next"] += 1
    return int(counters["next"]) << 16


def modify(
    dev: NetDevice, kind: str | None, handle: int, parent: int, options: dict[str, Any], *,
    create: bool, excl: bool, replace: bool,
) -> None:  # fmt: skip
    """tc_modify_qdisc(): add is create+excl, replace is create+replace, change is neither."""
    if parent == TC_H_INGRESS:
        _modify_ingress(dev, kind or "", create=create, excl=excl)
        return
    if not parent and not handle:
        raise KernelError(errno.EINVAL, "Handle cannot be zero")
    current = _current(dev, parent, handle, "Failed to find specified qdisc")
    if parent:
        if handle and (current is None or current.handle != handle):
            if current is not None and not replace:
                raise KernelError(errno.EEXIST, "NLM_F_REPLACE needed to override")
            if find_qdisc(dev, handle) is not None and excl:
                raise KernelError(errno.EEXIST, "Exclusivity flag on, cannot override")
        if current is None and not create:
            raise KernelError(errno.ENOENT, "Qdisc not found. To create specify NLM_F_CREATE flag")
        other_kind = current is not None and kind is not None and kind != current.kind and not handle
        if current is None or other_kind or (handle and current.handle != handle):
            if kind is None:
                raise KernelError(errno.EINVAL)
            _graft(dev, kind, handle or allocate_handle(dev), parent, options)
            return
    if current is None:
        raise KernelError(errno.ENOENT, "Specified qdisc not found")
    if excl:
        raise KernelError(errno.EEXIST, "Exclusivity flag on, cannot modify")
    if kind is not None and kind != current.kind:
        raise KernelError(errno.EINVAL, "Invalid qdisc name: must match existing qdisc")
    current.change(options)


def _current(
    dev: NetDevice, parent: int, handle: int, missing: str = "Failed to find qdisc with specified classid"
) -> Qdisc | None:
    if parent == TC_H_ROOT:
        return root_of(dev)
    if not parent:
        return find_qdisc(dev, handle)
    above = leaf_of(dev, parent, missing)
    found = above.find_class(parent)
    if found is None:
        raise KernelError(errno.ENOENT, "Specified class not found")
    return found.child


def _graft(dev: NetDevice, kind: str, handle: int, parent: int, options: dict[str, Any]) -> None:
    """qdisc_create() and qdisc_graft()."""
    made = KINDS.get(kind)
    if made is None:
        raise KernelError(errno.ENOENT, "Specified qdisc kind is unknown")
    qdisc = made(dev, handle, parent)
    qdisc.change(options)
    _mend_queue_length(dev)
    if parent == TC_H_ROOT:
        queue = tx_queue(dev)
        old, queue.root = queue.root, qdisc
        if old is not None:
            old.destroy()
        return
    above = leaf_of(dev, parent)
    found = above.find_class(parent)
    if found is None:
        raise KernelError(errno.ENOENT, "Specified class not found")
    old, found.child = found.child, qdisc
    if old is not None:
        old.destroy()


def _mend_queue_length(dev: NetDevice) -> None:
    """qdisc_create(): "Caught tx_queue_len zero misconfig" of a device that needs no queue."""
    if dev.default_qdisc == "noqueue" and dev.qlen == 0:
        dev.qlen = 1000


def _modify_ingress(dev: NetDevice, kind: str, *, create: bool, excl: bool) -> None:
    if dev.ingress is not None:
        if excl:
            raise KernelError(errno.EEXIST, "Exclusivity flag on, cannot modify")
        if dev.ingress.kind == kind:
            return
    if not create:
        raise KernelError(errno.ENOENT, "Qdisc not found. To create specify NLM_F_CREATE flag")
    dev.ingress = Ingress(dev, kind)
    _mend_queue_length(dev)
    if kind == "clsact":
        tx_queue(dev).egress = dev.ingress.outside


def delete(dev: NetDevice, kind: str | None, handle: int, parent: int) -> None:
    """tc_get_qdisc() with RTM_DELQDISC."""
    if parent == TC_H_INGRESS:
        if dev.ingress is None:
            raise KernelError(errno.ENOENT, "Cannot find specified qdisc on specified device")
        if kind and dev.ingress.kind != kind:
            raise KernelError(errno.EINVAL, "Invalid qdisc name: must match existing qdisc")
        dev.ingress = None
        if dev.qdisc is not None:
            dev.qdisc.egress = None
        _settle(dev)
        return
    if parent:
        current = _current(dev, parent, handle)
        if current is None and parent != TC_H_ROOT:
            raise KernelError(errno.ENOENT, "Cannot find specified qdisc on specified device")
        if current is not None and handle and current.handle != handle:
            raise KernelError(errno.EINVAL, "Invalid handle")
    else:
        current = find_qdisc(dev, handle)
        if current is None:
            raise KernelError(errno.ENOENT, "Failed to find qdisc with specified handle")
    if current is None or not current.handle:
        raise KernelError(errno.ENOENT, "Cannot delete qdisc with handle of zero")
    if kind and current.kind != kind:
        raise KernelError(errno.EINVAL, "Invalid qdisc name: must match existing qdisc")
    if current is root_of(dev):
        queue = tx_queue(dev)
        queue.root = None
        current.destroy()
        _settle(dev)
        return
    above = leaf_of(dev, current.parent)
    found = above.find_class(current.parent)
    assert found is not None
    found.child = None
    current.destroy()


def class_qdisc(dev: NetDevice, parent: int, classid: int) -> Htb:
    """The HTB that a class request is about; KernelError(ENOENT), or EOPNOTSUPP where it takes no classes."""
    handle = (parent if parent and parent != TC_H_ROOT else classid) & 0xFFFF0000
    found = find_qdisc(dev, handle) if handle else root_of(dev)
    if found is None:
        raise KernelError(errno.ENOENT)
    if not isinstance(found, Htb):
        raise KernelError(errno.EOPNOTSUPP)
    return found


def filter_lists(dev: NetDevice, parent: int) -> list[Filter]:
    """The filters at `parent`: a discipline's handle, TC_H_INGRESS's sides,
    or 0 for the root; KernelError(EINVAL)."""
    if parent in (INGRESS_HANDLE, TC_H_INGRESS & 0xFFFFFFF0 | 2, INGRESS_HANDLE | 0xFFF2):
        if dev.ingress is None:
            raise KernelError(errno.ENOENT, "Parent Qdisc doesn't exists")
        inside: list[Filter] = dev.ingress.inside.filters
        return inside
    if parent == INGRESS_HANDLE | 0xFFF3:
        if dev.ingress is None or dev.ingress.kind != "clsact":
            raise KernelError(
                errno.EINVAL,
                "Specified parent class doesn't exist" if dev.ingress else "Parent Qdisc doesn't exists",
            )
        outside: list[Filter] = dev.ingress.outside.filters
        return outside
    found = root_of(dev) if not parent else find_qdisc(dev, parent & 0xFFFF0000)
    if found is None:
        raise KernelError(errno.EINVAL, "Parent Qdisc doesn't exists")
    if found.kind not in ("prio", "htb"):
        raise KernelError(errno.EINVAL, "Class doesn't support blocks")
    return found.filters


def link_netem(
    dev: NetDevice, *, delay: int = 0, jitter: int = 0, loss: float = 0.0, rate: int = 0, limit: int = 1000
) -> None:
    """Make the link beyond `dev` slow, lossy or narrow: ns, a fraction of 1,
    bytes a second. All zero takes it away."""
    if root_of(dev) is not None:
        queue = tx_queue(dev)
        assert queue.root is not None
        queue.root.destroy()
        queue.root = None
        _settle(dev)
    if not (delay or jitter or loss or rate):
        return
    options: dict[str, Any] = {
        "latency": delay,
        "jitter": jitter,
        "loss": round(loss * 0xFFFFFFFF),
        "limit": limit,
    }
    if rate:
        options["rate"] = (rate, 0, 0, 0)
    _graft(dev, "netem", allocate_handle(dev), TC_H_ROOT, options)
