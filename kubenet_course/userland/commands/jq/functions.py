"""jq's functions and formats."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.commands.jq.control import CONTROL
from kubenet_course.userland.commands.jq.plain import PLAIN
from kubenet_course.userland.commands.jq.values import JqError, short, truth

if TYPE_CHECKING:
    from kubenet_course.userland.commands.jq.machine import Env, Machine
    from kubenet_course.userland.commands.jq.paths import Path

#: Functions that are written in jq itself, by name and number of arguments.
DEFINED = {
    ("map", 1): "[.[] | $0]", ("map_values", 1): ".[] |= $0", ("recurse", 0): "..", ("values",
        0): "select(. != null)",
    ("nulls", 0): "select(. == null)", ("booleans", 0): 'select(type == "boolean")',
    ("numbers", 0): 'select(type == "number")', ("strings", 0): 'select(type == "string")',
    ("arrays", 0): 'select(type == "array")', ("objects", 0): 'select(type == "object")',
    ("iterables", 0): 'select(type == "array" or type == "object")',
    ("scalars", 0): 'select(type != "array" and type != "object")',
    ("to_entries", 0): "[keys_unsorted[] as $k | {key: $k, value: .[$k]}]",
    ("with_entries", 1): "to_entries | map($0) | from_entries", ("todate", 0): "todateiso8601",
    ("del", 1): "delpaths([path($0)])", ("paths", 0): "path(..) | select(length > 0)",
    ("leaf_paths", 0): "paths(scalars)", ("paths", 1): "path(.. | select($0)) | select(length > 0)",
    ("add", 1): "[$0] | add", ("in", 1): ". as $x | $0 | has($x)", ("inside",
        1): ". as $x | $0 | contains($x)",
    ("isvalid", 1): "try ($0 | true) catch false", ("ascii", 0): "[.] | implode", ("finites",
        0): "select(isinfinite or isnan | not)",
    ("combinations",
        0): 'if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end',
}  # fmt: skip


class NotDefined(Exception):
    """A function that jq does not know either, as ``name/arity``."""


def call(machine: Machine, node: tuple, value: Any, env: Env) -> Iterator[Any]:
    """Results of a call."""
    name = node[1].value
    arguments = node[3] if len(node) > 2 else []
    key = (name, len(arguments))
    constants = {"null": None, "true": True, "false": False, "nan": math.nan, "infinite": math.inf}
    if not arguments and name in constants:
        return iter([constants[name]])
    if key in DEFINED:
        return machine.run(_defined(key, tuple(arguments)), value, env)
    if key in CONTROL:
        return CONTROL[key](machine, arguments, value, env)
    if key in PLAIN:
        return _plain(machine, PLAIN[key], arguments, value, env)
    raise NotDefined(f"{name}/{len(arguments)}")


@lru_cache(256)
def _template(key: tuple[str, int]) -> tuple:
    from kubenet_course.userland.commands.jq.parser import parse

    return parse(DEFINED[key].replace("$0", "__argument__"))


def _defined(key: tuple[str, int], arguments: tuple) -> tuple:
    """The body of a function with its argument put in."""

    def fill(node: Any) -> Any:
        if isinstance(node, tuple):
            if node and node[0] == "call" and node[1].value == "__argument__":
                return ("group", None, arguments[0])
            return tuple(fill(one) for one in node)
        return [fill(one) for one in node] if isinstance(node, list) else node

    return fill(_template(key)) if arguments else _template(key)


def check(node: Any) -> None:
    """Raise NotDefined for the first call of something unknown."""
    if isinstance(node, list):
        for one in node:
            check(one)
    elif isinstance(node, tuple):
        if node and node[0] == "call":
            arguments = node[3] if len(node) > 2 else []
            key = (node[1].value, len(arguments))
            if key not in DEFINED and key not in CONTROL and key not in PLAIN and not (
                key[1] == 0 and key[0] in ("null", "true", "false", "nan", "infinite")
            ):  # fmt: skip
                raise NotDefined(f"{key[0]}/{key[1]}")
        for one in node[1:]:
            check(one)


def _plain(machine: Machine, function: Callable, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    """A function of values: every combination of its arguments' results."""

    def combine(rest: list, done: list) -> Iterator[Any]:
        if not rest:
            yield function(value, *done)
            return
        for one in machine.run(rest[-1], value, env):
            yield from combine(rest[:-1], [one, *done])

    return combine(arguments, [])


# -- functions of filters -------------------------------------------------------------------------


def call_paths(machine: Machine, node: tuple, value: Any, env: Env) -> Iterator[Path]:
    """Paths of a call: `select`, `recurse`, `first`, `getpath`, `empty`, and those written in jq."""
    name = node[1].value
    arguments = node[3] if len(node) > 2 else []
    key = (name, len(arguments))
    if key == ("select", 1):
        for one in machine.run(arguments[0], value, env):
            if truth(one):
                yield ()
    elif key == ("empty", 0):
        return
    elif key == ("first", 1):
        yield from list(machine.paths(arguments[0], value, env))[:1]
    elif key == ("last", 1):
        yield from list(machine.paths(arguments[0], value, env))[-1:]
    elif key in (("first", 0), ("last", 0)):
        yield (0 if name == "first" else -1,)
    elif key == ("getpath", 1):
        for path in machine.run(arguments[0], value, env):
            yield tuple(path)
    elif key in DEFINED and key[0] != "map":
        yield from machine.paths(_defined(key, tuple(arguments)), value, env)
    else:
        raise JqError(
            f"Invalid path expression with result {short(next(call(machine, node, value, env), None))}"
        )


# -- functions of values --------------------------------------------------------------------------


# -- formats --------------------------------------------------------------------------------------
