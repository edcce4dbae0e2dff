"""-m multiport: up to 15 ports or ranges (libxt_multiport, xt_multiport.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.matches._ports import parse_port, port_word
from kubenet_course.kernel.netfilter.rule import protocol_word
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

ALLOWED = (6, 17, 136, 132, 33)


class Multiport(Extension):
    name = "multiport"
    protocols = ALLOWED
    options = (
        Opt("source-ports", "string", invert=True, excl=("dports", "ports"), key="sports"),
        Opt("sports", "string", invert=True, excl=("dports", "ports")),
        Opt("destination-ports", "string", invert=True, excl=("sports", "ports"), key="dports"),
        Opt("dports", "string", invert=True, excl=("sports", "ports")),
        Opt("ports", "string", invert=True, excl=("sports", "dports")),
    )

    def parsed(self, opt: Opt, value: str, invert: bool) -> None:
        self.values[opt.id] = value

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        super().parse(opt, text, invert, names)
        rule = self.rule
        protocol = rule.protocol if rule is not None else 0
        if not protocol:
            raise problem("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'")
        if rule is not None and rule.protocol_inverted:
            raise problem("multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP")
        if protocol not in ALLOWED:
            raise problem("multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP")
        self.values[opt.id] = self._ports(text, protocol_word(protocol), names)

    def _ports(self, text: str, protocol: str, names: Names) -> list[tuple[int, int]]:
        ports = []
        words = text.split(",")
        room = 15
        for word in words:
            low_text, colon, high_text = word.partition(":")
            room -= 2 if colon else 1
            if room < 0:
                raise problem("too many ports specified")
            low = parse_port(low_text, protocol, names)
            high = parse_port(high_text, protocol, names) if colon else low
            if colon and low >= high:
                raise problem("invalid portrange specified")
            ports.append((low, high))
        return ports

    def check(self, names: Names) -> None:
        if not self.values:
            raise problem("multiport expection an option")

    def _only(self) -> tuple[str, list[tuple[int, int]]]:
        key = next(iter(self.values))
        return key, self.values[key]

    def save(self) -> str:
        key, ports = self._only()
        text = ",".join(f"{low}:{high}" if low != high else str(low) for low, high in ports)
        return f"{self.bang(key)}--{key} {text}"

    def listing(self, names: Names | None) -> str:
        key, ports = self._only()
        protocol = protocol_word(self.rule.protocol) if self.rule is not None else "tcp"
        text = ",".join(
            port_word(low, protocol, names) + (f":{port_word(high, protocol, names)}" if low != high else "")
            for low, high in ports
        )
        return f"multiport {key} {' !' if key in self.inverted else ''}{text}"

    def nft(self, rule: XtRule) -> str | None:
        key, ports = self._only()
        protocol = protocol_word(rule.protocol)
        bang = "!= " if key in self.inverted else ""
        if key == "ports":
            pairs = ", ".join(f"0-65535 . {_span(port)}, {_span(port)} . 0-65535" for port in ports)
            return f"{protocol} sport . {protocol} dport {bang}{{ {pairs} }}"
        field = f"{protocol} {key[:-1]}"
        if len(ports) == 1:
            return f"{field} {bang}{_span(ports[0])}"
        return f"{field} {bang}{{ {', '.join(map(_span, ports))} }}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        key, ports = self._only()
        inverted = key in self.inverted
        single = frozenset(low for low, high in ports if low == high)
        spans = tuple(pair for pair in ports if pair[0] != pair[1])

        def inside(port: int) -> bool:
            return port in single or any(low <= port <= high for low, high in spans)

        def test(skb: Any, state: Any) -> bool:
            pair = ports_of(skb)
            if pair is None:
                return False
            if key == "sports":
                return inside(pair[0]) != inverted
            if key == "dports":
                return inside(pair[1]) != inverted
            return (inside(pair[0]) or inside(pair[1])) != inverted

        return test


def _span(pair: tuple[int, int]) -> str:
    return str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}-{pair[1]}"


def ports_of(skb: Any) -> tuple[int, int] | None:
    """Source and destination port, whatever protocol with ports it is."""
    header = skb.transport
    if header is not None:
        return (header[0], header[1]) if skb.network[2] in (6, 17) else None
    if skb.network[2] not in ALLOWED or not isinstance(skb.payload, (bytes, bytearray)) or len(skb.payload) < 4:
        return None
    return int.from_bytes(skb.payload[:2], "big"), int.from_bytes(skb.payload[2:4], "big")


EXTENSION = Multiport
