"""uniq: report or omit repeated lines."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import complain, lines, open_input
from kubenet_course.userland.options import OptionError, extra_operand, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote
from kubenet_course.userland.streams import Reader, Writer

LONG = {
    "count": "c", "repeated": "d", "unique": "u", "ignore-case": "i", "skip-fields=": "f", "skip-chars=": "s",
    "check-chars=": "w", "all-repeated=?": "D", "zero-terminated": "z",
}  # fmt: skip


def _key(flags: set[str], fields: int, chars: int, width: int | None) -> Callable[[bytes], bytes]:
    def key(line: bytes) -> bytes:
        body = line
        for _ in range(fields):
            body = body.lstrip(b" \t")
            cut = next((at for at, byte in enumerate(body) if byte in b" \t"), len(body))
            body = body[cut:]
        body = body[chars:]
        if width is not None:
            body = body[:width]
        return body.lower() if "i" in flags else body

    return key


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "cduif:s:w:Dz", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options)
    mark = b"\0" if "z" in flags else b"\n"
    if len(names) > 2:
        return extra_operand(proc, argv[0], names[2])
    numbers: dict[str, int | None] = {"f": 0, "s": 0, "w": None}
    words = {"f": "fields to skip", "s": "bytes to skip", "w": "bytes to compare"}
    for letter in "fsw":
        text = value(options, letter)
        if text is not None:
            if not text.isdecimal():
                proc.error(f"{argv[0]}: {text}: invalid number of {words[letter]}")
                return 1
            numbers[letter] = int(text)
    try:
        reader = open_input(proc, names[0] if names else "-")
        out: Writer = proc.stdout
        if len(names) > 1 and names[1] != "-":
            out = proc.files.open_writer(names[1], proc)
    except KernelError as error:
        complain(proc, names[0], error)
        return 1
    key = _key(flags, numbers["f"] or 0, numbers["s"] or 0, numbers["w"])
    group: list[bytes] = []
    last = b""
    try:
        async for line in _records(reader, mark):
            body = line.removesuffix(mark)
            this = key(body)
            if group and this == last:
                group.append(body)
                continue
            _show(out, group, flags, mark)
            group, last = [body], this
    except KernelError as error:
        proc.error(f"{argv[0]}: error reading {quote(names[0])}: {error.strerror}")
        return 1
    _show(out, group, flags, mark)
    return 0


async def _records(reader: Reader, mark: bytes) -> AsyncIterator[bytes]:
    """Lines, or with -z what stands before each NUL."""
    if mark == b"\n":
        async for line in lines(reader):
            yield line
    else:
        for record in re.findall(rb"[^\0]*\0|[^\0]+$", await reader.read()):
            yield record


def _show(out: Writer, group: list[bytes], flags: set[str], mark: bytes) -> None:
    if not group:
        return
    if "D" in flags:
        if len(group) > 1:
            out.write(b"".join(line + mark for line in group))
        return
    repeated = len(group) > 1
    if ("d" in flags and not repeated) or ("u" in flags and repeated):
        return
    head = b"%7d " % len(group) if "c" in flags else b""
    out.write(head + group[0] + mark)
