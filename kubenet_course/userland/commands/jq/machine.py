"""Running jq filters: each is a generator of results for one input.

`run` yields values; `paths` yields the paths that a filter selects, for assignments and `del`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from kubenet_course.userland.commands.jq.values import JqError, kind, short, sort_key, truth

Env = dict[str, Any]
Path = tuple
MAX_RESULTS = 200_000


def index_value(value: Any, key: Any) -> Any:
    """``value[key]``."""
    if isinstance(key, dict) and {"start", "end"} >= set(key) and (value is None or isinstance(value, list | str)):
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
    raise JqError(f"Cannot delete field at {'object' if isinstance(key, str) else 'array'} index of {kind(value)}")


def calculate(operator: str, a: Any, b: Any) -> Any:
    """``+ - * / %`` on any two values."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (a, b))
    if operator == "+":
        if a is None or b is None:
            return b if a is None else a
        if numbers or (isinstance(a, str) and isinstance(b, str)) or (isinstance(a, list) and isinstance(b, list)):
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
                raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided because the divisor is zero")
            result = a / b
            return int(result) if float(result).is_integer() and abs(result) < 1e17 else result
        if isinstance(a, str) and isinstance(b, str):
            return a.split(b) if b else list(a)
        raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided")
    if numbers:
        if int(b) == 0:
            raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be divided because the divisor is zero")
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
            merged[key] = _multiply(old, value, False) if isinstance(old, dict) and isinstance(value, dict) else value
        return merged
    raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot be multiplied")


def compare(operator: str, a: Any, b: Any) -> bool:
    if operator == "==":
        return sort_key(a) == sort_key(b)
    if operator == "!=":
        return sort_key(a) != sort_key(b)
    left, right = sort_key(a), sort_key(b)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


class Machine:
    """Filters' meaning; `inputs` gives the further inputs that `input` reads."""

    def __init__(self, inputs: Iterator[Any] | None = None, environ: dict[str, str] | None = None, now: int = 0):
        self.inputs: Iterator[Any] = inputs or iter(())
        self.environ = environ or {}
        self.now = now
        self.count = 0

    def run(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        self.count += 1
        if self.count > MAX_RESULTS * 10:
            raise JqError("kubenet: the filter takes too many steps")
        return getattr(self, f"do_{node[0]}")(node, value, env)

    # -- simple things --------------------------------------------------------------------------
    def do_identity(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield value

    def do_recurse(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield value
        if isinstance(value, list | dict):
            for one in iterate(value):
                yield from self.do_recurse(node, one, env)

    def do_literal(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield node[1].value

    def do_variable(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        name = node[1].value
        if name == "ENV":
            yield dict(self.environ)
        elif name in env:
            yield env[name]
        else:
            raise JqError(f"kubenet: ${name} is not defined")

    def do_group(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        return self.run(node[2], value, env)

    def do_string(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        return self._strings(node[1].value, value, env, "text")

    def do_format_string(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        return self._strings(node[2].value, value, env, node[1].value)

    def _strings(self, parts: list[Any], value: Any, env: Env, form: str) -> Iterator[str]:
        from kubenet_course.userland.commands.jq.functions import format_value

        if len(parts) == 1:
            yield parts[0]
            return
        for tail in self._strings(parts[2:], value, env, form):
            for one in self.run(parts[1], value, env):
                yield parts[0] + format_value(form, one) + tail

    def do_format(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        from kubenet_course.userland.commands.jq.functions import format_value

        yield format_value(node[1].value, value)

    def do_array(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield list(self.run(node[2], value, env))

    def do_empty_array(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield []

    def do_object(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield from self._objects(node[2], {}, value, env)

    def _objects(self, pairs: list[tuple], made: dict[str, Any], value: Any, env: Env) -> Iterator[dict]:
        if not pairs:
            yield made
            return
        for key, one in self._pair(pairs[0], value, env):
            if not isinstance(key, str):
                raise JqError(f"Object keys must be strings, not {kind(key)} ({short(key)})")
            yield from self._objects(pairs[1:], {**made, key: one}, value, env)

    def _pair(self, pair: tuple, value: Any, env: Env) -> Iterator[tuple[Any, Any]]:
        if pair[0] == "pair_variable":
            for one in self.do_variable(pair, value, env):
                yield pair[1].value, one
        elif pair[0] == "pair_computed":
            for key in self.run(pair[2], value, env):
                for one in self.run(pair[5], value, env):
                    yield key, one
        else:
            token = pair[1][1]
            keys = self._strings(token.value, value, env, "text") if token.type == "STRING" else iter([str(token.value)])
            for key in keys:
                if pair[0] == "pair_short":
                    yield key, index_value(value, key)
                else:
                    for one in self.run(pair[3], value, env):
                        yield key, one

    # -- paths ----------------------------------------------------------------------------------
    def do_own_field(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield index_value(value, node[1].value)

    def do_own_string(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for key in self._strings(node[2].value, value, env, "text"):
            yield index_value(value, key)

    def _values(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for path in self.paths(node, value, env):
            yield get_path(value, path)

    def do_field(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for base in self.run(node[1], value, env):
            yield index_value(base, node[2].value)

    def _bounds(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        """The keys of an index or slice node."""
        kind_ = node[0]
        if kind_ == "field":
            yield node[2].value
        elif kind_ == "field_string":
            yield from self._strings(node[3].value, value, env, "text")
        elif kind_ == "dot_index":
            yield from self.run(node[4], value, env)
        elif kind_ == "index":
            yield from self.run(node[3], value, env)
        elif kind_ == "slice":
            for end in self.run(node[5], value, env):
                for start in self.run(node[3], value, env):
                    yield {"start": start, "end": end}
        elif kind_ == "slice_from":
            for start in self.run(node[3], value, env):
                yield {"start": start, "end": None}
        else:
            for end in self.run(node[4], value, env):
                yield {"start": None, "end": end}

    def do_index(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for key in self._bounds(node, value, env):
            for base in self.run(node[1], value, env):
                yield index_value(base, key)

    do_field_string = do_dot_index = do_slice = do_slice_from = do_slice_to = do_index

    def do_each(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for base in self.run(node[1], value, env):
            yield from iterate(base)

    def do_optional(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        try:
            yield from self.run(node[1], value, env)
        except JqError:
            return

    def paths(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        """The paths that `node` selects in `value`."""
        method = getattr(self, f"paths_{node[0]}", None)
        if method is None:
            raise JqError(f"Invalid path expression with result {short(next(self.run(node, value, env), None))}")
        return method(node, value, env)

    def paths_identity(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        yield ()

    def paths_group(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        return self.paths(node[2], value, env)

    def paths_own_field(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        yield (node[1].value,)

    def paths_own_string(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        for key in self._strings(node[2].value, value, env, "text"):
            yield (key,)

    def paths_index(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        for key in self._bounds(node, value, env):
            for base in self.paths(node[1], value, env):
                index_value(get_path(value, base), key)
                yield (*base, key)

    paths_field = paths_field_string = paths_dot_index = paths_slice = paths_slice_from = paths_slice_to = paths_index

    def paths_each(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        for base in self.paths(node[1], value, env):
            here = get_path(value, base)
            iterate(here)
            for key in range(len(here)) if isinstance(here, list) else list(here):
                yield (*base, key)

    def paths_recurse(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        yield ()
        if isinstance(value, list | dict):
            for key in range(len(value)) if isinstance(value, list) else list(value):
                for path in self.paths_recurse(node, index_value(value, key), env):
                    yield (key, *path)

    def paths_optional(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        try:
            yield from self.paths(node[1], value, env)
        except JqError:
            return

    def paths_pipe(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        for base in self.paths(node[1], value, env):
            for rest in self.paths(node[3], get_path(value, base), env):
                yield (*base, *rest)

    paths_value_pipe = paths_pipe

    def paths_comma(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        yield from self.paths(node[1], value, env)
        yield from self.paths(node[3], value, env)

    def paths_alternative(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        good = [path for path in self.paths_optional(node, value, env) if truth(get_path(value, path))]
        yield from good or self.paths(node[3], value, env)

    def paths_condition(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        for test in self.run(node[2], value, env):
            yield from self.paths(node[4] if truth(test) else _else(node[5]), value, env)

    def paths_call(self, node: tuple, value: Any, env: Env) -> Iterator[Path]:
        from kubenet_course.userland.commands.jq.functions import call_paths

        return call_paths(self, node, value, env)

    # -- combining ------------------------------------------------------------------------------
    def do_pipe(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for one in self.run(node[1], value, env):
            yield from self.run(node[3], one, env)

    do_value_pipe = do_pipe

    def do_comma(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        yield from self.run(node[1], value, env)
        yield from self.run(node[3], value, env)

    def do_bind(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for one in self.run(node[1], value, env):
            yield from self.run(node[5], value, {**env, node[3].value: one})

    def do_alternative(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        any_good = False
        try:
            for one in self.run(node[1], value, env):
                if truth(one):
                    any_good = True
                    yield one
        except JqError:
            if any_good:
                return
        if not any_good:
            yield from self.run(node[3], value, env)

    def do_either(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for left in self.run(node[1], value, env):
            if truth(left):
                yield True
            else:
                for right in self.run(node[3], value, env):
                    yield truth(right)

    def do_both(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for left in self.run(node[1], value, env):
            if not truth(left):
                yield False
            else:
                for right in self.run(node[3], value, env):
                    yield truth(right)

    def do_compare(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for right in self.run(node[3], value, env):
            for left in self.run(node[1], value, env):
                yield compare(node[2].value, left, right)

    def do_arithmetic(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for right in self.run(node[3], value, env):
            for left in self.run(node[1], value, env):
                yield calculate(node[2].value, left, right)

    def do_negative(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for one in self.run(node[2], value, env):
            if isinstance(one, bool) or not isinstance(one, int | float):
                raise JqError(f"{kind(one)} ({short(one)}) cannot be negated")
            yield -one if node[1].value == "-" else one

    def do_condition(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for test in self.run(node[2], value, env):
            yield from self.run(node[4] if truth(test) else _else(node[5]), value, env)

    def do_try_(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        try:
            yield from self.run(node[2], value, env)
        except JqError as error:
            if len(node) > 4:
                yield from self.run(node[4], error.value, env)

    def do_reduce(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for state in self.run(node[6], value, env):
            for one in self.run(node[2], value, env):
                results = list(self.run(node[8], state, {**env, node[4].value: one}))
                state = results[-1] if results else None
            yield state

    def do_foreach(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        for state in self.run(node[6], value, env):
            for one in self.run(node[2], value, env):
                inner = {**env, node[4].value: one}
                for state in self.run(node[8], state, inner):  # noqa: B020  (the state goes on)
                    if len(node) > 10:
                        yield from self.run(node[10], state, inner)
                    else:
                        yield state

    def do_update(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        _, target, operator, source = node
        paths = list(self.paths(target, value, env))
        if operator.value == "|=":
            gone: list[Path] = []
            for path in paths:
                new = next(self.run(source, get_path(value, path), env), _MISSING)
                if new is _MISSING:
                    gone.append(path)
                else:
                    value = set_path(value, path, new)
            yield delete_paths(value, gone)
            return
        for new in self.run(source, value, env):
            result = value
            for path in paths:
                old = get_path(result, path)
                if operator.value == "=":
                    result = set_path(result, path, new)
                elif operator.value == "//=":
                    result = set_path(result, path, old if truth(old) else new)
                else:
                    result = set_path(result, path, calculate(operator.value[0], old, new))
            yield result

    def do_call(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        from kubenet_course.userland.commands.jq.functions import call

        return call(self, node, value, env)


_MISSING = object()


def _else(node: tuple) -> tuple:
    """The filter of an else part."""
    if node[0] == "else_none":
        return ("identity",)
    if node[0] == "else_plain":
        return node[2]
    return ("condition", None, node[2], None, node[4], node[5])


