"""Right sides: constants, prefixes, ranges, flags, sets and maps, evaluated for the type on the left."""

from __future__ import annotations

import dataclasses
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import INTEGER, TYPES, VERDICT, DataType
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Concat,
    Element,
    Expr,
    ListExpr,
    Prefix,
    Range,
    SetExpr,
    Symbol,
    Value,
    Variable,
    Verdict,
    Wildcard,
)
from kubenet_course.kernel.netfilter.nf_tables.sets import bounds, interval_key, key_of, sort_key
from kubenet_course.userland.commands.nft.errors import NftError, misread
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr, SlashExpr
from kubenet_course.userland.commands.nft.values import Names, from_integer, parse_word

#: Types whose ranges are written as prefixes where they can be.
PREFIXED = frozenset({"ipv4_addr", "ipv6_addr"})


def is_boolean_word(expr: Any) -> bool:
    """exists or missing, without quotes: a value of its own type."""
    bare = isinstance(expr, Symbol) and expr.loc is not None and expr.loc[1] - expr.loc[0] == len(expr.word)
    return bare and expr.word in ("exists", "missing")


class Constants:
    """Evaluates right sides. `variables` are the definitions so far."""

    def __init__(self, names: Names, variables: dict[str, Any]):
        self.names = names
        self.variables = variables

    def resolve(self, expr: Any) -> Any:
        """A variable's value in its place."""
        depth = 0
        while isinstance(expr, Variable):
            if expr.name not in self.variables or depth > 32:
                raise misread(f"unknown identifier '{expr.name}'", expr.loc)
            expr = self.variables[expr.name]
            depth += 1
        return expr

    # -- one value --------------------------------------------------------------------------
    def constant(self, expr: Any, kind: DataType, bits: int = 0) -> Expr:
        """A Value, Prefix or Range of the type."""
        expr = self.resolve(expr)
        if is_boolean_word(expr) and kind.base != "string":
            return Value(kind, int(expr.word == "exists"), bits, loc=expr.loc)
        if isinstance(expr, Symbol):
            return Value(kind, parse_word(expr.word, kind, bits, self.names, expr.loc), bits, loc=expr.loc)
        if isinstance(expr, Integer):
            if kind.name == "invalid":
                raise NftError("Can't parse symbolic invalid expressions", expr.loc)
            return from_integer(expr.value, kind, bits, expr.loc)
        if isinstance(expr, RangeExpr):
            return self._range(expr, kind, bits)
        if isinstance(expr, SlashExpr):
            return self._prefix(expr, kind, bits)
        if isinstance(expr, ListExpr):
            return self._flags(expr, kind, bits)
        if isinstance(expr, Binop):
            return self._folded(expr, kind, bits)
        if isinstance(expr, Value):
            return expr
        if isinstance(expr, Concat):
            raise NftError("Use concatenations with sets and maps, not singleton values", expr.loc)
        raise NftError("Could not parse integer", getattr(expr, "loc", None))

    def value(self, expr: Any, kind: DataType, bits: int = 0) -> Any:
        found = self.constant(expr, kind, bits)
        if not isinstance(found, Value):
            raise NftError("Could not parse integer", getattr(expr, "loc", None))
        return found.value

    def _range(self, expr: RangeExpr, kind: DataType, bits: int) -> Expr:
        if kind.base == "string":
            raise NftError(f"Range expression is undefined for {kind.description} types", expr.left.loc, expr.loc)
        low, high = self.value(expr.left, kind, bits), self.value(expr.right, kind, bits)
        if kind.base != "string" and low > high:
            if kind.name == "hour":
                return Range(kind, low, high, loc=expr.loc)
            raise NftError("Range has zero or negative size", expr.loc)
        return Range(kind, low, high, loc=expr.loc)

    def _prefix(self, expr: SlashExpr, kind: DataType, bits: int) -> Expr:
        right = self.resolve(expr.right)
        if not isinstance(right, Integer):
            raise NftError("syntax error, unexpected newline, expecting comma", expr.loc)
        width = bits or kind.bits
        if kind.base == "string" or kind.base == "bitmask":
            raise NftError(f"Prefix expression is undefined for {kind.description} types", expr.loc)
        value = self.value(expr.left, kind, bits)
        length = right.value
        if length > width:
            raise NftError(f"Prefix length {length} is invalid for type of {width} bits width", expr.loc)
        if length == width:
            return Value(kind, value, bits, loc=expr.loc)
        mask = ((1 << length) - 1) << (width - length)
        return Prefix(kind, value & mask, length, loc=expr.loc)

    def _flags(self, expr: ListExpr, kind: DataType, bits: int) -> Expr:
        total = 0
        for item in expr.items:
            if kind.base != "bitmask":
                raise NftError(f"Basetype of type {kind.description} is not bitmask", item.loc)
            total |= self.value(item, kind, bits)
        return Value(kind, total, bits, loc=expr.loc)

    def _folded(self, expr: Binop, kind: DataType, bits: int) -> Expr:
        left = self.value(expr.left, kind, bits)
        right = self.value(expr.right, INTEGER if expr.op in ("<<", ">>") else kind, 0 if expr.op in ("<<", ">>") else bits)
        width = bits or kind.bits or 64
        result = {
            "&": left & right, "|": left | right, "^": left ^ right, "<<": left << min(right, 256), ">>": left >> min(right, 256),
        }[expr.op]  # fmt: skip
        return Value(kind, result & ((1 << width) - 1), bits, loc=expr.loc)

    # -- keys of sets -----------------------------------------------------------------------
    def key(self, expr: Any, types: tuple[DataType, ...], widths: tuple[int, ...], whole: Any = None) -> Expr:
        """An element's key: a constant, or a concatenation of them."""
        expr = self.resolve(expr)
        if isinstance(expr, Wildcard):
            return expr
        if len(types) == 1:
            if isinstance(expr, Concat):
                first = expr.parts[0]
                raise NftError("Can't parse symbolic invalid expressions", getattr(first, "loc", None))
            return as_prefix(self.constant(expr, types[0], widths[0]))
        parts = expr.parts if isinstance(expr, Concat) else (expr,)
        if len(parts) != len(types):
            if len(parts) < len(types):
                names = ", ".join(kind.description for kind in types)
                have = getattr(parts[0], "loc", None)
                raise NftError(
                    f"datatype mismatch, expected concatenation of ({names}), expression has type {types[0].description}"
                    if len(parts) == 1 else
                    f"datatype mismatch, expected concatenation of ({names}), expression has type concatenation of "
                    f"({', '.join(kind.description for kind in types[: len(parts)])})",
                    getattr(expr, "loc", have),
                )  # fmt: skip
            raise NftError("Can't parse symbolic invalid expressions", getattr(parts[len(types) - 1], "loc", None))
        found = tuple(as_prefix(self.constant(part, kind, width)) for part, kind, width in zip(parts, types, widths))
        return Concat(found, loc=getattr(expr, "loc", None))

    def elements(self, expr: Any, types: tuple[DataType, ...], widths: tuple[int, ...], *,
                 data: tuple[DataType, ...] = (), data_widths: tuple[int, ...] = (), is_map: bool = False) -> list[Element]:  # fmt: skip
        """The elements of { … } with typed keys and data; nested sets (variables) are opened."""
        found: list[Element] = []
        expr = self.resolve(expr)
        if not isinstance(expr, SetExpr):
            expr = SetExpr((Element(expr, loc=getattr(expr, "loc", None)),), loc=getattr(expr, "loc", None))
        for element in expr.elements:
            key = self.resolve(element.key)
            if isinstance(key, SetExpr) and element.data is None:
                found += self.elements(key, types, widths, data=data, data_widths=data_widths, is_map=is_map)
                continue
            if element.data is not None and not is_map:
                raise NftError("mapping outside of map context", getattr(element.key, "loc", element.loc))
            typed = self.key(key, types, widths)
            where = getattr(element.key, "loc", None) or element.loc
            value = None
            if element.data is not None:
                value = self.data(element.data, data, data_widths)
            found.append(dataclasses.replace(element, key=typed, data=value, loc=where))
        return found

    def data(self, expr: Any, types: tuple[DataType, ...], widths: tuple[int, ...]) -> Expr:
        expr = self.resolve(expr)
        if isinstance(expr, Verdict) or types and types[0] is VERDICT:
            if not isinstance(expr, Verdict):
                raise NftError("syntax error, unexpected string", getattr(expr, "loc", None))
            if not (types and types[0] is VERDICT):
                raise NftError(
                    f"datatype mismatch, expected {types[0].description if types else 'nothing'}, "
                    "expression has type netfilter verdict", expr.loc,
                )  # fmt: skip
            if expr.chain.startswith("$"):
                return dataclasses.replace(expr, chain=self.chain_name(expr.chain, expr.chain_loc))
            return expr
        return self.key(expr, types, widths)

    def chain_name(self, name: str, loc: Any) -> str:
        if not name.startswith("$"):
            return name
        found = self.resolve(Variable(name[1:], loc=loc))
        return found.word if isinstance(found, Symbol) else str(getattr(found, "value", found))


def as_prefix(key: Expr) -> Expr:
    """A range of addresses that is a prefix is one."""
    if isinstance(key, Range) and key.kind.name in PREFIXED:
        size = key.high - key.low + 1
        if size & (size - 1) == 0 and key.low & (size - 1) == 0:
            length = key.kind.bits - (size.bit_length() - 1)
            if length == key.kind.bits:
                return Value(key.kind, key.low, loc=key.loc)
            return Prefix(key.kind, key.low, length, loc=key.loc)
    return key


def is_interval(element: Element) -> bool:
    parts = element.key.parts if isinstance(element.key, Concat) else (element.key,)
    return any(
        isinstance(part, (Prefix, Range, Wildcard)) or isinstance(part, Value) and isinstance(part.value, str) and part.value.endswith("*")
        for part in parts
    )  # fmt: skip


def merged(elements: list[Element]) -> list[Element]:
    """Overlapping and adjacent intervals of a set become one (interval_tree auto-merge)."""
    if any(isinstance(bounds(element.key)[0], str) for element in elements if not isinstance(element.key, Wildcard)):
        return unique(elements)
    wild = [element for element in elements if isinstance(element.key, Wildcard)]
    rows = sorted((element for element in elements if element not in wild), key=lambda element: bounds(element.key))
    found: list[Element] = []
    for element in rows:
        low, high = bounds(element.key)
        if found:
            before_low, before_high = bounds(found[-1].key)
            if low <= before_high + 1:
                if high > before_high or low == before_low:
                    key = interval(element.key.type, before_low, max(high, before_high), element.key.bits)
                    found[-1] = dataclasses.replace(found[-1], key=key)
                continue
        found.append(element)
    return found + wild


def interval(kind: DataType, low: int, high: int, bits: int = 0) -> Expr:
    if low == high:
        return Value(kind, low, bits)
    return as_prefix(Range(kind, low, high))


def unique(elements: list[Element]) -> list[Element]:
    found: dict[Any, Element] = {}
    for element in elements:
        found.setdefault(key_of(element.key), element)
    return list(found.values())


def conflict(elements: list[Element]) -> tuple[Element, Element] | None:
    """Two intervals that overlap without being the same."""
    rows = sorted(
        (bounds(element.key), number) for number, element in enumerate(elements) if not isinstance(element.key, Wildcard)
    )
    for (one, first), (two, second) in zip(rows, rows[1:]):
        if isinstance(one[0], str):
            return None
        if two[0] <= one[1]:
            return elements[first], elements[second]
    return None


def ordered(elements: list[Element]) -> tuple[Element, ...]:
    if not any(is_interval(element) for element in elements):
        return tuple(sorted(elements, key=lambda element: sort_key(element.key)))
    if isinstance(elements[0].key, Concat):
        return tuple(elements)
    return tuple(sorted(elements, key=lambda element: interval_key(element.key)))


def verdict_types() -> tuple[DataType, ...]:
    return (TYPES["verdict"],)
