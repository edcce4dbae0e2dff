"""What follows the ICMPv6 header in neighbour discovery (RFC 4861) and MLDv2 reports (RFC 3810).

    solicitation, advertisement   | target (16) | options |
    router solicitation           | options |
    router advertisement          | reachable time (4) | retransmission timer (4) | options |
    redirect                      | target (16) | destination (16) | options |
    option                        | type | length in units of 8 bytes | value |

A router advertisement's hop limit, flags and lifetime are the `rest` of its ICMPv6 header.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import IPv6Address, MacAddress

OPT_SOURCE_MAC = 1
OPT_TARGET_MAC = 2
OPT_PREFIX = 3
OPT_REDIRECTED = 4
OPT_MTU = 5
OPT_NONCE = 14
OPT_ROUTE = 24
OPT_RDNSS = 25

# Flags of a neighbour advertisement, in the first byte of `rest`.
FLAG_ROUTER, FLAG_SOLICITED, FLAG_OVERRIDE = 0x80000000, 0x40000000, 0x20000000

# MLDv2 record types, RFC 3810 5.2.12.
MLD2_TO_INCLUDE, MLD2_TO_EXCLUDE = 3, 4


class Option(NamedTuple):
    type: int
    value: bytes

    def encode(self) -> bytes:
        body = bytes((self.type, 0)) + self.value
        body += bytes(-len(body) % 8)
        return body[:1] + bytes((len(body) // 8,)) + body[2:]


def link_address(kind: int, mac: MacAddress) -> Option:
    return Option(kind, mac.encode())


def decode_options(data: bytes) -> list[Option] | None:
    """The options in `data`; None where one has no length or is cut short."""
    found = []
    at = 0
    while at + 2 <= len(data):
        size = data[at + 1] * 8
        if not size or at + size > len(data):
            return None
        found.append(Option(data[at], bytes(data[at + 2 : at + size])))
        at += size
    return found if at == len(data) else None


def option(options: list[Option], kind: int) -> bytes | None:
    """The value of the first option of that type."""
    return next((opt.value for opt in options if opt.type == kind), None)


class PrefixInformation(NamedTuple):
    """RFC 4861 4.6.2; lifetimes in seconds, 0xffffffff for ever."""

    prefix: IPv6Address
    prefixlen: int
    onlink: bool = True
    autonomous: bool = True
    valid: int = 86400
    preferred: int = 14400

    def encode(self) -> Option:
        flags = self.onlink << 7 | self.autonomous << 6
        value = struct.pack(">BBIII", self.prefixlen, flags, self.valid, self.preferred, 0)
        return Option(OPT_PREFIX, value + self.prefix.encode())

    @classmethod
    def decode(cls, value: bytes) -> PrefixInformation:
        if len(value) < 30:
            raise ValueError("truncated prefix information")
        length, flags, valid, preferred, _ = struct.unpack(">BBIII", value[:14])
        return cls(
            IPv6Address.decode(value[14:30]), length, bool(flags & 0x80), bool(flags & 0x40), valid, preferred
        )


class RouterAdvertisement(NamedTuple):
    """The fixed part; `lifetime` in seconds, 0 for "not a default router"; timers in ms."""

    hop_limit: int = 64
    flags: int = 0
    lifetime: int = 1800
    reachable: int = 0
    retransmit: int = 0

    @property
    def rest(self) -> int:
        """The second word of the ICMPv6 header."""
        return self.hop_limit << 24 | self.flags << 16 | self.lifetime

    def encode(self, options: list[Option]) -> bytes:
        return struct.pack(">II", self.reachable, self.retransmit) + b"".join(opt.encode() for opt in options)

    @classmethod
    def decode(cls, rest: int, body: bytes) -> tuple[RouterAdvertisement, list[Option]]:
        if len(body) < 8:
            raise ValueError("truncated router advertisement")
        options = decode_options(body[8:])
        if options is None:
            raise ValueError("bad options in a router advertisement")
        reachable, retransmit = struct.unpack(">II", body[:8])
        return cls(rest >> 24, rest >> 16 & 255, rest & 0xFFFF, reachable, retransmit), options


def encode_mld2_report(records: list[tuple[int, IPv6Address]]) -> tuple[int, bytes]:
    """(`rest` of the ICMPv6 header, body) of an MLDv2 report without source lists."""
    body = b"".join(struct.pack(">BBH", kind, 0, 0) + group.encode() for kind, group in records)
    return len(records), body
