"""-m ttl: hops left, IPv4 (libipt_ttl, xt_hl.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

SIGNS = {"eq": "==", "lt": "<", "gt": ">"}


def hop_options(word: str) -> tuple[Opt, ...]:
    """What `-m ttl` and `-m hl` take, by their own word."""
    lower, greater, equal = f"{word}-lt", f"{word}-gt", f"{word}-eq"
    return (
        Opt(lower, "uint8", excl=(equal, greater)),
        Opt(greater, "uint8", excl=(equal, lower)),
        Opt(equal, "uint8", invert=True, excl=(lower, greater)),
        Opt(word, "uint8", invert=True, excl=(lower, greater), key=equal),
    )


class Ttl(Extension):
    name = "ttl"
    families = (4,)
    word = "ttl"
    field = "ip ttl"
    #: The tool closes the quotation for HL only.
    tick = ""
    options = hop_options("ttl")

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem(
                f"{self.word.upper()} match: You must specify one of `--{self.word}-eq', `--{self.word}-lt', `--{self.word}-gt"
                + self.tick
            )

    def _only(self) -> tuple[str, int, bool]:
        key = next(iter(self.values))
        return key.rpartition("-")[2], self.values[key], key in self.inverted

    def save(self) -> str:
        mode, value, inverted = self._only()
        return f"{'! ' if inverted else ''}--{self.word}-{mode} {value}"

    def listing(self, names: Names | None) -> str:
        mode, value, inverted = self._only()
        word = self.word.upper()
        return f"{word} match {word} {'!=' if inverted else SIGNS[mode]} {value}"

    def nft(self, rule: XtRule) -> str | None:
        mode, value, inverted = self._only()
        operator = "!= " if inverted else {"eq": "", "lt": "lt ", "gt": "gt "}[mode]
        return f"{self.field} {operator}{value}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        mode, value, inverted = self._only()
        if mode == "lt":
            return lambda skb, state: skb.network[3] < value
        if mode == "gt":
            return lambda skb, state: skb.network[3] > value
        return lambda skb, state: (skb.network[3] == value) != inverted


EXTENSION = Ttl
