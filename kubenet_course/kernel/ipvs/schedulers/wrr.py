"""Weighted round robin (ip_vs_wrr.c): in each pass those whose weight reaches the current weight,
which falls by the
greatest common divisor from the greatest weight down.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from kubenet_course.kernel.ipvs.schedulers._base import Base

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Destination, Service
    from kubenet_course.kernel.skbuff import SkBuff


class Scheduler(Base):
    """struct ip_vs_wrr_mark: `current` destination (None: the list's head), current weight, step,
    greatest weight."""

    name = "wrr"

    def __init__(self, service: Service):
        self.current: Destination | None = None
        self.weight = self.step = self.greatest = 0
        super().__init__(service)

    def changed(self) -> None:
        """ip_vs_wrr_dest_changed()."""
        weights = [each.weight for each in self.service.destinations]
        self.current = None
        self.step = gcd(*[weight for weight in weights if weight > 0]) if any(weights) else 1
        self.greatest = max(0, max(weights, default=0) - (self.step - 1))
        if self.weight > self.greatest or not self.weight:
            self.weight = self.greatest
        elif self.step > 1:
            self.weight = self.weight // self.step * self.step + 1

    def schedule(self, service: Service, skb: SkBuff) -> Destination | None:
        if not self.greatest:
            return None
        around = service.destinations
        position = around.index(self.current) + 1 if self.current in around else 0
        for _ in range(2 * (self.greatest // self.step + 2)):
            for each in around[position:]:
                if each.usable and each.weight >= self.weight:
                    self.current = each
                    return each
            position = 0
            self.weight -= self.step
            if self.weight <= 0:
                self.weight = self.greatest
        return None
