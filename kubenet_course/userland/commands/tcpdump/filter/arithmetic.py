"""``expr relop expr``: numbers of a frame compared (pcap-filter(7); BPF computes in 32 bits)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.tcpdump.filter.frame import Number, OutOfPacket, Test, View
from kubenet_course.userland.commands.tcpdump.filter.names import (
    CONSTANTS,
    ETHER_NUMBERS,
    PROTOCOL_NUMBERS,
    FilterError,
    integer,
)


def relation(tree: Any) -> Test:
    """Two expressions and what is asked of them."""
    a, operator, b = _value(tree.children[0]), str(tree.children[1]), _value(tree.children[2])
    return {
        "=": lambda view: a(view) == b(view), "==": lambda view: a(view) == b(view), "!=": lambda view: a(view) != b(view),
        ">": lambda view: a(view) > b(view), "<": lambda view: a(view) < b(view), ">=": lambda view: a(view) >= b(view),
        "<=": lambda view: a(view) <= b(view),
    }[operator]  # fmt: skip


def _value(tree: Any) -> Number:
    """An expression as what it is worth for a frame."""
    name = tree.data
    if name == "number":
        value = integer(str(tree.children[0]))
        return lambda view: value
    if name == "constant":
        word = str(tree.children[0])
        if word not in CONSTANTS:
            raise FilterError("can't parse filter expression: syntax error")
        value = CONSTANTS[word]
        return lambda view: value
    if name == "length":
        return lambda view: view.length
    if name == "negative":
        inner = _value(tree.children[1])
        return lambda view: -inner(view) & 0xFFFFFFFF
    if name == "field":
        return _field(tree)
    a, b = _value(tree.children[0]), _value(tree.children[2])
    return {
        "bit_or": lambda view: a(view) | b(view), "bit_xor": lambda view: a(view) ^ b(view), "bit_and": lambda view: a(view) & b(view),
        "left": lambda view: a(view) << min(b(view), 32) & 0xFFFFFFFF, "right": lambda view: a(view) >> min(b(view), 32),
        "plus": lambda view: a(view) + b(view) & 0xFFFFFFFF, "minus": lambda view: a(view) - b(view) & 0xFFFFFFFF,
        "times": lambda view: a(view) * b(view) & 0xFFFFFFFF, "over": lambda view: a(view) // b(view),
        "modulo": lambda view: a(view) % b(view),
    }[name]  # fmt: skip


def _field(tree: Any) -> Number:
    """``tcp[13]``, ``ip[2:2]``: bytes of a header; nothing matches where that header is missing."""
    word = str(tree.children[0])
    offset = _value(next(child for child in tree.children[1:] if hasattr(child, "data")))
    sizes = [
        str(child)
        for child in tree.children[1:]
        if not hasattr(child, "data") and getattr(child, "type", "") == "NUMBER"
    ]
    size = integer(sizes[0]) if sizes else 1
    if size not in (1, 2, 4):
        raise FilterError("data size must be 1, 2, or 4")
    if word in ("ether", "link"):
        return lambda view: view.read(offset(view), size)
    if word in ETHER_NUMBERS:
        number = ETHER_NUMBERS[word]

        def network(view: View) -> int:
            if view.ethertype != number:
                raise OutOfPacket
            return view.read(view.net + offset(view), size)

        return network
    if word not in PROTOCOL_NUMBERS:
        raise FilterError("unsupported index operation")
    protocol = PROTOCOL_NUMBERS[word]
    ethertype = 0x86DD if word == "icmp6" else 0x0800

    def transport(view: View) -> int:
        found = view.transport
        if view.ethertype != ethertype or found is None or found[0] != protocol or found[1] < 0:
            raise OutOfPacket
        return view.read(found[1] + offset(view), size)

    return transport
