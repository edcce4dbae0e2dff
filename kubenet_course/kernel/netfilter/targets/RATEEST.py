"""-j RATEEST: measure the rate of packets for -m rateest (libxt_RATEEST, xt_RATEEST.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

UNITS = {"s": 10**6, "sec": 10**6, "secs": 10**6, "ms": 1000, "msec": 1000, "msecs": 1000, "us": 1, "usec": 1, "usecs": 1, "": 1}


def parse_time(text: str) -> int | None:
    """Microseconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([a-z]*)", text)
    if found is None or found.group(2) not in UNITS:
        return None
    return int(float(found.group(1)) * UNITS[found.group(2)])


def time_text(value: int) -> str:
    if value >= 10**6:
        return f"{value / 10**6:.1f}s"
    return f"{value / 1000:.1f}ms" if value >= 1000 else f"{value}us"


class Estimator:
    """An exponentially weighted average of bytes and packets a second."""

    def __init__(self, net: Any, interval: int, weight: float):
        self.net = net
        self.users = 0
        self.interval = interval * 1000
        self.weight = weight
        self.since = net.loop.now
        self.bytes = self.packets = 0
        self.rates = {"bps": 0.0, "pps": 0.0}

    def add(self, size: int) -> None:
        self._advance()
        self.bytes += size
        self.packets += 1

    def _advance(self) -> None:
        while self.net.loop.now - self.since >= self.interval:
            seconds = self.interval / SECOND
            for key, count in (("bps", self.bytes), ("pps", self.packets)):
                self.rates[key] += (count / seconds - self.rates[key]) * self.weight
            self.bytes = self.packets = 0
            self.since += self.interval

    def rate(self, kind: str) -> float:
        self._advance()
        return int(self.rates[kind])


class Rateest(Extension):
    name = "RATEEST"
    options = (Opt("rateest-name", "string"), Opt("rateest-interval", "string"), Opt("rateest-ewmalog", "string"))
    interval = ewma = 0

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "rateest-name":
            return
        time = parse_time(value)
        if time is None:
            raise problem(f'RATEEST: bad {opt.id.removeprefix("rateest-")} value "{value}"')
        if opt.id == "rateest-interval":
            self.interval = time
        else:
            self.ewma = time

    def check(self, names: Names) -> None:
        shift = next((number for number in range(6) if self.interval <= 250000 << number), None)
        if shift is None:
            raise problem("RATEEST: interval value is out of range")
        self.step = 250000 << shift
        self.log = self._log()
        if not 0 < self.log < 31:
            raise problem("RATEEST: ewmalog value is out of range")

    def _log(self) -> int:
        """The power of two whose time constant is nearest above the one asked for."""
        import math

        for number in range(1, 32):
            weight = 1.0 - 1.0 / (1 << number)
            if self.interval / -math.log(weight) > self.ewma:
                return number - 1
        return 31

    def _ewma_text(self) -> str:
        return time_text((self.step << self.log) % 2**32)  # an unsigned int

    def save(self) -> str:
        return (
            f"--rateest-name {self.values.get('rateest-name', '')} --rateest-interval {time_text(self.step)} "
            f"--rateest-ewmalog {self._ewma_text()}"
        )

    def listing(self, names: Names | None) -> str:
        return f"name {self.values.get('rateest-name', '')} interval {time_text(self.step)} ewmalog {self._ewma_text()}"

    def refused(self, place: Place, rule: XtRule) -> int:
        return 0 if self.values.get("rateest-name") else errno.EINVAL

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        super().attach(net, rule)
        estimators = net.rooms.setdefault("rateest", {})
        name = self.values["rateest-name"]
        if name not in estimators:
            estimators[name] = Estimator(net, self.step, 1 / (1 << self.log))
        estimators[name].users += 1

    def detach(self, net: NetNamespace) -> None:
        super().detach(net)
        estimators = net.rooms["rateest"]
        estimator = estimators[self.values["rateest-name"]]
        estimator.users -= 1
        if not estimator.users:
            del estimators[self.values["rateest-name"]]

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        estimator = net.rooms["rateest"][self.values["rateest-name"]]

        def target(skb: Any, state: Any) -> int:
            estimator.add(skb.len)
            return CONTINUE

        return target


EXTENSION = Rateest
