"""-m esp: the encapsulating security payload (libxt_esp)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Esp(Extension):
    name = "esp"
    protocols = (50,)
    options = (Opt("espspi", "uint32rc", invert=True),)

    def save(self) -> str:
        return _spi.save(self, "espspi")

    def listing(self, names: Names | None) -> str:
        return " ".join(word for word in ("esp", _spi.words(self, "espspi", "spi")) if word)

    def nft(self, rule: XtRule) -> str | None:
        return _spi.nft(self, "espspi", "esp spi")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            return len(data) >= 8 and _spi.within(self, "espspi", int.from_bytes(data[:4], "big"))

        return test


EXTENSION = Esp
