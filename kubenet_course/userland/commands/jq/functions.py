"""jq's functions and formats."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kubenet_course.userland.commands.jq.values import JqError, dump, kind, short, sort_key, truth

if TYPE_CHECKING:
    from kubenet_course.userland.commands.jq.machine import Env, Machine, Path

#: Functions that are written in jq itself, by name and number of arguments.
DEFINED = {
    ("map", 1): "[.[] | $0]", ("map_values", 1): ".[] |= $0", ("recurse", 0): "..", ("values", 0): "select(. != null)",
    ("nulls", 0): "select(. == null)", ("booleans", 0): 'select(type == "boolean")',
    ("numbers", 0): 'select(type == "number")', ("strings", 0): 'select(type == "string")',
    ("arrays", 0): 'select(type == "array")', ("objects", 0): 'select(type == "object")',
    ("iterables", 0): 'select(type == "array" or type == "object")',
    ("scalars", 0): 'select(type != "array" and type != "object")',
    ("to_entries", 0): "[keys_unsorted[] as $k | {key: $k, value: .[$k]}]",
    ("with_entries", 1): "to_entries | map($0) | from_entries", ("todate", 0): "todateiso8601",
    ("del", 1): "delpaths([path($0)])", ("paths", 0): "path(..) | select(length > 0)",
    ("leaf_paths", 0): "paths(scalars)", ("paths", 1): "path(.. | select($0)) | select(length > 0)",
    ("add", 1): "[$0] | add", ("in", 1): ". as $x | $0 | has($x)", ("inside", 1): ". as $x | $0 | contains($x)",
    ("isvalid", 1): "try ($0 | true) catch false", ("ascii", 0): "[.] | implode", ("finites", 0): "select(isinfinite or isnan | not)",
    ("combinations", 0): 'if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end',
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
def _select(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for one in machine.run(arguments[0], value, env):
        if truth(one):
            yield value


def _empty(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    return iter(())


def _error(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for one in machine.run(arguments[0], value, env) if arguments else [value]:
        raise JqError(one)
    return iter(())


def _first(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for one in machine.run(arguments[0], value, env):
        yield one
        return


def _last(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    found = list(machine.run(arguments[0], value, env))
    yield from found[-1:]


def _limit(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for count in machine.run(arguments[0], value, env):
        if count <= 0:
            continue
        for at, one in enumerate(machine.run(arguments[1], value, env), 1):
            yield one
            if at >= count:
                break


def _range(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    bounds = [next(machine.run(one, value, env), None) for one in arguments]
    if any(isinstance(one, bool) or not isinstance(one, int | float) for one in bounds):
        raise JqError("Range bounds must be numeric")
    low, high = (0, bounds[0]) if len(bounds) == 1 else bounds[:2]
    step = bounds[2] if len(bounds) > 2 else 1
    if step == 0:
        return
    count = 0
    at = low
    while (at < high) if step > 0 else (at > high):
        yield at
        at += step
        count += 1
        if count > 200_000:
            raise JqError("kubenet: range gives too many numbers")


def _recurse(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    yield value
    for one in machine.run(arguments[0], value, env):
        yield from _recurse(machine, arguments, one, env)


def _path(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for path in machine.paths(arguments[0], value, env):
        yield list(path)


def _quantifier(everything: bool) -> Callable:
    def run(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
        from kubenet_course.userland.commands.jq.machine import iterate

        if len(arguments) == 2:
            results = [one for item in machine.run(arguments[0], value, env) for one in machine.run(arguments[1], item, env)]
        else:
            results = [one for item in iterate(value) for one in (machine.run(arguments[0], item, env) if arguments else [item])]
        yield (all if everything else any)(map(truth, results))

    return run


def _by(function: Callable[[list, list], Any]) -> Callable:
    """sort_by and its kin: the values with their keys."""

    def run(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
        if not isinstance(value, list):
            raise JqError(f"Cannot index {kind(value)} with number" if value is not None else "Cannot iterate over null")
        keys = [list(machine.run(arguments[0], one, env)) for one in value]
        yield function(value, keys)

    return run


def _groups(values: list, keys: list) -> list[list]:
    found: list[list] = []
    last: Any = None
    for at in sorted(range(len(values)), key=lambda one: sort_key(keys[one])):
        if found and sort_key(keys[at]) == last:
            found[-1].append(values[at])
        else:
            found.append([values[at]])
            last = sort_key(keys[at])
    return found


def _sorted_by(values: list, keys: list) -> list:
    return [values[at] for at in sorted(range(len(values)), key=lambda one: sort_key(keys[one]))]


def _input(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    try:
        yield next(machine.inputs)
    except StopIteration:
        raise JqError("No more inputs") from None


def _inputs(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    yield from machine.inputs


def _env(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    yield dict(machine.environ)


def _now(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    yield machine.now / 1e9


def _until(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for _ in range(100_000):
        if truth(next(machine.run(arguments[0], value, env), None)):
            yield value
            return
        value = next(machine.run(arguments[1], value, env), None)
    raise JqError("kubenet: until takes too many steps")


def _while(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
    for _ in range(100_000):
        if not truth(next(machine.run(arguments[0], value, env), None)):
            return
        yield value
        value = next(machine.run(arguments[1], value, env), None)


CONTROL: dict[tuple[str, int], Callable] = {
    ("select", 1): _select, ("empty", 0): _empty, ("error", 1): _error, ("error", 0): _error, ("first", 1): _first,
    ("last", 1): _last, ("limit", 2): _limit, ("range", 1): _range, ("range", 2): _range, ("range", 3): _range,
    ("recurse", 1): _recurse, ("path", 1): _path, ("any", 0): _quantifier(False), ("all", 0): _quantifier(True),
    ("any", 1): _quantifier(False), ("all", 1): _quantifier(True), ("any", 2): _quantifier(False),
    ("all", 2): _quantifier(True), ("sort_by", 1): _by(_sorted_by), ("group_by", 1): _by(_groups),
    ("unique_by", 1): _by(lambda values, keys: [group[0] for group in _groups(values, keys)]),
    ("min_by", 1): _by(lambda values, keys: _sorted_by(values, keys)[0] if values else None),
    ("max_by", 1): _by(lambda values, keys: _sorted_by(values, keys)[-1] if values else None),
    ("input", 0): _input, ("inputs", 0): _inputs, ("env", 0): _env, ("now", 0): _now, ("until", 2): _until,
    ("while", 2): _while,
}  # fmt: skip


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
        raise JqError(f"Invalid path expression with result {short(next(call(machine, node, value, env), None))}")


# -- functions of values --------------------------------------------------------------------------
def _length(value: Any) -> Any:
    if value is None:
        return 0
    if isinstance(value, bool):
        raise JqError(f"boolean ({dump(value)}) has no length")
    return abs(value) if isinstance(value, int | float) else len(value)


def _keys(value: Any, ordered: bool = True) -> list:
    if isinstance(value, dict):
        return sorted(value) if ordered else list(value)
    if isinstance(value, list):
        return list(range(len(value)))
    raise JqError(f"{kind(value)} ({short(value)}) has no keys")


def _has(value: Any, key: Any) -> bool:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and isinstance(key, int | float):
        return 0 <= key < len(value)
    raise JqError(f"Cannot check whether {kind(value)} has a {kind(key)} key")


def _contains(a: Any, b: Any) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return all(key in a and _contains(a[key], one) for key, one in b.items())
    if isinstance(a, list) and isinstance(b, list):
        return all(any(_contains(one, other) for one in a) for other in b)
    if isinstance(a, str) and isinstance(b, str):
        return b in a
    if kind(a) != kind(b):
        raise JqError(f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot have their containment checked")
    return a == b


def _add(value: Any) -> Any:
    from kubenet_course.userland.commands.jq.machine import calculate, iterate

    total = None
    for one in iterate(value):
        total = calculate("+", total, one)
    return total


def _need(value: Any, wanted: type, message: str) -> Any:
    if not isinstance(value, wanted):
        raise JqError(f"{kind(value)} ({short(value)}) {message}")
    return value


def _array(value: Any) -> list:
    return _need(value, list, "cannot be sorted, as it is not an array")


def _tonumber(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise JqError(f"Invalid numeric literal at EOF at line 1, column {len(value)} (while parsing '{value}')") from None
        return int(number) if number.is_integer() and abs(number) < 1e17 else number
    raise JqError(f"{kind(value)} ({short(value)}) cannot be parsed as a number")


def _tostring(value: Any) -> str:
    return value if isinstance(value, str) else dump(value)


def _join(value: Any, joiner: Any) -> str:
    if not isinstance(value, list):
        raise JqError(f"Cannot iterate over {kind(value)}")
    for one in value:
        if isinstance(one, list | dict):
            raise JqError(f"string ({short(joiner)}) and {kind(one)} ({short(one)}) cannot be added")
    return str(joiner).join("" if one is None else _tostring(one) for one in value)


def _split(value: Any, separator: Any) -> list:
    if not isinstance(value, str) or not isinstance(separator, str):
        raise JqError("split input and separator must be strings")
    return ([] if not value else list(value)) if not separator else value.split(separator) if value else []


def _pattern(regex: Any, flags: Any) -> tuple[re.Pattern[str], bool]:
    if not isinstance(regex, str):
        raise JqError(f"{kind(regex)} ({short(regex)}) cannot be matched, as it is not a string")
    text = flags or ""
    options = (re.I if "i" in text else 0) | (re.X if "x" in text else 0) | (re.S if "s" in text else 0)
    try:
        return re.compile(regex.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"), options), "g" in text
    except (re.error, OverflowError) as error:
        raise JqError(f"{regex} (at offset 0) is not a valid regex: {error}") from None


def _matches(value: Any, regex: Any, flags: Any) -> list[re.Match[str]]:
    if not isinstance(value, str):
        raise JqError(f"{kind(value)} ({short(value)}) cannot be matched, as it is not a string")
    pattern, everywhere = _pattern(regex, flags)
    found = list(pattern.finditer(value))
    return found if everywhere else found[:1]


def _test(value: Any, regex: Any, flags: Any = None) -> bool:
    if isinstance(regex, list):
        regex, flags = regex[0], regex[1] if len(regex) > 1 else None
    return bool(_matches(value, regex, flags))


def _capture(value: Any, regex: Any, flags: Any = None) -> Any:
    found = _matches(value, regex, flags)
    if not found:
        raise _Nothing
    return found[0].groupdict()


class _Nothing(JqError):
    def __init__(self) -> None:
        super().__init__("no match")


def _sub(value: Any, regex: Any, replacement: Any, flags: Any = None) -> str:
    pattern, everywhere = _pattern(regex, flags)
    if not isinstance(value, str):
        raise JqError(f"{kind(value)} ({short(value)}) cannot be matched, as it is not a string")
    return pattern.sub(lambda match: str(replacement), value, 0 if everywhere else 1)


def _flatten(value: Any, depth: Any = 10**6) -> list:
    out: list = []
    for one in _need(value, list, "cannot be flattened"):
        if isinstance(one, list) and depth > 0:
            out += _flatten(one, depth - 1)
        else:
            out.append(one)
    return out


def _from_entries(value: Any) -> dict:
    made = {}
    for entry in _need(value, list, "cannot be iterated over"):
        key = next((entry[name] for name in ("key", "k", "name", "Name", "K", "Key") if entry.get(name) is not None), None)
        if isinstance(key, bool | int | float) or key is None:
            key = dump(key)
        made[key] = next((entry[name] for name in ("value", "v", "Value", "V") if name in entry), None)
    return made


def _indices(value: Any, wanted: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, str):
        return [match.start() for match in re.finditer(f"(?={re.escape(wanted)})", value)] if wanted else None
    if isinstance(wanted, list):
        return [at for at in range(len(value)) if wanted and value[at : at + len(wanted)] == wanted]
    return [at for at, one in enumerate(value) if one == wanted]


def _fromjson(value: Any) -> Any:
    try:
        return json.loads(_need(value, str, "cannot be parsed as JSON"))
    except ValueError as error:
        raise JqError(f"{error} (while parsing '{value}')") from None


def _round(function: Callable[[float], float]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise JqError(f"{kind(value)} ({short(value)}) number required")
        try:
            result = function(value)
        except (ValueError, OverflowError):
            return math.nan
        return int(result) if math.isfinite(result) and float(result).is_integer() and abs(result) < 1e17 else result

    return run


def _setpath(value: Any, path: Any, new: Any) -> Any:
    from kubenet_course.userland.commands.jq.machine import set_path

    return set_path(value, tuple(_need(path, list, "Path must be specified as an array")), new)


def _getpath(value: Any, path: Any) -> Any:
    from kubenet_course.userland.commands.jq.machine import get_path

    return get_path(value, tuple(path))


def _delpaths(value: Any, paths: Any) -> Any:
    from kubenet_course.userland.commands.jq.machine import delete_paths

    return delete_paths(value, [tuple(path) for path in paths])


def _iso(value: Any) -> str:
    from kubenet_course.userland.commands.date import format_date

    return format_date("%Y-%m-%dT%H:%M:%SZ", int(_need(value, int | float, "cannot be a date")) * 10**9)  # type: ignore[arg-type]


def _extreme(function: Callable) -> Callable[[Any], Any]:
    return lambda value: function(_array(value), key=sort_key) if value else None


def _unique(value: Any) -> list:
    out: list = []
    for one in sorted(_array(value), key=sort_key):
        if not out or sort_key(out[-1]) != sort_key(one):
            out.append(one)
    return out


def _string(value: Any, function: Callable[[str], Any], message: str) -> Any:
    if not isinstance(value, str):
        raise JqError(message)
    return function(value)


PLAIN: dict[tuple[str, int], Callable] = {
    ("length", 0): _length, ("utf8bytelength", 0): lambda v: len(_need(v, str, "only strings have UTF-8 byte length").encode()),
    ("not", 0): lambda v: not truth(v), ("keys", 0): _keys, ("keys_unsorted", 0): lambda v: _keys(v, False),
    ("type", 0): kind, ("has", 1): _has, ("contains", 1): _contains, ("add", 0): _add,
    ("tostring", 0): _tostring, ("tonumber", 0): _tonumber, ("tojson", 0): dump, ("fromjson", 0): _fromjson,
    ("sort", 0): lambda v: sorted(_array(v), key=sort_key), ("unique", 0): _unique,
    ("group_by", 0): _array, ("min", 0): _extreme(min), ("max", 0): _extreme(max),
    ("reverse", 0): lambda v: [] if v is None else v[::-1], ("first", 0): lambda v: _index0(v, 0),
    ("last", 0): lambda v: _index0(v, -1), ("flatten", 0): _flatten, ("flatten", 1): _flatten,
    ("join", 1): _join, ("split", 1): _split, ("test", 1): _test, ("test", 2): _test, ("sub", 2): _sub,
    ("sub", 3): _sub, ("gsub", 2): lambda v, r, s: _sub(v, r, s, "g"), ("gsub", 3): lambda v, r, s, f: _sub(v, r, s, f + "g"),
    ("capture", 1): _capture, ("capture", 2): _capture,
    ("ltrimstr", 1): lambda v, s: v.removeprefix(s) if isinstance(v, str) and isinstance(s, str) else v,
    ("rtrimstr", 1): lambda v, s: v.removesuffix(s) if isinstance(v, str) and isinstance(s, str) else v,
    ("startswith", 1): lambda v, s: _string(v, lambda t: t.startswith(s), "startswith() requires string inputs"),
    ("endswith", 1): lambda v, s: _string(v, lambda t: t.endswith(s), "endswith() requires string inputs"),
    ("ascii_downcase", 0): lambda v: _string(v, str.lower, "ascii_downcase input must be a string"),
    ("ascii_upcase", 0): lambda v: _string(v, str.upper, "ascii_upcase input must be a string"),
    ("explode", 0): lambda v: [ord(one) for one in _need(v, str, "cannot be exploded")],
    ("implode", 0): lambda v: "".join(chr(one) for one in v), ("from_entries", 0): _from_entries,
    ("index", 1): lambda v, w: (_indices(v, w) or [None])[0], ("rindex", 1): lambda v, w: (_indices(v, w) or [None])[-1],
    ("indices", 1): _indices, ("transpose", 0): lambda v: [list(row) for row in _transpose(v)],
    ("floor", 0): _round(math.floor), ("ceil", 0): _round(math.ceil), ("round", 0): _round(lambda v: math.floor(v + 0.5)),
    ("sqrt", 0): _round(math.sqrt), ("fabs", 0): _round(abs), ("isnan", 0): lambda v: v != v,
    ("isinfinite", 0): lambda v: isinstance(v, float) and math.isinf(v), ("setpath", 2): _setpath,
    ("getpath", 1): _getpath, ("delpaths", 1): _delpaths, ("todateiso8601", 0): _iso,
    ("input_line_number", 0): lambda v: 1, ("ascii", 0): lambda v: chr(v), ("debug", 0): lambda v: v,
    ("halt", 0): lambda v: v, ("tojson", 1): lambda v, w: dump(v), ("splits", 1): _split, ("input_filename", 0): lambda v: None,
    ("pow", 2): lambda v, a, b: a**b, ("log", 0): _round(math.log), ("exp", 0): _round(math.exp),
}  # fmt: skip


def _index0(value: Any, at: int) -> Any:
    from kubenet_course.userland.commands.jq.machine import index_value

    return index_value(value, at)


def _transpose(value: list) -> list[list]:
    width = max((len(row) for row in value), default=0)
    return [[row[at] if at < len(row) else None for row in value] for at in range(width)]


# -- formats --------------------------------------------------------------------------------------
def format_value(name: str, value: Any) -> str:
    """``@csv`` and its kin."""
    if name == "text":
        return _tostring(value)
    if name == "json":
        return dump(value)
    if name in ("csv", "tsv"):
        if not isinstance(value, list):
            raise JqError(f"{kind(value)} ({short(value)}) cannot be {name}-formatted, only an array can be")
        return ("," if name == "csv" else "\t").join(_cell(name, one) for one in value)
    if name == "html":
        table = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "'": "&#39;", '"': "&quot;"}
        return "".join(table.get(char, char) for char in _tostring(value))
    if name == "uri":
        return quote(_tostring(value), safe="-_.~")
    if name == "sh":
        return " ".join(_shell(one) for one in (value if isinstance(value, list) else [value]))
    if name == "base64":
        return base64.b64encode(_tostring(value).encode("utf-8", "surrogateescape")).decode()
    if name == "base64d":
        text = _tostring(value).rstrip("=")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
        except (ValueError, binascii.Error):
            raise JqError(f"{kind(value)} ({short(value)}) is not valid base64 data") from None
    raise JqError(f"{name} is not a valid format")


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        if name == "csv":
            return '"' + value.replace('"', '""') + '"'
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if isinstance(value, list | dict):
        raise JqError(f"{kind(value)} ({short(value)}) is not valid in a csv row")
    return "" if value is None else dump(value)


def _shell(value: Any) -> str:
    if isinstance(value, list | dict):
        raise JqError(f"{kind(value)} ({short(value)}) can not be escaped for shell")
    return "'" + value.replace("'", "'\\''") + "'" if isinstance(value, str) else dump(value)
