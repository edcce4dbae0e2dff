"""-m tos: the type of service field (libxt_tos, xt_dscp.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, number, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

SYMBOLS = (
    ("Minimize-Delay", 0x10), ("Maximize-Throughput", 0x08), ("Maximize-Reliability", 0x04), ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
)  # fmt: skip


def parse_tos(text: str, symbol_mask: int = 0x3F, name: str = "tos", option: str = "tos") -> tuple[int, int]:
    """XTTYPE_TOSMASK: a symbol, or value[/mask]."""
    value_text, slash, mask_text = text.partition("/")
    value = number(value_text, 0xFF)
    if value is None:
        for symbol, bits in SYMBOLS:
            if symbol.lower() == text.lower():
                return bits, symbol_mask
        digits = re.match(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*", value_text)
        if digits and number(digits[0], 0xFF) is not None:
            raise problem(f'Illegal value: "{text}"')
        raise problem(f'Symbolic name "{text}" is unknown')
    mask = number(mask_text, 0xFF) if slash else 0xFF
    if mask is None:
        raise problem(f'Illegal value: "{text}"')
    return value, mask


def symbol_of(value: int, mask: int) -> str | None:
    return next((symbol for symbol, bits in SYMBOLS if bits == value and mask == 0x3F), None)


class Tos(Extension):
    name = "tos"
    options = (Opt("tos", "string", invert=True, mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        self.values["tos"] = parse_tos(value)

    def save(self) -> str:
        value, mask = self.values["tos"]
        return f"{self.bang('tos')}--tos 0x{value:02x}/0x{mask:02x}"

    def listing(self, names: Names | None) -> str:
        value, mask = self.values["tos"]
        bang = "!" if "tos" in self.inverted else ""
        symbol = symbol_of(value, mask) if names is not None else None
        return f"tos match{bang} {symbol}" if symbol else f"tos match{bang}0x{value:02x}/0x{mask:02x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (value, mask), inverted = self.values["tos"], "tos" in self.inverted
        return lambda skb, state: (skb.network.tos & mask == value) != inverted


EXTENSION = Tos
