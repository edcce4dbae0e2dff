"""Ethernet II header (IEEE 802.3).

     0                    6                    12         14
    | destination address | source address     | EtherType |
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from kubenet_course.wire.addresses import MacAddress

ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_8021Q = 0x8100
ETH_P_IPV6 = 0x86DD
ETH_HLEN = 14

_NAMES = {ETH_P_IP: "IPv4", ETH_P_ARP: "ARP", ETH_P_8021Q: "802.1Q", ETH_P_IPV6: "IPv6"}


class EthernetHeader(NamedTuple):
    """`ethertype` is what follows: ETH_P_IP and so on."""

    destination: MacAddress
    source: MacAddress
    ethertype: int

    @classmethod
    def decode(cls, data: bytes) -> EthernetHeader:
        if len(data) < ETH_HLEN:
            raise ValueError("truncated Ethernet header")
        return cls(
            MacAddress.decode(data),
            MacAddress.decode(data[6:]),
            int.from_bytes(data[12:14], "big"),
        )

    def encode(self) -> bytes:
        return self.destination.encode() + self.source.encode() + struct.pack(">H", self.ethertype)

    def __str__(self) -> str:
        name = _NAMES.get(self.ethertype, "Unknown")
        return f"{self.source} > {self.destination}, ethertype {name} (0x{self.ethertype:04x})"
