"""Where a process reads and writes: pipes between processes, and sinks that keep bytes.

Writing never waits (a pipe holds any amount); reading does. Everything is bytes.
"""

from __future__ import annotations

from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import Loop, Signal


class BrokenPipe(Exception):
    """Written to a pipe that nobody reads any more (EPIPE); ends a process like SIGPIPE."""


class WriteError(KernelError):
    """write(2) failed (a full device, a refused sysctl value); programs say `NAME: write error: …`."""


class Reader:
    """The reading end of nothing: always at end of file (/dev/null)."""

    async def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, at least one unless at end of file; -1 reads to the end."""
        return b""

    async def readline(self) -> bytes:
        """One line with its newline; the rest where the last line has none; b"" at the end."""
        return b""

    def add_reader(self) -> Reader:
        """One more process reads from here (it inherited it); each ends with `close_read`."""
        return self

    def close_read(self) -> None:
        """One reader less."""

    def close(self) -> None:
        """Stop reading."""


class BytesReader(Reader):
    """Reads from bytes that are there already (a file, a here-document)."""

    def __init__(self, data: bytes):
        self.data = data
        self.position = 0

    async def read(self, size: int = -1) -> bytes:
        end = len(self.data) if size < 0 else min(len(self.data), self.position + size)
        chunk = self.data[self.position : end]
        self.position = end
        return chunk

    async def readline(self) -> bytes:
        newline = self.data.find(b"\n", self.position)
        end = len(self.data) if newline < 0 else newline + 1
        chunk = self.data[self.position : end]
        self.position = end
        return chunk


class Writer:
    """The writing end of nothing: takes and forgets (/dev/null)."""

    is_terminal = False

    def write(self, data: bytes) -> None:
        """Take all of `data`."""

    def add_writer(self) -> Writer:
        """One more process writes here (it inherited it); each ends with `close`."""
        return self

    def close(self) -> None:
        """No more will be written."""


class Capture(Writer):
    """Keeps what is written; the standard output of a command that somebody waits for."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> None:
        self.data += data

    def text(self) -> str:
        return self.data.decode("utf-8", "replace")


class Pipe(Reader, Writer):
    """Both ends of a pipe. At end of file once every writer (see `add_writer`) has closed."""

    def __init__(self, loop: Loop):
        self.buffer = bytearray()
        self.writers = 1
        self.readers = 1
        self.read_closed = False
        self._changed = Signal(loop)

    def add_writer(self) -> Pipe:
        self.writers += 1
        return self

    def write(self, data: bytes) -> None:
        if self.read_closed:
            raise BrokenPipe
        if data:
            self.buffer += data
            self._changed.notify()

    def close(self) -> None:
        """Close one writing end."""
        self.writers -= 1
        if self.writers <= 0:
            self._changed.notify()

    def add_reader(self) -> Pipe:
        self.readers += 1
        return self

    def close_read(self) -> None:
        """Close one reading end; with the last one the pipe is broken."""
        self.readers -= 1
        if self.readers <= 0:
            self.read_closed = True
            self.buffer.clear()

    async def read(self, size: int = -1) -> bytes:
        while self.writers > 0 and (size < 0 or not self.buffer) and size != 0:
            await self._changed.wait()
        take = len(self.buffer) if size < 0 else size
        chunk = bytes(self.buffer[:take])
        del self.buffer[:take]
        return chunk

    async def readline(self) -> bytes:
        while b"\n" not in self.buffer and self.writers > 0:
            await self._changed.wait()
        newline = self.buffer.find(b"\n")
        take = len(self.buffer) if newline < 0 else newline + 1
        chunk = bytes(self.buffer[:take])
        del self.buffer[:take]
        return chunk
