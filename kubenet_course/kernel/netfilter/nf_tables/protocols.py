"""Headers and their fields: name, place in the header, type, and how a packet gives the value."""

from __future__ import annotations

from typing import Any, NamedTuple

from kubenet_course.kernel.netfilter.nf_tables.datatypes import TYPES, DataType

LINK, NETWORK, TRANSPORT, INNER = "ll", "nh", "th", "ih"


class Field(NamedTuple):
    """`offset` and `bits` in bits from the header's start; `access` is a source expression on `skb`, or ""."""

    protocol: str
    name: str
    offset: int
    bits: int
    type: DataType
    access: str = ""


class Protocol(NamedTuple):
    name: str
    base: str
    fields: dict[str, Field]
    #: IP protocol number or EtherType by which it is found.
    number: int = -1
    #: Source of the test that the packet has this header, "" where it always has.
    guard: str = ""


def _fields(protocol: str, *rows: tuple[Any, ...]) -> dict[str, Field]:
    found = {}
    for row in rows:
        name, offset, bits, kind, *rest = row
        found[name] = Field(protocol, name, offset, bits, TYPES[kind], rest[0] if rest else "")
    return found


TCP_GUARD = "skb.transport.__class__ is TcpHeader"
UDP_GUARD = "skb.transport.__class__ is UdpHeader"
ICMP_GUARD = "skb.transport.__class__ is IcmpHeader"
ICMP6_GUARD = "skb.transport.__class__ is Icmpv6Header"
IP_GUARD = "skb.network.__class__ is Ipv4Header"
IP6_GUARD = "skb.network.__class__ is Ipv6Header"
ARP_GUARD = "skb.network.__class__ is ArpHeader"
ETHER_GUARD = "skb.eth is not None"
VLAN_GUARD = "skb.vlan_tci is not None"
#: Any transport with ports in front.
TH_GUARD = "skb.transport is not None and skb.network[2] in PORTED"


def _l4(number: int) -> str:
    return f"skb.network is not None and skb.network[2] == {number}"


PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol("ether", LINK, _fields("ether",
            ("daddr", 0, 48, "ether_addr", "skb.eth[0]"), ("saddr", 48, 48, "ether_addr", "skb.eth[1]"),
            ("type", 96, 16, "ether_type", "skb.ethertype"),
        ), -1, ETHER_GUARD),
        Protocol("vlan", LINK, _fields("vlan",
            ("pcp", 112, 3, "integer", "(skb.vlan_tci >> 13 & 7)"), ("dei", 115, 1, "integer", "(skb.vlan_tci >> 12 & 1)"),
            ("cfi", 115, 1, "integer", "(skb.vlan_tci >> 12 & 1)"), ("id", 116, 12, "integer", "(skb.vlan_tci & 0xfff)"),
            ("type", 128, 16, "ether_type", "skb.ethertype"),
        ), 0x8100, VLAN_GUARD),
        Protocol("arp", NETWORK, _fields("arp",
            ("htype", 0, 16, "integer"), ("ptype", 16, 16, "ether_type"), ("hlen", 32, 8, "integer"),
            ("plen", 40, 8, "integer"), ("operation", 48, 16, "arp_op"), ("saddr ether", 64, 48, "ether_addr"),
            ("saddr ip", 112, 32, "ipv4_addr"), ("daddr ether", 144, 48, "ether_addr"), ("daddr ip", 192, 32, "ipv4_addr"),
        ), 0x0806, ARP_GUARD),
        Protocol("ip", NETWORK, _fields("ip",
            ("version", 0, 4, "integer", "4"), ("hdrlength", 4, 4, "integer", "(skb.network.header_length >> 2)"),
            ("dscp", 8, 6, "dscp", "(skb.network[7] >> 2)"), ("ecn", 14, 2, "ecn", "(skb.network[7] & 3)"),
            ("length", 16, 16, "integer", "skb.network[4]"), ("id", 32, 16, "integer", "skb.network[5]"),
            ("frag-off", 48, 16, "integer", "skb.network[6]"), ("ttl", 64, 8, "integer", "skb.network[3]"),
            ("protocol", 72, 8, "inet_proto", "skb.network[2]"), ("checksum", 80, 16, "integer"),
            ("saddr", 96, 32, "ipv4_addr", "skb.network[0]"), ("daddr", 128, 32, "ipv4_addr", "skb.network[1]"),
        ), 0x0800, IP_GUARD),
        Protocol("ip6", NETWORK, _fields("ip6",
            ("version", 0, 4, "integer", "6"), ("dscp", 4, 6, "dscp", "(skb.network[5] >> 2)"),
            ("ecn", 10, 2, "ecn", "(skb.network[5] & 3)"), ("flowlabel", 12, 20, "integer", "skb.network[6]"),
            ("length", 32, 16, "integer", "skb.network[4]"), ("nexthdr", 48, 8, "inet_proto"),
            ("hoplimit", 56, 8, "integer", "skb.network[3]"), ("saddr", 64, 128, "ipv6_addr", "skb.network[0]"),
            ("daddr", 192, 128, "ipv6_addr", "skb.network[1]"),
        ), 0x86DD, IP6_GUARD),
        Protocol("icmp", TRANSPORT, _fields("icmp",
            ("type", 0, 8, "icmp_type", "skb.transport[0]"), ("code", 8, 8, "icmp_code", "skb.transport[1]"),
            ("checksum", 16, 16, "integer"), ("id", 32, 16, "integer", "(skb.transport[2] >> 16)"),
            ("sequence", 48, 16, "integer", "(skb.transport[2] & 0xffff)"), ("gateway", 32, 32, "integer", "skb.transport[2]"),
            ("mtu", 48, 16, "integer", "(skb.transport[2] & 0xffff)"),
        ), 1, ICMP_GUARD),
        Protocol("icmpv6", TRANSPORT, _fields("icmpv6",
            ("type", 0, 8, "icmpv6_type", "skb.transport[0]"), ("code", 8, 8, "icmpv6_code", "skb.transport[1]"),
            ("checksum", 16, 16, "integer"), ("parameter-problem", 32, 32, "integer", "skb.transport[2]"),
            ("mtu", 32, 32, "integer", "skb.transport[2]"),
            ("id", 32, 16, "integer", "(skb.transport[2] >> 16)"), ("sequence", 48, 16, "integer", "(skb.transport[2] & 0xffff)"),
            ("max-delay", 32, 16, "integer", "(skb.transport[2] >> 16)"),
        ), 58, ICMP6_GUARD),
        Protocol("igmp", TRANSPORT, _fields("igmp",
            ("type", 0, 8, "igmp_type"), ("mrt", 8, 8, "integer"), ("checksum", 16, 16, "integer"), ("group", 32, 32, "integer"),
        ), 2, _l4(2)),
        Protocol("tcp", TRANSPORT, _fields("tcp",
            ("sport", 0, 16, "inet_service", "skb.transport[0]"), ("dport", 16, 16, "inet_service", "skb.transport[1]"),
            ("sequence", 32, 32, "integer", "skb.transport[2]"), ("ackseq", 64, 32, "integer", "skb.transport[3]"),
            ("doff", 96, 4, "integer", "(skb.transport.header_length >> 2)"), ("reserved", 100, 4, "integer", "0"),
            ("flags", 104, 8, "tcp_flag", "skb.transport[4]"), ("window", 112, 16, "integer", "skb.transport[5]"),
            ("checksum", 128, 16, "integer"), ("urgptr", 144, 16, "integer", "0"),
        ), 6, TCP_GUARD),
        Protocol("udp", TRANSPORT, _fields("udp",
            ("sport", 0, 16, "inet_service", "skb.transport[0]"), ("dport", 16, 16, "inet_service", "skb.transport[1]"),
            ("length", 32, 16, "integer"), ("checksum", 48, 16, "integer"),
        ), 17, UDP_GUARD),
        Protocol("udplite", TRANSPORT, _fields("udplite",
            ("sport", 0, 16, "inet_service"), ("dport", 16, 16, "inet_service"), ("csumcov", 32, 16, "integer"),
            ("checksum", 48, 16, "integer"),
        ), 136, _l4(136)),
        Protocol("sctp", TRANSPORT, _fields("sctp",
            ("sport", 0, 16, "inet_service"), ("dport", 16, 16, "inet_service"), ("vtag", 32, 32, "integer"),
            ("checksum", 64, 32, "integer"),
        ), 132, _l4(132)),
        Protocol("dccp", TRANSPORT, _fields("dccp",
            ("sport", 0, 16, "inet_service"), ("dport", 16, 16, "inet_service"), ("type", 67, 4, "dccp_pkttype"),
        ), 33, _l4(33)),
        Protocol("esp", TRANSPORT, _fields("esp", ("spi", 0, 32, "integer"), ("sequence", 32, 32, "integer")), 50, _l4(50)),
        Protocol("ah", TRANSPORT, _fields("ah",
            ("nexthdr", 0, 8, "inet_proto"), ("hdrlength", 8, 8, "integer"), ("reserved", 16, 16, "integer"),
            ("spi", 32, 32, "integer"), ("sequence", 64, 32, "integer"),
        ), 51, _l4(51)),
        Protocol("comp", TRANSPORT, _fields("comp",
            ("nexthdr", 0, 8, "inet_proto"), ("flags", 8, 8, "integer"), ("cpi", 16, 16, "integer"),
        ), 108, _l4(108)),
        Protocol("th", TRANSPORT, _fields("th",
            ("sport", 0, 16, "inet_service", "skb.transport[0]"), ("dport", 16, 16, "inet_service", "skb.transport[1]"),
        ), -1, TH_GUARD),
    )
}  # fmt: skip

L4_BY_NUMBER = {protocol.number: protocol.name for protocol in PROTOCOLS.values() if protocol.base == TRANSPORT and protocol.number >= 0}
L3_BY_NUMBER = {protocol.number: protocol.name for protocol in PROTOCOLS.values() if protocol.base == NETWORK}
#: The packets of ICMP that have these fields, written before them where no rule says which.
ICMP_IMPLIED = {
    ("icmp", "id"): ("echo-reply", "echo-request"), ("icmp", "sequence"): ("echo-reply", "echo-request"),
    ("icmpv6", "id"): ("echo-request", "echo-reply"), ("icmpv6", "sequence"): ("echo-request", "echo-reply"),
}  # fmt: skip


def payload_bytes(skb: Any, base: str) -> bytes | None:
    """The packet's bytes from the header's start on; None where there is none."""
    if base == LINK:
        return skb.frame_bytes() if skb.eth is not None else None
    if skb.network is None:
        return None
    whole = skb.network_bytes()
    if base == NETWORK:
        return whole
    head = getattr(skb.network, "header_length", 28)
    body = whole[head:]
    if base == TRANSPORT:
        return body if getattr(skb.network, "fragment_offset", 0) == 0 else None
    if skb.transport is None:
        return None
    return body[skb.transport.header_length :]


def payload_bits(skb: Any, base: str, offset: int, bits: int) -> int | None:
    """nft_payload_eval(): the value of a field from the packet's bytes; None where it is too short."""
    data = payload_bytes(skb, base)
    last = offset + bits
    if data is None or len(data) * 8 < last:
        return None
    end = (last + 7) // 8
    return int.from_bytes(data[offset // 8 : end], "big") >> (end * 8 - last) & ((1 << bits) - 1)
