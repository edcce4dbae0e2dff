"""Round robin (ip_vs_rr.c): each usable destination in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    """`last` is the destination that had its turn, None for the list's head."""

    name = "rr"

    def __init__(self, service: Service):
        self.last: Destination | None = None
        super().__init__(service)

    def removing(self, destination: Destination) -> None:
        """The one before it had its turn."""
        if self.last is destination:
            position = self.service.destinations.index(destination)
            self.last = self.service.destinations[position - 1] if position else None

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        around = service.destinations
        start = around.index(self.last) + 1 if self.last in around else 0
        for each in around[start:] + around[:start]:
            if each.usable:
                self.last = each
                return each
        return None
