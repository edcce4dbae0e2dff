"""-m tcpmss: the maximum segment size that a SYN announces (libxt_tcpmss, xt_tcpmss.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem, range_text
from kubenet_course.wire import tcp_options
from kubenet_course.wire.tcp import TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Tcpmss(Extension):
    name = "tcpmss"
    protocols = (6,)
    options = (Opt("mss", "uint16rc", invert=True, mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if value[0] > value[1]:
            raise problem("tcpmss: invalid range given")

    def save(self) -> str:
        return f"{self.bang('mss')}--mss {range_text(*self.values['mss'])}"

    def listing(self, names: Names | None) -> str:
        return f"tcpmss match {'!' if self.inverted else ''}{range_text(*self.values['mss'])}"

    def nft(self, rule: XtRule) -> str | None:
        return f"tcp option maxseg size {'!= ' if self.inverted else ''}{range_text(*self.values['mss'], separator='-')}"  # type: ignore[misc]

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        (low, high), inverted = self.values["mss"], bool(self.inverted)

        def test(skb: Any, state: Any) -> bool:
            header = skb.transport
            size = segment_size(header.options) if isinstance(header, TcpHeader) else None
            if size is None:
                return inverted
            return (low <= size <= high) != inverted

        return test


def segment_size(options: bytes) -> int | None:
    """The MSS option's value, or None."""
    found = tcp_options.find(options, tcp_options.MSS, 2)
    return None if found is None else int.from_bytes(found, "big")


EXTENSION = Tcpmss
