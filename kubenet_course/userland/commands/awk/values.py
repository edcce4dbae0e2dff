"""AWK's values: numbers, strings, and strings from input that look like numbers."""

from __future__ import annotations

import re

_NUMBER = re.compile(
    r"\s*([-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[iI][nN][fF]|[nN][aA][nN]))"
)


class StrNum(str):
    """Input text that compares as a number, because it looks like one."""

    __slots__ = ()


Value = float | str


def from_input(text: str) -> str:
    """A field's value."""
    match = _NUMBER.match(text)
    if match is not None and not text[match.end() :].strip(" \t\n"):
        return StrNum(text)
    return text


def to_number(value: Value | None) -> float:
    """As awk makes a number: the one that begins a text, 0 without one."""
    if value is None:
        return 0.0
    if isinstance(value, float):
        return value
    match = _NUMBER.match(value)
    if match is None:
        return 0.0
    text = match[1]
    if "x" in text.lower():
        sign = -1 if text[0] == "-" else 1
        return float(sign * int(text.lstrip("+-"), 16)) if len(text) < 40 else 0.0
    try:
        return float(text)
    except ValueError:
        return 0.0


def to_string(value: Value | None, form: str = "%.6g") -> str:
    """As awk makes a text: whole numbers as such, others by CONVFMT or OFMT (`form`)."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    if value != value:
        return "nan" if str(value) == "nan" else "-nan"
    if value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    if value == int(value) and -2147483648 <= value <= 2147483647:
        return str(int(value))
    try:
        return form % value
    except (TypeError, ValueError):
        return repr(value)


def truth(value: Value | None) -> bool:
    if value is None:
        return False
    if isinstance(value, StrNum):
        return to_number(value) != 0
    return value != 0 if isinstance(value, float) else value != ""


def compare(left: Value | None, right: Value | None) -> int:
    """-1, 0 or 1: as numbers if both are or look like numbers, else as strings."""
    numeric = all(one is None or isinstance(one, float | StrNum) for one in (left, right))
    if numeric:
        a, b = to_number(left), to_number(right)
        return (a > b) - (a < b)
    x, y = to_string(left), to_string(right)
    return (x > y) - (x < y)
