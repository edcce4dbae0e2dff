"""-m connmark: the connection's mark (libxt_connmark, xt_connmark.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.conntrack_entry import UNTRACKED
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, mark_text

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Connmark(Extension):
    name = "connmark"
    conntrack = True
    options = (Opt("mark", "markmask", invert=True, mand=True),)

    def save(self) -> str:
        return f"{self.bang('mark')}--mark {mark_text(*self.values['mark'])}"

    def listing(self, names: Names | None) -> str:
        return f"connmark match {'!' if 'mark' in self.inverted else ''} {mark_text(*self.values['mark'])}"

    def nft(self, rule: XtRule) -> str | None:
        value, mask = self.values["mark"]
        inverted = "mark" in self.inverted
        if mask == 0xFFFFFFFF:
            return f"ct mark {'!= ' if inverted else ''}0x{value:x}"
        return f"ct mark and 0x{mask:x} {'!=' if inverted else '=='} 0x{value:x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (value, mask), inverted = self.values["mark"], "mark" in self.inverted

        def test(skb: Any, state: Any) -> bool:
            ct = skb.nfct
            return ct is not None and ct is not UNTRACKED and (ct.mark & mask == value) != inverted

        return test


EXTENSION = Connmark
