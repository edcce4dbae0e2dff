"""cat: concatenate files (coreutils 9.1)."""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.userland.files.nodes import FileReader, FileWriter
from kubenet_course.userland.files_io import complain, each_input
from kubenet_course.userland.options import OptionError, letters, parse
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quotef
from kubenet_course.userland.streams import Reader, WriteError, Writer

LONG = {
    "show-all": "A", "number-nonblank": "b", "show-ends": "E", "number": "n", "squeeze-blank": "s",
    "show-tabs": "T", "show-nonprinting": "v",
}  # fmt: skip


class _Lines:
    """Line numbering and marking across files."""

    def __init__(self, flags: set[str]):
        self.flags = flags
        self.number = 0
        self.blank = 0
        self.start = True

    def show(self, line: bytes) -> bytes:
        flags = self.flags
        body, newline = (line[:-1], b"\n") if line.endswith(b"\n") else (line, b"")
        if self.start:
            self.blank = self.blank + 1 if not body else 0
            if "s" in flags and self.blank > 1:
                return b""
        head = b""
        if self.start and ("n" in flags and "b" not in flags or "b" in flags and body):
            self.number += 1
            head = b"%6d\t" % self.number
        self.start = bool(newline)
        if flags & set("vetA"):
            body = b"".join(_visible(byte) for byte in body)
        if flags & set("TtA"):
            body = body.replace(b"\t", b"^I")
        if newline and flags & set("EeA"):
            newline = b"$\n"
        return head + body + newline


def _visible(byte: int) -> bytes:
    if byte == 9:
        return b"\t"
    if byte >= 128:
        return b"M-" + _visible(byte - 128) if byte != 137 else b"M-^I"
    if byte < 32:
        return bytes([94, byte + 64])
    return b"^?" if byte == 127 else bytes([byte])


def same_file(reader: Reader, writer: Writer) -> bool:
    """Whether reading would go on for ever, because what is read is what is written."""
    if not isinstance(reader, FileReader) or not isinstance(writer, FileWriter):
        return False
    return reader.node is writer.node and bool(reader.node.data)


async def _copy(proc: Process, reader: Reader, show: _Lines | None) -> None:
    while True:
        chunk = await (reader.readline() if show else reader.read(65536))
        if not chunk:
            return
        proc.stdout.write(show.show(chunk) if show else chunk)


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "AbeEnstTuv", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    flags = letters(options) - {"u"}
    show = _Lines(flags) if flags else None
    failures: list[str] = []
    async for name, reader in each_input(proc, names, failures):
        if same_file(reader, proc.stdout):
            proc.error(f"{argv[0]}: {quotef(name)}: input file is output file")
            failures.append(name)
            continue
        try:
            await _copy(proc, reader, show)
        except WriteError:
            raise
        except KernelError as error:
            complain(proc, name, error)
            failures.append(name)
    return int(bool(failures))
