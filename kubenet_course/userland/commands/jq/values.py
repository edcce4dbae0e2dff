"""jq's values: order, text, errors."""

from __future__ import annotations

import json
import math
from typing import Any

_ORDER = {"null": 0, "false": 1, "true": 2, "number": 3, "string": 4, "array": 5, "object": 6}


class JqError(Exception):
    """A runtime error; `value` is what `catch` gets."""

    def __init__(self, value: Any):
        super().__init__(value)
        self.value = value

    @property
    def message(self) -> str:
        if isinstance(self.value, str):
            return self.value
        return f"{dump(self.value)} (not a string)"


def kind(value: Any) -> str:
    """jq's name for a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def truth(value: Any) -> bool:
    return value is not None and value is not False


def sort_key(value: Any) -> Any:
    """Order of values: null, false, true, numbers, strings, arrays, objects."""
    name = kind(value)
    rank = _ORDER[("true" if value else "false") if name == "boolean" else name]
    if name == "array":
        return rank, [sort_key(one) for one in value]
    if name == "object":
        keys = sorted(value)
        return rank, (keys, [sort_key(value[key]) for key in keys])
    return rank, value if name in ("number", "string") else 0


def number(value: float) -> str:
    """A number as jq 1.6 prints it."""
    if value != value:
        return "null"
    if math.isinf(value):
        return "1.7976931348623157e+308" if value > 0 else "-1.7976931348623157e+308"
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e17):
        return (
            str(int(value))
            if abs(value) < 1e17
            else number(float(value))
            if isinstance(value, int)
            else str(int(value))
        )
    text = repr(float(value))
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        sign = exponent[0] if exponent[0] in "+-" else "+"
        return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').zfill(2)}"
    return text.removesuffix(".0")


def dump(
    value: Any, indent: str | None = None, sort: bool = False, ascii_only: bool = False, depth: int = 0
) -> str:
    """JSON text; `indent` None means on one line."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=ascii_only).replace("\x7f", "\\u007f")
    empty = "[]" if isinstance(value, list) else "{}"
    if not value:
        return empty
    newline = "" if indent is None else "\n" + indent * (depth + 1)
    end = "" if indent is None else "\n" + indent * depth
    if isinstance(value, list):
        items = [dump(one, indent, sort, ascii_only, depth + 1) for one in value]
    else:
        space = "" if indent is None else " "
        items = [
            dump(key, None, False, ascii_only)
            + ":"
            + space
            + dump(value[key], indent, sort, ascii_only, depth + 1)
            for key in (sorted(value) if sort else value)
        ]
    return empty[0] + newline + ("," + newline).join(items) + end + empty[1]


def short(value: Any) -> str:
    """A value in an error message, cut at 11 bytes."""
    text = dump(value)
    return text if len(text.encode("utf-8", "surrogateescape")) <= 11 else text[:10] + "..."


def text_of(value: Any) -> str:
    """A string itself, anything else as JSON."""
    return value if isinstance(value, str) else dump(value)
