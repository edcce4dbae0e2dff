"""What `<>` and ``/dev/tcp/HOST/PORT`` open: streams that are read and written.

bash (redir.c: redir_special_open(), lib/sh/netopen.c) connects by itself; ``/dev/udp`` likewise. What a
connection has no room for is sent as room comes, by a task of the process.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubenet_course.errno import EINVAL
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM
from kubenet_course.userland.resolver import ResolverError, getaddrinfo
from kubenet_course.userland.services import service_port
from kubenet_course.userland.sockets import background, close_socket, open_socket
from kubenet_course.userland.streams import Reader, WriteError, Writer

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.shell.interpreter import Shell

_NETWORK = re.compile(r"/dev/(tcp|udp)/([^/]+)/(.*)", re.S)


class FileBoth(Reader, Writer):
    """A file open for reading and writing at one position (O_RDWR)."""

    def __init__(self, proc: Process, path: str):
        self.proc, self.path, self.cwd = proc, path, proc.cwd
        self.position = 0
        if not proc.files.exists(path, proc):
            proc.files.write(path, b"", proc)
        self._data()

    def _data(self) -> bytes:
        return self.proc.files.read(self.path, self.proc, self.cwd)

    async def read(self, size: int = -1) -> bytes:
        data = self._data()[self.position :]
        chunk = data if size < 0 else data[:size]
        self.position += len(chunk)
        return chunk

    async def readline(self) -> bytes:
        line, newline, _ = self._data()[self.position :].partition(b"\n")
        self.position += len(line + newline)
        return line + newline

    def write(self, data: bytes) -> None:
        if not data:
            return
        old = self._data().ljust(self.position, b"\0")
        end = self.position + len(data)
        self.proc.files.write(self.path, old[: self.position] + data + old[end:], self.proc, cwd=self.cwd)
        self.position = end


class Connection(Reader, Writer):
    """A connected socket of the shell's."""

    def __init__(self, proc: Process, sock: Any, datagrams: bool):
        self.proc, self.sock, self.datagrams = proc, sock, datagrams
        self.waiting = bytearray()
        self.came = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        if not data:
            return
        try:
            if self.datagrams:
                self.sock.sendto(data)
            elif self.waiting:
                self.waiting += data
            else:
                self.waiting += data[self.sock.send_now(data) :]
                if self.waiting:
                    background(self.proc, self._send_rest())
        except KernelError as failure:
            raise WriteError(failure.errno) from None

    async def _send_rest(self) -> None:
        while self.waiting:
            piece = bytes(self.waiting)
            await self.sock.send(piece)
            del self.waiting[: len(piece)]
        if self.closing:
            close_socket(self.proc, self.sock)

    async def _more(self) -> bool:
        try:
            got = (await self.sock.recv()).data if self.datagrams else await self.sock.recv()
        except KernelError:
            return False
        self.came += got
        return bool(got)

    async def read(self, size: int = -1) -> bytes:
        while (size < 0 or not self.came) and size != 0 and await self._more():
            pass
        chunk = bytes(self.came if size < 0 else self.came[:size])
        del self.came[: len(chunk)]
        return chunk

    async def readline(self) -> bytes:
        while b"\n" not in self.came and await self._more():
            pass
        at = self.came.find(b"\n")
        return await self.read(at + 1 if at >= 0 else len(self.came)) if self.came else b""

    def close(self) -> None:
        if self.closing:
            return
        self.closing = True
        if not self.waiting:
            close_socket(self.proc, self.sock)

    close_read = close


async def connect(shell: Shell, path: str) -> Connection | None:
    """The connection that `path` names, or None where it names none; says what failed, then KernelError."""
    proc = shell.proc
    match = _NETWORK.fullmatch(path)
    if match is None:
        return None
    kind, host, service = match.groups()
    port = int(service or "0") & 0xFFFF if re.fullmatch("[0-9]*", service) else service_port(proc, service, kind)
    try:
        if port is None:
            shell.complain(f"{service}: Servname not supported for ai_socktype")
            raise KernelError(EINVAL)
        found = await getaddrinfo(proc, host)
    except ResolverError as problem:
        shell.complain(f"{host}: {problem}")
        raise KernelError(EINVAL) from None
    failure = KernelError(EINVAL)
    for info in found:
        sock = open_socket(
            proc, AF_INET if info.family == 4 else AF_INET6, SOCK_STREAM if kind == "tcp" else SOCK_DGRAM
        )
        try:
            if kind == "tcp":
                await sock.connect(info.address, port, scope=info.scope)
            else:
                sock.connect(info.address, port, scope=info.scope)
            return Connection(proc, sock, kind == "udp")
        except KernelError as problem:
            close_socket(proc, sock)
            failure = problem
    proc.error(f"{shell.origins[-1]}: connect: {failure.strerror}")
    raise failure
