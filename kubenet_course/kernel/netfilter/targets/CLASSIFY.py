"""-j CLASSIFY: the traffic control class (libxt_CLASSIFY, xt_CLASSIFY.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Classify(Extension):
    name = "CLASSIFY"
    hooks = (2, 3, 4)
    options = (Opt("set-class", "string", mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        found = re.match(r"\s*([0-9a-fA-F]+):([0-9a-fA-F]+)", value)
        if found is None:
            raise problem(f'Bad class value "{value}"')
        self.values["set-class"] = (int(found.group(1), 16) & 0xFFFF, int(found.group(2), 16) & 0xFFFF)

    def save(self) -> str:
        return "--set-class {:04x}:{:04x}".format(*self.values["set-class"])

    def listing(self, names: Names | None) -> str:
        return "CLASSIFY set {:x}:{:x}".format(*self.values["set-class"])

    def nft(self, rule: XtRule) -> str | None:
        return "meta priority set {:x}:{:x}".format(*self.values["set-class"])

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        major, minor = self.values["set-class"]

        def target(skb: Any, state: Any) -> int:
            skb.priority = major << 16 | minor
            return CONTINUE

        return target


EXTENSION = Classify
