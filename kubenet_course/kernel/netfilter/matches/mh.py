"""-m mh: Mobile IPv6 messages (libip6t_mh, ip6t_mh.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches import _spi
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

TYPES = (
    ("binding-refresh-request", 0), ("brr", 0), ("home-test-init", 1), ("hoti", 1), ("careof-test-init", 2), ("coti", 2),
    ("home-test", 3), ("hot", 3), ("careof-test", 4), ("cot", 4), ("binding-update", 5), ("bu", 5),
    ("binding-acknowledgement", 6), ("ba", 6), ("binding-error", 7), ("be", 7),
)  # fmt: skip


def parse_type(text: str) -> int:
    if not text:
        return 0
    found = [entry for entry in TYPES if entry[0].startswith(text.lower())]
    exact = [entry for entry in found if entry[0] == text.lower()]
    if exact or len(found) == 1:
        return (exact or found)[0][1]
    if found:
        raise problem(f"Ambiguous MH type `{text}': `{found[0][0]}' or `{found[1][0]}'?")
    value = number(text, 255)
    if value is None:
        raise problem(f"Invalid MH type `{text}'")
    return value


class Mh(Extension):
    name = "mh"
    aliases = ("ipv6-mh",)
    families = (6,)
    protocols = (135,)
    options = (Opt("mh-type", "string", invert=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        low_text, colon, high_text = value.partition(":")
        low = parse_type(low_text) if low_text or not colon else 0
        high = (parse_type(high_text) if high_text else 255) if colon else low
        if low > high:
            raise problem("Invalid MH type range (min > max)")
        self.values["mh-type"] = (low, high)

    def save(self) -> str:
        low, high = self.values.get("mh-type", (0, 255))
        if (low, high) == (0, 255) and not self.inverted:
            return ""
        return f"{self.bang('mh-type')}--mh-type {low}" + (f":{high}" if low != high else "")

    def listing(self, names: Names | None) -> str:
        low, high = self.values.get("mh-type", (0, 255))
        if (low, high) == (0, 255) and not self.inverted:
            return "mh"

        def word(value: int) -> str:
            return next((name for name, of in TYPES if of == value), str(value)) if names is not None else str(value)

        return f"mh {'!' if self.inverted else ''}{word(low)}" + (f":{word(high)}" if low != high else "")

    def nft(self, rule: XtRule) -> str | None:
        low, high = self.values.get("mh-type", (0, 255))
        if (low, high) == (0, 255) and not self.inverted:
            return ""
        return f"mh type {'!= ' if self.inverted else ''}{low}" + (f"-{high}" if low != high else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        low, high = self.values.get("mh-type", (0, 255))
        inverted = bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            data = _spi.payload_bytes(skb)
            return len(data) >= 6 and (low <= data[2] <= high) != inverted

        return test


EXTENSION = Mh
