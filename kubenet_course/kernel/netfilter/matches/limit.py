"""-m limit: a token bucket per rule (libxt_limit, xt_limit.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

SCALE = 10000
UNITS = (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400))
SHOWN = (("day", SCALE * 86400), ("hour", SCALE * 3600), ("min", SCALE * 60), ("sec", SCALE))


def parse_rate(text: str, scale: int = SCALE) -> tuple[int, int]:
    """parse_rate(): (1/`scale` s between two packets, seconds of the unit); ValueError where it is no rate."""
    count_text, slash, unit = text.partition("/")
    seconds = 1
    if slash:
        if not unit:
            raise ValueError(text)
        found = [value for name, value in UNITS if name.startswith(unit.lower())]
        if not found:
            raise ValueError(text)
        seconds = found[0]
    digits = re.match(r"\s*([+-]?\d+)", count_text)
    count = int(digits.group(1)) if digits else 0
    if not count:
        raise ValueError(text)
    if count < 0 or count / seconds > scale:  # atoi(), then unsigned
        raise problem(f'Rate too fast "{text}"')
    return scale * seconds // count, seconds


def rate_text(average: int) -> str:
    """print_rate(): ``3/hour``, ``5/sec``, in the largest unit that says it exactly."""
    if not average:
        return "0.000000"
    index = 0
    for position in range(1, len(SHOWN)):
        scale = SHOWN[position][1]
        if average > scale or scale // average < scale % average:
            break
        index = position
    best = SHOWN[index]
    return f"{best[1] // average}/{best[0]}"


def credits(amount: int) -> int:
    """user2credits(), in 32 bits; HZ * CREDITS_PER_JIFFY is 32000."""
    if amount > 0xFFFFFFFF // 32000:
        return amount // SCALE * 32000 % 2**32
    return amount * 32000 // SCALE


class Limit(Extension):
    name = "limit"
    options = (Opt("limit", "string"), Opt("limit-burst", "uint32", high=10000))

    def __init__(self, family: int):
        super().__init__(family)
        self.average, _ = parse_rate("3/hour")
        self.burst = 5
        #: A burst of 0 is kept as it is.
        self.unsaid = False

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "limit-burst":
            self.burst, self.unsaid = value or 5, not value
            return
        try:
            self.average, _ = parse_rate(value)
        except ValueError:
            raise problem(f'bad rate "{value}"\'') from None

    def refused(self, place: Place, rule: XtRule) -> int:
        """limit_mt_check(); nf_tables has an expression of its own."""
        whole = credits(self.average * (0 if self.unsaid else self.burst) % 2**32)
        return errno.ERANGE if place.legacy and (self.unsaid or whole < credits(self.average)) else 0

    def hidden(self) -> Any:
        return self.unsaid

    def save(self) -> str:
        return f"--limit {rate_text(self.average)}" + (f" --limit-burst {self.burst}" if self.burst != 5 else "")

    def listing(self, names: Names | None) -> str:
        return f"limit: avg {rate_text(self.average)} burst {self.burst}"

    def nft(self, rule: XtRule) -> str | None:
        count, unit = rate_text(self.average).split("/")
        unit = {"sec": "second", "min": "minute"}.get(unit, unit)
        return f"limit rate {count}/{unit}" + (f" burst {self.burst} packets" if self.burst != 5 else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        loop = net.loop
        cost = self.average * SECOND // SCALE
        full = cost * self.burst
        bucket = self.__dict__.setdefault("bucket", [full, loop.now])

        def test(skb: Any, state: Any) -> bool:
            now = loop.now
            credit = min(full, bucket[0] + now - bucket[1])
            bucket[1] = now
            if credit >= cost:
                bucket[0] = credit - cost
                return True
            bucket[0] = credit
            return False

        return test


EXTENSION = Limit
