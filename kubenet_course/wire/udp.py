"""UDP header (RFC 768).

     0               2                 4          6
    | source port   | destination port | length   | checksum |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.checksum import internet_checksum, pseudo_header
from kubenet_course.wire.ipv4 import IPPROTO_UDP


class UdpHeader(NamedTuple):
    """`length` counts the 8 header bytes and the payload."""

    source_port: int
    destination_port: int
    length: int = 8

    @classmethod
    def decode(cls, data: bytes) -> UdpHeader:
        if len(data) < 8:
            raise ValueError("truncated UDP header")
        return cls(*struct.unpack(">HHH", data[:6]))

    @property
    def header_length(self) -> int:
        return 8

    def encode(self, payload: bytes, source: bytes, destination: bytes) -> bytes:
        head = struct.pack(">HHHH", self.source_port, self.destination_port, self.length, 0)
        pseudo = pseudo_header(source, destination, IPPROTO_UDP, self.length)
        checksum = internet_checksum(pseudo + head + payload) or 0xFFFF
        return head[:6] + struct.pack(">H", checksum) + payload

    def __str__(self) -> str:
        return f"UDP, length {self.length - 8}"
