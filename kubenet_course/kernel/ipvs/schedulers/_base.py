"""What schedulers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff

GOLDEN_RATIO_32 = 0x61C88647
TABLE_BITS = 8


class Base:
    """One service's scheduler (struct ip_vs_scheduler): `schedule` gives the destination, None where there is none."""

    name = ""

    def __init__(self, service: Service):
        self.service = service
        self.changed()

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        raise NotImplementedError

    def changed(self) -> None:
        """Destinations came, went or changed."""

    def removing(self, destination: Destination) -> None:
        """This one goes now."""


def hash_32(value: int) -> int:
    """The kernel's hash_32() to 8 bits."""
    return (value * GOLDEN_RATIO_32 & 0xFFFFFFFF) >> (32 - TABLE_BITS)


def fold(address: int) -> int:
    """An IPv6 address as the XOR of its four words."""
    folded = 0
    while address:
        folded ^= address & 0xFFFFFFFF
        address >>= 32
    return folded


def least(service: Service, cost: dict[Destination, int]) -> Destination | None:
    """The usable destination with the least cost by weight; the first of equals."""
    best: Destination | None = None
    for each in service.destinations:
        if not each.usable:
            continue
        if best is None or cost[best] * each.weight > cost[each] * best.weight:
            best = each
    return best
