"""Shortest expected delay (ip_vs_sed.c): active connections and this one, by weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base, least

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    name = "sed"

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        return least(service, {each: each.active + 1 for each in service.destinations})
