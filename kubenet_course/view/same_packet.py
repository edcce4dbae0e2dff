"""Which of the packets seen at interfaces are one packet, and which exists because of which."""

from __future__ import annotations

from typing import Any

from kubenet_course.view.capture import Seen
from kubenet_course.view.kernel_trace import ident_of, packet_mark
from kubenet_course.view.packet_decode import decode
from kubenet_course.view.packet_text import flow_keys
from kubenet_course.wire.addresses import IPv6Address
from kubenet_course.wire.arp import ARP_REQUEST, ArpHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.tcp import TcpHeader

SOLICITATION, ADVERTISEMENT = 135, 136


def identity(one: Seen) -> tuple[Any, ...]:
    """What stays the same about a packet from device to device, also where NAT rewrites it."""
    network, transport = one.network, one.transport
    if isinstance(network, ArpHeader):
        return ("arp", network.operation, network.sender_ip, network.target_ip)
    ident, fragment = ident_of(network), getattr(network, "fragment_offset", 0)
    if getattr(network, "extensions", ()) and network.fragment is not None:
        ident = network.fragment.identification
    if isinstance(transport, TcpHeader):
        return (
            network.protocol,
            ident,
            transport.sequence,
            transport.acknowledgement,
            transport.flags,
            one.length,
        )
    if is_nd(one):
        return (network.protocol, transport.type, network.source, network.destination, bytes(one.payload[:16]))
    if isinstance(transport, (IcmpHeader, Icmpv6Header)):
        return (network.protocol, ident, transport.type, transport.code, transport.rest & 0xFFFF, one.length)
    ends = () if ident else (network.source, network.destination)
    return (network.protocol, ident, fragment, one.length, bytes(one.payload[:32]), *ends)


def chatter(one: Seen) -> bool:
    """The kernel's own: router and group messages, duplicate address detection, STP; a known neighbour asked again."""
    transport = one.transport
    if isinstance(transport, Icmpv6Header):
        if transport.type == SOLICITATION and one.network.destination >> 120 != 0xFF:
            return True
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
    if asked_address(first):
        asker = _asker(groups, index)
        return asker, "asked by" if asker else ""
    if isinstance(network, ArpHeader) or is_nd(first):
        questions = (n for n in range(index, 0, -1) if _answers(first, groups[n - 1][0]))
        number = next(questions, 0)
        return number, "answers" if number else ""
    if error_about(first) is not None:
        for number in range(index, 0, -1):
            if any(is_about(first, other) for other in groups[number - 1]):
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
            if not is_helper(one) and one.out and one.time > asked.time:
                if (one.space, one.device) == (asked.space, asked.device):
                    return number
    return 0


# -- questions for a MAC address ------------------------------------------------------------------
def is_nd(one: Seen) -> bool:
    """A neighbour solicitation or advertisement."""
    return isinstance(one.transport, Icmpv6Header) and one.transport.type in (SOLICITATION, ADVERTISEMENT)


def is_helper(one: Seen) -> bool:
    """ARP or neighbour discovery."""
    return isinstance(one.network, ArpHeader) or is_nd(one)


def _target(one: Seen) -> str:
    """Of neighbour discovery: behind the ICMPv6 header come the 16 bytes of the address (RFC 4861, 4.3)."""
    return str(IPv6Address.decode(one.payload)) if len(one.payload) >= 16 else ""


def asked_address(one: Seen) -> str:
    """Whose MAC address is asked for; "" where nothing is asked."""
    if isinstance(one.network, ArpHeader):
        return str(one.network.target_ip) if one.network.operation == ARP_REQUEST else ""
    return _target(one) if is_nd(one) and one.transport.type == SOLICITATION else ""


def _answers(one: Seen, question: Seen) -> bool:
    if isinstance(one.network, ArpHeader):
        asked = question.network
        return isinstance(asked, ArpHeader) and (asked.sender_ip, asked.target_ip) == (
            one.network.target_ip,
            one.network.sender_ip,
        )
    return is_nd(one) and one.transport.type == ADVERTISEMENT and _target(one) == asked_address(question)


def answered(question: Seen, groups: list[list[Seen]]) -> bool:
    return any(_answers(group[0], question) for group in groups)


# -- ICMP errors ----------------------------------------------------------------------------------
def error_about(one: Seen) -> tuple[Any, Any, bytes] | None:
    """(network, transport, payload) of the packet that an ICMP or ICMPv6 error quotes, else None."""
    if isinstance(one.transport, (IcmpHeader, Icmpv6Header)) and one.transport.is_error:
        kind, length = (0x0800, 20) if isinstance(one.transport, IcmpHeader) else (0x86DD, 40)
        # Of a message that was dropped before any device, the trace has the first bytes alone: not the addresses.
        found = decode(kind, bytes(one.payload).ljust(length, b"\0"))
        return found if found[0] is not None else None
    return None


def is_about(error: Seen, one: Seen) -> bool:
    """Whether the error quotes this packet: as it was when it met the error, so NAT may have changed it since."""
    inner = error_about(error)
    if inner is None or type(inner[0]) is not type(one.network) or ident_of(inner[0]) != ident_of(one.network):
        return False
    if inner[1] is None or one.transport is None:  # so little was quoted, or it is a later fragment
        return bool(inner[0].protocol == one.network.protocol)
    return packet_mark(*inner) == packet_mark(one.network, one.transport, one.payload)


def ip_length(one: Seen) -> int:
    return int(getattr(one.network, "total_length", one.length))
