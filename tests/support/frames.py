"""Frames in words, so that captures of two kernels can be compared: everything that matters, no noise.

Left out: identifiers that are random (only whether they are 0), flow labels, checksums (the decoder's
business), ephemeral ports, and what an echo request carries.
"""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.packets import decode_network
from kubenet_course.wire.addresses import IPv6Address, MacAddress
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.ethernet import EthernetHeader
from kubenet_course.wire.ipv4 import IP_DF, IP_MF, Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.ndisc import decode_options
from kubenet_course.wire.udp import UdpHeader

NDISC = {133: "RS", 134: "RA", 135: "NS", 136: "NA", 137: "redirect"}


def describe(frame: bytes) -> str:
    """One line for an Ethernet frame."""
    eth = EthernetHeader.decode(frame)
    return f"{eth.source} > {eth.destination} {describe_packet(eth.ethertype, frame[14:])}"


def describe_packet(ethertype: int, data: bytes) -> str:
    try:
        network, transport, payload = decode_network(ethertype, data)
    except ValueError as error:
        return f"broken: {error}"
    if isinstance(network, ArpHeader):
        word = {1: "who-has", 2: "is-at"}[network.operation]
        return f"ARP {word} {network.target_ip}/{network.target_mac} from {network.sender_ip}/{network.sender_mac}"
    if isinstance(network, Ipv4Header):
        return _ipv4(network, transport, payload)
    if isinstance(network, Ipv6Header):
        return _ipv6(network, transport, payload)
    return f"ethertype {ethertype:#06x}"


def _ipv4(ip: Ipv4Header, transport: Any, payload: bytes) -> str:
    flags = ("DF" if ip.flags_offset & IP_DF else "") + ("+" if ip.flags_offset & IP_MF else "")
    text = (
        f"IP {ip.source} > {ip.destination} tos {ip.tos:#x} ttl {ip.ttl} id {'N' if ip.identification else 0} "
        f"[{flags}] offset {ip.fragment_offset} proto {ip.protocol} length {ip.total_length}"
    )
    if transport is None:
        return text
    if ip.protocol == 1:
        return f"{text}: {_icmp(transport, payload)}"
    return f"{text}: {_ports(transport, payload)}"


def _icmp(header: Any, payload: bytes) -> str:
    text = f"ICMP {header.type}/{header.code}"
    if header.is_error:
        info = f" info {header.rest:#x}" if header.rest else ""
        return f"{text}{info} quotes {len(payload)} bytes of ({describe_packet(0x0800, payload)})"
    return f"{text} seq {header.sequence} data {len(payload)}"


def _ports(header: Any, payload: bytes) -> str:
    def port(number: int, traced: range = range(0)) -> str:
        """P for a port that the kernel chose (from 32768 on); traceroute's destinations are in the midst of them."""
        return "P" if number >= 32768 and number not in traced else str(number)

    ports = f"{port(header.source_port)} > {port(header.destination_port, range(33434, 33600))}"
    if isinstance(header, UdpHeader):
        return f"UDP {ports} data {len(payload)}"
    return f"TCP {ports} {_flags(header)} data {len(payload)}"


def _flags(header: Any) -> str:
    """A TCP segment's flags and, where it opens a connection, its maximum segment size."""
    letters = "".join(letter for bit, letter in enumerate("FSRPAUEC") if header.flags >> bit & 1)
    found, raw = "", bytes(getattr(header, "options", b""))
    at = 0
    while at + 1 < len(raw) and raw[at]:
        if raw[at] == 1:
            at += 1
            continue
        if raw[at] == 2:
            found = f" mss {int.from_bytes(raw[at + 2 : at + 4], 'big')}"
        at += max(raw[at + 1], 2)
    return letters + found


def _ipv6(ip: Ipv6Header, transport: Any, payload: bytes) -> str:
    extensions = "".join(f" ext {kind}" for kind, _ in ip.extensions)
    fragment = ip.fragment
    if fragment is not None:
        extensions += f" frag {fragment.offset}{'+' if fragment.more else ''}"
    text = (
        f"IP6 {ip.source} > {ip.destination} class {ip.traffic_class:#x} label {'L' if ip.flow_label else 0} "
        f"hlim {ip.ttl}{extensions} proto {ip.protocol} length {ip.payload_length}"
    )
    if transport is None:
        return text
    if ip.protocol == 58:
        return f"{text}: {_icmp6(transport, payload)}"
    return f"{text}: {_ports(transport, payload)}"


def _icmp6(header: Any, payload: bytes) -> str:
    if header.type in NDISC:
        return _ndisc(header, payload)
    text = f"ICMP6 {header.type}/{header.code}"
    if header.type == 143:
        groups = [str(IPv6Address.decode(payload[at + 4 :])) for at in range(0, len(payload), 20)]
        kinds = {payload[at] for at in range(0, len(payload), 20)}
        return f"{text} kinds {sorted(kinds)} groups {' '.join(sorted(groups))}"
    if header.is_error:
        info = f" info {header.rest}" if header.rest else ""
        return f"{text}{info} quotes {len(payload)} bytes of ({describe_packet(0x86DD, payload)})"
    return f"{text} seq {header.sequence} data {len(payload)}"


def _ndisc(header: Any, payload: bytes) -> str:
    fixed = {135: 16, 136: 16, 137: 32, 134: 8}.get(header.type, 0)
    addresses = [str(IPv6Address.decode(payload[at:])) for at in range(0, fixed - 8, 16)]
    flags = f" flags {header.rest >> 29:03b}" if header.type == 136 else ""
    shown = []
    for option in decode_options(payload[fixed:]) or []:
        value = (
            str(MacAddress.decode(option.value)) if option.type in (1, 2) else f"{len(option.value)} bytes"
        )
        shown.append(f"{option.type}={value}")
    return f"{NDISC[header.type]} {' '.join(addresses)}{flags} options {' '.join(shown)}".rstrip()
