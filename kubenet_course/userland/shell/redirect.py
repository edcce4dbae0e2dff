"""Redirections: opening, duplicating and closing file descriptors of the shell's process.

The process itself is the table: `stdin`, `stdout`, `stderr` are 0 to 2, `proc.fds` the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errno import EBADF
from kubenet_course.errors import KernelError
from kubenet_course.userland.shell.descriptors import Connection, FileBoth, connect
from kubenet_course.userland.shell.errors import ExpansionError
from kubenet_course.userland.shell.nodes import Redirect
from kubenet_course.userland.streams import BytesReader, Pipe, Reader, WriteError, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.shell.interpreter import Shell

Stream = Reader | Writer


class Closed(Reader, Writer):
    """A descriptor that was closed: every use is EBADF."""

    async def read(self, size: int = -1) -> bytes:
        raise KernelError(EBADF)

    async def readline(self) -> bytes:
        raise KernelError(EBADF)

    def write(self, data: bytes) -> None:
        if data:
            raise WriteError(EBADF)


def get_fd(proc: Process, number: int) -> Stream | None:
    """The open stream of a descriptor, or None."""
    if number <= 2:
        stream: Stream = (proc.stdin, proc.stdout, proc.stderr)[number]
        return None if isinstance(stream, Closed) else stream
    return proc.fds.get(number)


def set_fd(proc: Process, number: int, stream: Stream | None) -> None:
    """Make `number` be `stream`; None closes it."""
    if number == 0:
        proc.stdin = stream if isinstance(stream, Reader) else Closed()
    elif number == 1:
        proc.stdout = stream if isinstance(stream, Writer) else Closed()
    elif number == 2:
        proc.stderr = stream if isinstance(stream, Writer) else Closed()
    elif stream is None:
        proc.fds.pop(number, None)
    else:
        proc.fds[number] = stream


class Redirections:
    """Descriptors changed for one command; `undo` puts them back."""

    def __init__(self, shell: Shell):
        self.shell = shell
        self.proc = shell.proc
        self.saved: list[tuple[int, Stream | None]] = []
        self.opened: list[Stream] = []

    def undo(self) -> None:
        for number, stream in reversed(self.saved):
            set_fd(self.proc, number, stream)
        self.saved.clear()
        for opened in self.opened:
            opened.close()
        self.opened.clear()

    def keep(self) -> None:
        """`exec`: the changes stay; the streams that were replaced are closed."""
        first: dict[int, Stream | None] = {}
        for number, stream in self.saved:
            first.setdefault(number, stream)
        kept = [get_fd(self.proc, number) for number in (0, 1, 2)]
        for number, stream in first.items():
            now = get_fd(self.proc, number)
            if isinstance(now, Writer) and now not in self.opened and number != 0:
                now.add_writer()
            if number > 2 and isinstance(stream, Connection | Pipe) and not self._in_use(stream):
                stream.close()
            elif stream is not None and stream is not now and number <= 2:
                if number == 0 and isinstance(stream, Reader):
                    stream.close_read()
                elif isinstance(stream, Writer) and (stream not in kept or hasattr(stream, "writers")):
                    stream.close()
        self.saved.clear()
        self.opened.clear()

    def _in_use(self, stream: Stream) -> bool:
        proc = self.proc
        return any(one is stream for one in (proc.stdin, proc.stdout, proc.stderr, *proc.fds.values()))

    def put(self, number: int, stream: Stream | None) -> None:
        """Make `number` be `stream` until `undo`."""
        self.saved.append((number, get_fd(self.proc, number)))
        set_fd(self.proc, number, stream)

    async def apply(self, redirects: list[Redirect]) -> None:
        """Do them in order; raises ExpansionError with bash's message."""
        for redirect in redirects:
            if isinstance(redirect.fd, str):
                await self._named(redirect, redirect.fd)
            else:
                await self._one(redirect)

    async def made(self, redirects: list[Redirect]) -> bool:
        """Do them in order; False where one could not be had, which is said then.

        Raises the ExpansionError that ends the whole shell.
        """
        try:
            await self.apply(redirects)
        except ExpansionError as error:
            if error.fatal:
                raise
            self.shell.complain(error.message)
            return False
        return True

    async def _named(self, redirect: Redirect, text: str) -> None:
        """``{name}>file``: a free descriptor from 10 on, which stays open; ``{name}>&-`` closes it."""
        name, _, index = text.partition("[")
        subscript = index.removesuffix("]") if index else None
        shell = self.shell
        if redirect.op in (">&", "<&") and redirect.target.literal == "-":
            value = shell.value_of(name, subscript) or ""
            if not value.isdecimal():
                raise ExpansionError(f"{text}: Bad file descriptor" if value else f"{text}: ambiguous redirect")
            number = int(value)
        else:
            number = next(free for free in range(10, 1000) if get_fd(self.proc, free) is None)
            shell.assign(name, str(number), subscript)
        kept = Redirections(shell)
        await kept._one(Redirect(redirect.op, number, redirect.target, redirect.body))
        kept.keep()

    async def _one(self, redirect: Redirect) -> None:
        shell, op = self.shell, redirect.op
        if op in ("<<", "<<-"):
            assert redirect.body is not None
            text = await shell.expand_string(redirect.body)
            self.put(redirect.number(), BytesReader(text.encode("utf-8", "surrogateescape")))
            return
        if op == "<<<":
            text = await shell.expand_string(redirect.target) + "\n"
            self.put(redirect.number(), BytesReader(text.encode("utf-8", "surrogateescape")))
            return
        words = await shell.expand_words([redirect.target])
        if len(words) != 1:
            raise ExpansionError(f"{redirect.target.raw}: ambiguous redirect")
        target = words[0]
        if op in (">&", "<&") and self._duplicate(redirect, target):
            return
        try:
            await self._open(redirect, target)
        except KernelError as error:
            text = error.strerror
            if "C" in shell.state.options and op == ">" and text == "File exists":
                text = "cannot overwrite existing file"
            raise ExpansionError(f"{target}: {text}") from None

    def _duplicate(self, redirect: Redirect, target: str) -> bool:
        """``2>&1``, ``>&-``; False where ``>&word`` means a file."""
        number = redirect.number()
        if target == "-":
            self.put(number, None)
            return True
        close = target.endswith("-")
        digits = target.removesuffix("-")
        if not digits.isdecimal():
            if redirect.op == ">&" and redirect.fd is None:
                return False
            raise ExpansionError(f"{target}: ambiguous redirect")
        stream = get_fd(self.proc, int(digits)) if len(digits) < 8 else None
        if stream is None:
            raise ExpansionError(f"{redirect.target.raw}: Bad file descriptor")
        self.put(number, stream)
        if close:
            self.put(int(digits), None)
        return True

    async def _open(self, redirect: Redirect, target: str) -> None:
        op, proc = redirect.op, self.proc
        files = proc.files
        connection = await connect(self.shell, target)
        if connection is not None:
            self.opened.append(connection)
            self.put(redirect.number(), connection)
            if op in ("&>", "&>>", ">&"):
                self.put(2, connection)
            return
        if op == "<":
            reader = files.open_reader(target, proc)
            self.opened.append(reader)
            self.put(redirect.number(), reader)
            return
        if op == "<>":
            self.put(redirect.number(), FileBoth(proc, target))
            return
        exclusive = op == ">" and "C" in self.shell.state.options
        writer = files.open_writer(target, proc, append=op in (">>", "&>>"), exclusive=exclusive)
        self.opened.append(writer)
        self.put(redirect.number(), writer)
        if op in ("&>", "&>>", ">&"):
            self.put(2, writer)
