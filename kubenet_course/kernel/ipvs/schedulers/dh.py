"""Destination hashing (ip_vs_dh.c): the virtual address chooses one of 256 buckets,
one a destination in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base, fold, hash_32

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    name = "dh"

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        around = service.destinations
        if not around:
            return None
        each = around[hash_32(fold(int(skb.network.destination))) % len(around)]
        return each if each.usable else None
