"""Which of the packets seen at interfaces are one packet, and which exists because of which."""

from __future__ import annotations

from typing import Any

from kubenet_course.view.capture import Seen, decode
from kubenet_course.view.packet_text import flow_keys
from kubenet_course.wire.arp import ARP_REQUEST, ArpHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.tcp import TcpHeader


def identity(one: Seen) -> tuple[Any, ...]:
    """What stays the same about a packet from device to device, also where NAT rewrites it."""
    network, transport = one.network, one.transport
    if isinstance(network, ArpHeader):
        return ("arp", network.operation, network.sender_ip, network.target_ip)
    ident = getattr(network, "identification", 0)
    fragment = getattr(network, "fragment_offset", 0)
    if isinstance(transport, TcpHeader):
        return (
            network.protocol,
            ident,
            transport.sequence,
            transport.acknowledgement,
            transport.flags,
            one.length,
        )
    if isinstance(transport, (IcmpHeader, Icmpv6Header)):
        return (network.protocol, ident, transport.type, transport.code, transport.rest & 0xFFFF, one.length)
    ends = () if ident else (network.source, network.destination)
    return (network.protocol, ident, fragment, one.length, bytes(one.payload[:32]), *ends)


def chatter(one: Seen) -> bool:
    """The kernel's own: router and group messages, duplicate address detection, STP."""
    transport = one.transport
    if isinstance(transport, Icmpv6Header):
        return transport.type not in (1, 2, 3, 4, 128, 129, 135, 136) or one.network.source == 0
    return getattr(one.network, "protocol", 1) in (0, 2) or getattr(transport, "destination_port", 0) == 5353


def grouped(seen: list[Seen]) -> list[list[Seen]]:
    """One list per packet: the same identity, until the same interface sees it again the same way.

    A packet that goes round in circles comes back with a lower TTL, and stays the same packet.
    """
    groups: list[list[Seen]] = []
    current: dict[tuple[Any, ...], list[Seen]] = {}
    for one in seen:
        key = identity(one)
        group = current.get(key)
        if group is not None:
            before = [o for o in group if (o.space, o.device, o.out) == (one.space, one.device, one.out)]
            if before and not _ttl(one) < _ttl(before[-1]):
                group = None
        if group is None:
            group = []
            groups.append(group)
            current[key] = group
        group.append(one)
    return groups


def _ttl(one: Seen) -> int:
    return int(getattr(one.network, "ttl", 0))


def cause_of(groups: list[list[Seen]], index: int) -> tuple[int, str]:
    """(number of the packet that this one is about, in which way)."""
    first = groups[index][0]
    network = first.network
    if isinstance(network, ArpHeader):
        if network.operation == ARP_REQUEST:
            return _asker(groups, index), "asked by" if _asker(groups, index) else ""
        for number in range(index, 0, -1):
            other = groups[number - 1][0].network
            if isinstance(other, ArpHeader) and (other.sender_ip, other.target_ip) == (
                network.target_ip,
                network.sender_ip,
            ):
                return number, "answers"
        return 0, ""
    inner = error_about(first)
    if inner is not None:
        for number in range(index, 0, -1):
            if any(
                getattr(o.network, "identification", None) == inner.identification for o in groups[number - 1]
            ):
                return number, "reports an error about"
    keys = flow_keys(network, first.transport)
    for number in range(index, 0, -1):
        for other in groups[number - 1]:
            if (
                flow_keys(other.network, other.transport) & keys
                and other.network.source == network.destination
            ):
                return number, "answers"
    return 0, ""


def _asker(groups: list[list[Seen]], index: int) -> int:
    """The packet that left the same device next, after the question was answered."""
    asked = groups[index][0]
    for number, group in enumerate(groups, 1):
        for one in group:
            if not isinstance(one.network, ArpHeader) and one.out and one.time > asked.time:
                if (one.space, one.device) == (asked.space, asked.device):
                    return number
    return 0


def answered(question: Seen, groups: list[list[Seen]]) -> bool:
    ends = (question.network.target_ip, question.network.sender_ip)
    return any(
        isinstance(g[0].network, ArpHeader) and (g[0].network.sender_ip, g[0].network.target_ip) == ends
        for g in groups
    )


def error_about(one: Seen) -> Any:
    """The header of the packet that an ICMP error quotes, else None."""
    if isinstance(one.transport, IcmpHeader) and one.transport.is_error:
        return decode(0x0800, one.payload)[0]
    return None


def is_nd(one: Seen) -> bool:
    return isinstance(one.transport, Icmpv6Header) and one.transport.type in (135, 136)


def ip_length(one: Seen) -> int:
    return int(getattr(one.network, "total_length", one.length))
