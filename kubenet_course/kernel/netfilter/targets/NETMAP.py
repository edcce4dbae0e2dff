"""-j NETMAP: one network onto another, host by host (libxt_NETMAP, xt_NETMAP.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.nat import DST, SRC, NatRange, setup_info
from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, prefix_of

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Netmap(Extension):
    name = "NETMAP"
    conntrack = True
    tables = ("nat",)
    hooks = (0, 1, 3, 4)
    options = (Opt("to", "hostmask", mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        address, mask = value
        if prefix_of(mask, address.bits) is None:
            mask = (1 << address.bits) - 1
            self.values["shown"] = (address, mask)
        else:
            self.values["shown"] = (type(address)(address & mask), mask)

    def _text(self) -> str:
        address, mask = self.values["shown"]
        return f"{address}/{prefix_of(mask, address.bits)}"

    def save(self) -> str:
        return f"--to {self._text()}"

    def listing(self, names: Names | None) -> str:
        return f"to:{self._text()}"

    def nft(self, rule: XtRule) -> str | None:
        return None

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        network, mask = self.values["shown"]

        def target(skb: Any, state: Any) -> int:
            ct = skb.nfct
            if ct is None:
                return ACCEPT
            kind = SRC if state.hook in (4, 1) else DST
            own = skb.network[0] if kind == SRC else skb.network[1]
            address = type(own)((own & ~mask) | network)
            return ACCEPT if setup_info(net, ct, NatRange(address, address), kind) else DROP

        return target


EXTENSION = Netmap
