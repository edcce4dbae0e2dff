"""-m helper: packets of connections with that helper (libxt_helper, xt_helper.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Helper(Extension):
    name = "helper"
    conntrack = True
    options = (Opt("helper", "string", invert=True, mand=True),)

    def save(self) -> str:
        from kubenet_course.kernel.netfilter.xt import quote

        return f"{self.bang('helper')}--helper {quote(self.values['helper'])}"

    def listing(self, names: Names | None) -> str:
        return f'helper match {self.bang("helper")}"{self.values["helper"]}"'

    def nft(self, rule: XtRule) -> str | None:
        return f'ct helper {"!= " if self.inverted else ""}"{self.values["helper"]}"'

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        wanted, inverted = self.values["helper"], bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            ct = skb.nfct
            master = ct.master if ct is not None else None
            return (master is not None and master.helper == wanted) != inverted

        return test


EXTENSION = Helper
