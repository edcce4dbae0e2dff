"""jhash (include/linux/jhash.h), and a hash of a packet's flow that is the same both ways."""

from __future__ import annotations

from typing import Any

ONES = 0xFFFFFFFF
START = 0xDEADBEEF


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & ONES


def jhash(data: bytes, seed: int) -> int:
    """Bob Jenkins' hash of bytes, 32 bits."""
    a = b = c = (START + len(data) + seed) & ONES
    at = 0
    while len(data) - at > 12:
        a = (a + int.from_bytes(data[at : at + 4], "little")) & ONES
        b = (b + int.from_bytes(data[at + 4 : at + 8], "little")) & ONES
        c = (c + int.from_bytes(data[at + 8 : at + 12], "little")) & ONES
        a = (a - c & ONES) ^ _rotate(c, 4)
        c = (c + b) & ONES
        b = (b - a & ONES) ^ _rotate(a, 6)
        a = (a + c) & ONES
        c = (c - b & ONES) ^ _rotate(b, 8)
        b = (b + a) & ONES
        a = (a - c & ONES) ^ _rotate(c, 16)
        c = (c + b) & ONES
        b = (b - a & ONES) ^ _rotate(a, 19)
        a = (a + c) & ONES
        c = (c - b & ONES) ^ _rotate(b, 4)
        b = (b + a) & ONES
        at += 12
    rest = data[at:]
    if not rest:
        return c
    rest = rest.ljust(12, b"\0")
    a = (a + int.from_bytes(rest[:4], "little")) & ONES
    b = (b + int.from_bytes(rest[4:8], "little")) & ONES
    c = (c + int.from_bytes(rest[8:], "little")) & ONES
    c = ((c ^ b) - _rotate(b, 14)) & ONES
    a = ((a ^ c) - _rotate(c, 11)) & ONES
    b = ((b ^ a) - _rotate(a, 25)) & ONES
    c = ((c ^ b) - _rotate(b, 16)) & ONES
    a = ((a ^ c) - _rotate(c, 4)) & ONES
    b = ((b ^ a) - _rotate(a, 14)) & ONES
    return ((c ^ b) - _rotate(b, 24)) & ONES


def symmetric(skb: Any) -> int:
    """__skb_get_hash_symmetric(): the kernel's own depends on a secret; this one on the flow alone."""
    ip = skb.network
    if ip is None or len(ip) < 3:
        return 0
    ports = sorted(int(port) for port in skb.transport[:2]) if skb.transport is not None and ip[2] in (6, 17) else [0, 0]
    low, high = sorted((int(ip[0]), int(ip[1])))
    data = low.to_bytes(16, "big") + high.to_bytes(16, "big") + bytes(str((ports, ip[2])), "ascii")
    return jhash(data, 0)
