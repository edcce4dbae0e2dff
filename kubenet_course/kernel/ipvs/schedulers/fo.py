"""Weighted failover (ip_vs_fo.c): the usable destination with the greatest weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    name = "fo"

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        usable = [each for each in service.destinations if each.usable]
        return max(usable, key=lambda each: each.weight, default=None)
