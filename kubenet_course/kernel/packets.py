"""From bytes to packets, for whatever arrives as bytes: fragments, tunnels, raw sockets, captures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.ethernet import ETH_P_8021Q, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, EthernetHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP, Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

if TYPE_CHECKING:
    from kubenet_course.sim.loop import Loop


def decode_transport(protocol: int, body: bytes, family: int) -> tuple[Any, bytes]:
    """(header, payload); (None, body) where the protocol is unknown or the header cut short."""
    kind: Any = {
        IPPROTO_UDP: UdpHeader,
        IPPROTO_TCP: TcpHeader,
        IPPROTO_ICMP: IcmpHeader if family == 4 else None,
        IPPROTO_ICMPV6: Icmpv6Header if family == 6 else None,
    }.get(protocol)
    if kind is None:
        return None, body
    try:
        header = kind.decode(body)
    except ValueError:
        return None, body
    return header, body[header.header_length :]


def decode_network(ethertype: int, data: bytes) -> tuple[Any, Any, bytes]:
    """(network header, transport header, payload) of what follows an Ethernet header.

    ValueError for a broken IP or ARP header; (None, None, data) for other EtherTypes.
    """
    if ethertype == ETH_P_ARP:
        return ArpHeader.decode(data), None, b""
    if ethertype == ETH_P_IP:
        ip = Ipv4Header.decode(data)
        body = data[ip.header_length : ip.total_length]
        if ip.fragment_offset or ip.is_fragment:
            return ip, None, body
        transport, payload = decode_transport(ip.protocol, body, 4)
        return ip, transport, payload
    if ethertype == ETH_P_IPV6:
        ip6 = Ipv6Header.decode(data)
        body = data[ip6.header_length : ip6.total_length]
        if ip6.is_fragment:
            return ip6, None, body
        transport, payload = decode_transport(ip6.protocol, body, 6)
        return ip6, transport, payload
    return None, None, data


def decode_frame(loop: Loop, data: bytes) -> SkBuff:
    """An SkBuff from an Ethernet frame; ValueError where it is broken."""
    eth = EthernetHeader.decode(data)
    body = data[14:]
    vlan = None
    if eth.ethertype == ETH_P_8021Q:
        if len(body) < 4:
            raise ValueError("truncated VLAN tag")
        vlan = int.from_bytes(body[:2], "big")
        eth = eth._replace(ethertype=int.from_bytes(body[2:4], "big"))
        body = body[4:]
    network, transport, payload = decode_network(eth.ethertype, body)
    skb = SkBuff(loop, network, transport, payload, ethertype=eth.ethertype, eth=eth)
    skb.vlan_tci = vlan
    return skb
