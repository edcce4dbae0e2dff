"""The functions that every Go template has (text/template/funcs.go), and what they take."""

from __future__ import annotations

import html
import inspect
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote_plus

from kubenet_course.gotemplate.values import MISSING, TemplateError, go_type, plain, truth


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if value is None:
            raise TemplateError("index of untyped nil")
        if isinstance(value, Mapping):
            if not isinstance(key, str):
                raise TemplateError(f"value has type {go_type(key)}; should be string")
            value = value.get(key, MISSING if getattr(value, "open", False) else "")
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(key, int):
                raise TemplateError(f"cannot index slice/array with type {go_type(key)}")
            if not 0 <= key < len(value):
                raise TemplateError(f"index out of range: {key}")
            value = value.encode()[key] if isinstance(value, str) else value[key]
        else:
            raise TemplateError(f"can't index item of type {go_type(value)}")
    return value


def _slice(value: Any, *bounds: Any) -> Any:
    if not isinstance(value, (str, list, tuple)):
        raise TemplateError(
            f"can't slice item of type {go_type(value)}" if value is not None else "slice of untyped nil"
        )
    if len(bounds) > 3:
        raise TemplateError(f"too many slice indexes: {len(bounds)}")
    if len(bounds) == 3 and isinstance(value, str):
        raise TemplateError("cannot 3-index slice a string")
    for bound in bounds:
        if not isinstance(bound, int):
            raise TemplateError(f"cannot index slice/array with type {go_type(bound)}")
        if not 0 <= bound <= len(value):
            raise TemplateError(f"index out of range: {bound}")
    first = bounds[0] if bounds else 0
    last = bounds[1] if len(bounds) > 1 else len(value)
    if first > last:
        raise TemplateError(f"invalid slice index: {first} > {last}")
    return value[first:last]


def _len(value: Any) -> int:
    if value is None:
        raise TemplateError("reflect: call of reflect.Value.Type on zero Value")
    if isinstance(value, str):
        return len(value.encode())
    if not isinstance(value, (list, tuple, Mapping)):
        raise TemplateError(f"len of type {go_type(value)}")
    return len(value)


def _print(*values: Any) -> str:
    """fmt.Sprint: a blank between two of which neither is a string."""
    out = ""
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            out += " "
        out += plain(value)
    return out


_VERB = re.compile(r"%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(.)?", re.S)


def _printf(layout: str, *values: Any) -> str:
    """fmt.Sprintf, with its words for what does not fit."""
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb is None:
            return "%!(NOVERB)"
        if verb == "%":
            return "%"
        if width == "*":
            width = str(rest.pop(0))
        if precision == "*":
            precision = str(rest.pop(0))
        if not rest:
            return f"%!{verb}(MISSING)"
        text = _formatted(verb, flags, precision, rest.pop(0))
        size = int(width or 0)
        if "-" in flags:
            return text.ljust(size)
        if "0" in flags and text[:1] in "+-" and text[1:2].isdigit():
            return text[0] + text[1:].rjust(size - 1, "0")
        return text.rjust(size, "0" if "0" in flags else " ")

    text = _VERB.sub(one, layout)
    if rest:
        text += (
            "%!(EXTRA " + ", ".join("<nil>" if v is None else f"{go_type(v)}={plain(v)}" for v in rest) + ")"
        )
    return text


def _formatted(verb: str, flags: str, precision: str | None, value: Any) -> str:
    """One value by one verb."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if verb == "T":
        return "<nil>" if value is None else go_type(value)
    if value is None:
        return "<nil>" if verb == "v" else f"%!{verb}(<nil>)"
    if isinstance(value, (list, tuple)) and verb not in "v":
        return "[" + " ".join(_formatted(verb, flags, precision, one) for one in value) + "]"
    if verb == "v" or (verb == "s" and isinstance(value, str)):
        text = plain(value)
        text = f"+{text}" if "+" in flags and (whole or isinstance(value, float)) and value >= 0 else text
        if precision and isinstance(value, float):
            return format(value, f".{precision}g")
        return text[: int(precision)] if precision and isinstance(value, str) else text
    if verb == "q" and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if verb in "xX" and isinstance(value, str):
        text = value.encode().hex(*((" ",) if " " in flags else ()))
        return text.upper() if verb == "X" else text
    if verb == "t" and isinstance(value, bool):
        return plain(value)
    if whole and verb in "dboOxXcUq":
        if verb in "cq":
            return chr(value) if verb == "c" else f"'{chr(value)}'"
        if verb == "U":
            return f"U+{value:04X}"
        sign = "+" if "+" in flags else " " if " " in flags else ""
        prefix = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in flags else ""
        prefix = "0o" if verb == "O" else prefix
        text = format(abs(value), verb.replace("O", "o"))
        return ("-" if value < 0 else sign) + prefix + text.rjust(int(precision or 0), "0")
    if isinstance(value, float) and verb in "feEgGF":
        digits = precision if precision is not None or verb in "gG" else "6"
        text = plain(value) if digits is None else format(value, f".{digits or 0}{verb}")
        text = text.upper() if verb == "G" else text
        return f"+{text}" if "+" in flags and value >= 0 else text
    return f"%!{verb}({go_type(value)}={plain(value)})"


def _basic(value: Any) -> str:
    """basicKind(): "" for nothing, "other" for what is not basic."""
    if value is None or value is MISSING:
        return ""
    return go_type(value) if isinstance(value, (bool, int, float, str)) else "other"


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise TemplateError("missing argument for comparison")
    kind = _basic(first)
    for other in others:
        its = _basic(other)
        if its != kind and its and kind:
            raise TemplateError("incompatible types for comparison")
        if its == kind == "other":
            words = f"{plain(first)}: {go_type(first)}, {go_type(other)}: {plain(other)}"
            raise TemplateError(f"non-comparable types {words}")
        if its == kind and first == other:
            return True
    return False


def _less(one: Any, other: Any) -> bool:
    kinds = (_basic(one), _basic(other))
    if kinds[0] in ("other", "") or kinds[1] in ("other", ""):
        raise TemplateError("invalid type for comparison")
    if kinds[0] != kinds[1]:
        raise TemplateError("incompatible types for comparison")
    if kinds[0] == "bool":
        raise TemplateError("invalid type for comparison")
    return bool(one < other)


def _call(function: Any, *arguments: Any) -> Any:
    if not callable(function):
        raise TemplateError(
            "call of nil"
            if function is None
            else f"non-function {plain(function)} of type {go_type(function)}"
        )
    return function(*arguments)


def _joined(values: tuple[Any, ...]) -> str:
    """evalArgs(): as print does, with what an action prints for nil."""
    return _print(*("<no value>" if value is None else value for value in values))


def _html(*values: Any) -> str:
    return html.escape(_joined(values), quote=False).replace('"', "&#34;").replace("'", "&#39;")


_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _js(*values: Any) -> str:
    return "".join(_JS.get(c, c if c.isprintable() else f"\\u{ord(c):04X}") for c in _joined(values))


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "and": lambda first, *others: (
        None
    ),  # decided where they are read: what comes after the answer is not looked at
    "or": lambda first, *others: None,
    "not": lambda value: not truth(value),
    "call": _call,
    "html": _html,
    "index": _index,
    "slice": _slice,
    "js": _js,
    "len": _len,
    "print": _print,
    "printf": _printf,
    "println": lambda *values: " ".join(map(plain, values)) + "\n",
    "urlquery": lambda *values: quote_plus(_joined(values), safe=""),
    "eq": _eq,
    "ne": lambda one, other: not _eq(one, other),
    "lt": _less,
    "le": lambda one, other: _less(one, other) or _eq(one, other),
    "gt": lambda one, other: not (_less(one, other) or _eq(one, other)),
    "ge": lambda one, other: not _less(one, other),
}
_OWN_KINDS = {"printf": ("string",)}


@cache
def signature(name: str, function: Callable[..., Any]) -> tuple[int, float, tuple[str, ...]]:
    """The fewest and the most arguments, and what Go wants them to be ("" for anything), from Python's annotations."""
    parameters = list(inspect.signature(function).parameters.values())
    fixed = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    kinds = tuple(_KINDS.get(str(p.annotation), "") for p in fixed)
    needed = sum(p.default is p.empty for p in fixed)
    return needed, len(fixed) if len(fixed) == len(parameters) else float("inf"), _OWN_KINDS.get(name, kinds)


_KINDS = {"str": "string", "int": "integer", "list[str]": "[]string"}


def suit(value: Any, kind: str, term: Any) -> str:
    """What Go says of an argument that is not of the kind a function wants; "" where it is (exec.go, evalArg())."""
    fits = {"string": str, "integer": int, "[]string": (list, tuple)}.get(kind)
    if fits is None or (isinstance(value, fits) and not (kind == "integer" and isinstance(value, bool))):  # type: ignore[arg-type]
        return ""
    wanted = "int" if kind == "integer" else kind
    if getattr(term, "text", None) == "nil":
        return f"cannot assign nil to {wanted}"
    if getattr(term, "text", None) is not None:
        return (
            f"can't handle {term} for arg of type {kind}"
            if kind == "[]string"
            else f"expected {kind}; found {term}"
        )
    if value is None or value is MISSING:
        return f"invalid value; expected {wanted}"
    return f"wrong type for value; expected {wanted}; got {go_type(value)}"
