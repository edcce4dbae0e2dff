"""jq functions of filters: `select`, `limit`, `range`, `sort_by` …"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.commands.jq.values import JqError, kind, sort_key, truth

if TYPE_CHECKING:
    from kubenet_course.userland.commands.jq.machine import Env, Machine


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
    numbers = [one for one in bounds if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) < len(bounds):
        raise JqError("Range bounds must be numeric")
    low, high = (0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) > 2 else 1
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
        from kubenet_course.userland.commands.jq.paths import iterate

        if len(arguments) == 2:
            results = [
                one
                for item in machine.run(arguments[0], value, env)
                for one in machine.run(arguments[1], item, env)
            ]
        else:
            results = [
                one
                for item in iterate(value)
                for one in (machine.run(arguments[0], item, env) if arguments else [item])
            ]
        yield (all if everything else any)(map(truth, results))

    return run


def _by(function: Callable[[list, list], Any]) -> Callable:
    """sort_by and its kin: the values with their keys."""

    def run(machine: Machine, arguments: list, value: Any, env: Env) -> Iterator[Any]:
        if not isinstance(value, list):
            raise JqError(
                f"Cannot index {kind(value)} with number" if value is not None else "Cannot iterate over null"
            )
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
    ("select", 1): _select, ("empty", 0): _empty, ("error", 1): _error, ("error", 0): _error, ("first",
        1): _first,
    ("last", 1): _last, ("limit", 2): _limit, ("range", 1): _range, ("range", 2): _range, ("range",
        3): _range,
    ("recurse", 1): _recurse, ("path", 1): _path, ("any", 0): _quantifier(False), ("all",
        0): _quantifier(True),
    ("any", 1): _quantifier(False), ("all", 1): _quantifier(True), ("any", 2): _quantifier(False),
    ("all", 2): _quantifier(True), ("sort_by", 1): _by(_sorted_by), ("group_by", 1): _by(_groups),
    ("unique_by", 1): _by(lambda values, keys: [group[0] for group in _groups(values, keys)]),
    ("min_by", 1): _by(lambda values, keys: _sorted_by(values, keys)[0] if values else None),
    ("max_by", 1): _by(lambda values, keys: _sorted_by(values, keys)[-1] if values else None),
    ("input", 0): _input, ("inputs", 0): _inputs, ("env", 0): _env, ("now", 0): _now, ("until", 2): _until,
    ("while", 2): _while,
}  # fmt: skip
