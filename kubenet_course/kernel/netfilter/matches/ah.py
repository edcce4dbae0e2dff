"""-m ah: the authentication header (libipt_ah, libip6t_ah)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Ah(Extension):
    name = "ah"
    options = (Opt("ahspi", "uint32rc", invert=True), Opt("ahlen", "uint32", invert=True), Opt("ahres"))

    def __init__(self, family: int):
        super().__init__(family)
        if family == 4:
            self.options = self.options[:1]  # type: ignore[assignment,misc]

    def refused(self, place: Place, rule: XtRule) -> int:
        return 22 if self.family == 4 and (rule.protocol != 51 or rule.protocol_inverted) else 0

    def save(self) -> str:
        words = [_spi.save(self, "ahspi")]
        if self.values.get("ahlen") or "ahlen" in self.inverted:
            words.append(f"{self.bang('ahlen')}--ahlen {self.values['ahlen']}")
        words += ["--ahres"] if "ahres" in self.values else []
        return " ".join(word for word in words if word)

    def listing(self, names: Names | None) -> str:
        text = f"ah {_spi.words(self, 'ahspi', 'spi')}"
        if self.values.get("ahlen") or "ahlen" in self.inverted:
            text += f"length:{'!' if 'ahlen' in self.inverted else ''}{self.values['ahlen']}"
        return text + (" reserved" if "ahres" in self.values else "")

    def nft(self, rule: XtRule) -> str | None:
        words = [_spi.nft(self, "ahspi", "ah spi")]
        if "ahlen" in self.values:
            words.append(f"ah hdrlength {'!= ' if 'ahlen' in self.inverted else ''}{self.values['ahlen']}")
        words += ["ah reserved 1"] if "ahres" in self.values else []
        text = " ".join(word for word in words if word)
        return text if text or self.family == 4 else "meta l4proto ah"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            if skb.network[2] != 51 or len(data) < 12:
                return False
            return _spi.within(self, "ahspi", int.from_bytes(data[4:8], "big"))

        return test


EXTENSION = Ah
