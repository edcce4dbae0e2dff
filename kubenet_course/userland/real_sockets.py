"""The shape of `sockets.Network` on the computer's own kernel, with asyncio.

For programs of ours that run as processes inside a real machine of the lab (a name server in a real
namespace). Nothing of the emulated kernel is imported but the shape.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from kubenet_course.errors import KernelError

T = TypeVar("T")
Peer = tuple[str, int]


async def _guarded(work: Awaitable[T], timeout: float | None = None, late: int = errno.EAGAIN) -> T:
    """`work`'s value; an OSError or a time limit becomes KernelError."""
    try:
        return await asyncio.wait_for(work, timeout)
    except TimeoutError as failure:
        raise KernelError(failure.errno or late) from None
    except OSError as failure:
        raise KernelError(failure.errno or errno.EIO) from None


class RealStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.local: Peer = writer.get_extra_info("sockname")[:2]
        self.peer: Peer = writer.get_extra_info("peername")[:2]

    async def read(self, size: int = 65536, timeout: float | None = None) -> bytes:
        return await _guarded(self.reader.read(size), timeout)

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await _guarded(self.writer.drain())

    def write_eof(self) -> None:
        if self.writer.can_write_eof():
            self.writer.write_eof()

    def close(self) -> None:
        self.writer.close()


class RealListener:
    def __init__(self) -> None:
        self.server: asyncio.Server | None = None
        self.local: Peer = ("", 0)
        self.waiting: asyncio.Queue[RealStream] = asyncio.Queue()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.waiting.put(RealStream(reader, writer))

    async def accept(self) -> RealStream:
        return await self.waiting.get()

    def close(self) -> None:
        if self.server is not None:
            self.server.close()


class RealDatagrams(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.local: Peer = ("", 0)
        self.transport: asyncio.DatagramTransport | None = None
        self.waiting: asyncio.Queue[tuple[bytes, Peer] | int] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport
        self.local = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.waiting.put_nowait((data, addr[:2]))

    def error_received(self, exc: Exception) -> None:
        self.waiting.put_nowait(getattr(exc, "errno", None) or errno.EIO)

    async def send(self, data: bytes, address: str, port: int) -> None:
        assert self.transport is not None
        self.transport.sendto(data, (address, port))

    async def receive(self, timeout: float | None = None) -> tuple[bytes, Peer]:
        item = await _guarded(self.waiting.get(), timeout)
        if isinstance(item, int):
            raise KernelError(item)
        return item

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class RealSockets:
    """`Network` on asyncio; use it inside a running event loop."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()

    async def udp(self, address: str = "", port: int = 0) -> RealDatagrams:
        loop = asyncio.get_running_loop()
        local = (address or "0.0.0.0", port)
        _, protocol = await _guarded(loop.create_datagram_endpoint(RealDatagrams, local_addr=local))
        return protocol

    async def connect(self, address: str, port: int, timeout: float | None = None) -> RealStream:
        reader, writer = await _guarded(asyncio.open_connection(address, port), timeout, errno.ETIMEDOUT)
        return RealStream(reader, writer)

    async def listen(self, address: str = "", port: int = 0, backlog: int = 128) -> RealListener:
        listener = RealListener()
        sock = _listening_socket(address, port)
        listener.server = await _guarded(asyncio.start_server(listener.connected, sock=sock, backlog=backlog))
        listener.local = sock.getsockname()[:2]
        return listener

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def time(self) -> float:
        return time.time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def _listening_socket(address: str, port: int) -> socket.socket:
    """Of both families where `address` is ""; KernelError as everywhere."""
    family = socket.AF_INET6 if not address or ":" in address else socket.AF_INET
    try:
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            if address:
                raise
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6 and not address:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((address, port))
    except OSError as failure:
        raise KernelError(failure.errno or errno.EIO) from None
    sock.setblocking(False)
    return sock
