"""-j AUDIT: a record for the audit system (libxt_AUDIT)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Audit(Extension):
    name = "AUDIT"
    options = (Opt("type", "string", mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if value.lower() not in ("accept", "drop", "reject"):
            raise problem(f'Bad action type value "{value}"')
        self.values["type"] = value.lower()

    def save(self) -> str:
        return f"--type {self.values['type']}"

    def listing(self, names: Names | None) -> str:
        return f"AUDIT {self.values['type']}"

    def nft(self, rule: XtRule) -> str | None:
        return "log level audit"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return lambda skb, state: CONTINUE


EXTENSION = Audit
