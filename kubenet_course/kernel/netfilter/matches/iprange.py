"""-m iprange: addresses from one to another (libxt_iprange, xt_iprange.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem
from kubenet_course.wire.addresses import parse_address

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Iprange(Extension):
    name = "iprange"
    options = (Opt("src-range", "string", invert=True), Opt("dst-range", "string", invert=True))

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        low_text, dash, high_text = text.partition("-")
        low_ok = False
        try:
            low = parse_address(low_text)
            low_ok = low.family == self.family
            high = parse_address(high_text) if dash else low
            if low.family != self.family or high.family != self.family:
                raise ValueError
        except ValueError:
            raise problem(f'iprange: Bad value for "--{opt.name}" option: "{high_text if low_ok else low_text}"') from None
        if high < low:
            names.warn(f"xt_iprange: range {low}-{high} is reversed and will never match")
        self.values[opt.id] = (low, high)

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("iprange match: You must specify `--src-range' or `--dst-range'")

    def save(self) -> str:
        return " ".join(
            f"{self.bang(key)}--{key} {self.values[key][0]}-{self.values[key][1]}"
            for key in ("src-range", "dst-range")
            if key in self.values
        )

    def listing(self, names: Names | None) -> str:
        words = (("src-range", "source IP range"), ("dst-range", "destination IP range"))
        return " ".join(
            f"{word} {self.bang(key)}{self.values[key][0]}-{self.values[key][1]}" for key, word in words if key in self.values
        )

    def nft(self, rule: XtRule) -> str | None:
        head = "ip" if self.family == 4 else "ip6"
        return " ".join(
            f"{head} {field} {'!= ' if key in self.inverted else ''}{self.values[key][0]}-{self.values[key][1]}"
            for key, field in (("src-range", "saddr"), ("dst-range", "daddr"))
            if key in self.values
        )

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        tests = [
            (index, *self.values[key], key in self.inverted)
            for key, index in (("src-range", 0), ("dst-range", 1))
            if key in self.values
        ]
        return lambda skb, state: all((low <= skb.network[index] <= high) != no for index, low, high, no in tests)


EXTENSION = Iprange
