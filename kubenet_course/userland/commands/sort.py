"""sort: order lines (C.UTF-8: by bytes)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import encode, read_input
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quotef
from kubenet_course.userland.versions import version_key

LONG = {
    "ignore-leading-blanks": "b", "dictionary-order": "d", "ignore-case": "f", "general-numeric-sort": "g",
    "human-numeric-sort": "h", "ignore-nonprinting": "i", "month-sort": "M", "numeric-sort": "n",
    "random-sort": "R", "reverse": "r", "version-sort": "V", "check=?": "c", "key=": "k", "merge": "m",
    "output=": "o", "stable": "s", "field-separator=": "t", "unique": "u", "zero-terminated": "z",
    "buffer-size=": "S", "parallel=": "parallel", "temporary-directory=": "T",
}  # fmt: skip
MONTHS = {name: at for at, name in enumerate("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split(), 1)}
_KEY = re.compile(r"(\d+)(?:\.(\d+))?([bdfghiMnRrV]*)(?:,(\d+)(?:\.(\d+))?([bdfghiMnRrV]*))?")


@dataclass
class Key:
    """One -k, or the whole line."""

    first: int = 1
    char: int = 1
    last: int | None = None
    last_char: int = 0
    kinds: str = ""
    blanks: bool = False
    end_blanks: bool = False


def _fields(line: bytes, separator: bytes | None) -> list[tuple[int, int]]:
    """(start, end) of each field; blanks before a field belong to it."""
    if separator is not None:
        out, at = [], 0
        for part in line.split(separator):
            out.append((at, at + len(part)))
            at += len(part) + 1
        return out
    return [match.span() for match in re.finditer(rb"[ \t]*[^ \t]+|[ \t]+$", line)] or [(0, 0)]


def _skip_blanks(line: bytes, at: int, end: int) -> int:
    while at < end and line[at : at + 1] in (b" ", b"\t"):
        at += 1
    return at


def extract(line: bytes, key: Key, separator: bytes | None) -> bytes:
    """The part of a line that a key compares."""
    fields = _fields(line, separator)
    if key.first > len(fields):
        return b""
    start, end = fields[key.first - 1]
    if key.blanks:
        start = _skip_blanks(line, start, end)
    start = min(start + key.char - 1, len(line))
    if key.last is None:
        return line[start:]
    if key.last > len(fields):
        return line[start:]
    begin, stop = fields[key.last - 1]
    if key.last_char:
        if key.end_blanks:
            begin = _skip_blanks(line, begin, stop)
        stop = min(begin + key.last_char, len(line))
    return line[start:stop]


def _number(text: bytes) -> Decimal:
    match = re.match(rb"[ \t]*(-?\d*(?:\.\d*)?)", text)
    digits = match[1] if match else b""
    try:
        return Decimal(digits.decode()) if digits not in (b"", b"-", b".", b"-.") else Decimal(0)
    except ArithmeticError:
        return Decimal(0)


def _general(text: bytes) -> tuple[int, float]:
    match = re.match(
        rb"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf(?:inity)?|[-+]?nan)", text, re.I
    )
    return (1, float(match[1])) if match else (0, 0.0)


def _human(text: bytes) -> tuple[int, int, Decimal]:
    number = _number(text)
    match = re.match(rb"[ \t]*-?[\d.]*([KkMGTPEZY]?)", text)
    suffix = "kMGTPEZY".find((match[1].decode() or "?").replace("K", "k")) + 1 if match else 0
    sign = -1 if number < 0 else int(number > 0)
    return sign, sign * suffix, number


def _convert(text: bytes, kinds: str) -> object:
    if "n" in kinds:
        return _number(text)
    if "g" in kinds:
        return _general(text)
    if "h" in kinds:
        return _human(text)
    if "M" in kinds:
        return MONTHS.get(text.strip()[:3].decode("ascii", "replace").upper(), 0)
    if "V" in kinds:
        return version_key(text.decode("utf-8", "surrogateescape"))
    if "d" in kinds:
        text = re.sub(rb"[^A-Za-z0-9 \t]", b"", text)
    if "i" in kinds:
        text = re.sub(rb"[^ -~]", b"", text)
    return text.upper() if "f" in kinds else text


class _Sorter:
    def __init__(self, keys: list[Key], separator: bytes | None, flags: set[str], kinds: str):
        self.keys = keys
        self.separator = separator
        self.flags = flags
        self.kinds = kinds

    def compare(self, a: bytes, b: bytes, last_resort: bool = True) -> int:
        for key in self.keys:
            kinds = key.kinds
            left = _convert(extract(a, key, self.separator), kinds)
            right = _convert(extract(b, key, self.separator), kinds)
            if left != right:
                order = -1 if left < right else 1  # type: ignore[operator]
                return -order if "r" in kinds else order
        if not self.keys:
            left, right = _convert(a, self.kinds), _convert(b, self.kinds)
            if left != right:
                order = -1 if left < right else 1  # type: ignore[operator]
                return -order if "r" in self.kinds else order
        if not last_resort or self.flags & {"s", "u"} or a == b:
            return 0
        order = -1 if a < b else 1
        return -order if "r" in self.kinds else order


def _parse_key(text: str, kinds: str) -> Key | str:
    match = _KEY.fullmatch(text)
    if match is None:
        if not re.match(r"\d", text):
            return f"invalid number at field start: invalid count at start of {quote(text)}"
        return f"stray character in field spec: invalid field specification {quote(text)}"
    first, char, start_kinds, last, last_char, end_kinds = match.groups()
    if int(first) == 0:
        return f"field number is zero: invalid field specification {quote(text)}"
    if char is not None and int(char) == 0:
        return f"character offset is zero: invalid field specification {quote(text)}"
    own = (start_kinds or "") + (end_kinds or "")
    return Key(
        int(first), int(char or 1), int(last) if last else None, int(last_char or 0), own or kinds,
        "b" in (start_kinds or "") or (not own and "b" in kinds), "b" in (end_kinds or "") or (not own
        and "b" in kinds),
    )  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "bdfghiMnRrVcCk:mo:st:uzS:T:", LONG)
    except OptionError as error:
        return error.report(proc, argv[0], 2)
    flags = letters(options)
    for one in "Rz":
        if one in flags:
            proc.error(f"kubenet: {argv[0]}: option -{one} is not emulated")
            return 2
    kinds = "".join(letter for letter in "bdfghiMnrV" if letter in flags)
    keys: list[Key] = []
    for name, text in options:
        if name == "k":
            key = _parse_key(text, kinds)
            if isinstance(key, str):
                proc.error(f"{argv[0]}: {key}")
                return 2
            keys.append(key)
    if not keys and "b" in kinds:
        keys = [Key(kinds=kinds, blanks=True)]
    separator = value(options, "t")
    if separator is not None:
        if separator == "\\0":
            separator = "\0"
        if separator == "":
            proc.error(f"{argv[0]}: empty tab")
            return 2
        if len(encode(separator)) > 1:
            proc.error(f"{argv[0]}: multi-character tab {quote(separator)}")
            return 2
    sorter = _Sorter(keys, encode(separator) if separator is not None else None, flags, kinds)
    lines: list[bytes] = []
    for name in names or ["-"]:
        try:
            data = await read_input(proc, name)
        except KernelError as error:
            what = "read failed" if error.strerror == "Is a directory" else "cannot read"
            proc.error(f"{argv[0]}: {what}: {quotef(name)}: {error.strerror}")
            return 2
        rows = data.split(b"\n")
        lines += rows if rows[-1] else rows[:-1]
    if flags & {"c", "C"}:
        return _check(proc, argv[0], sorter, lines, (names or ["-"])[0], flags)
    lines.sort(key=cmp_to_key(sorter.compare))
    if "u" in flags:
        lines = [
            line for at, line in enumerate(lines) if at == 0 or sorter.compare(lines[at - 1], line, False)
        ]
    out = b"".join(line + b"\n" for line in lines)
    target = value(options, "o")
    if target is not None and target != "-":
        try:
            proc.files.write(target, out, proc)
        except KernelError as error:
            proc.error(f"{argv[0]}: open failed: {quotef(target)}: {error.strerror}")
            return 2
    else:
        proc.stdout.write(out)
    return 0


def _check(
    proc: Process, program: str, sorter: _Sorter, lines: list[bytes], name: str, flags: set[str]
) -> int:
    for at in range(1, len(lines)):
        order = sorter.compare(lines[at - 1], lines[at])
        if order > 0 or (order == 0 and "u" in flags):
            if "c" in flags:
                text = lines[at].decode("utf-8", "surrogateescape")
                proc.error(f"{program}: {name}:{at + 1}: disorder: {text}")
            return 1
    return 0
