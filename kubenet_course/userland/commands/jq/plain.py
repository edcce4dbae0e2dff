"""jq functions of values: `length`, `keys`, `join`, `test` …"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.commands.jq.values import JqError, dump, kind, short, sort_key, text_of, truth

if TYPE_CHECKING:
    pass


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
        raise JqError(
            f"{kind(a)} ({short(a)}) and {kind(b)} ({short(b)}) cannot have their containment checked"
        )
    return a == b


def _add(value: Any) -> Any:
    from kubenet_course.userland.commands.jq.paths import calculate, iterate

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
            raise JqError(
                f"Invalid numeric literal at EOF at line 1, column {len(value)} (while parsing '{value}')"
            ) from None
        return int(number) if number.is_integer() and abs(number) < 1e17 else number
    raise JqError(f"{kind(value)} ({short(value)}) cannot be parsed as a number")


def _join(value: Any, joiner: Any) -> str:
    if not isinstance(value, list):
        raise JqError(f"Cannot iterate over {kind(value)}")
    for one in value:
        if isinstance(one, list | dict):
            raise JqError(f"string ({short(joiner)}) and {kind(one)} ({short(one)}) cannot be added")
    return str(joiner).join("" if one is None else text_of(one) for one in value)


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
        return re.compile(
            regex.replace("(?<", "(?P<").replace("(?P<=", "(?<=").replace("(?P<!", "(?<!"), options
        ), "g" in text
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
        key = next(
            (entry[name] for name in ("key", "k", "name", "Name", "K", "Key") if entry.get(name) is not None),
            None,
        )
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
        return (
            int(result)
            if math.isfinite(result) and float(result).is_integer() and abs(result) < 1e17
            else result
        )

    return run


def _setpath(value: Any, path: Any, new: Any) -> Any:
    from kubenet_course.userland.commands.jq.paths import set_path

    return set_path(value, tuple(_need(path, list, "Path must be specified as an array")), new)


def _getpath(value: Any, path: Any) -> Any:
    from kubenet_course.userland.commands.jq.paths import get_path

    return get_path(value, tuple(path))


def _delpaths(value: Any, paths: Any) -> Any:
    from kubenet_course.userland.commands.jq.paths import delete_paths

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
    ("length", 0): _length, ("utf8bytelength", 0): lambda v: len(_need(v, str,
        "only strings have UTF-8 byte length").encode("utf-8", "surrogateescape")),
    ("not", 0): lambda v: not truth(v), ("keys", 0): _keys, ("keys_unsorted", 0): lambda v: _keys(v, False),
    ("type", 0): kind, ("has", 1): _has, ("contains", 1): _contains, ("add", 0): _add,
    ("tostring", 0): text_of, ("tonumber", 0): _tonumber, ("tojson", 0): dump, ("fromjson", 0): _fromjson,
    ("sort", 0): lambda v: sorted(_array(v), key=sort_key), ("unique", 0): _unique,
    ("group_by", 0): _array, ("min", 0): _extreme(min), ("max", 0): _extreme(max),
    ("reverse", 0): lambda v: [] if v is None else v[::-1], ("first", 0): lambda v: _index0(v, 0),
    ("last", 0): lambda v: _index0(v, -1), ("flatten", 0): _flatten, ("flatten", 1): _flatten,
    ("join", 1): _join, ("split", 1): _split, ("test", 1): _test, ("test", 2): _test, ("sub", 2): _sub,
    ("sub", 3): _sub, ("gsub", 2): lambda v, r, s: _sub(v, r, s, "g"), ("gsub", 3): lambda v, r, s,
        f: _sub(v, r, s, f + "g"),
    ("capture", 1): _capture, ("capture", 2): _capture,
    ("ltrimstr", 1): lambda v, s: v.removeprefix(s) if isinstance(v, str) and isinstance(s, str) else v,
    ("rtrimstr", 1): lambda v, s: v.removesuffix(s) if isinstance(v, str) and isinstance(s, str) else v,
    ("startswith", 1): lambda v, s: _string(v, lambda t: t.startswith(s),
        "startswith() requires string inputs"),
    ("endswith", 1): lambda v, s: _string(v, lambda t: t.endswith(s), "endswith() requires string inputs"),
    ("ascii_downcase", 0): lambda v: _string(v, str.lower, "ascii_downcase input must be a string"),
    ("ascii_upcase", 0): lambda v: _string(v, str.upper, "ascii_upcase input must be a string"),
    ("explode", 0): lambda v: [ord(one) for one in _need(v, str, "cannot be exploded")],
    ("implode", 0): lambda v: "".join(chr(one) for one in v), ("from_entries", 0): _from_entries,
    ("index", 1): lambda v, w: (_indices(v, w) or [None])[0], ("rindex", 1): lambda v, w: (_indices(v, w)
        or [None])[-1],
    ("indices", 1): _indices, ("transpose", 0): lambda v: [list(row) for row in _transpose(v)],
    ("floor", 0): _round(math.floor), ("ceil", 0): _round(math.ceil), ("round",
        0): _round(lambda v: math.floor(v + 0.5)),
    ("sqrt", 0): _round(math.sqrt), ("fabs", 0): _round(abs), ("isnan", 0): lambda v: v != v,
    ("isinfinite", 0): lambda v: isinstance(v, float) and math.isinf(v), ("setpath", 2): _setpath,
    ("getpath", 1): _getpath, ("delpaths", 1): _delpaths, ("todateiso8601", 0): _iso,
    ("input_line_number", 0): lambda v: 1, ("ascii", 0): lambda v: chr(v), ("debug", 0): lambda v: v,
    ("halt", 0): lambda v: v, ("tojson", 1): lambda v, w: dump(v), ("splits", 1): _split, ("input_filename",
        0): lambda v: None,
    ("pow", 2): lambda v, a, b: a**b, ("log", 0): _round(math.log), ("exp", 0): _round(math.exp),
}  # fmt: skip


def _index0(value: Any, at: int) -> Any:
    from kubenet_course.userland.commands.jq.paths import index_value

    return index_value(value, at)


def _transpose(value: list) -> list[list]:
    width = max((len(row) for row in value), default=0)
    return [[row[at] if at < len(row) else None for row in value] for at in range(width)]
