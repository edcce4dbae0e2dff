"""-m length: the length of the packet in bytes (libxt_length, xt_length.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, range_text

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Length(Extension):
    name = "length"
    options = (Opt("length", "uint16rc", invert=True, mand=True),)

    def save(self) -> str:
        return f"{self.bang('length')}--length {range_text(*self.values['length'])}"

    def listing(self, names: Names | None) -> str:
        return f"length {'!' if 'length' in self.inverted else ''}{range_text(*self.values['length'])}"

    def nft(self, rule: XtRule) -> str | None:
        return f"meta length {'!= ' if 'length' in self.inverted else ''}{range_text(*self.values['length'], separator='-')}"  # type: ignore[misc]

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (low, high), inverted = self.values["length"], "length" in self.inverted
        return lambda skb, state: (low <= skb.len <= high) != inverted


EXTENSION = Length
