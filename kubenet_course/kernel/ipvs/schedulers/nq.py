"""Never queue (ip_vs_nq.c): the first idle destination, else the shortest expected delay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base, least

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    name = "nq"

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        idle = next((each for each in service.destinations if each.usable and not each.active), None)
        return idle or least(service, {each: each.active + 1 for each in service.destinations})
