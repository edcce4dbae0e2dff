"""Addresses as integers that print themselves.

`IPv4Address`, `IPv6Address` and `MacAddress` are `int` with the field's text form, so that
they hash, compare and mask at the speed of int: ``address & mask`` gives a plain int which
finds the same dictionary entry. Tables are kept per family, so equal numbers never meet.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import NamedTuple


class IPv4Address(int):
    """An IPv4 address; `parse` takes dotted quads and raises ValueError for anything else."""

    __slots__ = ()
    family = 4
    bits = 32

    @classmethod
    def parse(cls, text: str) -> IPv4Address:
        return _parse4(text)

    def __str__(self) -> str:
        return _text4(int(self))

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def encode(self) -> bytes:
        return int(self).to_bytes(4, "big")

    @classmethod
    def decode(cls, data: bytes) -> IPv4Address:
        return cls(int.from_bytes(data[:4], "big"))

    @property
    def is_multicast(self) -> bool:
        return self >> 28 == 0xE

    @property
    def is_loopback(self) -> bool:
        return self >> 24 == 127

    @property
    def is_link_local(self) -> bool:
        return self >> 16 == 0xA9FE

    @property
    def is_zeronet(self) -> bool:
        return self >> 24 == 0

    def multicast_mac(self) -> MacAddress:
        """The Ethernet group of a multicast address (RFC 1112)."""
        return MacAddress(0x01005E000000 | (self & 0x7FFFFF))


class IPv6Address(int):
    """An IPv6 address; prints as RFC 5952 says (and ``::ffff:1.2.3.4`` as inet_ntop does)."""

    __slots__ = ()
    family = 6
    bits = 128

    @classmethod
    def parse(cls, text: str) -> IPv6Address:
        return _parse6(text)

    def __str__(self) -> str:
        return _text6(int(self))

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def encode(self) -> bytes:
        return int(self).to_bytes(16, "big")

    @classmethod
    def decode(cls, data: bytes) -> IPv6Address:
        return cls(int.from_bytes(data[:16], "big"))

    @property
    def is_multicast(self) -> bool:
        return self >> 120 == 0xFF

    @property
    def is_loopback(self) -> bool:
        return self == 1

    @property
    def is_link_local(self) -> bool:
        return self >> 118 == 0x3FA

    @property
    def is_unspecified(self) -> bool:
        return self == 0

    def multicast_mac(self) -> MacAddress:
        """The Ethernet group of a multicast address (RFC 2464)."""
        return MacAddress(0x333300000000 | (self & 0xFFFFFFFF))

    def solicited_node(self) -> IPv6Address:
        """The solicited-node multicast group (RFC 4291, 2.7.1)."""
        return IPv6Address(0xFF0200000000000000000001FF000000 | (self & 0xFFFFFF))


class MacAddress(int):
    """A 48-bit Ethernet address."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> MacAddress:
        parts = text.split(":")
        if len(parts) != 6 or not all(1 <= len(part) <= 2 for part in parts):
            raise ValueError(f"not a MAC address: {text!r}")
        return cls(int("".join(part.rjust(2, "0") for part in parts), 16))

    def __str__(self) -> str:
        return _text_mac(int(self))

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def encode(self) -> bytes:
        return int(self).to_bytes(6, "big")

    @classmethod
    def decode(cls, data: bytes) -> MacAddress:
        return cls(int.from_bytes(data[:6], "big"))

    @property
    def is_multicast(self) -> bool:
        return bool(self >> 40 & 1)

    def link_local(self) -> IPv6Address:
        """fe80::/64 with the modified EUI-64 of this address (RFC 4291, appendix A)."""
        high, low = self >> 24, self & 0xFFFFFF
        return IPv6Address((0xFE80 << 112) | ((high ^ 0x020000) << 40) | (0xFFFE << 24) | low)


IpAddress = IPv4Address | IPv6Address

ZERO_MAC = MacAddress(0)
BROADCAST_MAC = MacAddress(0xFFFFFFFFFFFF)
ANY4 = IPv4Address(0)
ANY6 = IPv6Address(0)
LOOPBACK4 = IPv4Address(0x7F000001)
LOOPBACK6 = IPv6Address(1)


class Network(NamedTuple):
    """A prefix: `address` with its host bits cleared, and the prefix length in bits."""

    address: IpAddress
    prefixlen: int

    @classmethod
    def of(cls, address: IpAddress, prefixlen: int) -> Network:
        return cls(type(address)(address & prefix_mask(address.bits, prefixlen)), prefixlen)

    @classmethod
    def parse(cls, text: str) -> Network:
        """``10.0.0.0/8``, ``fd00::/8`` or one address; host bits are cleared."""
        address_text, slash, length = text.partition("/")
        address = parse_address(address_text)
        prefixlen = int(length) if slash else address.bits
        if not 0 <= prefixlen <= address.bits:
            raise ValueError(f"prefix length out of range: {text!r}")
        return cls.of(address, prefixlen)

    @property
    def broadcast(self) -> IpAddress:
        bits = self.address.bits
        return type(self.address)(self.address | ((1 << (bits - self.prefixlen)) - 1))

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, int):
            return False
        mask = prefix_mask(self.address.bits, self.prefixlen)
        return (address & mask) == int(self.address)

    def __str__(self) -> str:
        return f"{self.address}/{self.prefixlen}"


def prefix_mask(bits: int, prefixlen: int) -> int:
    """The netmask of a prefix length as an int."""
    return ((1 << prefixlen) - 1) << (bits - prefixlen)


def parse_address(text: str) -> IpAddress:
    """An address of either family; ValueError if it is none."""
    return IPv6Address.parse(text) if ":" in text else IPv4Address.parse(text)


@lru_cache(4096)
def _parse4(text: str) -> IPv4Address:
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError(f"not an IPv4 address: {text!r}")
    value = 0
    for part in parts:
        if not (part.isascii() and part.isdigit()) or len(part) > 3 or int(part) > 255:
            raise ValueError(f"not an IPv4 address: {text!r}")
        value = value << 8 | int(part)
    return IPv4Address(value)


@lru_cache(4096)
def _text4(value: int) -> str:
    return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


@lru_cache(4096)
def _parse6(text: str) -> IPv6Address:
    if "%" in text or "/" in text:
        raise ValueError(f"not an IPv6 address: {text!r}")
    return IPv6Address(int(ipaddress.IPv6Address(text)))


@lru_cache(4096)
def _text6(value: int) -> str:
    if value >> 32 == 0xFFFF:
        return f"::ffff:{_text4(value & 0xFFFFFFFF)}"
    return str(ipaddress.IPv6Address(value))


@lru_cache(4096)
def _text_mac(value: int) -> str:
    digits = f"{value:012x}"
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))
