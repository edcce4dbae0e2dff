"""-j TRACE: tell of every rule the packet meets (libxt_TRACE; nf_tables: meta nftrace set 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.tables import CONTINUE, NF_TRACE
from kubenet_course.kernel.netfilter.xt import Extension

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Trace(Extension):
    name = "TRACE"

    def nft(self, rule: XtRule) -> str | None:
        return "meta nftrace set 1"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        def target(skb: Any, state: Any) -> int:
            skb.nf_flags |= NF_TRACE
            return CONTINUE

        return target


EXTENSION = Trace
