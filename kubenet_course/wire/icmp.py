"""ICMP header (RFC 792).

     0      1      2          4
    | type | code | checksum | rest of header (4): identifier and sequence, MTU, or gateway |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import IPv4Address
from kubenet_course.wire.checksum import internet_checksum

ICMP_ECHOREPLY = 0
ICMP_DEST_UNREACH = 3
ICMP_REDIRECT = 5
ICMP_ECHO = 8
ICMP_TIME_EXCEEDED = 11
ICMP_PARAMETERPROB = 12
ICMP_TIMESTAMP = 13
ICMP_TIMESTAMPREPLY = 14

ICMP_NET_UNREACH = 0
ICMP_HOST_UNREACH = 1
ICMP_PROT_UNREACH = 2
ICMP_PORT_UNREACH = 3
ICMP_FRAG_NEEDED = 4
ICMP_NET_ANO = 9
ICMP_HOST_ANO = 10
ICMP_PKT_FILTERED = 13

ICMP_EXC_TTL = 0
ICMP_EXC_FRAGTIME = 1

#: Types that report an error about another packet, which their payload begins with.
ERROR_TYPES = frozenset(
    {ICMP_DEST_UNREACH, ICMP_REDIRECT, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB}
)


class IcmpHeader(NamedTuple):
    """`rest` is the second 32-bit word: identifier << 16 | sequence for echo, the next-hop MTU
    for "fragmentation needed", the gateway for a redirect."""

    type: int
    code: int
    rest: int = 0

    @classmethod
    def decode(cls, data: bytes) -> IcmpHeader:
        if len(data) < 8:
            raise ValueError("truncated ICMP header")
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
        return self.type in ERROR_TYPES

    def encode(self, payload: bytes, source: bytes = b"", destination: bytes = b"") -> bytes:
        head = struct.pack(">BBHI", self.type, self.code, 0, self.rest)
        checksum = internet_checksum(head + payload)
        return head[:2] + struct.pack(">H", checksum) + head[4:] + payload

    def __str__(self) -> str:
        if self.type == ICMP_ECHO:
            return f"ICMP echo request, id {self.identifier}, seq {self.sequence}"
        if self.type == ICMP_ECHOREPLY:
            return f"ICMP echo reply, id {self.identifier}, seq {self.sequence}"
        if self.type == ICMP_TIME_EXCEEDED:
            return "ICMP time exceeded in-transit" if self.code == 0 else "ICMP ip reassembly time exceeded"
        if self.type == ICMP_REDIRECT:
            return f"ICMP redirect to {IPv4Address(self.rest)}"
        if self.type == ICMP_DEST_UNREACH:
            return f"ICMP {UNREACH_WORDS.get(self.code, f'unreachable - #{self.code}')}"
        return f"ICMP type-#{self.type}"


UNREACH_WORDS = {
    ICMP_NET_UNREACH: "net unreachable",
    ICMP_HOST_UNREACH: "host unreachable",
    ICMP_PROT_UNREACH: "protocol unreachable",
    ICMP_PORT_UNREACH: "port unreachable",
    ICMP_FRAG_NEEDED: "unreachable - need to frag",
    ICMP_NET_ANO: "net unreachable - admin prohibited",
    ICMP_HOST_ANO: "host unreachable - admin prohibited",
    ICMP_PKT_FILTERED: "unreachable - admin prohibited filter",
}
