"""join, unexpand, factor, tsort: lines of two files by a field, blanks to tabs, prime factors, an order of pairs."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, decode, encode, read_input
from kubenet_course.userland.options import (
    OptionError,
    Options,
    extra_operand,
    letters,
    missing_operand,
    parse,
    value,
)
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote

NAMES = ("join", "unexpand", "factor", "tsort")
SHORT = {"join": "a:e:i1:2:j:o:t:v:z", "unexpand": "at:", "factor": "", "tsort": ""}
LONG = {
    "join": {"ignore-case": "i", "check-order": "check", "nocheck-order": "nocheck", "header": "header"},
    "unexpand": {"all": "a", "tabs=": "t", "first-only": "first"},
    "factor": {"exponents": "h"},
    "tsort": {},
}  # fmt: skip
#: Above this a number has to be factored by more than trial division.
SMALL = 1_000


async def _rows(proc: Process, name: str) -> list[str]:
    rows = decode(await read_input(proc, name)).split("\n")
    return rows if rows[-1] else rows[:-1]


# -- join ---------------------------------------------------------------------------------------
class _Side:
    """One input: its rows as fields, and the place of the field that is compared."""

    def __init__(self, name: str, rows: list[str], field: int, separator: str | None, fold: bool):
        self.name, self.field, self.fold = name, field, fold
        self.texts = rows
        self.rows = [row.split(separator) if separator else row.split() for row in rows]

    def key(self, at: int) -> bytes:
        row = self.rows[at]
        text = row[self.field] if self.field < len(row) else ""
        return encode(text.upper() if self.fold else text)

    def disordered(self) -> int | None:
        """The first line that comes too late."""
        return next((at for at in range(1, len(self.rows)) if self.key(at) < self.key(at - 1)), None)


def _field(proc: Process, text: str | None) -> int | None:
    if text is None:
        return 0
    if not text.isdecimal() or not int(text):
        proc.error(f"join: invalid field number: {quote(text)}")
        return None
    return int(text) - 1


async def _join(proc: Process, options: Options, names: list[str]) -> int:
    if len(names) < 2:
        return missing_operand(proc, "join", names[0] if names else None)
    if len(names) > 2:
        return extra_operand(proc, "join", names[2])
    both = value(options, "j")
    fields = [_field(proc, value(options, number, both)) for number in "12"]
    if None in fields:
        return 1
    separator, fold = value(options, "t"), "i" in letters(options)
    sides = []
    for name, field in zip(names, fields):
        try:
            sides.append(_Side(name, await _rows(proc, name), field or 0, separator, fold))
        except KernelError as error:
            complain(proc, name, error)
            return 1
    shown = {text for name, text in options if name in ("a", "v")}
    joining = _Joining(sides, value(options, "o"), value(options, "e", "") or "", separator or " ")
    lines = joining.lines(shown, "v" not in letters(options))
    for line in lines:
        proc.print(line)
    late = [(side, at) for side in sides if (at := side.disordered()) is not None]
    if late and "nocheck" not in letters(options):
        for side, at in late:
            proc.error(f"join: {side.name}:{at + 1}: is not sorted: {side.texts[at]}")
        proc.error("join: input is not in sorted order")
        return 1
    return 0


class _Joining:
    """What a pair of rows, or a row without a partner, becomes."""

    def __init__(self, sides: list[_Side], form: str | None, empty: str, separator: str):
        self.sides, self.empty, self.separator = sides, empty, separator
        self.form: list[tuple[int, int]] | None = None
        if form == "auto":
            counts = [len(side.rows[0]) if side.rows else 0 for side in sides]
            places = [(at, field) for at in (0, 1) for field in range(counts[at]) if field != sides[at].field]
            self.form = [(-1, 0), *places]
        elif form is not None:
            words = re.split(r"[ ,\t]+", form)
            self.form = [(-1, 0) if word == "0" else (int(word[0]) - 1, int(word[2:]) - 1) for word in words]

    def lines(self, unpaired: set[str], paired: bool) -> list[str]:
        left, right = self.sides
        out: list[str] = []
        a = b = 0
        while a < len(left.rows) or b < len(right.rows):
            if b >= len(right.rows) or (a < len(left.rows) and left.key(a) < right.key(b)):
                if "1" in unpaired:
                    out.append(self._line(left.rows[a], None))
                a += 1
            elif a >= len(left.rows) or right.key(b) < left.key(a):
                if "2" in unpaired:
                    out.append(self._line(None, right.rows[b]))
                b += 1
            else:
                key = left.key(a)
                first, second = a, b
                while a < len(left.rows) and left.key(a) == key:
                    a += 1
                while b < len(right.rows) and right.key(b) == key:
                    b += 1
                if paired:
                    pairs = ((x, y) for x in range(first, a) for y in range(second, b))
                    out += [self._line(left.rows[x], right.rows[y]) for x, y in pairs]
        return out

    def _line(self, one: list[str] | None, two: list[str] | None) -> str:
        rows = (one, two)
        own = one if one is not None else two
        side = self.sides[0] if one is not None else self.sides[1]
        assert own is not None
        key = own[side.field] if side.field < len(own) else self.empty
        if self.form is None:
            cells = [key]
            for row, known in zip(rows, self.sides):
                cells += [cell or self.empty for at, cell in enumerate(row or ()) if at != known.field]
            return self.separator.join(cells)
        cells = []
        for at, field in self.form:
            row = rows[at] if at >= 0 else None
            cells.append(key if at < 0 else row[field] if row is not None and field < len(row) else self.empty)
        return self.separator.join(cells)


# -- the others ---------------------------------------------------------------------------------
async def _unexpand(proc: Process, options: Options, names: list[str]) -> int:
    text = value(options, "t", "8") or ""
    if not text.isdecimal() or not int(text):
        proc.error(f"unexpand: tab size contains invalid character(s): {quote(text)}")
        return 1
    everywhere = bool(letters(options) & {"a", "t"}) and "first" not in letters(options)
    status = 0
    for name in names or ["-"]:
        try:
            for row in await _rows(proc, name):
                proc.print(_tabbed(row, int(text), everywhere))
        except KernelError as error:
            complain(proc, name, error)
            status = 1
    return status


def _tabbed(row: str, width: int, everywhere: bool) -> str:
    """Runs of blanks that end at a tab stop become tabs."""
    out, column, blanks = "", 0, ""
    leading = True
    for char in row:
        if char in " \t" and (leading or everywhere):
            blanks += char
            column += width - column % width if char == "\t" else 1
            if column % width == 0:
                out += " " if blanks == " " and not leading else "\t"
                blanks = ""
            continue
        leading = False
        out += blanks + char
        blanks = ""
        column += 1
    return out + blanks


def prime_factors(number: int) -> list[int]:
    """Trial division, then Pollard's rho."""
    found = []
    for prime in range(2, SMALL):
        while number % prime == 0 and number > 1:
            found.append(prime)
            number //= prime
    return sorted([*found, *_large_factors(number)]) if number > 1 else found


def _large_factors(number: int) -> list[int]:
    if number == 1:
        return []
    if _is_prime(number):
        return [number]
    from math import gcd

    step = 1
    while True:
        slow = fast = 2
        divisor = 1
        while divisor == 1:
            slow = (slow * slow + step) % number
            fast = (fast * fast + step) % number
            fast = (fast * fast + step) % number
            divisor = gcd(abs(slow - fast), number)
        if divisor != number:
            return _large_factors(divisor) + _large_factors(number // divisor)
        step += 1


def _is_prime(number: int) -> bool:
    """Miller and Rabin's test with the bases that decide it for 81 bits; above that it is as good as sure."""
    if number < 4:
        return number > 1
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41):
        if base % number == 0:
            continue
        x = pow(base, odd, number)
        if x in (1, number - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % number
            if x == number - 1:
                break
        else:
            return False
    return True


async def _factor(proc: Process, options: Options, names: list[str]) -> int:
    status = 0
    words = names or decode(await proc.stdin.read()).split()
    for word in words:
        if not re.fullmatch(r"\+?\d+", word.strip()):
            proc.error(f"factor: {quote(word)} is not a valid positive integer")
            status = 1
            continue
        factors = prime_factors(int(word))
        shown = [str(factor) for factor in factors]
        if "h" in letters(options):
            kinds = sorted(set(factors))
            shown = [f"{kind}^{factors.count(kind)}" if factors.count(kind) > 1 else str(kind) for kind in kinds]
        proc.print(f"{int(word)}:" + "".join(f" {one}" for one in shown))
    return status


async def _tsort(proc: Process, options: Options, names: list[str]) -> int:
    if len(names) > 1:
        return extra_operand(proc, "tsort", names[1])
    name = names[0] if names else "-"
    try:
        words = decode(await read_input(proc, name)).split()
    except KernelError as error:
        complain(proc, name, error)
        return 1
    if len(words) % 2:
        proc.error(f"tsort: {name}: input contains an odd number of tokens")
        return 1
    before: dict[str, set[str]] = {}
    for first, second in zip(words[::2], words[1::2]):
        before.setdefault(first, set())
        before.setdefault(second, set())
        if first != second:
            before[second].add(first)
    status = 0
    while before:
        free = [word for word, waiting in before.items() if not waiting]
        if not free:
            proc.error(f"tsort: {name}: input contains a loop:")
            loop = _loop(before)
            for word in loop:
                proc.error(f"tsort: {word}")
            before[loop[0]].discard(loop[-1])
            status = 1
            continue
        for word in free:
            proc.print(word)
            del before[word]
        for waiting in before.values():
            waiting.difference_update(free)
    return status


def _loop(before: dict[str, set[str]]) -> list[str]:
    word, path = next(iter(before)), []
    while word not in path:
        path.append(word)
        word = next(iter(before[word]))
    return path[path.index(word) :]


PROGRAMS: dict[str, Callable[[Process, Options, list[str]], Awaitable[int]]] = {
    "join": _join, "unexpand": _unexpand, "factor": _factor, "tsort": _tsort,
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, names = parse(argv, SHORT[program], LONG[program])
    except OptionError as error:
        return error.report(proc, argv[0])
    return await PROGRAMS[program](proc, options, names)
