"""IPv6 header (RFC 8200) and its fragment header.

    | ver|traffic class|flow label | payload length | next header | hop limit |
    | source (16)                  | destination (16)                         |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import IPv6Address

NEXTHDR_FRAGMENT = 44


class Ipv6Header(NamedTuple):
    source: IPv6Address
    destination: IPv6Address
    protocol: int
    ttl: int
    payload_length: int
    traffic_class: int = 0
    flow_label: int = 0

    @classmethod
    def decode(cls, data: bytes) -> Ipv6Header:
        if len(data) < 40 or data[0] >> 4 != 6:
            raise ValueError("not an IPv6 header")
        first, length, protocol, hops = struct.unpack(">IHBB", data[:8])
        return cls(
            IPv6Address.decode(data[8:]),
            IPv6Address.decode(data[24:]),
            protocol,
            hops,
            length,
            first >> 20 & 255,
            first & 0xFFFFF,
        )

    @property
    def header_length(self) -> int:
        return 40

    @property
    def total_length(self) -> int:
        return 40 + self.payload_length

    @property
    def tos(self) -> int:
        return self.traffic_class

    def encode(self) -> bytes:
        first = 6 << 28 | self.traffic_class << 20 | self.flow_label
        return (
            struct.pack(">IHBB", first, self.payload_length, self.protocol, self.ttl)
            + self.source.encode()
            + self.destination.encode()
        )

    def __str__(self) -> str:
        return f"IP6 {self.source} > {self.destination}: ip-proto-{self.protocol}"
