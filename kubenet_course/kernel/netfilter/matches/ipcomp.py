"""-m ipcomp: IP payload compression (libxt_ipcomp)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Ipcomp(Extension):
    name = "ipcomp"
    protocols = (108,)
    options = (Opt("ipcompspi", "uint32rc", invert=True), Opt("compres"))

    def __init__(self, family: int):
        super().__init__(family)
        #: Without an option the number is 0, not "any".
        self.values["ipcompspi"] = (0, 0)

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        if opt.id == "ipcompspi" and not self.__dict__.get("given"):
            self.given = True
            del self.values["ipcompspi"]
        super().parse(opt, text, invert, names)

    def save(self) -> str:
        return _spi.save(self, "ipcompspi") + (" --compres" if "compres" in self.values else "")

    def listing(self, names: Names | None) -> str:
        words = ("comp", _spi.words(self, "ipcompspi", "spi"), "reserved" if "compres" in self.values else "")
        return " ".join(word for word in words if word)

    def nft(self, rule: XtRule) -> str | None:
        return _spi.nft(self, "ipcompspi", "comp cpi", full_shown=True)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            return len(data) >= 4 and _spi.within(self, "ipcompspi", int.from_bytes(data[2:4], "big"))

        return test


EXTENSION = Ipcomp
