"""nft monitor trace: a line for the packet in each base chain, and one for each rule that matched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import TYPES, Style
from kubenet_course.kernel.netfilter.nf_tables.protocols import PROTOCOLS
from kubenet_course.kernel.netfilter.tables import Ruleset
from kubenet_course.userland.commands.nft.xt_rules import native_text
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

#: So many bytes of the transport header the kernel hands out.
TRANSPORT_BYTES = 20


class TraceText:
    """A tracer of a `Ruleset`: `say` gets the lines. Rules made after it began are unknown to it, as to nft."""

    def __init__(self, rules: Ruleset, style: Style, say: Callable[[str], object]):
        self.style = style
        self.say = say
        self.known = {
            (chain, rule.handle): native_text(rule, style)
            for table in rules.tables.values() for chain in table.chains.values() for rule in chain.rules
        }  # fmt: skip
        self._run: Any = None

    def __call__(self, event: dict[str, Any]) -> None:
        base, chain = event["base"], event["chain"]
        head = f"trace id {event['id']:08x} {chain.table.family} {chain.table.name} {chain.name}"
        if event["run"] is not self._run:
            self._run = event["run"]
            table = base.table
            self.say(f"trace id {event['id']:08x} {table.family} {table.name} {base.name} packet: {packet_text(event, self.style)}")
        if event["type"] == "policy":
            mark = f"meta mark 0x{event['mark']:08x} " if event["mark"] else ""
            self.say(f"{head} policy {event['verdict']} {mark}")
            return
        rule = event["rule"]
        text = self.known.get((chain, rule.handle))
        shown = f"rule {text}" if text is not None else f"unknown rule handle {rule.handle}"
        self.say(f"{head} {shown} (verdict {event['verdict']})")


def packet_text(event: dict[str, Any], style: Style) -> str:
    """``iif "eth0" ether saddr … ip saddr … tcp sport … `` with the blank at its end."""
    state, skb = event["state"], event["skb"]
    words = []
    if state.indev is not None:
        words.append(f'iif "{state.indev.name}"')
    if state.outdev is not None:
        words.append(f'oif "{state.outdev.name}"')
    if state.indev is not None:
        eth = event["eth"]
        if state.indev.is_loopback or eth is None:
            words.append(f"@ll,0,112 0x{skb.ethertype:x}" if state.indev.is_loopback else "")
        else:
            words.append(f"ether saddr {eth.source} ether daddr {eth.destination}")
    network = event["network"]
    family = event["chain"].table.family
    if isinstance(network, Ipv4Header):
        words.append(_ip(network, family, style))
    elif isinstance(network, Ipv6Header):
        words.append(_ip6(network, family, style))
    elif isinstance(network, ArpHeader):
        words.append(_fields("arp", skb.network_bytes(), style))
    if not isinstance(network, ArpHeader):
        words.append(_transport(event, style))
    return " ".join(word for word in words if word) + " "


def _ip(ip: Ipv4Header, family: str, style: Style) -> str:
    dscp, ecn = TYPES["dscp"].text(ip.tos >> 2, style), TYPES["ecn"].text(ip.tos & 3, style)
    text = f"ip saddr {ip.source} ip daddr {ip.destination} ip dscp {dscp} ip ecn {ecn} ip ttl {ip.ttl} ip id {ip.identification}"
    if family != "ip":
        text += f" ip protocol {TYPES['inet_proto'].text(ip.protocol, style)}"
    return f"{text} ip length {ip.total_length}"


def _ip6(ip: Ipv6Header, family: str, style: Style) -> str:
    dscp, ecn = TYPES["dscp"].text(ip.traffic_class >> 2, style), TYPES["ecn"].text(ip.traffic_class & 3, style)
    text = f"ip6 saddr {ip.source} ip6 daddr {ip.destination} ip6 dscp {dscp} ip6 ecn {ecn} ip6 hoplimit {ip.ttl}"
    text += f" ip6 flowlabel {ip.flow_label}"
    following = ip.extensions[0][0] if ip.extensions else ip.protocol
    if family != "ip6" or following != ip.protocol:
        text += f" ip6 nexthdr {TYPES['inet_proto'].text(following, style)}"
    return f"{text} ip6 length {ip.payload_length}"


def _transport(event: dict[str, Any], style: Style) -> str:
    header, network = event["transport"], event["network"]
    body = event["skb"].network_bytes()[network.header_length :][:TRANSPORT_BYTES]
    if isinstance(header, TcpHeader):
        flags = TYPES["tcp_flag"].text(header.flags, style)
        flags = f"0x{header.flags:x}" if "," in flags else flags
        return f"tcp sport {header.source_port} tcp dport {header.destination_port} tcp flags == {flags} tcp window {header.window}"
    if isinstance(header, UdpHeader):
        return f"udp sport {header.source_port} udp dport {header.destination_port} udp length {header.length}" + _rest(body)
    if isinstance(header, IcmpHeader):
        kind, code = TYPES["icmp_type"].text(header.type, style), TYPES["icmp_code"].text(header.code, style)
        return f"icmp type {kind} icmp code {code} icmp id {header.rest >> 16} icmp sequence {header.rest & 0xFFFF}" + _rest(body)
    if isinstance(header, Icmpv6Header):
        kind, code = TYPES["icmpv6_type"].text(header.type, style), TYPES["icmpv6_code"].text(header.code, style)
        return f"icmpv6 type {kind} icmpv6 code {code} icmpv6 parameter-problem {header.rest}" + _rest(body)
    return f"@th,0,{len(body) * 8} 0x{body.hex().lstrip('0') or '0'}" if body else ""


def _rest(body: bytes) -> str:
    """What of the 20 bytes is behind a header of eight."""
    rest = body[8:]
    return f" @th,64,{len(rest) * 8} 0x{rest.hex().lstrip('0') or '0'}" if rest else ""


def _fields(protocol: str, data: bytes, style: Style) -> str:
    words = []
    for field in PROTOCOLS[protocol].fields.values():
        end = (field.offset + field.bits + 7) // 8
        value = int.from_bytes(data[field.offset // 8 : end], "big")
        words.append(f"{protocol} {field.name} {field.type.text(value, style)}")
    return " ".join(words)
