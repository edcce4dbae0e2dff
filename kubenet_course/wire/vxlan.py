"""VXLAN header (RFC 7348).

 0      1          4     7
| flags | reserved | VNI  | reserved |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

VXLAN_FLAG_VNI = 0x08
VXLAN_PORT = 4789


class VxlanHeader(NamedTuple):
    """`vni` is the 24-bit network identifier; the I flag says that it is valid."""

    vni: int
    flags: int = VXLAN_FLAG_VNI

    @classmethod
    def decode(cls, data: bytes) -> VxlanHeader:
        if len(data) < 8:
            raise ValueError("truncated VXLAN header")
        first, second = struct.unpack(">II", data[:8])
        return cls(second >> 8, first >> 24)

    @property
    def header_length(self) -> int:
        return 8

    def encode(self) -> bytes:
        return struct.pack(">II", self.flags << 24, self.vni << 8)

    def __str__(self) -> str:
        letter = "I" if self.flags & VXLAN_FLAG_VNI else "."
        return f"VXLAN, flags [{letter}] (0x{self.flags:02x}), vni {self.vni}"
