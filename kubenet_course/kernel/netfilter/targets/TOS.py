"""-j TOS: write the type of service field (libxt_TOS, xt_DSCP.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches.tos import parse_tos, symbol_of
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.targets.DSCP import set_tos
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

MODES = ("set-tos", "and-tos", "or-tos", "xor-tos")


class Tos(Extension):
    """tos = (tos & ~mask) ^ value."""

    name = "TOS"
    tables = ("mangle",)
    options = (
        Opt("set-tos", "string", excl=("and-tos", "or-tos", "xor-tos")),
        Opt("and-tos", "uint8", excl=("set-tos", "or-tos", "xor-tos")),
        Opt("or-tos", "uint8", excl=("set-tos", "and-tos", "xor-tos")),
        Opt("xor-tos", "uint8", excl=("set-tos", "and-tos", "or-tos")),
    )
    value = mask = 0

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "set-tos":
            self.value, self.mask = parse_tos(value, name="TOS", option="set-tos")
        elif opt.id == "and-tos":
            self.value, self.mask = 0, ~value & 0xFF
        elif opt.id == "or-tos":
            self.value, self.mask = value, value
        else:
            self.value, self.mask = value, 0

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("TOS: An action is required")

    def save(self) -> str:
        return f"--set-tos 0x{self.value:02x}/0x{self.mask:02x}"

    def listing(self, names: Names | None) -> str:
        value, mask = self.value, self.mask
        if names is None:
            return f"TOS set 0x{value:02x}/0x{mask:02x}"
        symbol = symbol_of(value, mask)
        if symbol:
            return f" TOS set{symbol}"
        if value == 0:
            return f"TOS and 0x{~mask & 0xFF:02x}"
        if value == mask:
            return f"TOS or 0x{value:02x}"
        if mask == 0:
            return f"TOS xor 0x{value:02x}"
        return f"TOS set 0x{value:02x}/0x{mask:02x}"

    def nft(self, rule: XtRule) -> str | None:
        value, mask = self.value >> 2, self.mask >> 2
        if mask == 0x3F or self.mask in (0x3F, 0xFF):
            return f"ip6 dscp set 0x{value:02x}"
        if self.mask == 0:
            return f"ip6 dscp set ip6 dscp xor 0x{value:02x}"
        if self.value == self.mask:
            return f"ip6 dscp set ip6 dscp or 0x{value:02x}"
        if self.value == 0:
            return f"ip6 dscp set ip6 dscp and 0x{~mask & 0x3F:02x}"
        return f"ip6 dscp set ip6 dscp and 0x{~mask & 0x3F:02x} xor 0x{value:02x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        keep, value = ~self.mask & 0xFF, self.value

        def target(skb: Any, state: Any) -> int:
            set_tos(skb, skb.network.tos & keep ^ value)
            return CONTINUE

        return target


EXTENSION = Tos
