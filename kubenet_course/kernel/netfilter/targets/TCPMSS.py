"""-j TCPMSS: write the maximum segment size of a SYN (libxt_TCPMSS, xt_TCPMSS.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.tables import CONTINUE
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem
from kubenet_course.wire.tcp import SYN, TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace


class Tcpmss(Extension):
    name = "TCPMSS"
    protocols = (6,)
    options = (
        Opt("set-mss", "uint16", high=65515),
        Opt("clamp-mss-to-pmtu"),
    )

    def __init__(self, family: int):
        super().__init__(family)
        if family == 6:
            self.options = (Opt("set-mss", "uint16", high=65495), self.options[1])  # type: ignore[misc]

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        """The later of the two holds."""
        self.values.pop("set-mss" if opt.id == "clamp-mss-to-pmtu" else "clamp-mss-to-pmtu", None)

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("TCPMSS target: At least one parameter is required")

    def refused(self, place: Place, rule: XtRule) -> int:
        self.hooks = (2, 3, 4) if "clamp-mss-to-pmtu" in self.values else None  # type: ignore[misc]
        if place.legacy and not any(only_syn(match) for match in rule.matches):
            return errno.EINVAL
        return super().refused(place, rule)

    def save(self) -> str:
        return f"--set-mss {self.values['set-mss']}" if "set-mss" in self.values else "--clamp-mss-to-pmtu"

    def listing(self, names: Names | None) -> str:
        return f"TCPMSS set {self.values['set-mss']}" if "set-mss" in self.values else "TCPMSS clamp to PMTU"

    def nft(self, rule: XtRule) -> str | None:
        return f"tcp option maxseg size set {self.values.get('set-mss', 'rt mtu')}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], int]:
        fixed = self.values.get("set-mss")
        headers = 40 if self.family == 4 else 60

        def target(skb: Any, state: Any) -> int:
            header = skb.transport
            if isinstance(header, TcpHeader):
                wanted = fixed
                if wanted is None:
                    wanted = clamp(net, skb, state) - headers
                if wanted > 0:
                    skb.transport = with_segment_size(header, wanted, headers)
                    skb.len += len(skb.transport.options) - len(header.options)
                    if skb.transport.header_length != header.header_length:
                        skb.network = grow(skb.network, skb.transport.header_length - header.header_length)
            return CONTINUE

        return target


def only_syn(match: Extension) -> bool:
    """find_syn_match(): the old interface wants a rule that is for SYNs."""
    flags = match.values.get("flags") if match.name == "tcp" else None
    return flags is not None and bool(flags[1] & 2) and "flags" not in match.inverted


def grow(network: Any, more: int) -> Any:
    if hasattr(network, "payload_length"):
        return network._replace(payload_length=network.payload_length + more)
    return network._replace(total_length=network.total_length + more)


def clamp(net: Any, skb: Any, state: Any) -> int:
    """The smaller of the MTUs there and back (tcpmss_reverse_mtu())."""
    out = skb.dst.mtu if skb.dst is not None else 1500
    if state.indev is None:
        return out
    return min(out, state.indev.mtu)


def with_segment_size(header: TcpHeader, wanted: int, headers: int) -> TcpHeader:
    options, at = bytearray(header.options), 0
    while at < len(options):
        kind = options[at]
        if kind == 0:
            break
        if kind == 1:
            at += 1
            continue
        if at + 1 >= len(options) or options[at + 1] < 2:
            return header
        if kind == 2 and options[at + 1] == 4:
            if int.from_bytes(options[at + 2 : at + 4], "big") <= wanted:
                return header
            options[at + 2 : at + 4] = wanted.to_bytes(2, "big")
            return header._replace(options=bytes(options))
        at += options[at + 1]
    if not header.flags & SYN or len(options) > 36:
        return header
    # No option there: RFC 879 allows 536 (1220 for IPv6); write it before the others.
    size = min(wanted, 536 if headers == 40 else 1220)
    return header._replace(options=b"\x02\x04" + size.to_bytes(2, "big") + bytes(options))


EXTENSION = Tcpmss
