"""Least connection (ip_vs_lc.c): an active connection counts as 256 inactive ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    name = "lc"

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        usable = [each for each in service.destinations if each.usable]
        return min(usable, key=lambda each: (each.active << 8) + each.inactive, default=None)
