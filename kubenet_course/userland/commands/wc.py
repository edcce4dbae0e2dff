"""wc: count lines, words, bytes."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files.nodes import FileReader
from kubenet_course.userland.files_io import complain, each_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quotef

LONG = {
    "bytes": "c",
    "chars": "m",
    "lines": "l",
    "max-line-length": "L",
    "words": "w",
    "files0-from=": "files0",
}
ORDER = "lwmcL"


def _count(data: bytes) -> dict[str, int]:
    text = data.decode("utf-8", "surrogateescape")
    return {
        "l": data.count(b"\n"),
        "w": len(text.split()),
        "m": sum(not 0xDC80 <= ord(char) <= 0xDCFF for char in text),
        "c": len(data),
        "L": max((_width(line) for line in text.split("\n")), default=0),
    }


def _width(line: str) -> int:
    width = 0
    for char in line:
        if char == "\t":
            width += 8 - width % 8
        elif char == "\r":
            continue
        elif ord(char) >= 32 and not 0xDC80 <= ord(char) <= 0xDCFF:
            width += 1
    return width


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "clmwL", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options) or {"l", "w", "c"}
    columns = [letter for letter in ORDER if letter in flags]
    failures: list[str] = []
    rows: list[tuple[dict[str, int], str]] = []
    piped = False
    async for name, reader in each_input(proc, names, failures):
        try:
            data = await reader.read()
        except KernelError as error:
            complain(proc, name, error)
            failures.append(name)
            data = b""
        piped = piped or not isinstance(reader, FileReader)
        rows.append((_count(data), name if names else ""))
    total = {letter: sum(row[letter] for row, _ in rows) for letter in ORDER}
    total["L"] = max((row["L"] for row, _ in rows), default=0)
    if len(columns) == 1 and len(rows) + len(failures) <= 1:
        width = 1
    else:
        width = max(7 if piped else 1, len(str(total["c"])))
    if len(rows) + len(set(failures)) > 1 and len(names) > 1:
        rows.append((total, "total"))
    for row, name in rows:
        cells = " ".join(f"{row[letter]:>{width}}" for letter in columns)
        proc.print(f"{cells} {quotef(name)}" if name else cells)
    return int(bool(failures))
