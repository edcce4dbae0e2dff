"""GRE header (RFC 2784, RFC 2890).

 0                      2
| C 0 K S flags|version | protocol |
| checksum and reserved (C) | key (K) | sequence number (S) |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.checksum import internet_checksum

GRE_CSUM, GRE_KEY, GRE_SEQ = 0x8000, 0x2000, 0x1000
ETH_P_TEB = 0x6558


class GreHeader(NamedTuple):
    """`key` and `sequence` are None where the packet has none."""

    protocol: int
    key: int | None = None
    sequence: int | None = None
    checksum: bool = False

    @classmethod
    def decode(cls, data: bytes) -> GreHeader:
        if len(data) < 4:
            raise ValueError("truncated GRE header")
        flags, protocol = struct.unpack(">HH", data[:4])
        at = 8 if flags & GRE_CSUM else 4
        words = {}
        for bit, name in ((GRE_KEY, "key"), (GRE_SEQ, "sequence")):
            if flags & bit:
                if len(data) < at + 4:
                    raise ValueError("truncated GRE header")
                words[name] = int.from_bytes(data[at : at + 4], "big")
                at += 4
        return cls(protocol, words.get("key"), words.get("sequence"), bool(flags & GRE_CSUM))

    @property
    def header_length(self) -> int:
        return 4 + 4 * (self.checksum + (self.key is not None) + (self.sequence is not None))

    def encode(self, payload: bytes = b"") -> bytes:
        """The header alone; the checksum covers `payload` too."""
        flags = (
            GRE_CSUM * self.checksum
            | GRE_KEY * (self.key is not None)
            | GRE_SEQ * (self.sequence is not None)
        )
        head = struct.pack(">HH", flags, self.protocol)
        tail = b"".join(word.to_bytes(4, "big") for word in (self.key, self.sequence) if word is not None)
        if not self.checksum:
            return head + tail
        value = internet_checksum(head + bytes(4) + tail + payload)
        return head + struct.pack(">HH", value, 0) + tail

    def __str__(self) -> str:
        words = [f"key=0x{self.key:x}"] if self.key is not None else []
        words += [f"seq {self.sequence}"] if self.sequence is not None else []
        return ", ".join(["GREv0", *words])
