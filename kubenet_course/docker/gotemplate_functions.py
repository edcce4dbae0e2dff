"""What a Go template's words do with values: Docker's own functions and Go's, and how Go prints a value (text/template, fmt)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from kubenet_course.errors import KubenetError


class TemplateError(KubenetError):
    """The template cannot be read, or not be applied to the data.

    The text is what Go prints after `template: `, but for its beginning, the place: `at` is `:1` while reading,
    `:1:COLUMN: executing "" at <WORDS>` while applying.
    """

    def __init__(self, problem: str, at: str = ":1"):
        super().__init__(problem)
        self.problem = problem
        self.at = at

    def __str__(self) -> str:
        return f"{self.at}: {self.problem}"


class Missing:
    """A key that is not there; printed as Go prints a nil interface."""

    def __str__(self) -> str:
        return "<no value>"


MISSING = Missing()


def field(value: Any, path: str) -> Any:
    """A chain of keys; what is not there is an error for a record, `<no value>` for an empty one."""
    for name in path.strip(".").split("."):
        if isinstance(value, Mapping):
            if name in value:
                value = value[name]
            elif getattr(value, "open", False):
                value = MISSING
            elif getattr(value, "go_type", ""):
                raise TemplateError(f"can't evaluate field {name} in type {getattr(value, 'go_type', '')}")
            else:
                raise TemplateError(f'map has no entry for key "{name}"')
        elif value is None or value is MISSING:
            raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
        else:
            raise TemplateError(f"can't evaluate field {name} in type {_type(value)}")
    return value


def _type(value: Any) -> str:
    if isinstance(value, list):
        return "[]interface {}"
    return {str: "string", bool: "bool", int: "int"}.get(type(value), "interface {}")


def show(value: Any) -> str:
    """As fmt.Fprint shows it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_inner(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(_inner(one) for one in value) + "]"
    return str(value)


def _inner(value: Any) -> str:
    return "<nil>" if value is None else show(value)


def truth(value: Any) -> bool:
    return value is not MISSING and bool(value)


def _json(value: Any, indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(value, separators=separators, indent=indent, ensure_ascii=False)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if value is None:
            raise TemplateError("index of nil pointer")
        if isinstance(value, Mapping):
            value = value.get(key, "")
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(key, int) or not 0 <= key < len(value):
                raise TemplateError(f"index out of range: {key}")
            value = value[key]
        else:
            raise TemplateError(f"can't index item of type {_type(value)}")
    return value


def _printf(layout: str, *values: Any) -> str:
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        verb = match[0][-1]
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        value = rest.pop(0)
        if verb in "vs":
            return f"%{match[1]}s" % show(value)
        if verb == "q":
            return json.dumps(show(value), ensure_ascii=False)
        if verb in "dxX":
            if verb == "x" and isinstance(value, str):
                return value.encode().hex()
            return f"%{match[1]}{verb}" % int(value)
        if verb == "t":
            return show(value)
        return f"%!{verb}({_type(value)}={show(value)})"

    return re.sub(r"%([-+# 0]*\d*(?:\.\d+)?)[a-zA-Z%]", one, layout)


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(one: Any, other: Any) -> bool:
        if type(one) is not type(other):
            raise TemplateError("incompatible types for comparison")
        return test(one, other)

    return compare


def _and(*values: Any) -> Any:
    return next((one for one in values if not truth(one)), values[-1])


def _or(*values: Any) -> Any:
    return next((one for one in values if truth(one)), values[-1])


def _slice(value: Any, *bounds: int) -> Any:
    return value[slice(*bounds)] if len(bounds) > 1 else value[bounds[0] :] if bounds else value


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "json": _json,
    "prettyjson": lambda value: _json(value, 4),
    "join": lambda values, separator: separator.join(show(one) for one in values or []),
    "split": lambda text, separator: text.split(separator),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "pad": lambda text, before, after: " " * before + text + " " * after if text else text,
    "truncate": lambda text, length: text[:length],
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "print": lambda *values: "".join(map(show, values)),
    "printf": _printf,
    "index": _index,
    "len": len,
    "slice": _slice,
    "not": lambda value: not truth(value),
    "and": _and,
    "or": _or,
    "eq": lambda one, *others: any(one == other for other in others),
    "ne": lambda one, other: one != other,
    "lt": _compare(lambda one, other: one < other),
    "le": _compare(lambda one, other: one <= other),
    "gt": _compare(lambda one, other: one > other),
    "ge": _compare(lambda one, other: one >= other),
    "html": show,
    "js": show,
    "urlquery": show,
}
