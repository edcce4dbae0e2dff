"""-m eui64: the address was made from the sender's MAC (libip6t_eui64, ip6t_eui64.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Eui64(Extension):
    name = "eui64"
    families = (6,)
    hooks = (0, 1, 2)

    def listing(self, names: Names | None) -> str:
        return "eui64" if self.rule is not None and self.rule.legacy else ""

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        def test(skb: Any, state: Any) -> bool:
            if skb.eth is None:
                return False
            return skb.network[0] & (1 << 64) - 1 == skb.eth.source.link_local() & (1 << 64) - 1

        return test


EXTENSION = Eui64
