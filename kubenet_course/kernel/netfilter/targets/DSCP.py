"""-j DSCP: write the differentiated services field (libxt_DSCP, xt_DSCP.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches.dscp import dscp_class
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Dscp(Extension):
    name = "DSCP"
    tables = ("mangle",)
    options = (
        Opt("set-dscp", "uint8", high=63, excl=("set-dscp-class",)),
        Opt("set-dscp-class", "string", excl=("set-dscp",)),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "set-dscp-class":
            self.values["set-dscp-class"] = dscp_class(value)

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("DSCP target: Parameter --set-dscp is required")

    def _value(self) -> int:
        return next(iter(self.values.values()))

    def save(self) -> str:
        return f"--set-dscp 0x{self._value():02x}"

    def listing(self, names: Names | None) -> str:
        return f"DSCP set 0x{self._value():02x}"

    def nft(self, rule: XtRule) -> str | None:
        return f"{'ip' if self.family == 4 else 'ip6'} dscp set 0x{self._value():02x}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        bits = self._value() << 2

        def target(skb: Any, state: Any) -> int:
            set_tos(skb, bits | skb.network.tos & 3)
            return CONTINUE

        return target


def set_tos(skb: Any, tos: int) -> None:
    network = skb.network
    if network.tos != tos:
        field = "tos" if len(network) == 9 else "traffic_class"
        skb.network = network._replace(**{field: tos})


EXTENSION = Dscp
