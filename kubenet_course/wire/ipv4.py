"""IPv4 header (RFC 791).

     0        1        2                 4                 6
    | ver|ihl | TOS    | total length    | identification  | flags|fragment offset |
    | TTL     | proto  | checksum        | source (4)      | destination (4)       |
    | options (0 to 40 bytes) |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import IPv4Address
from kubenet_course.wire.checksum import internet_checksum

IPPROTO_ICMP = 1
IPPROTO_IGMP = 2
IPPROTO_IPIP = 4
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_IPV6 = 41
IPPROTO_GRE = 47
IPPROTO_ICMPV6 = 58
IPPROTO_SCTP = 132

IP_DF = 0x4000
IP_MF = 0x2000
IP_OFFSET = 0x1FFF


class Ipv4Header(NamedTuple):
    """`total_length` counts header and payload bytes; `flags_offset` holds DF, MF and the
    fragment offset in units of 8 bytes, as on the wire."""

    source: IPv4Address
    destination: IPv4Address
    protocol: int
    ttl: int
    total_length: int
    identification: int = 0
    flags_offset: int = 0
    tos: int = 0
    options: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Ipv4Header:
        if len(data) < 20 or data[0] >> 4 != 4:
            raise ValueError("not an IPv4 header")
        length = (data[0] & 15) * 4
        if length < 20 or len(data) < length:
            raise ValueError("truncated IPv4 header")
        tos, total, ident, flags, ttl, protocol = struct.unpack(">xBHHHBB", data[:10])
        return cls(
            IPv4Address.decode(data[12:]),
            IPv4Address.decode(data[16:]),
            protocol,
            ttl,
            total,
            ident,
            flags,
            tos,
            bytes(data[20:length]),
        )

    @property
    def header_length(self) -> int:
        return 20 + len(self.options)

    @property
    def fragment_offset(self) -> int:
        """In bytes."""
        return (self.flags_offset & IP_OFFSET) * 8

    @property
    def is_fragment(self) -> bool:
        return bool(self.flags_offset & (IP_MF | IP_OFFSET))

    def encode(self) -> bytes:
        head = struct.pack(
            ">BBHHHBBH4s4s",
            0x40 | self.header_length // 4,
            self.tos,
            self.total_length,
            self.identification,
            self.flags_offset,
            self.ttl,
            self.protocol,
            0,
            self.source.encode(),
            self.destination.encode(),
        ) + self.options
        return head[:10] + struct.pack(">H", internet_checksum(head)) + head[12:]

    def __str__(self) -> str:
        return f"IP {self.source} > {self.destination}: ip-proto-{self.protocol}"
