"""-m pkttype: to this host, to all, or to a group (libxt_pkttype, xt_pkttype.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

TYPES = {"unicast": 0, "broadcast": 1, "multicast": 2, "bcast": 1, "mcast": 2, "host": 0, "otherhost": 3}
WORDS = {0: "unicast", 1: "broadcast", 2: "multicast", 3: "otherhost"}


class Pkttype(Extension):
    name = "pkttype"
    options = (Opt("pkt-type", "string", invert=True, mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if value.lower() not in TYPES:
            raise problem(f"Bad packet type '{value}'")
        self.values["pkt-type"] = TYPES[value.lower()]

    def save(self) -> str:
        return f"{self.bang('pkt-type')}--pkt-type {WORDS[self.values['pkt-type']]}"

    def listing(self, names: Names | None) -> str:
        return f"PKTTYPE {'!=' if self.inverted else '='} {WORDS[self.values['pkt-type']]}"

    def nft(self, rule: XtRule) -> str | None:
        return f"pkttype {'!= ' if self.inverted else ''}{WORDS[self.values['pkt-type']]}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        wanted, inverted = self.values["pkt-type"], bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            kind = skb.pkt_type
            if state.indev is not None and state.indev.is_loopback:
                # A looped packet has no type of its own: ask its address.
                address = skb.network[1]
                kind = 2 if address.is_multicast else 1 if address == 0xFFFFFFFF else 0
            return (kind == wanted) != inverted

        return test


EXTENSION = Pkttype
