"""-j CONNSECMARK: copy security marks; there are none, so nothing is copied (libxt_CONNSECMARK)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Connsecmark(Extension):
    name = "CONNSECMARK"
    tables = ("mangle", "security")
    conntrack = True
    options = (Opt("save", excl=("restore",)), Opt("restore", excl=("save",)))

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("CONNSECMARK target: parameter required")

    def save(self) -> str:
        return f"--{next(iter(self.values))}"

    def listing(self, names: Names | None) -> str:
        return f"CONNSECMARK {next(iter(self.values))}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return lambda skb, state: CONTINUE


EXTENSION = Connsecmark
