"""DHCP message (RFC 2131; options RFC 2132).

     0     1      2     3      4
    | op  | htype| hlen| hops |
    |           xid           |
    |   secs     |   flags    |
    | ciaddr, yiaddr, siaddr, giaddr   (4 bytes each)
    | chaddr 16 bytes | sname 64 | file 128 |
    | 99.130.83.99 | options: code, length, value … 255
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import MacAddress

SERVER_PORT, CLIENT_PORT = 67, 68
REQUEST, REPLY = 1, 2
BROADCAST = 0x8000
COOKIE = bytes([99, 130, 83, 99])

DISCOVER, OFFER, ASK, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
TYPES = ("", "Discover", "Offer", "Request", "Decline", "ACK", "NACK", "Release", "Inform")

SUBNET_MASK, ROUTER, NAME_SERVER, HOST_NAME, DOMAIN, MTU, BROADCAST_ADDRESS = 1, 3, 6, 12, 15, 26, 28
STATIC_ROUTES, REQUESTED_ADDRESS, LEASE_TIME, MESSAGE_TYPE, SERVER_ID = 33, 50, 51, 53, 54
PARAMETERS, MESSAGE, RENEWAL_TIME, REBINDING_TIME, CLIENT_ID, CLASSLESS_ROUTES = 55, 56, 58, 59, 61, 121

_HEAD = struct.Struct(">BBBBIHH4s4s4s4s16s64s128s4s")


class DhcpMessage(NamedTuple):
    """Addresses are four bytes; `options` are (code, value) in their order."""

    op: int
    xid: int
    mac: MacAddress
    options: tuple[tuple[int, bytes], ...]
    flags: int = 0
    ciaddr: bytes = bytes(4)
    yiaddr: bytes = bytes(4)
    siaddr: bytes = bytes(4)
    giaddr: bytes = bytes(4)

    @classmethod
    def decode(cls, data: bytes) -> DhcpMessage:
        """ValueError for what is no such message."""
        if len(data) < _HEAD.size:
            raise ValueError("truncated DHCP message")
        op, htype, hlen, _, xid, _, flags, ci, yi, si, gi, chaddr, _, _, cookie = _HEAD.unpack(data[: _HEAD.size])
        if htype != 1 or hlen != 6 or cookie != COOKIE:
            raise ValueError("not a DHCP message of Ethernet")
        mac = MacAddress(int.from_bytes(chaddr[:6], "big"))
        return cls(op, xid, mac, tuple(_options(data[_HEAD.size :])), flags, ci, yi, si, gi)

    def encode(self) -> bytes:
        """Filled up: an answer to 300 bytes, as BOOTP had it, a question to 272."""
        head = _HEAD.pack(
            self.op, 1, 6, 0, self.xid, 0, self.flags, self.ciaddr, self.yiaddr, self.siaddr, self.giaddr,
            int(self.mac).to_bytes(6, "big"), b"", b"", COOKIE,
        )  # fmt: skip
        for code, value in self.options:
            head += bytes([code, len(value)]) + value
        return (head + b"\xff").ljust(300 if self.op == REPLY else 272, b"\0")

    def option(self, code: int) -> bytes | None:
        """An option's value; of one that is there several times, all together (RFC 3396)."""
        found = [value for number, value in self.options if number == code]
        return b"".join(found) if found else None

    @property
    def kind(self) -> int:
        """DISCOVER, OFFER, …; 0 for plain BOOTP."""
        value = self.option(MESSAGE_TYPE)
        return value[0] if value else 0

    def __str__(self) -> str:
        what = "Request" if self.op == REQUEST else "Reply"
        start = f" from {self.mac}" if self.op == REQUEST else ""
        return f"BOOTP/DHCP, {what}{start}, length {len(self.encode())}"


def _options(data: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 1 >= len(data) or at + 2 + data[at + 1] > len(data):
            raise ValueError("truncated DHCP option")
        found.append((data[at], data[at + 2 : at + 2 + data[at + 1]]))
        at += 2 + data[at + 1]
    return found
