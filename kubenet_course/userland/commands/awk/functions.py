"""AWK's built-in functions."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.commands.awk.lexer import AwkError
from kubenet_course.userland.commands.awk.values import Value, from_input, to_number, to_string

if TYPE_CHECKING:
    from kubenet_course.userland.commands.awk.machine import Machine

_SPEC = re.compile(r"%([-+ #0]*)(\*|\d*)(?:\.(\*|\d*))?[hlLqjzt]*(.)", re.S)
ARGUMENTS = {
    "length": (0, 1), "substr": (2, 3), "index": (2, 2), "split": (2, 3), "sub": (2, 3), "gsub": (2, 3),
    "match": (2, 2), "sprintf": (1, 999), "sin": (1, 1), "cos": (1, 1), "atan2": (2, 2), "exp": (1, 1),
    "log": (1, 1), "sqrt": (1, 1), "int": (1, 1), "rand": (0, 0), "srand": (0, 1), "tolower": (1, 1),
    "toupper": (1, 1), "system": (1, 1), "close": (1, 1), "fflush": (0, 1), "strftime": (0, 3),
    "systime": (0, 0),
    "mktime": (1, 1),
}  # fmt: skip
MATH = {"sin": math.sin, "cos": math.cos, "exp": math.exp, "log": math.log, "sqrt": math.sqrt}


async def call_builtin(machine: Machine, name: str, nodes: list[Any]) -> Any:
    """Evaluate a call of `name`."""
    low, high = ARGUMENTS[name]
    if len(nodes) < low:
        raise AwkError(f"line 1: not enough arguments in call to {name}")
    if len(nodes) > high:
        raise AwkError(f"line 1: too many arguments in call to {name}")
    if name in ("sub", "gsub"):
        return await _substitute(machine, nodes, name == "gsub")
    if name == "split":
        return await _split(machine, nodes)
    if name == "match":
        return await _match(machine, nodes)
    if name == "length" and nodes and nodes[0][0] == "value" and nodes[0][1][0] == "variable":
        value = machine.get_variable(nodes[0][1][1].value)
        if isinstance(value, dict):
            return float(len(value))
    values = [await machine.eval(node) for node in nodes]
    if any(isinstance(value, dict) for value in values):
        raise AwkError(f"line 1: type error in arg(1) in call to {name}")
    if name == "system":
        return await machine.streams.system(to_string(values[0]))
    if name == "close":
        return await machine.streams.close(to_string(values[0]))
    return _plain(machine, name, values)


def _plain(machine: Machine, name: str, values: list[Any]) -> Value:
    texts = [to_string(value, machine.text("CONVFMT")) for value in values]
    if name == "length":
        return float(len(texts[0] if texts else machine.record))
    if name == "substr":
        return _substr(texts[0], [to_number(value) for value in values[1:]])
    if name == "index":
        return float(texts[0].find(texts[1]) + 1)
    if name == "tolower":
        return texts[0].lower()
    if name == "toupper":
        return texts[0].upper()
    if name == "sprintf":
        return sprintf(machine, values, "sprintf")
    if name in MATH:
        try:
            return MATH[name](to_number(values[0]))
        except OverflowError:
            return math.inf
        except ValueError:
            return -math.inf if name == "log" and to_number(values[0]) == 0 else math.nan
    if name == "atan2":
        return math.atan2(to_number(values[0]), to_number(values[1]))
    if name == "int":
        number = to_number(values[0])
        return float(math.trunc(number)) if math.isfinite(number) else number
    if name == "rand":
        return machine.random.random()
    if name == "srand":
        old, machine.seed = (
            machine.seed,
            to_number(values[0]) if values else machine.proc.system.files.now() / 1e9,
        )
        import random

        machine.random = random.Random(machine.seed)
        return old
    now = machine.proc.system.files.now() // 10**9
    if name == "systime":
        return float(now)
    if name == "strftime":
        when = int(to_number(values[1])) if len(values) > 1 else now
        from kubenet_course.userland.commands.date import format_date

        return format_date(texts[0] if texts else "%c", max(0, min(when, 2**33)) * 10**9)
    if name == "mktime":
        return _mktime(texts[0])
    return 0.0


def _mktime(text: str) -> float:
    import calendar

    words = text.split()
    if len(words) < 6 or not all(re.fullmatch(r"-?\d{1,6}", word) for word in words):
        return -1.0
    year, month, day, hour, minute, second = map(int, words[:6])
    if not 1 <= month <= 12 or not 1900 <= year <= 9999:
        return -1.0
    return float(
        calendar.timegm((year, month, 1, 0, 0, 0)) + (day - 1) * 86400 + hour * 3600 + minute * 60 + second
    )


def _substr(text: str, numbers: list[float]) -> str:
    start = numbers[0]
    length = numbers[1] if len(numbers) > 1 else math.inf
    if start != start or length != length:
        return ""
    begin = max(round(max(min(start, 1e9), -1e9)), 1)
    end = (
        len(text) + 1
        if math.isinf(length) or start + length > len(text) + 1
        else round(max(start + length, -1e9))
    )
    return text[begin - 1 : max(end - 1, begin - 1)]


async def _split(machine: Machine, nodes: list[Any]) -> float:
    text = to_string(await machine.eval(nodes[0]))
    target = nodes[1]
    if target[0] != "value" or target[1][0] != "variable":
        raise AwkError("line 1: type error in arg(2) in call to split")
    if len(nodes) > 2:
        if nodes[2][0] == "regex":
            regex = machine.regex(nodes[2][1].value)
            pieces = [] if not text else _split_regex(regex, text)
        else:
            pieces = machine.split(text, to_string(await machine.eval(nodes[2])))
    else:
        pieces = machine.split(text, machine.text("FS"))
    array = machine.array(target[1][1].value)
    array.clear()
    array.update({str(at): from_input(piece) for at, piece in enumerate(pieces, 1)})
    return float(len(pieces))


def _split_regex(regex: re.Pattern[str], text: str) -> list[str]:
    out, at = [], 0
    for match in regex.finditer(text):
        if match.end() > match.start():
            out.append(text[at : match.start()])
            at = match.end()
    return [*out, text[at:]]


async def _match(machine: Machine, nodes: list[Any]) -> float:
    text = to_string(await machine.eval(nodes[0]))
    found = (await machine.regex_of(nodes[1])).search(text)
    machine.variables["RSTART"] = float(found.start() + 1) if found else 0.0
    machine.variables["RLENGTH"] = float(found.end() - found.start()) if found else -1.0
    return machine.variables["RSTART"]


def _replacement(text: str) -> list[str | None]:
    """Parts of a replacement; None stands for the match (``&``)."""
    out: list[str | None] = []
    i = 0
    while i < len(text):
        if text[i] == "\\" and text[i + 1 : i + 2] in ("&", "\\"):
            out.append(text[i + 1])
            i += 2
        elif text[i] == "&":
            out.append(None)
            i += 1
        else:
            out.append(text[i])
            i += 1
    return out


async def _substitute(machine: Machine, nodes: list[Any], everywhere: bool) -> float:
    regex = await machine.regex_of(nodes[0])
    parts = _replacement(to_string(await machine.eval(nodes[1])))
    target = nodes[2] if len(nodes) > 2 else None
    if target is not None and target[0] != "value":
        text = to_string(await machine.eval(target))
    else:
        text = to_string(await machine.load(target[1])) if target is not None else machine.record
    count = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return "".join(match[0] if part is None else part for part in parts)

    result = regex.sub(fill, text, 0 if everywhere else 1)
    if count:
        if target is None:
            machine.set_record(result)
        elif target[0] == "value":
            await machine.store(target[1], result)
    return float(count)


def sprintf(machine: Machine, values: list[Any], name: str) -> str:
    """Formatted text; too few arguments are an error as in mawk."""
    form = to_string(values[0])
    rest = list(values[1:])

    def take() -> Any:
        if not rest:
            raise AwkError(f'run time error: not enough arguments passed to {name}("{form}")')
        return rest.pop(0)

    out: list[str] = []
    at = 0
    while at < len(form):
        percent = form.find("%", at)
        if percent < 0:
            out.append(form[at:])
            break
        out.append(form[at:percent])
        if form.startswith("%%", percent):
            out.append("%")
            at = percent + 2
            continue
        match = _SPEC.match(form, percent)
        if match is None:
            out.append(form[percent:])
            break
        at = match.end()
        out.append(_directive(machine, match, take))
    return "".join(out)


def _directive(machine: Machine, match: re.Match[str], take: Any) -> str:
    flags, width_text, precision_text, kind = match.groups()
    width = int(to_number(take())) if width_text == "*" else int(width_text[:5] or 0)
    precision: int | None = None
    if precision_text is not None:
        precision = int(to_number(take())) if precision_text == "*" else int(precision_text[:5] or 0)
    if width < 0:
        flags, width = flags + "-", -width
    width = min(width, 10000)
    if kind == "s":
        text = to_string(take(), machine.text("CONVFMT"))
        return _pad(text if precision is None else text[: max(precision, 0)], flags, width)
    if kind == "c":
        value = take()
        text = (
            chr(int(value) & 0x10FFFF or 0)
            if isinstance(value, float) and 0 <= value < 0xD800
            else to_string(value)[:1]
        )
        return _pad(text, flags, width)
    if kind in "dioxXu":
        return _pad_integer(to_number(take()), kind, flags, width, precision)
    if kind in "eEfFgG":
        number = to_number(take())
        clean = "".join(dict.fromkeys(flags))
        spec = f"%{clean}{width or ''}.{6 if precision is None else max(0, min(precision, 300))}{kind}"
        return spec % number
    raise AwkError(f"run time error: bad conversion '%{kind}'")


def _pad(text: str, flags: str, width: int) -> str:
    return text.ljust(width) if "-" in flags else text.rjust(width)


def _pad_integer(number: float, kind: str, flags: str, width: int, precision: int | None) -> str:
    if not math.isfinite(number):
        return _pad(to_string(number), flags, width)
    value = max(-(2**63), min(int(number), 2**64 - 1))
    if kind in "oxXu" and value < 0:
        value += 1 << 64
    clean = "".join(dict.fromkeys(flags))
    form = f"%{clean}{width or ''}" + (f".{min(precision, 300)}" if precision is not None else "")
    return (form + ("d" if kind in "diu" else kind)) % value
