"""-m cpu: on which processor (libxt_cpu); an emulated machine has one, number 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Cpu(Extension):
    name = "cpu"
    options = (Opt("cpu", "uint32", invert=True, mand=True),)

    def save(self) -> str:
        return f"{self.bang('cpu')}--cpu {self.values['cpu']}"

    def listing(self, names: Names | None) -> str:
        return f"cpu {self.bang('cpu')}{self.values['cpu']}"

    def nft(self, rule: XtRule) -> str | None:
        return f"cpu {'!= ' if self.inverted else ''}{self.values['cpu']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        result = (self.values["cpu"] == 0) != bool(self.inverted)
        return lambda skb, state: result


EXTENSION = Cpu
