"""-m mark: the packet's mark (libxt_mark, xt_mark.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, mark_text

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class MarkMatch(Extension):
    name = "mark"
    options = (Opt("mark", "markmask", invert=True, mand=True),)

    def save(self) -> str:
        return f"{self.bang('mark')}--mark {mark_text(*self.values['mark'])}"

    def listing(self, names: Names | None) -> str:
        return f"mark match {self.bang('mark')}{mark_text(*self.values['mark'])}"

    def nft(self, rule: XtRule) -> str | None:
        value, mask = self.values["mark"]
        inverted = "mark" in self.inverted
        if mask == 0xFFFFFFFF:
            return f"meta mark {'!= ' if inverted else ''}0x{value:08x}"
        return f"meta mark & 0x{mask:08x} {'!=' if inverted else '=='} 0x{value:08x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (value, mask), inverted = self.values["mark"], "mark" in self.inverted
        return lambda skb, state: (skb.mark & mask == value) != inverted


EXTENSION = MarkMatch
