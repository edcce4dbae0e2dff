"""A number of 32 bits in the header, or a range of them: ah, esp, ipcomp, frag."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.xt import Extension, range_text

FULL = (0, 0xFFFFFFFF)


def words(extension: Extension, key: str, word: str, plural: str | None = None) -> str:
    """``spi:5``, ``spis:!5:10``; nothing for the whole range."""
    low, high = extension.values.get(key, FULL)
    inverted = key in extension.inverted
    if (low, high) == FULL and not inverted:
        return ""
    bang = "!" if inverted else ""
    if low == high:
        return f"{word}:{bang}{low}"
    return f"{plural or word + 's'}:{bang}{low}:{high}"


def save(extension: Extension, key: str, *, full_shown: bool = False) -> str:
    value = extension.values.get(key, FULL)
    if value == FULL and not (full_shown and key in extension.values):
        return ""
    return f"{extension.bang(key)}--{key} {range_text(*value)}"


def nft(extension: Extension, key: str, field: str, *, full_shown: bool = False) -> str:
    value = extension.values.get(key, FULL)
    if value == FULL and not (full_shown and key in extension.inverted):
        return ""
    return f"{field} {'!= ' if key in extension.inverted else ''}{range_text(*value, separator='-')}"  # type: ignore[misc]


def within(extension: Extension, key: str, value: int) -> bool:
    low, high = extension.values.get(key, FULL)
    return (low <= value <= high) != (key in extension.inverted)


def payload_bytes(skb: Any) -> bytes:
    """What follows the IP header, where no header of ours was made of it."""
    data = skb.payload
    return bytes(data) if isinstance(data, (bytes, bytearray)) and skb.transport is None else b""


__all__ = ["TYPE_CHECKING", "Callable"]
