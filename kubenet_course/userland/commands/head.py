"""head: the first part of files."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import open_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf
from kubenet_course.userland.sizes import size_number
from kubenet_course.userland.streams import Reader, WriteError

LONG = {"bytes=": "c", "lines=": "n", "quiet": "q", "silent": "q", "verbose": "v", "zero-terminated": "z"}


async def _lines(proc: Process, reader: Reader, count: int) -> None:
    """The first `count` lines, or all but the last -count."""
    if count >= 0:
        for _ in range(count):
            line = await reader.readline()
            if not line:
                return
            proc.stdout.write(line)
        return
    kept: list[bytes] = []
    while line := await reader.readline():
        kept.append(line)
        if len(kept) > -count:
            proc.stdout.write(kept.pop(0))


async def _bytes(proc: Process, reader: Reader, count: int) -> None:
    if count < 0:
        data = await reader.read()
        proc.stdout.write(data[:count])
        return
    while count > 0:
        chunk = await reader.read(min(count, 65536))
        if not chunk:
            return
        proc.stdout.write(chunk)
        count -= len(chunk)


def old_style(argv: list[str]) -> list[str]:
    """``head -5`` as ``head -n 5``."""
    if len(argv) > 1 and re.fullmatch(r"-\d+[bckmqv]*", argv[1]):
        number = re.sub(r"\D", "", argv[1])
        rest = argv[1].lstrip("-0123456789")
        kind = "-c" if "c" in rest else "-n"
        flags = ["-" + one for one in rest if one in "qv"]
        return [argv[0], kind, number, *flags, *argv[2:]]
    return argv


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(old_style(argv), "c:n:qv", LONG, unsupported="z")
    except OptionError as error:
        return error.report(proc, argv[0])
    count, unit = 10, "n"
    minus = False
    for name, text in options:
        if name in "cn":
            number = size_number(text.removeprefix("-"))
            if number is None or text.startswith("-+"):
                what = "lines" if name == "n" else "bytes"
                proc.error(f"{argv[0]}: invalid number of {what}: {quote(text.removeprefix('-'))}")
                return 1
            count, unit, minus = number, name, text.startswith("-")
    titles = ("v" in letters(options) or len(names) > 1) and "q" not in letters(options)
    status, first = 0, True
    for name in names or ["-"]:
        try:
            reader = open_input(proc, name)
        except KernelError as error:
            proc.error(f"{argv[0]}: cannot open {quoteaf(name)} for reading: {error.strerror}")
            status = 1
            continue
        if titles:
            shown = "standard input" if name == "-" else name
            proc.print(f"{'' if first else chr(10)}==> {shown} <==")
        first = False
        try:
            if minus and count == 0:
                proc.stdout.write(await reader.read())
            else:
                await (_lines if unit == "n" else _bytes)(proc, reader, -count if minus else count)
        except WriteError:
            raise
        except KernelError as error:
            proc.error(f"{argv[0]}: error reading {quoteaf(name)}: {error.strerror}")
            status = 1
    return status
