"""The words of pcap-filter(7) that stand for numbers, and what libpcap says of a filter it does not take."""

from __future__ import annotations

#: Words that are primitives of their own (``tcp``), as IP protocol numbers.
PROTOCOL_NUMBERS = {
    "tcp": 6,
    "udp": 17,
    "sctp": 132,
    "icmp": 1,
    "icmp6": 58,
    "igmp": 2,
    "igrp": 9,
    "pim": 103,
    "ah": 51,
    "esp": 50,
    "vrrp": 112,
}
#: The same for EtherTypes.
ETHER_NUMBERS = {"ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806, "rarp": 0x8035}
#: What ``ip proto`` knows by name (nametoaddr.c: pcap_nametoproto()).
NAMED_PROTOCOLS = {
    **PROTOCOL_NUMBERS,
    "ip": 0,
    "ipv6": 41,
    "gre": 47,
    "ospf": 89,
    "ipip": 4,
    "icmpv6": 58,
    "ipv6-icmp": 58,
    "ipencap": 4,
}
#: What ``ether proto`` knows by name (nametoaddr.c: eproto_db).
NAMED_ETHERTYPES = {
    **ETHER_NUMBERS,
    "loopback": 0x9000,
    "vlan": 0x8100,
    "mpls": 0x8847,
    "aarp": 0x80F3,
    "atalk": 0x809B,
    "decnet": 0x6003,
}
#: Offsets, types and flags for ``tcp[tcpflags]`` and its like (scanner.l).
CONSTANTS = {
    "tcpflags": 13, "icmptype": 0, "icmpcode": 1, "icmp6type": 0, "icmp6code": 1, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8,
    "tcp-ack": 16, "tcp-urg": 32, "tcp-ece": 64, "tcp-cwr": 128, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4,
    "icmp-redirect": 5, "icmp-echo": 8, "icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
    "icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17, "icmp-maskreply": 18,
    "icmp6-destinationrunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3, "icmp6-parameterproblem": 4, "icmp6-echo": 128,
    "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130, "icmp6-multicastlistenerreportv1": 131,
    "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133, "icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135,
    "icmp6-neighboradvert": 136, "icmp6-redirect": 137, "icmp6-multicastlistenerreportv2": 143,
}  # fmt: skip  # fmt: skip


class FilterError(Exception):
    """What libpcap says about a filter it does not take."""


def integer(text: str) -> int:
    """A number as scanner.l reads it: decimal, 0x…, or octal with a leading 0. FilterError above 32 bits."""
    octal = text.startswith("0") and len(text) > 1 and text.isdigit() and not set(text) & set("89")
    value = int(text, 16) if text.lower().startswith("0x") else int(text, 8 if octal else 10)
    if value > 0xFFFFFFFF:
        raise FilterError("can't parse filter expression: syntax error")
    return value
