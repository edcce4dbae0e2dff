"""Sockets that are files (AF_UNIX, SOCK_STREAM): how a program talks to a daemon of its own machine.

`listen` puts a socket into the file tree; `connect` finds its listener there. What goes to and fro are
two pipes; nothing is a packet.
"""

from __future__ import annotations

import stat as _stat
from collections import deque
from typing import TYPE_CHECKING

from kubenet_course.errno import EADDRINUSE, ECONNREFUSED
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import Signal
from kubenet_course.userland.files.nodes import Node
from kubenet_course.userland.sockets import Peer, within
from kubenet_course.userland.streams import BrokenPipe, Pipe

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


class SocketFile(Node):
    """A socket's name in the file tree; it stays when its listener is gone, as on a real machine."""

    __slots__ = ("listener",)
    kind = _stat.S_IFSOCK

    def __init__(self, listener: UnixListener):
        super().__init__(0o755)
        self.listener: UnixListener | None = listener


class UnixStream:
    """One end of a connection."""

    def __init__(self, proc: Process, path: str, incoming: Pipe, outgoing: Pipe):
        self.proc = proc
        self.local: Peer = (path, 0)
        self.peer: Peer = (path, 0)
        self.incoming, self.outgoing = incoming, outgoing
        self.closed = False
        proc.owns(self)

    async def read(self, size: int = 65536, timeout: float | None = None) -> bytes:
        return await within(self.proc, self.incoming.read(size), timeout)

    async def write(self, data: bytes) -> None:
        try:
            self.outgoing.write(data)
        except BrokenPipe:
            raise KernelError(ECONNREFUSED) from None

    def write_eof(self) -> None:
        self.outgoing.close()

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.outgoing.close()
            self.incoming.close_read()
        if self in self.proc.resources:
            self.proc.resources.remove(self)


class UnixListener:
    """`Listener` on a socket that is a file. KernelError(EADDRINUSE) where the file is there."""

    def __init__(self, proc: Process, path: str):
        self.proc = proc
        self.local: Peer = (path, 0)
        self.waiting: deque[tuple[Pipe, Pipe]] = deque()
        self.changed = Signal(proc.loop)
        if proc.files.lexists(path, proc):
            raise KernelError(EADDRINUSE)
        self.node = SocketFile(self)
        self.node.mtime = proc.system.files.now()
        proc.system.files.mount_virtual(path, self.node)
        proc.owns(self)

    async def accept(self) -> UnixStream:
        while not self.waiting:
            await self.changed.wait()
        incoming, outgoing = self.waiting.popleft()
        return UnixStream(self.proc, self.local[0], incoming, outgoing)

    def close(self) -> None:
        self.node.listener = None
        for incoming, outgoing in self.waiting:
            outgoing.close()
            incoming.close_read()
        self.waiting.clear()
        if self in self.proc.resources:
            self.proc.resources.remove(self)


def connect(proc: Process, path: str) -> UnixStream:
    """connect(2): ENOENT where there is no file, ECONNREFUSED where nobody listens."""
    node = proc.files.node(path, None, proc)
    listener = node.listener if isinstance(node, SocketFile) else None
    if listener is None:
        raise KernelError(ECONNREFUSED)
    there, back = Pipe(proc.loop), Pipe(proc.loop)
    listener.waiting.append((there, back))
    listener.changed.notify()
    return UnixStream(proc, path, back, there)
