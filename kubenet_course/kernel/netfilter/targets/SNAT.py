"""-j SNAT: a new source address for the connection (libxt_SNAT, xt_nat.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.nat import SRC
from kubenet_course.kernel.netfilter.targets import _nat
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Snat(Extension):
    name = "SNAT"
    conntrack = True
    tables = ("nat",)
    hooks = (4, 1)
    kind = SRC
    flag = "to-source"
    word = "snat"
    options = (Opt("to-source", "string", mand=True), Opt("random"), Opt("random-fully"), Opt("persistent"))

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == self.flag:
            self.values[self.flag] = _nat.parse_range(self, text, names)

    def save(self) -> str:
        return f"--{self.flag} {_nat.range_text(self.values[self.flag], self.family)}{_nat.flag_words(self)}"

    def listing(self, names: Names | None) -> str:
        return f"to:{_nat.range_text(self.values[self.flag], self.family)}{_nat.flag_words(self, '')}"

    def nft(self, rule: XtRule) -> str | None:
        wanted = self.values[self.flag]
        if wanted.base_port is not None:
            return None
        return f"{self.word} to {_nat.range_text(wanted, self.family)}{_nat.nft_flags(self)}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return _nat.binder(net, _nat.with_flags(self.values[self.flag], self), self.kind)


EXTENSION = Snat
