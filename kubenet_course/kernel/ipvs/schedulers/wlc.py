"""Weighted least connection (ip_vs_wlc.c), ipvsadm's default: connections by weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base, least

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    name = "wlc"

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        return least(service, {each: (each.active << 8) + each.inactive for each in service.destinations})
