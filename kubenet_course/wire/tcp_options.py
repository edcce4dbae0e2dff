"""TCP options (RFC 9293 3.1, RFC 7323 timestamps and window scale, RFC 2018 SACK).

    | kind (1) | length (1) | value … |      kinds 0 (end) and 1 (no-operation) are a single byte

`TcpOptions` is what a host needs of them; `walk` yields every option as it stands, for captures.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

EOL, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMP = 0, 1, 2, 3, 4, 5, 8

#: Bytes that the timestamp option takes with its padding.
TIMESTAMP_LENGTH = 12


class TcpOptions(NamedTuple):
    """`sack` holds (left, right) edges as sent; `timestamp` is (value, echo reply) or None."""

    mss: int = 0
    window_scale: int | None = None
    sack_permitted: bool = False
    timestamp: tuple[int, int] | None = None
    sack: tuple[tuple[int, int], ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> TcpOptions:
        """tcp_parse_options(): what is broken or unknown is skipped, never an error."""
        if len(data) == 12 and data[:4] == b"\x01\x01\x08\x0a":
            return cls(timestamp=struct.unpack(">II", data[4:]))  # type: ignore[arg-type]
        return _decode(data)

    def encode(self) -> bytes:
        """In the order and with the padding of Linux (tcp_options_write())."""
        out = b""
        if self.mss:
            out += struct.pack(">BBH", MSS, 4, self.mss)
        if self.timestamp is not None:
            out += b"\x04\x02" if self.sack_permitted else b"\x01\x01"
            out += struct.pack(">BBII", TIMESTAMP, 10, *self.timestamp)
        elif self.sack_permitted:
            out += b"\x01\x01\x04\x02"
        if self.window_scale is not None:
            out += bytes((NOP, WINDOW_SCALE, 3, self.window_scale))
        if self.sack:
            out += bytes((NOP, NOP, SACK, 2 + 8 * len(self.sack)))
            out += b"".join(struct.pack(">II", left, right) for left, right in self.sack)
        return out


@lru_cache(1024)
def _decode(data: bytes) -> TcpOptions:
    found: dict = {}
    for kind, value in walk(data):
        if value is None:
            break
        if kind == MSS and len(value) == 2:
            found["mss"] = int.from_bytes(value, "big")
        elif kind == WINDOW_SCALE and len(value) == 1:
            found["window_scale"] = min(value[0], 14)
        elif kind == SACK_PERMITTED and not value:
            found["sack_permitted"] = True
        elif kind == TIMESTAMP and len(value) == 8:
            found["timestamp"] = struct.unpack(">II", value)
        elif kind == SACK and value and len(value) % 8 == 0:
            found["sack"] = tuple(struct.iter_unpack(">II", value))
    return TcpOptions(**found)


def walk(data: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Each option as (kind, value) up to the end; the value is None where its length is wrong."""
    at = 0
    while at < len(data):
        kind = data[at]
        if kind in (EOL, NOP):
            yield kind, b""
            at += 1
            if kind == EOL:
                return
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2 or at + length > len(data):
            yield kind, None
            return
        yield kind, bytes(data[at + 2 : at + length])
        at += length


def find(data: bytes, kind: int, size: int) -> bytes | None:
    """The value, `size` bytes, of the first option of that kind which stands before anything broken; None without one."""
    for found, value in walk(data):
        if value is None:
            return None
        if found == kind and len(value) == size:
            return value
    return None
