"""Running jq filters: each is a generator of results for one input.

`run` yields values; `paths` yields the paths that a filter selects, for assignments and `del`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubenet_course.userland.commands.jq.paths import (
    Path,
    calculate,
    compare,
    delete_paths,
    get_path,
    index_value,
    iterate,
    set_path,
)
from kubenet_course.userland.commands.jq.values import JqError, kind, short, truth

Env = dict[str, Any]
MAX_RESULTS = 200_000


class Machine:
    """Filters' meaning; `inputs` gives the further inputs that `input` reads."""

    def __init__(
        self, inputs: Iterator[Any] | None = None, environ: dict[str, str] | None = None, now: int = 0
    ):
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
        from kubenet_course.userland.commands.jq.formats import format_value

        if len(parts) == 1:
            yield parts[0]
            return
        for tail in self._strings(parts[2:], value, env, form):
            for one in self.run(parts[1], value, env):
                yield parts[0] + format_value(form, one) + tail

    def do_format(self, node: tuple, value: Any, env: Env) -> Iterator[Any]:
        from kubenet_course.userland.commands.jq.formats import format_value

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
            keys = (
                self._strings(token.value, value, env, "text")
                if token.type == "STRING"
                else iter([str(token.value)])
            )
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
            raise JqError(
                f"Invalid path expression with result {short(next(self.run(node, value, env), None))}"
            )
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

    paths_field = paths_field_string = paths_dot_index = paths_slice = paths_slice_from = paths_slice_to = (
        paths_index
    )

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
