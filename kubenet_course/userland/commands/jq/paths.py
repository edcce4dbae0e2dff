"""Paths and arithmetic on JSON values."""

from __future__ import annotations

import math
from typing import Any

from kubenet_course.userland.commands.jq.values import JqError, kind, short, sort_key

Path = tuple


def index_value(value: Any, key: Any) -> Any:
    """``value[key]``."""
    if (
        isinstance(key, dict)
        and {"start", "end"} >= set(key)
        and (value is None or isinstance(value, list | str))
    ):
        return slice_value(value, key.get("start"), key.get("end"))
    if value is None and (key is None or isinstance(key, str | int | float)):
        return None
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key)
    if isinstance(value, list) and isinstance(key, int | float) and not isinstance(key, bool):
        at = math.floor(key)
        at += len(value) if at < 0 else 0
        return value[at] if 0 <= at < len(value) else None
    if isinstance(value, list) and isinstance(key, list):
        return [at for at in range(len(value)) if value[at : at + len(key)] == key and key]
    if isinstance(key, str):
        raise JqError(f'Cannot index {kind(value)} with string "{key}"')
    raise JqError(f"Cannot index {kind(value)} with {kind(key)}")


def slice_value(value: Any, start: Any, end: Any) -> Any:
    """``.[start:end]`` of an array or a text; null of null. Raises JqError."""
    if value is None:
        return None
    if not isinstance(value, list | str):
        raise JqError(f"Cannot index {kind(value)} with object")
    for bound in (start, end):
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int | float)):
            raise JqError("Start and end indices of an array slice must be numbers")
    return value[None if start is None else math.floor(start) : None if end is None else math.ceil(end)]


def iterate(value: Any) -> list[Any]:
    """``.[]``."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    raise JqError(f"Cannot iterate over {kind(value)}" + (f" ({short(value)})" if value is not None else ""))


def get_path(value: Any, path: Path) -> Any:
    for key in path:
        if value is None:
            return None
        value = index_value(value, key)
    return value


def set_path(value: Any, path: Path, new: Any) -> Any:
    """A copy of `value` with `new` at `path`."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(key, str):
        if value is not None and not isinstance(value, dict):
            raise JqError(f'Cannot index {kind(value)} with "{key}"')
        copy: Any = dict(value or {})
        copy[key] = set_path(copy.get(key), rest, new)
        return copy
    if isinstance(key, dict):
        copy = list(value or [])
        start, end = key.get("start"), key.get("end")
        part = set_path(slice_value(copy, start, end), rest, new)
        if not isinstance(part, list):
            raise JqError("A slice of an array can only be assigned another array")
        copy[slice(start, end)] = part
        return copy
    if isinstance(key, bool) or not isinstance(key, int | float):
        raise JqError(f"Invalid path component: {kind(key)}")
    if value is not None and not isinstance(value, list):
        raise JqError(f"Cannot index {kind(value)} with number")
    copy = list(value or [])
    at = math.floor(key)
    if at < 0:
        at += len(copy)
        if at < 0:
            raise JqError("Out of bounds negative array index")
    if at > 1_000_000:
        raise JqError("Array index too large")
    copy.extend([None] * (at + 1 - len(copy)))
    copy[at] = set_path(copy[at], rest, new)
    return copy


def delete_paths(value: Any, paths: list[Path]) -> Any:
    for path in sorted(paths, key=lambda one: sort_key(list(one)), reverse=True):
        value = _delete(value, path)
    return value


def _delete(value: Any, path: Path) -> Any:
    if value is None or not path:
        return None
    key = path[0]
    if len(path) > 1:
        inner = index_value(value, key)
        return value if inner is None else set_path(value, (key,), _delete(inner, path[1:]))
    if isinstance(value, dict) and isinstance(key, str):
        return {name: one for name, one in value.items() if name != key}
    if isinstance(value, list) and isinstance(key, int | float):
        at = math.floor(key) + (len(value) if key < 0 else 0)
        return [one for place, one in enumerate(value) if place != at]
    if isinstance(value, list) and isinstance(key, dict):
        copy = list(value)
        del copy[slice(key.get("start"), key.get("end"))]
        return copy
    raise JqError(
        f"Cannot delete field at {'object' if isinstance(key, str) else 'array'} index of {kind(value)}"
    )


def calculate(operator: str, a: Any, b: Any) -> Any:
    """``+ - * / %`` on any two values."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (a, b))
    if operator == "+":
        if a is None or b is None:
            return b if a is None else a
        if (
            numbers
            or (isinstance(a, str) and isinstance(b, str))
            or (isinstance(a, list) and isinstance(b, list))
        ):
            return a + b
        if isinstance(a, dict) and isinstance(b, dict):
            return {**a, **b}
        raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be added")
    if operator == "-":
        if numbers:
            return a - b
        if isinstance(a, list) and isinstance(b, list):
            return [one for one in a if one not in b]
        raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be subtracted")
    if operator == "*":
        return _multiply(a, b, numbers)
    if operator == "/":
        if numbers:
            if b == 0:
                raise JqError(
                    f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided because the "
                    "divisor is zero"
                )
            result = a / b
            return int(result) if float(result).is_integer() and abs(result) < 1e17 else result
        if isinstance(a, str) and isinstance(b, str):
            return a.split(b) if b else list(a)
        raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided")
    if numbers:
        if int(b) == 0:
            raise JqError(
                f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided because the divisor "
                "is zero"
            )
        return int(math.fmod(int(a), abs(int(b))))
    raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided")


def _multiply(a: Any, b: Any, numbers: bool) -> Any:
    if numbers:
        return a * b
    if isinstance(a, str) and isinstance(b, int | float):
        return a * min(int(b), 100_000) if b >= 1 else (a if b > 0 else None)
    if isinstance(a, dict) and isinstance(b, dict):
        merged = dict(a)
        for key, value in b.items():
            old = merged.get(key)
            merged[key] = (
                _multiply(old, value, False) if isinstance(old, dict) and isinstance(value, dict) else value
            )
        return merged
    raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be multiplied")


def compare(operator: str, a: Any, b: Any) -> bool:
    """``==`` … ``>=`` in jq's order of all values (null, false, true, numbers, texts, arrays, objects)."""
    if operator == "==":
        return sort_key(a) == sort_key(b)
    if operator == "!=":
        return sort_key(a) != sort_key(b)
    left, right = sort_key(a), sort_key(b)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]
