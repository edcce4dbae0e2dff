"""nft describe: the type of an expression or of a name, and the words it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import PROTOCOL_WORDS, DataType, data_type
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Ct,
    Fib,
    Hash,
    Meta,
    Numgen,
    Option,
    Payload,
    RawPayload,
    Rt,
    Socket,
    Symbol,
)

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

KINDS: dict[type, str] = {
    Payload: "payload", RawPayload: "payload", Meta: "meta", Ct: "ct", Fib: "fib", Numgen: "numgen", Hash: "hash",
    Option: "exthdr", Rt: "rt", Socket: "socket",
}  # fmt: skip


def describe(proc: Process, expr: Any) -> int:
    if isinstance(expr, Symbol):
        kind = data_type(expr.word)
        if kind is not None:
            proc.print(f"datatype {_type(kind, kind.bits)}")
            _words(proc, kind)
            return 0
    what = KINDS.get(type(expr))
    if what is None:
        proc.print("symbol expression, datatype invalid (invalid)", end="")
        return 0
    kind = expr.type
    line = f"{what} expression, datatype {_type(kind, expr.bits)}"
    if isinstance(expr, RawPayload):
        line = line.replace("integer (integer)", "integer (integer) (basetype integer)")
    proc.print(line)
    _words(proc, kind)
    return 0


def _type(kind: DataType, bits: int) -> str:
    base = {"bitmask": "bitmask, integer"}.get(kind.base, kind.base)
    base = f" (basetype {base})" if base and kind.name not in ("integer", "string") else ""
    size = f"{bits // 8} characters" if kind.base == "string" else f"{bits} bits"
    return f"{kind.name} ({kind.description}){base}, {size}"


def _words(proc: Process, kind: DataType) -> None:
    if kind.name == "inet_proto":
        for number, word in sorted(PROTOCOL_WORDS.items()):
            proc.print(f"\t{word:<30}\t{number}")
        return
    if not kind.symbols or kind.name in ("realm", "devgroup"):
        return
    hexadecimal = kind.shown_hex or kind.name == "arp_op"
    proc.print(f"\npre-defined symbolic constants (in {'hexadecimal' if hexadecimal else 'decimal'}):")
    symbols = dict(kind.symbols)
    if kind.name == "ether_type":
        symbols["vlan"] = 0x8100
    for word, value in symbols.items():
        shown = f"0x{value:0{(kind.bits + 7) // 8 * 2}x}" if hexadecimal else f"{value:>20}"
        proc.print(f"\t{word:<30}\t{shown}")
