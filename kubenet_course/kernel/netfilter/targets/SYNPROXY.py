"""-j SYNPROXY: answer SYNs with cookies before the server sees them; not emulated beyond its words (libxt_SYNPROXY)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

ORDER = ("sack-perm", "timestamp", "wscale", "mss", "ecn")


class Synproxy(Extension):
    name = "SYNPROXY"
    hooks = (1, 2)
    protocols = (6,)
    conntrack = True
    options = (Opt("sack-perm"), Opt("timestamp"), Opt("wscale", "uint32"), Opt("mss", "uint32"), Opt("ecn"))

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id in ("wscale", "mss"):
            self.values[opt.id] = value & (0xFF if opt.id == "wscale" else 0xFFFF)

    def _words(self, dashes: str) -> str:
        words = []
        for key in ORDER:
            if key in self.values:
                words.append(f"{dashes}{key} {self.values[key]}" if key in ("wscale", "mss") else f"{dashes}{key}")
        return " ".join(words)

    def save(self) -> str:
        return self._words("--")

    def listing(self, names: Names | None) -> str:
        return f"SYNPROXY {self._words('')}".rstrip() + " "

    def nft(self, rule: XtRule) -> str | None:
        return f"synproxy {self._words('')}".rstrip()

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        def target(skb: Any, state: Any) -> int:
            # Without the proxy the handshake simply goes on to the server.
            return CONTINUE

        return target


EXTENSION = Synproxy
