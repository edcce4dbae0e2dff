"""Address Resolution Protocol for IPv4 over Ethernet (RFC 826).

     0             2             4        5        6            8
    | hardware (1) | protocol    | hlen 6 | plen 4 | operation  |
    | sender MAC (6)             | sender IP (4)                |
    | target MAC (6)             | target IP (4)                |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import IPv4Address, MacAddress

ARP_REQUEST = 1
ARP_REPLY = 2


class ArpHeader(NamedTuple):
    """ARP for IPv4 over Ethernet; `operation` is ARP_REQUEST or ARP_REPLY."""

    operation: int
    sender_mac: MacAddress
    sender_ip: IPv4Address
    target_mac: MacAddress
    target_ip: IPv4Address

    @classmethod
    def decode(cls, data: bytes) -> ArpHeader:
        if len(data) < 28:
            raise ValueError("truncated ARP packet")
        hardware, protocol, hlen, plen, operation = struct.unpack(">HHBBH", data[:8])
        if (hardware, protocol, hlen, plen) != (1, 0x0800, 6, 4):
            raise ValueError("not ARP for IPv4 over Ethernet")
        return cls(
            operation,
            MacAddress.decode(data[8:]),
            IPv4Address.decode(data[14:]),
            MacAddress.decode(data[18:]),
            IPv4Address.decode(data[24:]),
        )

    def encode(self) -> bytes:
        return (
            struct.pack(">HHBBH", 1, 0x0800, 6, 4, self.operation)
            + self.sender_mac.encode()
            + self.sender_ip.encode()
            + self.target_mac.encode()
            + self.target_ip.encode()
        )

    def __str__(self) -> str:
        if self.operation == ARP_REQUEST:
            return f"ARP, Request who-has {self.target_ip} tell {self.sender_ip}, length 28"
        if self.operation == ARP_REPLY:
            return f"ARP, Reply {self.sender_ip} is-at {self.sender_mac}, length 28"
        return f"ARP, Unknown operation {self.operation}, length 28"
