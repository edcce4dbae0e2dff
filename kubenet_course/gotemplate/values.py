"""How Go's templates look at values: fields, truth, and how fmt prints them (text/template/exec.go, fmt/print.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubenet_course.errors import KubenetError


class TemplateError(KubenetError):
    """The template cannot be read, or not be applied to the data.

    The text is what Go prints after `template: `: `at` is `NAME:LINE` while reading, and
    `NAME:LINE:COLUMN: executing "NAME" at <WORDS>` while applying.
    """

    def __init__(self, problem: str, at: str = ":1"):
        super().__init__(problem)
        self.problem = problem
        self.at = at

    def __str__(self) -> str:
        return f"{self.at}: {self.problem}"


class Missing:
    """A key that is not there: false, and printed as Go prints a value that is not valid."""

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        return "<no value>"


MISSING = Missing()
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (list, "[]interface {}"),
    (tuple, "[]interface {}"),
    (Mapping, "map[string]interface {}"),
)


def go_type(value: Any) -> str:
    """The name that Go has for the value's type."""
    own = getattr(value, "go_type", "")
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return "[]string"
    return own or next((name for kind, name in _TYPES if isinstance(value, kind)), "interface {}")


def field(value: Any, path: str) -> Any:
    """A chain of keys. What a record has not is an error; in a mapping that is `open`, it is `<no value>`."""
    for name in path.strip(".").split("."):
        if isinstance(value, Mapping):
            if name in value:
                value = value[name]
            elif getattr(value, "open", False):
                value = MISSING
            elif getattr(value, "go_type", ""):
                raise TemplateError(f"can't evaluate field {name} in type {value.go_type}")  # type: ignore[attr-defined]
            else:
                raise TemplateError(f'map has no entry for key "{name}"')
        elif value is MISSING:
            return MISSING
        elif value is None:
            raise TemplateError(f"nil pointer evaluating interface {{}}.{name}")
        else:
            raise TemplateError(f"can't evaluate field {name} in type {go_type(value)}")
    return value


def show(value: Any) -> str:
    """As an action prints it."""
    return "<no value>" if value is None else plain(value)


def plain(value: Any) -> str:
    """fmt's %v."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{plain(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(plain, value)) + "]"
    return str(value)


def _float(value: float) -> str:
    """%v of a float64 is %g, with an exponent from 21 digits on (fmtFloat())."""
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    if value != value:
        return "NaN"
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    if "e" in text:
        digits, _, exponent = text.partition("e")
        return f"{digits.removesuffix('.0')}e{exponent[0] if exponent[0] in '+-' else '+'}{exponent.lstrip('+-').zfill(2)}"
    return text


def truth(value: Any) -> bool:
    """Whether Go takes the value for true: not zero, not empty, not nil."""
    return callable(value) or bool(value)
