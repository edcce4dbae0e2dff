"""IPv6 header (RFC 8200) and its extension headers.

    | ver|traffic class|flow label | payload length | next header | hop limit |
    | source (16)                  | destination (16)                         |
    | extension headers            |

`protocol` is the upper layer's protocol, behind all extension headers; `extensions` holds those as
(type, bytes), each with its own next-header byte, which `encode` fills in.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import IPv6Address

NEXTHDR_HOP = 0
NEXTHDR_ROUTING = 43
NEXTHDR_FRAGMENT = 44
NEXTHDR_NONE = 59
NEXTHDR_DEST = 60
EXTENSIONS = frozenset({NEXTHDR_HOP, NEXTHDR_ROUTING, NEXTHDR_FRAGMENT, NEXTHDR_DEST})

#: Hop-by-hop options with a router alert for MLD (RFC 2711), padded to 8 bytes.
ROUTER_ALERT = (NEXTHDR_HOP, b"\x3a\x00\x05\x02\x00\x00\x01\x00")


class Ipv6Header(NamedTuple):
    """`protocol` is that of the payload, behind the `extensions`: (next header's number, its bytes) in order."""

    source: IPv6Address
    destination: IPv6Address
    protocol: int
    ttl: int
    payload_length: int
    traffic_class: int = 0
    flow_label: int = 0
    extensions: tuple[tuple[int, bytes], ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> Ipv6Header:
        if len(data) < 40 or data[0] >> 4 != 6:
            raise ValueError("not an IPv6 header")
        first, length, protocol, hops = struct.unpack(">IHBB", data[:8])
        extensions = []
        at = 40
        while protocol in EXTENSIONS:
            if len(data) < at + 8:
                raise ValueError("truncated IPv6 extension header")
            size = 8 if protocol == NEXTHDR_FRAGMENT else 8 * (data[at + 1] + 1)
            if len(data) < at + size:
                raise ValueError("truncated IPv6 extension header")
            extensions.append((protocol, bytes(data[at : at + size])))
            later = protocol == NEXTHDR_FRAGMENT and (data[at + 2] << 8 | data[at + 3]) & ~7
            protocol = data[at]
            at += size
            if later:
                break
        return cls(
            IPv6Address.decode(data[8:]),
            IPv6Address.decode(data[24:]),
            protocol,
            hops,
            length,
            first >> 20 & 255,
            first & 0xFFFFF,
            tuple(extensions),
        )

    @property
    def header_length(self) -> int:
        """With the extension headers."""
        return 40 + sum(len(body) for _, body in self.extensions) if self.extensions else 40

    @property
    def total_length(self) -> int:
        return 40 + self.payload_length

    @property
    def tos(self) -> int:
        return self.traffic_class

    @property
    def fragment(self) -> FragmentHeader | None:
        for kind, body in self.extensions:
            if kind == NEXTHDR_FRAGMENT:
                return FragmentHeader.decode(body)
        return None

    @property
    def is_fragment(self) -> bool:
        return bool(self.extensions) and self.fragment is not None

    @property
    def fragment_offset(self) -> int:
        """In bytes."""
        fragment = self.fragment if self.extensions else None
        return fragment.offset if fragment is not None else 0

    def encode(self) -> bytes:
        first = 6 << 28 | self.traffic_class << 20 | self.flow_label
        kinds = [kind for kind, _ in self.extensions] + [self.protocol]
        head = (
            struct.pack(">IHBB", first, self.payload_length, kinds[0], self.ttl)
            + self.source.encode()
            + self.destination.encode()
        )
        for (_, body), following in zip(self.extensions, kinds[1:]):
            head += bytes((following,)) + body[1:]
        return head

    def __str__(self) -> str:
        return f"IP6 {self.source} > {self.destination}: ip-proto-{self.protocol}"


class FragmentHeader(NamedTuple):
    """| next header | 0 | offset (13), 0, more | identification (32) |; `offset` in bytes."""

    next_header: int
    offset: int
    more: bool
    identification: int

    @classmethod
    def decode(cls, data: bytes) -> FragmentHeader:
        following, _, word, identification = struct.unpack(">BBHI", data[:8])
        return cls(following, word & 0xFFF8, bool(word & 1), identification)

    def encode(self) -> bytes:
        return struct.pack(">BBHI", self.next_header, 0, self.offset | self.more, self.identification)
