"""split: a file in pieces of so many lines, bytes, or so many pieces. Not emulated: --filter, -n l/ and r/."""

from __future__ import annotations

import re
import string

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import read_input
from kubenet_course.userland.options import OptionError, extra_operand, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

LONG = {
    "lines=": "l", "bytes=": "b", "line-bytes=": "C", "number=": "n", "suffix-length=": "a", "numeric-suffixes=?": "d",
    "hex-suffixes=?": "x", "additional-suffix=": "more", "verbose": "verbose", "elide-empty-files": "e",
}  # fmt: skip
UNITS = {"": 1, "b": 512, "K": 1024, "k": 1024, "M": 2**20, "G": 2**30, "kB": 1000, "KB": 1000, "MB": 10**6, "GB": 10**9}
KINDS = {"l": "lines", "b": "bytes", "C": "bytes", "n": "chunks"}


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "l:b:C:n:a:dxe", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    if len(names) > 2:
        return extra_operand(proc, argv[0], names[2])
    given = [(name, text) for name, text in options if name in KINDS]
    if len(given) > 1:
        proc.error(f"{argv[0]}: cannot split in more than one way\nTry '{argv[0]} --help' for more information.")
        return 1
    kind, text = given[0] if given else ("l", "1000")
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", text)
    if kind == "n" and match is None:
        proc.error(f"kubenet: {argv[0]}: -n {text} is not emulated")
        return 1
    if match is None or match[2] not in UNITS or not int(match[1]):
        tail = ": Numerical result out of range" if match is not None and match[2] in UNITS and kind != "n" else ""
        proc.error(f"{argv[0]}: invalid number of {KINDS[kind]}: {quote(text)}{tail}")
        return 1
    try:
        data = await read_input(proc, names[0] if names else "-")
    except KernelError as error:
        proc.error(f"{argv[0]}: cannot open {quoteaf(names[0])} for reading: {error.strerror}")
        return 1
    pieces = _pieces(data, kind, int(match[1]) * UNITS[match[2]])
    if "e" in letters(options):
        pieces = [piece for piece in pieces if piece]
    prefix = names[1] if len(names) > 1 else "x"
    flags = letters(options)
    alphabet = string.digits if "d" in flags else "0123456789abcdef" if "x" in flags else string.ascii_lowercase
    length = int(value(options, "a") or 0)
    for at, piece in enumerate(pieces):
        suffix = _suffix(at, alphabet, length)
        if suffix is None:
            proc.error(f"{argv[0]}: output file suffixes exhausted")
            return 1
        path = f"{prefix}{suffix}{value(options, 'more', '')}"
        if "verbose" in flags:
            proc.print(f"creating file {quoteaf(path)}")
        try:
            proc.files.write(path, piece, proc)
        except KernelError as error:
            proc.error(f"{argv[0]}: {path}: {error.strerror}")
            return 1
    return 0


def _pieces(data: bytes, kind: str, size: int) -> list[bytes]:
    if kind == "n":
        part = len(data) // size
        return [data[at * part : (at + 1) * part if at < size - 1 else None] for at in range(size)]
    if kind == "b":
        return [data[at : at + size] for at in range(0, len(data), size)]
    rows = data.splitlines(keepends=True) if b"\r" not in data else re.findall(rb"[^\n]*\n|[^\n]+$", data)
    if kind == "l":
        return [b"".join(rows[at : at + size]) for at in range(0, len(rows), size)]
    pieces: list[bytes] = []
    for row in rows:
        if pieces and len(pieces[-1]) + len(row) <= size:
            pieces[-1] += row
        else:
            pieces += [row[at : at + size] for at in range(0, len(row), size)]
    return pieces


def _suffix(number: int, alphabet: str, length: int) -> str | None:
    """``aa`` … ``yz``, then ``zaaa`` …: of a fixed length where one is asked for."""
    base, size = len(alphabet), length or 2
    lead = ""
    while not length:
        room = base ** (size - 1) * (base - 1)
        if number < room:
            break
        number -= room
        lead += alphabet[-1]
        size += 1
    if number >= base**size:
        return None
    digits = ""
    for _ in range(size):
        number, digit = divmod(number, base)
        digits = alphabet[digit] + digits
    return lead + digits
