"""nft's expressions, each with its words (include/expression.h of nftables).

All are values: never changed once made, equal if they say the same (`loc`, the place in the text a
person typed, is not compared). Those that look at a packet are in selectors.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.base import Expr, Loc
from kubenet_course.kernel.netfilter.nf_tables.datatypes import (
    INTEGER,
    PLAIN,
    VERDICT,
    DataType,
    Style,
    time_text,
)
from kubenet_course.kernel.netfilter.nf_tables.selectors import (
    META_TYPES,
    Ct,
    Fib,
    Hash,
    Ipsec,
    Meta,
    Numgen,
    Option,
    Osf,
    Payload,
    RawPayload,
    Rt,
    Socket,
)


@dataclass(frozen=True, slots=True)
class Symbol(Expr):
    """A word not yet understood: its type comes from what it is compared with."""

    word: str
    quoted: bool = False

    def text(self, style: Style = PLAIN) -> str:
        return self.word


@dataclass(frozen=True, slots=True)
class Variable(Expr):
    name: str

    def text(self, style: Style = PLAIN) -> str:
        return f"${self.name}"


@dataclass(frozen=True, slots=True)
class ListExpr(Expr):
    """a,b,c: flags."""

    items: tuple[Expr, ...]

    def text(self, style: Style = PLAIN) -> str:
        return ",".join(item.text(style) for item in self.items)


@dataclass(frozen=True, slots=True)
class Value(Expr):
    """A constant: an int, or a str for names (of interfaces, helpers)."""

    kind: DataType
    value: Any
    width: int = 0

    @property
    def type(self) -> DataType:
        return self.kind

    @property
    def bits(self) -> int:
        return self.width or self.kind.bits

    def text(self, style: Style = PLAIN) -> str:
        return self.kind.text(self.value, style)


@dataclass(frozen=True, slots=True)
class Prefix(Expr):
    kind: DataType
    value: int
    length: int

    @property
    def type(self) -> DataType:
        return self.kind

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.kind.text(self.value, style)}/{self.length}"

    @property
    def low(self) -> int:
        return self.value

    @property
    def high(self) -> int:
        return self.value | (1 << (self.kind.bits - self.length)) - 1


@dataclass(frozen=True, slots=True)
class Range(Expr):
    kind: DataType
    low: Any
    high: Any

    @property
    def type(self) -> DataType:
        return self.kind

    def text(self, style: Style = PLAIN) -> str:
        # The words of a range's ends are numbers, whatever they are elsewhere.
        plain = style._replace(services=None, numeric_protocol=True, numeric_symbols=True, numeric_time=True)
        return f"{self.kind.text(self.low, plain)}-{self.kind.text(self.high, plain)}"


@dataclass(frozen=True, slots=True)
class Wildcard(Expr):
    """``*``: what no other element is."""

    def text(self, style: Style = PLAIN) -> str:
        return "*"


PRECEDENCE = {"<<": 4, ">>": 4, "&": 3, "^": 2, "|": 1}


@dataclass(frozen=True, slots=True)
class Binop(Expr):
    op: str
    left: Expr
    right: Expr

    @property
    def type(self) -> DataType:
        return self.left.type

    @property
    def bits(self) -> int:
        return self.left.bits

    def text(self, style: Style = PLAIN) -> str:
        return f"{self._side(self.left, style)} {self.op} {self._side(self.right, style)}"

    def _side(self, side: Expr, style: Style) -> str:
        words = side.text(style)
        if isinstance(side, Value) and side.type.base == "bitmask" and "," in words:
            return f"({words.replace(',', ' | ')})" if self.op == "&" else words.replace(",", " | ")
        if isinstance(side, Binop) and PRECEDENCE[side.op] < PRECEDENCE[self.op]:
            return f"({words})"
        return words


@dataclass(frozen=True, slots=True)
class Concat(Expr):
    parts: tuple[Expr, ...]

    @property
    def types(self) -> tuple[DataType, ...]:
        return tuple(part.type for part in self.parts)

    @property
    def bits(self) -> int:
        return sum((part.bits + 31) // 32 * 32 for part in self.parts)

    def text(self, style: Style = PLAIN) -> str:
        return " . ".join(part.text(style) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Verdict(Expr):
    """accept, drop, continue, return; jump or goto a chain."""

    kind: str
    chain: str = ""
    chain_loc: Loc | None = field(default=None, compare=False, repr=False)

    @property
    def type(self) -> DataType:
        return VERDICT

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.kind} {self.chain}" if self.chain else self.kind


@dataclass(frozen=True, slots=True)
class SetRef(Expr):
    name: str

    def text(self, style: Style = PLAIN) -> str:
        return f"@{self.name}"


@dataclass(frozen=True, slots=True)
class Element(Expr):
    """An element of a set, or with `data` of a map. Times in milliseconds."""

    key: Expr
    data: Expr | None = None
    timeout: int | None = None
    expires: int | None = None
    comment: str = ""
    statements: tuple[Any, ...] = ()

    def text(self, style: Style = PLAIN) -> str:
        words = self.key.text(style._replace(joiner=" | "))
        for statement in self.statements:
            words += f" {statement.text(style)}"
        if self.timeout is not None:
            words += f" timeout {time_text(self.timeout, style)}"
        if self.expires is not None and not style.stateless:
            shown = self.expires // 1000 * 1000 if style.numeric_time else self.expires
            words += f" expires {time_text(shown, style)}"
        if self.comment:
            words += f' comment "{self.comment}"'
        if self.data is not None:
            words += f" : {self.data.text(style)}"
        return words


@dataclass(frozen=True, slots=True)
class SetExpr(Expr):
    """An anonymous set or map: its elements in the order in which they are listed."""

    elements: tuple[Element, ...]

    def text(self, style: Style = PLAIN) -> str:
        return "{ " + ", ".join(element.text(style) for element in self.elements) + " }" if self.elements else "{ }"


@dataclass(frozen=True, slots=True)
class MapExpr(Expr):
    """key map { … } or key map @name; `data` is what it gives."""

    key: Expr
    mappings: Expr
    data: Expr | None = field(default=None, compare=False, repr=False)

    @property
    def type(self) -> DataType:
        return self.data.type if self.data is not None else INTEGER

    @property
    def bits(self) -> int:
        return self.data.bits if self.data is not None else 0

    def text(self, style: Style = PLAIN) -> str:
        return f"{self.key.text(style)} map {self.mappings.text(style)}"


__all__ = [
    "META_TYPES", "Binop", "Concat", "Ct", "Element", "Expr", "Fib", "Hash", "ListExpr", "Loc", "Ipsec", "MapExpr", "Meta", "Numgen",
    "Option", "Osf", "Payload", "Prefix", "Range", "RawPayload", "Rt", "SetExpr", "SetRef", "Socket", "Symbol", "Value", "Variable",
    "Verdict", "Wildcard",
]  # fmt: skip
