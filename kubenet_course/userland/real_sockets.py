"""The shape of `sockets.Network` on the computer's own kernel, with asyncio.

For programs of ours that run as processes inside a real machine of the lab (a name server in a real
namespace). Nothing of the emulated kernel is imported but the shape.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Coroutine
from functools import lru_cache
from typing import Any, TypeVar

from kubenet_course import errno
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
    """`Stream` on asyncio's streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        names = [writer.get_extra_info(which) for which in ("sockname", "peername")]
        self.local, self.peer = ((name, 0) if isinstance(name, str) else _plain(name) for name in names)

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
    """`Listener` on an asyncio server."""

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


class RealDatagrams:
    """A UDP socket that waits through the event loop; a dual-stack one speaks of IPv4 addresses as such."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.six = sock.family == socket.AF_INET6
        self.connected = False
        self.local: Peer = _plain(sock.getsockname())
        self._ready: asyncio.Future[None] | None = None
        self._buffer = memoryview(bytearray(65535))

    def _readable(self) -> None:
        asyncio.get_running_loop().remove_reader(self.sock)
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def send(self, data: bytes, address: str, port: int, source: str = "") -> None:
        there: tuple[Any, ...] = (f"::ffff:{address}" if self.six and ":" not in address else address, port)
        ancillary = _packet_info(source, self.six) if source else []
        try:
            self.sock.sendmsg([data], ancillary, 0, *(() if self.connected else (there,)))
        except BlockingIOError:
            return  # a full queue: a datagram may get lost
        except OSError as failure:
            raise KernelError(failure.errno or errno.EIO) from None

    async def receive(self, timeout: float | None = None) -> tuple[bytes, Peer]:
        data, peer, _ = await self.receive_at(timeout)
        return data, peer

    async def receive_at(self, timeout: float | None = None) -> tuple[bytes, Peer, str]:
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            try:
                size, ancillary, _, peer = self.sock.recvmsg_into([self._buffer], 64)
            except (BlockingIOError, InterruptedError):
                self._ready = loop.create_future()
                loop.add_reader(self.sock, self._readable)
                await _guarded(self._ready, None if deadline is None else max(0.0, deadline - loop.time()))
                continue
            except OSError as failure:
                raise KernelError(failure.errno or errno.EIO) from None
            local = _destination(*ancillary[0]) if ancillary else ""
            return bytes(self._buffer[:size]), _plain(peer), local

    def close(self) -> None:
        if self.sock.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self.sock)
        self.sock.close()
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(KernelError(errno.EBADF))


def _plain(name: tuple[Any, ...]) -> Peer:
    """(address, port), an IPv4-mapped address as the IPv4 address it is."""
    return name[0].removeprefix("::ffff:") if "." in name[0] else name[0], name[1]


IP_PKTINFO = 8  # <linux/in.h>; Python's socket module does not name it


@lru_cache(256)
def _packet_info(source: str, six: bool) -> list[tuple[int, int, bytes]]:
    """The control message that chooses where a datagram comes from (ip(7), ipv6(7))."""
    if six:
        text = source if ":" in source else f"::ffff:{source}"
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, socket.inet_pton(socket.AF_INET6, text) + bytes(4))]
    return [(socket.IPPROTO_IP, IP_PKTINFO, bytes(4) + socket.inet_aton(source) + bytes(4))]


@lru_cache(256)
def _destination(level: int, kind: int, data: bytes) -> str:
    """The address in a control message that tells where a datagram was sent to."""
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
        return _plain((socket.inet_ntop(socket.AF_INET6, data[:16]), 0))[0]
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO:
        return socket.inet_ntoa(data[8:12])
    return ""


class RealSockets:
    """`Network` on asyncio; use it inside a running event loop."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()

    async def udp(
        self, address: str = "", port: int = 0, remote: Peer | None = None, device: str = ""
    ) -> RealDatagrams:
        sock = _udp_socket(address or (remote[0] if remote else ""))
        try:
            if device:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if remote is None or address or port:
                sock.bind((address, port))
            if remote is not None:
                sock.connect(remote)
        except OSError as failure:
            sock.close()
            raise KernelError(failure.errno or errno.EIO) from None
        datagrams = RealDatagrams(sock)
        datagrams.connected = remote is not None
        return datagrams

    async def connect(self, address: str, port: int, timeout: float | None = None) -> RealStream:
        reader, writer = await _guarded(asyncio.open_connection(address, port), timeout, errno.ETIMEDOUT)
        return RealStream(reader, writer)

    async def listen(self, address: str = "", port: int = 0, backlog: int = 128) -> RealListener:
        listener = RealListener()
        sock = _listening_socket(address, port)
        listener.server = await _guarded(asyncio.start_server(listener.connected, sock=sock, backlog=backlog))
        listener.local = sock.getsockname()[:2]
        return listener

    async def listen_unix(self, path: str) -> RealListener:
        if os.path.lexists(path):
            raise KernelError(errno.EADDRINUSE)
        listener = RealListener()
        listener.server = await _guarded(asyncio.start_unix_server(listener.connected, path))
        listener.local = (path, 0)
        return listener

    async def connect_unix(self, path: str) -> RealStream:
        reader, writer = await _guarded(asyncio.open_unix_connection(path))
        return RealStream(reader, writer)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def time(self) -> float:
        return time.time()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def _udp_socket(address: str) -> socket.socket:
    """Of both families where `address` is "" (and IPv6 is there); it tells where datagrams were sent to."""
    sock = None
    if not address or ":" in address:
        try:
            sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if not address else 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        except OSError as failure:
            if address:
                raise KernelError(failure.errno or errno.EIO) from None
            sock = None
    if sock is None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
    sock.setblocking(False)
    return sock


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
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address else 0)
        sock.bind((address, port))
    except OSError as failure:
        raise KernelError(failure.errno or errno.EIO) from None
    sock.setblocking(False)
    return sock
