"""Which address of a range a connection gets (net/netfilter/nf_nat_core.c): by a hash without a secret."""

from __future__ import annotations

from typing import Any

from kubenet_course.wire.addresses import IPv6Address


def spread(source: Any, destination: Any, low: int, high: int, persistent: bool) -> int:
    """find_best_ips_proto(): the kernel's own hash of the two ends, so that the same pair gets the address it gets there."""
    wide = isinstance(source, IPv6Address)

    def words(address: int) -> list[int]:
        """union nf_inet_addr as numbers of a little-endian computer."""
        data = int(address).to_bytes(16, "big") if wide else int(address).to_bytes(4, "big") + bytes(12)
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, 16, 4)]

    last = 3 if wide else 0
    target = words(destination)
    mixed = jhash2(words(source), 0 if persistent else target[last])
    found, whole = 0, False
    for at in range(last + 1):
        shift = 32 * (last - at)
        minimum, maximum = low >> shift & 0xFFFFFFFF, high >> shift & 0xFFFFFFFF
        if whole:
            part = mixed * 0xFFFFFFFF >> 32
        else:
            part = minimum + (mixed * (maximum - minimum + 1) >> 32) & 0xFFFFFFFF
        found = found << 32 | part
        whole = whole or part != maximum
        if not persistent:
            mixed ^= target[at]
    return found


def jhash2(words: list[int], initval: int) -> int:
    """include/linux/jhash.h: Bob Jenkins' hash of 32-bit words."""
    mask = 0xFFFFFFFF

    def rol(value: int, by: int) -> int:
        return (value << by | value >> 32 - by) & mask

    a = b = c = (0xDEADBEEF + (len(words) << 2) + initval) & mask
    at = 0
    while len(words) - at > 3:
        a, b, c = a + words[at] & mask, b + words[at + 1] & mask, c + words[at + 2] & mask
        a = (a - c & mask) ^ rol(c, 4)
        c = c + b & mask
        b = (b - a & mask) ^ rol(a, 6)
        a = a + c & mask
        c = (c - b & mask) ^ rol(b, 8)
        b = b + a & mask
        a = (a - c & mask) ^ rol(c, 16)
        c = c + b & mask
        b = (b - a & mask) ^ rol(a, 19)
        a = a + c & mask
        c = (c - b & mask) ^ rol(b, 4)
        b = b + a & mask
        at += 3
    rest = words[at:]
    if not rest:
        return c
    a = a + rest[0] & mask
    b = b + rest[1] & mask if len(rest) > 1 else b
    c = c + rest[2] & mask if len(rest) > 2 else c
    for first, second, third, by in (("c", "b", "b", 14), ("a", "c", "c", 11), ("b", "a", "a", 25), ("c", "b", "b", 16),
                                     ("a", "c", "c", 4), ("b", "a", "a", 14), ("c", "b", "b", 24)):  # fmt: skip
        values = {"a": a, "b": b, "c": c}
        changed = (values[first] ^ values[second]) - rol(values[third], by) & mask
        a, b, c = (changed if name == first else values[name] for name in "abc")
    return c
