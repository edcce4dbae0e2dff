"""ICMPv6 header (RFC 4443) and the neighbour discovery messages' types (RFC 4861).

     0      1      2          4
    | type | code | checksum | rest of header (4) |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.checksum import internet_checksum, pseudo_header
from kubenet_course.wire.ipv4 import IPPROTO_ICMPV6

ICMPV6_DEST_UNREACH = 1
ICMPV6_PKT_TOOBIG = 2
ICMPV6_TIME_EXCEED = 3
ICMPV6_PARAMPROB = 4
ICMPV6_ECHO_REQUEST = 128
ICMPV6_ECHO_REPLY = 129
NDISC_ROUTER_SOLICITATION = 133
NDISC_ROUTER_ADVERTISEMENT = 134
NDISC_NEIGHBOUR_SOLICITATION = 135
NDISC_NEIGHBOUR_ADVERTISEMENT = 136
NDISC_REDIRECT = 137
ICMPV6_MLD2_REPORT = 143

ICMPV6_NOROUTE = 0
ICMPV6_ADM_PROHIBITED = 1
ICMPV6_ADDR_UNREACH = 3
ICMPV6_PORT_UNREACH = 4
ICMPV6_POLICY_FAIL = 5
ICMPV6_REJECT_ROUTE = 6


class Icmpv6Header(NamedTuple):
    """`rest` is the second 32-bit word: identifier << 16 | sequence for echo, the MTU for
    "packet too big", the flags of a neighbour advertisement (router, solicited, override)."""

    type: int
    code: int
    rest: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Icmpv6Header:
        if len(data) < 8:
            raise ValueError("truncated ICMPv6 header")
        kind, code, _, rest = struct.unpack(">BBHI", data[:8])
        return cls(kind, code, rest)

    @property
    def header_length(self) -> int:
        return 8

    @property
    def identifier(self) -> int:
        return self.rest >> 16

    @property
    def sequence(self) -> int:
        return self.rest & 0xFFFF

    @property
    def is_error(self) -> bool:
        return self.type < 128

    def encode(self, payload: bytes, source: bytes, destination: bytes) -> bytes:
        head = struct.pack(">BBHI", self.type, self.code, 0, self.rest)
        pseudo = pseudo_header(source, destination, IPPROTO_ICMPV6, len(head) + len(payload))
        checksum = internet_checksum(pseudo + head + payload)
        return head[:2] + struct.pack(">H", checksum) + head[4:] + payload

    def __str__(self) -> str:
        if self.type == ICMPV6_ECHO_REQUEST:
            return f"ICMP6, echo request, id {self.identifier}, seq {self.sequence}"
        if self.type == ICMPV6_ECHO_REPLY:
            return f"ICMP6, echo reply, id {self.identifier}, seq {self.sequence}"
        return f"ICMP6, {WORDS.get(self.type, f'type-#{self.type}')}"


WORDS = {
    ICMPV6_DEST_UNREACH: "destination unreachable",
    ICMPV6_PKT_TOOBIG: "packet too big",
    ICMPV6_TIME_EXCEED: "time exceeded in-transit",
    ICMPV6_PARAMPROB: "parameter problem",
    NDISC_ROUTER_SOLICITATION: "router solicitation",
    NDISC_ROUTER_ADVERTISEMENT: "router advertisement",
    NDISC_NEIGHBOUR_SOLICITATION: "neighbor solicitation",
    NDISC_NEIGHBOUR_ADVERTISEMENT: "neighbor advertisement",
    NDISC_REDIRECT: "redirect",
    ICMPV6_MLD2_REPORT: "multicast listener report v2",
}
