"""-m mac: the sender on the last link (libxt_mac, xt_mac.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Mac(Extension):
    name = "mac"
    hooks = (0, 1, 2)
    options = (Opt("mac-source", "mac", invert=True, mand=True),)

    def save(self) -> str:
        return f"{self.bang('mac-source')}--mac-source {self.values['mac-source']}"

    def listing(self, names: Names | None) -> str:
        return f"MAC {self.bang('mac-source')}{self.values['mac-source']}"

    def nft(self, rule: XtRule) -> str | None:
        return f"ether saddr {'!= ' if 'mac-source' in self.inverted else ''}{self.values['mac-source']}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        mac, inverted = self.values["mac-source"], "mac-source" in self.inverted
        return lambda skb, state: skb.eth is not None and (skb.eth.source == mac) != inverted


EXTENSION = Mac
