"""-j TRACE: tell of every rule the packet meets (libxt_TRACE; nf_tables: meta nftrace set 1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import CONTINUE, NF_TRACE
from kubenet_course.kernel.netfilter.xt import Extension, Place

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Trace(Extension):
    name = "TRACE"

    def refused(self, place: Place, rule: XtRule) -> int:
        return errno.EINVAL if place.legacy and place.table != "raw" else 0

    def nft(self, rule: XtRule) -> str | None:
        return "meta nftrace set 1"

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        """In the old tables the kernel log listens; with nf_tables a program has to."""
        super().attach(net, rule)
        assert rule.chain is not None
        if rule.chain.table.ruleset.legacy:
            rule.chain.table.ruleset.tracers.append(to_the_log)

    def detach(self, net: NetNamespace) -> None:
        assert self.rule is not None and self.rule.chain is not None
        if self.rule.chain.table.ruleset.legacy:
            self.rule.chain.table.ruleset.tracers.remove(to_the_log)
        super().detach(net)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        def target(skb: Any, state: Any) -> int:
            skb.nf_flags |= NF_TRACE
            return CONTINUE

        return target


def to_the_log(event: dict[str, Any]) -> None:
    """Stands for the kernel log among those that are told; traced.py writes its lines."""


EXTENSION = Trace
