"""Files and commands that an AWK program reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.files_io import encode, open_input
from kubenet_course.userland.process import Process
from kubenet_course.userland.streams import Pipe, Reader, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.commands.awk.machine import Machine


class Streams:
    """Open streams by the name that the program uses for them."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self.proc: Process = machine.proc
        self.writers: dict[str, Writer] = {}
        self.children: dict[str, Process] = {}
        self.readers: dict[str, tuple[Reader, bytes]] = {}
        self.sources: dict[str, Process] = {}

    async def write(self, operator: str, name: str, text: str) -> None:
        """``print > name``, ``>> name``, ``| command``."""
        if operator != "|" and name in ("/dev/stdout", "-"):
            self.proc.stdout.write(encode(text))
            return
        if operator != "|" and name == "/dev/stderr":
            self.proc.stderr.write(encode(text))
            return
        writer = self.writers.get(name)
        if writer is None:
            writer = self.writers[name] = self._open(operator, name)
        writer.write(encode(text))

    def _open(self, operator: str, name: str) -> Writer:
        if operator == "|":
            pipe = Pipe(self.proc.loop)
            self.children[name] = self.proc.spawn(["sh", "-c", name], stdin=pipe)
            return pipe
        try:
            return self.proc.files.open_writer(name, self.proc, append=operator == ">>")
        except KernelError as error:
            from kubenet_course.userland.commands.awk.lexer import AwkError

            raise AwkError(f'cannot open "{name}" for output ({error.strerror})') from None

    async def _line(self, name: str) -> str | None:
        reader, buffer = self.readers[name]
        line, buffer = await self.machine.read_from(reader, buffer)
        self.readers[name] = (reader, buffer)
        return line

    async def line_of_file(self, name: str) -> str | None | bool:
        """The next record of a file; None at the end, False where it cannot be opened."""
        if name not in self.readers:
            try:
                self.readers[name] = (open_input(self.proc, name), b"")
            except KernelError:
                return False
        try:
            return await self._line(name)
        except KernelError:
            return False

    async def line_of_command(self, command: str) -> str | None:
        """The next record that a command prints."""
        if command not in self.readers:
            pipe = Pipe(self.proc.loop)
            self.sources[command] = self.proc.spawn(["sh", "-c", command], stdout=pipe)
            self.readers[command] = (pipe, b"")
        return await self._line(command)

    async def system(self, command: str) -> float:
        """Run a command and wait for it."""
        code = await self.proc.spawn(["sh", "-c", command]).exited
        return float(code if code >= 0 else 256 - code)

    async def close(self, name: str) -> float:
        """close(): -1 where nothing of this name is open."""
        writer = self.writers.pop(name, None)
        if writer is not None:
            writer.close()
            child = self.children.pop(name, None)
            if child is None:
                return 0.0
            code = await child.exited
            return float(code if code >= 0 else 256 - code)
        entry = self.readers.pop(name, None)
        if entry is None:
            return -1.0
        entry[0].close_read()
        source = self.sources.pop(name, None)
        return float(await source.exited) if source is not None else 0.0

    async def close_all(self) -> None:
        for name in list(self.writers):
            await self.close(name)
        for reader, _ in self.readers.values():
            reader.close_read()
