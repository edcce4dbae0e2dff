"""paste, tac, rev, nl, comm, fold, expand, column: small text filters."""

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

NAMES = ("paste", "tac", "rev", "nl", "comm", "fold", "expand", "column", "shuf")
SHORT = {
    "paste": "d:s", "tac": "", "rev": "", "nl": "b:n:s:v:w:i:", "comm": "123i", "fold": "bsw:",
    "expand": "it:",
    "column": "ts:o:c:N:", "shuf": "n:ei:",
}  # fmt: skip
LONG = {
    "paste": {"delimiters=": "d", "serial": "s"}, "column": {"table": "t", "separator=": "s",
    "output-separator=": "o"},
    "fold": {"bytes": "b", "spaces": "s", "width=": "w"}, "expand": {"initial": "i", "tabs=": "t"},
    "nl": {"body-numbering=": "b", "number-separator=": "s", "number-width=": "w"},
    "comm": {"output-delimiter=": "od"}, "shuf": {"head-count=": "n", "echo": "e", "input-range=": "i"},
}  # fmt: skip


async def _texts(proc: Process, names: list[str], failures: list[str]) -> list[list[str]]:
    """The lines of each operand."""
    found = []
    for name in names or ["-"]:
        try:
            text = decode(await read_input(proc, name))
        except KernelError as error:
            complain(proc, name, error)
            failures.append(name)
            continue
        rows = text.split("\n")
        found.append(rows if rows[-1] else rows[:-1])
    return found


async def _paste(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    delimiters = (value(options, "d", "\t") or "\0").replace("\\n", "\n").replace("\\t", "\t").replace(
        "\\0", "\0"
    ) or "\t"
    if names.count("-") > 1:
        rows = (await _texts(proc, ["-"], failures))[0]
        count = names.count("-")
        texts = [rows[at::count] for at in range(count)]
    else:
        texts = []
        for name in names or ["-"]:
            texts += await _texts(proc, [name], failures)
            if failures:
                return 1
    if "s" not in letters(options):
        height = max((len(text) for text in texts), default=0)
        texts = [[text[at] if at < len(text) else "" for text in texts] for at in range(height)]
    for row in texts:
        line = row[0] if row else ""
        for at, cell in enumerate(row[1:]):
            line += delimiters[at % len(delimiters)].replace("\0", "") + cell
        proc.print(line)
    return 0


async def _tac(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    for name in names or ["-"]:
        try:
            data = await read_input(proc, name)
        except KernelError as error:
            proc.error(f"tac: failed to open {quote(name)} for reading: {error.strerror}")
            failures.append(name)
            continue
        rows = re.findall(rb"[^\n]*\n|[^\n]+$", data)
        proc.stdout.write(b"".join(reversed(rows)))
    return int(bool(failures))


async def _rev(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    for rows in await _texts(proc, names, failures):
        for row in rows:
            proc.print(row[::-1])
    return int(bool(failures))


async def _nl(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    width, step, number = (
        value(options, name, default) or "" for name, default in (("w", "6"), ("i", "1"), ("v", "1"))
    )
    if not all(re.fullmatch(r"-?\d{1,9}", text) for text in (width, step, number)):
        proc.error(f"nl: invalid line number field width: {quote(width)}")
        return 1
    style, joiner, form = value(options, "b", "t"), value(options, "s", "\t") or "", value(options, "n", "rn")
    at = int(number)
    for rows in await _texts(proc, names, failures):
        for row in rows:
            if style == "n" or (style == "t" and not row):
                proc.print(" " * (int(width) + len(joiner)) + row)
                continue
            text = str(at)
            shown = (
                text.ljust(int(width))
                if form == "ln"
                else text.rjust(int(width), "0" if form == "rz" else " ")
            )
            proc.print(shown + joiner + row)
            at += int(step)
    return int(bool(failures))


async def _comm(proc: Process, options: Options, names: list[str]) -> int:
    if len(names) < 2:
        if names:
            proc.error(
                f"comm: missing operand after {quote(names[0])}\nTry 'comm --help' for more information."
            )
            return 1
        return missing_operand(proc, "comm")
    if len(names) > 2:
        return extra_operand(proc, "comm", names[2])
    failures: list[str] = []
    texts = await _texts(proc, names, failures)
    if failures:
        return 1
    hidden = letters(options)
    left, right = ([encode(row) for row in text] for text in texts)
    a = b = 0

    def show(column: int, row: bytes) -> None:
        if str(column) not in hidden:
            tabs = sum(str(before) not in hidden for before in range(1, column))
            proc.stdout.write(b"\t" * tabs + row + b"\n")

    while a < len(left) or b < len(right):
        if b >= len(right) or (a < len(left) and left[a] < right[b]):
            show(1, left[a])
            a += 1
        elif a >= len(left) or right[b] < left[a]:
            show(2, right[b])
            b += 1
        else:
            show(3, left[a])
            a, b = a + 1, b + 1
    return 0


async def _fold(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    text = value(options, "w", "80") or ""
    if not text.isdecimal() or not int(text):
        proc.error(f"fold: invalid number of columns: {quote(text)}")
        return 1
    width = int(text)
    for rows in await _texts(proc, names, failures):
        for row in rows:
            while len(row) > width:
                cut = width
                if "s" in letters(options) and " " in row[:width]:
                    cut = row[:width].rindex(" ") + 1
                proc.print(row[:cut])
                row = row[cut:]
            proc.print(row)
    return int(bool(failures))


async def _expand(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    text = value(options, "t", "8") or ""
    if not text.isdecimal() or not int(text):
        proc.error(f"expand: tab size contains invalid character(s): {quote(text)}")
        return 1
    for rows in await _texts(proc, names, failures):
        for row in rows:
            proc.print(row.expandtabs(int(text)))
    return int(bool(failures))


async def _column(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    texts = [row for rows in await _texts(proc, names, failures) for row in rows if row.strip()]
    if "t" not in letters(options):
        proc.error("kubenet: column: only -t is emulated")
        return 1
    separator, joiner = value(options, "s"), value(options, "o", "  ") or ""
    table = [re.split(f"[{re.escape(separator)}]+", row) if separator else row.split() for row in texts]
    header = value(options, "N")
    if header:
        table.insert(0, header.split(","))
    width = max((len(row) for row in table), default=0)
    widths = [max((len(row[at]) for row in table if at < len(row)), default=0) for at in range(width)]
    for row in table:
        cells = [cell.ljust(widths[at]) if at < width - 1 else cell for at, cell in enumerate(row)]
        proc.print(joiner.join(cells))
    return int(bool(failures))


async def _shuf(proc: Process, options: Options, names: list[str]) -> int:
    failures: list[str] = []
    if "e" in letters(options):
        rows = list(names)
    elif value(options, "i") is not None:
        match = re.fullmatch(r"(\d{1,6})-(\d{1,6})", value(options, "i") or "")
        if match is None:
            proc.error(f"shuf: invalid input range: {quote(value(options, 'i') or '')}")
            return 1
        rows = [str(number) for number in range(int(match[1]), int(match[2]) + 1)]
    else:
        rows = [row for text in await _texts(proc, names[:1], failures) for row in text]
    proc.system.host.random.shuffle(rows)
    count = value(options, "n")
    for row in rows[: int(count) if count and count.isdecimal() else None]:
        proc.print(row)
    return int(bool(failures))


PROGRAMS: dict[str, Callable[[Process, Options, list[str]], Awaitable[int]]] = {
    "paste": _paste, "tac": _tac, "rev": _rev, "nl": _nl, "comm": _comm, "fold": _fold, "expand": _expand,
    "column": _column, "shuf": _shuf,
}  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, names = parse(argv, SHORT[program], LONG.get(program, {}))
    except OptionError as error:
        return error.report(proc, argv[0])
    return await PROGRAMS[program](proc, options, names)
