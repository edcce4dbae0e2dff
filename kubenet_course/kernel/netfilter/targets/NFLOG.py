"""-j NFLOG: to a listening program; none listens here, so nothing is lost (libxt_NFLOG, xt_NFLOG.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem, quote

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Nflog(Extension):
    name = "NFLOG"
    options = (
        Opt("nflog-group", "uint16"),
        Opt("nflog-prefix", "string", low=1),
        Opt("nflog-range", "uint32", excl=("nflog-size",)),
        Opt("nflog-size", "uint32"),
        Opt("nflog-threshold", "uint16"),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "nflog-prefix" and "\n" in value:
            raise problem("Newlines not allowed in --log-prefix")

    def check(self, names: Names) -> None:
        if "nflog-range" in self.values:
            names.warn("warn: --nflog-range has never worked and is no longer supported, please use --nflog-size instead")

    def _words(self, dashes: str) -> str:
        words = []
        if "nflog-prefix" in self.values:
            text = self.values["nflog-prefix"]
            text = text[:63] if self._legacy() else text
            words.append(f"{dashes}nflog-prefix {quote(text)}")
        if self.values.get("nflog-group"):
            words.append(f"{dashes}nflog-group {self.values['nflog-group']}")
        if "nflog-size" in self.values:
            words.append(f"{dashes}nflog-size {self.values['nflog-size']}")
        elif self.values.get("nflog-range") and self._legacy():
            words.append(f"{dashes}nflog-range {self.values['nflog-range']}")
        if self.values.get("nflog-threshold"):
            words.append(f"{dashes}nflog-threshold {self.values['nflog-threshold']}")
        return " ".join(words)

    def _legacy(self) -> bool:
        return self.rule is not None and self.rule.legacy

    def save(self) -> str:
        return self._words("--")

    def listing(self, names: Names | None) -> str:
        return self._words("")

    def nft(self, rule: XtRule) -> str | None:
        words = "log"
        if "nflog-prefix" in self.values:
            words += f' prefix "{self.values["nflog-prefix"]}"'
        words += f" group {self.values.get('nflog-group', 0)}"
        if "nflog-size" in self.values:
            words += f" snaplen {self.values['nflog-size']}"
        if "nflog-threshold" in self.values:
            words += f" queue-threshold {self.values['nflog-threshold']}"
        return words

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        return lambda skb, state: CONTINUE


EXTENSION = Nflog
