"""A packet's headers in words: tcpdump's one line, and fields for the header picture.

Takes the header values of `kubenet_course.wire` (they are immutable, so the ones that a trace kept
are the ones that were on the wire).
"""

from __future__ import annotations

from typing import Any

from kubenet_course.view.journey import Header
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_FRAG_NEEDED,
    IcmpHeader,
)
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import IP_DF, IP_MF, Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

PROTOCOLS = {
    1: "ICMP",
    2: "IGMP",
    4: "IPIP",
    6: "TCP",
    17: "UDP",
    41: "IPv6",
    47: "GRE",
    58: "ICMPv6",
    132: "SCTP",
}
ND_TYPES = {
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbor solicitation",
    136: "neighbor advertisement",
    137: "redirect",
}


def summary(network: Any, transport: Any, length: int) -> str:
    """One line in tcpdump's words; neighbour discovery begins with ND. `length`: of the network layer."""
    if isinstance(network, ArpHeader):
        return str(network).removesuffix(", length 28")
    if not isinstance(network, (Ipv4Header, Ipv6Header)):
        return f"frame, length {length}"
    name = "IP" if isinstance(network, Ipv4Header) else "IP6"
    source, destination = str(network.source), str(network.destination)
    body = length - network.header_length
    if isinstance(transport, (UdpHeader, TcpHeader)):
        source += f".{transport.source_port}"
        destination += f".{transport.destination_port}"
        if isinstance(transport, UdpHeader):
            text = f"UDP, length {body - 8}"
        else:
            text = f"TCP [{transport.flag_text()}], length {body - transport.header_length}"
    elif isinstance(transport, IcmpHeader):
        text = f"{transport}, length {body}"
        if (transport.type, transport.code) == (ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED):
            text = f"ICMP unreachable - need to frag (mtu {transport.rest & 0xFFFF}), length {body}"
    elif isinstance(transport, Icmpv6Header):
        if transport.type in ND_TYPES:
            return f"ND {source} > {destination}: {ND_TYPES[transport.type]}"
        text = f"{transport}, length {body}"
    elif isinstance(network, Ipv4Header) and network.is_fragment:
        protocol = PROTOCOLS.get(network.protocol, "protocol")
        text = f"{protocol} fragment at {network.fragment_offset}, length {body}"
    else:
        text = f"{PROTOCOLS.get(network.protocol, f'ip-proto-{network.protocol}')}, length {body}"
    return f"{name} {source} > {destination}: {text}"


def headers(eth: Any, network: Any, transport: Any) -> tuple[Header, ...]:
    """The layers of a packet, outermost first."""
    found = []
    if eth is not None:
        found.append(Header("Ethernet", (("destination", str(eth.destination)), ("source", str(eth.source)))))
    if isinstance(network, ArpHeader):
        found.append(
            Header(
                "ARP",
                (
                    ("operation", {1: "request", 2: "reply"}.get(network.operation, str(network.operation))),
                    ("sender", f"{network.sender_ip} at {network.sender_mac}"),
                    ("target", f"{network.target_ip} at {network.target_mac}"),
                ),
            )
        )
    elif isinstance(network, Ipv4Header):
        flags = [name for bit, name in ((IP_DF, "DF"), (IP_MF, "MF")) if network.flags_offset & bit]
        fields = [
            ("source", str(network.source)),
            ("destination", str(network.destination)),
            ("TTL", str(network.ttl)),
        ]
        if flags or network.fragment_offset:
            fields.append(("flags", " ".join(flags) or "none"))
        if network.is_fragment:
            fields.append(("offset", str(network.fragment_offset)))
        fields.append(("protocol", PROTOCOLS.get(network.protocol, str(network.protocol))))
        found.append(Header("IPv4", tuple(fields)))
    elif isinstance(network, Ipv6Header):
        following = PROTOCOLS.get(network.protocol, str(network.protocol))
        found.append(
            Header(
                "IPv6",
                (
                    ("source", str(network.source)),
                    ("destination", str(network.destination)),
                    ("hop limit", str(network.ttl)),
                    ("next header", following),
                ),
            )
        )
    found += _transport(transport)
    return tuple(found)


def _transport(transport: Any) -> list[Header]:
    if isinstance(transport, UdpHeader):
        ports = (
            ("source port", str(transport.source_port)),
            ("destination port", str(transport.destination_port)),
        )
        return [Header("UDP", ports)]
    if isinstance(transport, TcpHeader):
        return [
            Header(
                "TCP",
                (
                    ("source port", str(transport.source_port)),
                    ("destination port", str(transport.destination_port)),
                    ("flags", transport.flag_text()),
                ),
            )
        ]
    if isinstance(transport, IcmpHeader):
        kind = str(transport).removeprefix("ICMP ")
        if transport.type in (ICMP_ECHO, ICMP_ECHOREPLY):
            kind = "echo request" if transport.type == ICMP_ECHO else "echo reply"
            return [
                Header(
                    "ICMP",
                    (("type", kind), ("id", str(transport.identifier)), ("seq", str(transport.sequence))),
                )
            ]
        return [Header("ICMP", (("type", kind),))]
    if isinstance(transport, Icmpv6Header):
        return [Header("ICMPv6", (("type", ND_TYPES.get(transport.type, str(transport))),))]
    return []


def flow_keys(network: Any, transport: Any) -> set[tuple[Any, ...]]:
    """What packets of one conversation have in common, in both directions."""
    if not isinstance(network, (Ipv4Header, Ipv6Header)):
        return set()
    ends = (network.source, network.destination)
    if isinstance(transport, (UdpHeader, TcpHeader)):
        ports = ((ends[0], transport.source_port), (ends[1], transport.destination_port))
        return {(network.protocol, frozenset(ports))}
    if isinstance(transport, IcmpHeader) and transport.type in (ICMP_ECHO, ICMP_ECHOREPLY):
        return {("echo", transport.identifier, frozenset(ends))}
    if isinstance(transport, Icmpv6Header) and transport.type in (128, 129):
        return {("echo", transport.identifier, frozenset(ends))}
    return set()
