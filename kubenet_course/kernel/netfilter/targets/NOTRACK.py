"""-j NOTRACK: do not track this packet (libxt_CT, xt_CT.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.targets.CT import notrack
from kubenet_course.kernel.netfilter.xt import Extension, Names

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Notrack(Extension):
    name = "NOTRACK"
    tables = ("raw",)
    listed_name = "CT"

    def listing(self, names: Names | None) -> str:
        return "NOTRACK"

    def nft(self, rule: XtRule) -> str | None:
        return "notrack"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return notrack


EXTENSION = Notrack
