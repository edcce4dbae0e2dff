"""tail: the last part of files, and what is added to them (-f)."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.sleep import interval
from kubenet_course.userland.files_io import open_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf
from kubenet_course.userland.sizes import size_number
from kubenet_course.userland.streams import Reader

LONG = {
    "bytes=": "c", "lines=": "n", "quiet": "q", "silent": "q", "verbose": "v", "follow=?": "f",
    "sleep-interval=": "s", "retry": "retry", "pid=": "pid", "zero-terminated": "z",
}  # fmt: skip


def _last(data: bytes, unit: str, count: int, plus: bool) -> bytes:
    if unit == "c":
        if plus:
            return data[max(count - 1, 0) :]
        return data[-count:] if count else b""
    rows = data.split(b"\n")
    tail = rows.pop()
    rows = [row + b"\n" for row in rows] + ([tail] if tail else [])
    if plus:
        return b"".join(rows[max(count - 1, 0) :])
    return b"".join(rows[-count:]) if count else b""


def _old_style(argv: list[str]) -> list[str]:
    match = re.fullmatch(r"([-+])(\d+)([bcl]?)(f?)", argv[1]) if len(argv) > 1 else None
    if match is None:
        return argv
    number = ("+" if match[1] == "+" else "") + match[2]
    kind = "-c" if match[3] == "c" else "-n"
    return [argv[0], kind, number, *(["-f"] if match[4] else []), *argv[2:]]


async def _follow(
    proc: Process, readers: list[tuple[str, Reader]], pause: float, titles: bool, last: str
) -> None:
    """Print what is added, for ever."""
    while True:
        await proc.sleep(pause)
        for name, reader in readers:
            chunk = await reader.read(65536)
            if chunk:
                if titles and name != last:
                    proc.print(f"\n==> {name} <==")
                    last = name
                proc.stdout.write(chunk)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(_old_style(argv), "c:n:qvfFs:", LONG, unsupported="z")
    except OptionError as error:
        return error.report(proc, argv[0])
    count, unit, plus, pause = 10, "n", False, 1.0
    for name, text in options:
        if name in ("c", "n"):
            number = size_number(text.lstrip("-") if re.match(r"-\d", text) else text)
            if number is None:
                what = "lines" if name == "n" else "bytes"
                proc.error(f"{argv[0]}: invalid number of {what}: {quote(text)}")
                return 1
            count, unit, plus = number, name, text.startswith("+")
        elif name == "s":
            seconds = interval(text)
            if seconds is None:
                proc.error(f"{argv[0]}: invalid number of seconds: {quote(text)}")
                return 1
            pause = max(seconds, 0.01)
    flags = letters(options)
    titles = ("v" in flags or len(names) > 1) and "q" not in flags
    status, first = 0, True
    opened: list[tuple[str, Reader]] = []
    for name in names or ["-"]:
        try:
            reader = open_input(proc, name)
        except KernelError as error:
            proc.error(f"{argv[0]}: cannot open {quoteaf(name)} for reading: {error.strerror}")
            status = 1
            continue
        shown = "standard input" if name == "-" else name
        if titles:
            proc.print(f"{'' if first else chr(10)}==> {shown} <==")
        first = False
        try:
            data = await reader.read()
        except KernelError as error:
            proc.error(f"{argv[0]}: error reading {quoteaf(name)}: {error.strerror}")
            status = 1
            continue
        proc.stdout.write(_last(data, unit, count, plus))
        if name != "-":
            opened.append((shown, reader))
    if flags & {"f", "F"} and (opened or not names):
        if not opened:
            return status
        await _follow(proc, opened, pause, titles, opened[-1][0])
    elif flags & {"f", "F"}:
        proc.error(f"{argv[0]}: no files remaining")
    return status
