"""-m frag: the IPv6 fragment header (libip6t_frag, ip6t_frag.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Frag(Extension):
    name = "frag"
    families = (6,)
    options = (
        Opt("fragid", "uint32rc", invert=True), Opt("fraglen", "uint32", invert=True), Opt("fragres"), Opt("fragfirst"),
        Opt("fragmore", excl=("fraglast",)), Opt("fraglast", excl=("fragmore",)),
    )  # fmt: skip

    def save(self) -> str:
        words = [_spi.save(self, "fragid")]
        if "fraglen" in self.values:
            words.append(f"{self.bang('fraglen')}--fraglen {self.values['fraglen']}")
        words += [f"--{key}" for key in ("fragres", "fragfirst", "fragmore", "fraglast") if key in self.values]
        return " ".join(word for word in words if word)

    def listing(self, names: Names | None) -> str:
        text = f"frag {_spi.words(self, 'fragid', 'id')}"
        if "fraglen" in self.values:
            text += f" length:{'!' if 'fraglen' in self.inverted else ''}{self.values['fraglen']}"
        for key, word in (("fragres", "reserved"), ("fragfirst", "first"), ("fragmore", "more"), ("fraglast", "last")):
            text += f" {word}" if key in self.values else ""
        return text

    def nft(self, rule: XtRule) -> str | None:
        words = [_spi.nft(self, "fragid", "frag id")]
        for key, word in (
            ("fragres", "frag reserved 1"), ("fragfirst", "frag frag-off 0"), ("fragmore", "frag more-fragments 1"),
            ("fraglast", "frag more-fragments 0"),
        ):  # fmt: skip
            words += [word] if key in self.values else []
        return " ".join(word for word in words if word)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        values = self.values

        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            if skb.network[2] != 44 or len(data) < 8:
                return False
            field = int.from_bytes(data[2:4], "big")
            if not _spi.within(self, "fragid", int.from_bytes(data[4:8], "big")):
                return False
            if "fragfirst" in values and field & 0xFFF8 or "fragmore" in values and not field & 1:
                return False
            return not ("fraglast" in values and field & 1 or "fragres" in values and not (data[1] or field & 6))

        return test


EXTENSION = Frag
