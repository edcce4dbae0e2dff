"""-m ipv6header: which extension headers there are (libip6t_ipv6header, ip6t_ipv6header.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

#: (bit, protocol number, name printed, short names)
HEADERS = (
    (0x80, 0, "hop-by-hop", ("hop",)), (0x40, 60, "ipv6-opts", ("dst",)), (0x20, 43, "ipv6-route", ("route",)),
    (0x10, 44, "ipv6-frag", ("frag",)), (0x08, 51, "ah", ("auth",)), (0x04, 50, "esp", ("esp",)),
    (0x02, 59, "ipv6-nonxt", ("none",)), (0x01, 255, "protocol", ("prot",)),
)  # fmt: skip


class Ipv6header(Extension):
    name = "ipv6header"
    families = (6,)
    options = (Opt("header", "string", invert=True, mand=True), Opt("soft"))

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        if opt.id == "header":
            words = [word for word in text.split(",") if word]
            if not words:
                raise problem("ip6t_ipv6header: cannot parse header names")
            self.values["header"] = sum({self._bit(word, names) for word in words})

    def _bit(self, word: str, names: Names) -> int:
        value = number(word, 255)
        for bit, protocol, name, short in HEADERS:
            if value == protocol or word.lower() in (name, *short):
                return bit
        known = names.protocol_number(word)
        for bit, protocol, _, _ in HEADERS:
            if known is not None and known == protocol:
                return bit
        raise problem(f"unknown header `{word}' specified")

    def _names(self) -> str:
        return ",".join(name for bit, _, name, _ in HEADERS if self.values["header"] & bit)

    def save(self) -> str:
        return f"{self.bang('header')}--header {self._names()}" + (" --soft" if "soft" in self.values else "")

    def listing(self, names: Names | None) -> str:
        bang = "!" if "header" in self.inverted else ""
        text = f"0x{self.values['header']:02X}" if names is None else self._names()
        return f"ipv6header flags:{bang}{text}" + (" soft" if "soft" in self.values else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        wanted, soft, inverted = self.values["header"], "soft" in self.values, "header" in self.inverted

        def test(skb: Any, state: Any) -> bool:
            protocol = skb.network[2]
            bit = next((bit for bit, number_of, _, _ in HEADERS if number_of == protocol), 0x01)
            return ((bit & wanted != 0) if soft else bit == wanted) != inverted

        return test


EXTENSION = Ipv6header
