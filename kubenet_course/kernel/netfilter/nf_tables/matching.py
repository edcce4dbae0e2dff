"""Matches as one generated test, and look-ups in sets with and without names."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Concat,
    Element,
    Expr,
    Prefix,
    Range,
    SetExpr,
    SetRef,
    Value,
    Wildcard,
)
from kubenet_course.kernel.netfilter.nf_tables.readers import CLASSES, Reader
from kubenet_course.kernel.netfilter.nf_tables.sets import bounds
from kubenet_course.kernel.netfilter.nf_tables.statements import Match
from kubenet_course.kernel.netfilter.tables import Table

Test = Callable[[Any, Any], bool]


def compile_test(matches: tuple[Match, ...], table: Table) -> Test | None:
    """One function of (skb, state) for all of them; None where there are none."""
    if not matches:
        return None
    parts: list[str] = []
    scope: dict[str, Any] = dict(CLASSES)
    done: list[str] = []
    reader = Reader(table)
    for match in matches:
        reader.guards = []
        source = _compared(reader, match)
        for guard in reader.guards:
            if guard not in done:
                parts.append(guard)
                if ":=" not in guard:
                    done.append(guard)
        parts.append(source)
    scope.update(reader.scope)
    body = " and ".join(f"({part})" if " or " in part or " if " in part else part for part in parts)
    return eval(compile(f"lambda skb, state: {body}", "<nft rule>", "eval"), scope)  # noqa: S307


def _compared(reader: Reader, match: Match) -> str:
    left, op, right = match.left, match.op, match.right
    value = reader.source(left)
    if isinstance(right, SetRef):
        found = reader.table.sets.get(right.name)
        find = reader.constant(found.match if found is not None else lambda key, skb: None)
        return f"{find}({value}, skb) is {'' if op == '!=' else 'not '}None"
    if isinstance(right, SetExpr):
        return _in_set(reader, value, right, op == "!=")
    if isinstance(right, Range):
        low, high = reader.constant(right.low), reader.constant(right.high)
        if right.low > right.high:  # over midnight
            return f"{'not ' if op == '!=' else ''}({value} >= {low} or {value} <= {high})"
        return f"{'not ' if op == '!=' else ''}{low} <= {value} <= {high}"
    if isinstance(right, Prefix):
        mask = ((1 << right.length) - 1) << (right.kind.bits - right.length)
        return f"{value} & {reader.constant(mask)} {'!=' if op == '!=' else '=='} {reader.constant(right.value)}"
    assert isinstance(right, Value)
    if isinstance(right.value, str) and right.value.endswith("\\*"):
        return f"{value} {op or '=='} {reader.constant(right.value[:-2] + '*')}"
    if isinstance(right.value, str) and right.value.endswith("*"):
        return f"{'not ' if op == '!=' else ''}{value}.startswith({reader.constant(right.value[:-1])})"
    constant = reader.constant(1 << right.value if right.type.name == "ct_label" else right.value)
    if op == "!":
        return f"not {value} & {constant}"
    if op == "" and right.type.base == "bitmask":
        return f"{value} & {constant}"
    return f"{value} {op or '=='} {constant}"


def _in_set(reader: Reader, value: str, right: SetExpr, inverted: bool) -> str:
    keys = [element.key for element in right.elements]
    plain = all(_exact(key) for key in keys)
    if plain:
        members = frozenset(exact_key(key) for key in keys)
        return f"{value} {'not in' if inverted else 'in'} {reader.constant(members)}"
    find = reader.constant(interval_finder(right.elements))
    return f"{find}({value}) is {'' if inverted else 'not '}None"


def _exact(key: Expr) -> bool:
    parts = key.parts if isinstance(key, Concat) else (key,)
    return all(isinstance(part, Value) and not (isinstance(part.value, str) and part.value.endswith("*")) for part in parts)


def exact_key(key: Expr) -> Any:
    return tuple(part.value for part in key.parts) if isinstance(key, Concat) else key.value  # type: ignore[attr-defined]


def lookup_function(mappings: Any, table: Table) -> Callable[[Any, Any], Any]:
    """From a key and a packet to the element of a map (a Member or an Element), or None."""
    if isinstance(mappings, SetRef):
        found = table.sets.get(mappings.name)
        return found.match if found is not None else lambda key, skb: None
    elements = mappings.elements
    if all(_exact(element.key) for element in elements):
        exact = {exact_key(element.key): element for element in elements}
        return lambda key, skb: exact.get(key)
    find = interval_finder(elements)
    return lambda key, skb: find(key)


def interval_finder(elements: tuple[Element, ...]) -> Callable[[Any], Element | None]:
    rest = next((element for element in elements if isinstance(element.key, Wildcard)), None)
    chosen = [element for element in elements if element is not rest]
    if chosen and isinstance(chosen[0].key, Concat):
        return _tuple_finder(chosen, rest)
    if chosen and isinstance(bounds(chosen[0].key)[0], str):
        return _name_finder(chosen, rest)
    rows = sorted(((*bounds(element.key), element) for element in chosen), key=lambda row: row[0])
    starts = [row[0] for row in rows]

    def find(key: int) -> Element | None:
        at = bisect_right(starts, key) - 1
        return rows[at][2] if at >= 0 and key <= rows[at][1] else rest

    return find


def _tuple_finder(elements: list[Element], rest: Element | None) -> Callable[[Any], Element | None]:
    rows = [(tuple(_limits(part) for part in element.key.parts), element) for element in elements]  # type: ignore[attr-defined]

    def find(key: tuple) -> Element | None:
        for limits, element in rows:
            if all(_within(value, limit) for value, limit in zip(key, limits)):
                return element
        return rest

    return find


def _limits(part: Expr) -> tuple[Any, Any]:
    low, high = bounds(part)
    return (low[:-1], None) if isinstance(low, str) and low.endswith("*") else (low, high)


def _within(value: Any, limit: tuple[Any, Any]) -> bool:
    low, high = limit
    return value.startswith(low) if high is None else low <= value <= high


def _name_finder(elements: list[Element], rest: Element | None) -> Callable[[Any], Element | None]:
    exact = {element.key.value: element for element in elements if not element.key.value.endswith("*")}  # type: ignore[attr-defined]
    wild = [(element.key.value[:-1], element) for element in elements if element.key.value.endswith("*")]  # type: ignore[attr-defined]
    wild.sort(key=lambda row: -len(row[0]))

    def find(name: str) -> Element | None:
        return exact.get(name) or next((element for start, element in wild if name.startswith(start)), rest)

    return find
