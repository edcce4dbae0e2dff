"""Bytes of a captured or traced packet as the header values of `kubenet_course.wire`."""

from __future__ import annotations

from typing import Any

from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

_TRANSPORTS: dict[int, Any] = {1: IcmpHeader, 6: TcpHeader, 17: UdpHeader, 58: Icmpv6Header}


def decode(protocol: int, data: bytes) -> tuple[Any, Any, bytes]:
    """(network, transport, payload) of a packet; (None, None, b"") of one that cannot be read."""
    kind = {0x0800: Ipv4Header, 0x0806: ArpHeader, 0x86DD: Ipv6Header}.get(protocol)
    if kind is None:
        return None, None, b""
    try:
        network: Any = kind.decode(data)  # type: ignore[attr-defined]
    except ValueError:
        return None, None, b""
    if isinstance(network, ArpHeader):
        return network, None, b""
    body = data[network.header_length :]
    if network.fragment_offset:
        return network, None, body
    shape = _TRANSPORTS.get(network.protocol)
    if shape is None:
        return network, None, body
    try:
        transport = shape.decode(body)
    except ValueError:
        return network, None, body
    return network, transport, body[transport.header_length :]
