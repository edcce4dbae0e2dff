"""TCP header (RFC 9293).

     0               2                 4                  8
    | source port   | destination port | sequence number  | acknowledgement number |
    | offset|flags  | window           | checksum | urgent | options (0 to 40 bytes) |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.checksum import internet_checksum, pseudo_header
from kubenet_course.wire.ipv4 import IPPROTO_TCP

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128


class TcpHeader(NamedTuple):
    """`options` is the raw option bytes, padded to a multiple of four."""

    source_port: int
    destination_port: int
    sequence: int
    acknowledgement: int = 0
    flags: int = 0
    window: int = 0
    options: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> TcpHeader:
        if len(data) < 20:
            raise ValueError("truncated TCP header")
        source, destination, seq, ack, offset, flags, window = struct.unpack(">HHIIBBH", data[:16])
        length = (offset >> 4) * 4
        if length < 20 or len(data) < length:
            raise ValueError("bad TCP data offset")
        return cls(source, destination, seq, ack, flags, window, bytes(data[20:length]))

    @property
    def header_length(self) -> int:
        return 20 + len(self.options)

    def encode(self, payload: bytes, source: bytes, destination: bytes) -> bytes:
        head = struct.pack(
            ">HHIIBBHHH",
            self.source_port,
            self.destination_port,
            self.sequence,
            self.acknowledgement,
            self.header_length // 4 << 4,
            self.flags,
            self.window,
            0,
            0,
        ) + self.options
        length = len(head) + len(payload)
        pseudo = pseudo_header(source, destination, IPPROTO_TCP, length)
        checksum = internet_checksum(pseudo + head + payload)
        return head[:16] + struct.pack(">H", checksum) + head[18:] + payload

    def flag_text(self) -> str:
        """tcpdump's letters: ``S``, ``S.``, ``.``, ``P.``, ``F.``, ``R``, ``none``."""
        letters = "".join(
            letter
            for bit, letter in ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"), (ECE, "E"), (CWR, "W"))
            if self.flags & bit
        )
        return letters or "none"

    def __str__(self) -> str:
        return f"Flags [{self.flag_text()}], seq {self.sequence}, win {self.window}"
