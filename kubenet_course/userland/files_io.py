"""Reading operands: what nearly every filter does with its file names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.quoting import quotef
from kubenet_course.userland.streams import Reader

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def open_input(proc: Process, name: str) -> Reader:
    """The reader of an operand; ``-`` is standard input. Raises KernelError."""
    return proc.stdin if name == "-" else proc.files.open_reader(name, proc)


async def read_input(proc: Process, name: str) -> bytes:
    """All of an operand."""
    return await open_input(proc, name).read()


async def each_input(
    proc: Process, names: list[str], failures: list[str]
) -> AsyncIterator[tuple[str, Reader]]:
    """Each operand's reader in turn; what cannot be opened is said and noted in `failures`."""
    for name in names or ["-"]:
        try:
            yield name, open_input(proc, name)
        except KernelError as error:
            complain(proc, name, error)
            failures.append(name)


def complain(proc: Process, name: str, error: KernelError, command: str | None = None) -> None:
    """``cat: name: No such file or directory``."""
    proc.error(f"{command or proc.argv[0]}: {quotef(name)}: {error.strerror}")


async def lines(reader: Reader) -> AsyncIterator[bytes]:
    """Lines with their newline; the last one may have none."""
    while True:
        line = await reader.readline()
        if not line:
            return
        yield line
