"""-m dscp: the differentiated services field (libxt_dscp, xt_dscp.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

CLASSES = {
    **{f"CS{number}": number * 8 for number in range(8)}, "BE": 0,
    **{f"AF{major}{minor}": major * 8 + minor * 2 for major in range(1, 5) for minor in range(1, 4)}, "EF": 46,
}  # fmt: skip


def dscp_class(name: str) -> int:
    if name.upper() not in CLASSES:
        raise problem(f"Invalid DSCP value `{name}'")
    return CLASSES[name.upper()]


class Dscp(Extension):
    name = "dscp"
    options = (
        Opt("dscp", "uint8", invert=True, high=63, excl=("dscp-class",)),
        Opt("dscp-class", "string", invert=True, excl=("dscp",)),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "dscp-class":
            self.values["dscp-class"] = dscp_class(value)

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("DSCP match: Parameter --dscp is required")

    def _only(self) -> tuple[int, bool]:
        return next(iter(self.values.values())), bool(self.inverted)

    def save(self) -> str:
        value, inverted = self._only()
        return f"{'! ' if inverted else ''}--dscp 0x{value:02x}"

    def listing(self, names: Names | None) -> str:
        value, inverted = self._only()
        return f"DSCP match {'!' if inverted else ''}0x{value:02x}"

    def nft(self, rule: XtRule) -> str | None:
        value, inverted = self._only()
        return f"{'ip' if self.family == 4 else 'ip6'} dscp {'!= ' if inverted else ''}0x{value:02x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        value, inverted = self._only()
        return lambda skb, state: (skb.network.tos >> 2 == value) != inverted


EXTENSION = Dscp
