"""Sockets for programs, in two sizes.

Commands of `userland` open the emulated kernel's own sockets with `open_socket(proc, family, kind)`:
the process owns them (`ss -p` shows it), they have a descriptor number, and end with it.

Programs of the layers above (name servers, proxies, controllers) must run on both kernels, so they
get an object of the shape of `Network` and use nothing else. Addresses are text, times are seconds,
every failure is KernelError(errno):

    net = Sockets(proc)                          # emulated; RealSockets() in real_sockets.py
    udp = await net.udp("10.0.0.53", 53)
    data, (address, port) = await udp.receive()
    stream = await net.connect("10.0.1.12", 80, timeout=5)
    listener = await net.listen("", 80)
    stream = await listener.accept()
    net.spawn(handle(stream))                    # a task that ends with the program
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, make_socket
from kubenet_course.sim.loop import SECOND, Cancelled, Task, TimeoutExpired
from kubenet_course.wire.addresses import parse_address

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.base import Socket
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.kernel.socket.udp import UdpSocket
    from kubenet_course.userland.process import Process

T = TypeVar("T")
Peer = tuple[str, int]


# -- the shape that both kernels give -----------------------------------------------------------
class Stream(Protocol):
    """A TCP connection; `local` and `peer` are (address, port)."""

    local: Peer
    peer: Peer

    async def read(self, size: int = 65536, timeout: float | None = None) -> bytes:
        """Up to `size` bytes; b"" at the end; KernelError(EAGAIN) after `timeout` s."""

    async def write(self, data: bytes) -> None: ...

    def write_eof(self) -> None:
        """No more will be written (FIN)."""

    def close(self) -> None: ...


class Datagrams(Protocol):
    """A bound UDP socket; `local` is its name."""

    local: Peer

    async def send(self, data: bytes, address: str, port: int, source: str = "") -> None:
        """One datagram; `source` is the address it shall come from (IP_PKTINFO)."""

    async def receive(self, timeout: float | None = None) -> tuple[bytes, Peer]: ...

    async def receive_at(self, timeout: float | None = None) -> tuple[bytes, Peer, str]:
        """As `receive`, and the address it was sent to, which is where an answer comes from."""

    def close(self) -> None: ...


class Listener(Protocol):
    local: Peer

    async def accept(self) -> Stream: ...

    def close(self) -> None: ...


class Network(Protocol):
    """What a program needs of its machine to talk, and to wait."""

    async def udp(
        self, address: str = "", port: int = 0, remote: Peer | None = None, device: str = ""
    ) -> Datagrams:
        """`address` "" is every address of both families. With `remote` only that one is heard (connect(2)).

        With `device` it sends and hears by that device alone (SO_BINDTODEVICE), may broadcast, and shares its port.
        """

    async def connect(self, address: str, port: int, timeout: float | None = None) -> Stream: ...

    async def listen(self, address: str = "", port: int = 0, backlog: int = 128) -> Listener: ...

    async def listen_unix(self, path: str) -> Listener:
        """A socket that is a file; EADDRINUSE where the file is there."""

    async def connect_unix(self, path: str) -> Stream: ...

    async def sleep(self, seconds: float) -> None: ...

    def time(self) -> float:
        """Seconds since 1970."""

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run `work` beside the caller; it ends with the program."""


# -- sockets of a process -----------------------------------------------------------------------
def open_socket(proc: Process, family: int, kind: int, protocol: int = 0) -> Any:
    """socket(2): with an owner and the lowest free descriptor number."""
    sock = make_socket(proc.net, family, kind, protocol)
    return adopt(proc, sock)


def adopt(proc: Process, sock: Any) -> Any:
    """Make `sock` (an accepted connection) the process's own."""
    sock.owner = proc
    sock.fd = free_descriptor(proc)
    return proc.owns(sock)


def free_descriptor(proc: Process) -> int:
    taken = {getattr(resource, "fd", -1) for resource in proc.resources} | set(proc.fds)
    number = 3
    while number in taken:
        number += 1
    return number


def close_socket(proc: Process, sock: Any) -> None:
    """close(2): also out of the process's list, which a long-running server must not let grow."""
    sock.close()
    if sock in proc.resources:
        proc.resources.remove(sock)


class _Ender:
    """Ends a task with its process."""

    def __init__(self, task: Task[Any]):
        self.task = task

    def close(self) -> None:
        self.task.cancel()


def background(proc: Process, work: Coroutine[Any, Any, Any]) -> Task[Any]:
    """A second task of a process. What goes wrong in it in Python is noted as the process's defect."""

    async def run() -> None:
        try:
            await work
        except Cancelled:
            raise
        except KernelError as failure:
            proc.error(f"{proc.comm}: {failure.strerror}")
        except Exception as failure:  # noqa: BLE001 - reported, as Process._run does
            proc.system.defects.append((proc.argv, failure))
            proc.error(f"kubenet: {proc.argv[0]}: internal error: {type(failure).__name__}: {failure}")
        finally:
            if ender in proc.resources:
                proc.resources.remove(ender)

    task = proc.loop.spawn(run(), proc.comm)
    ender = proc.owns(_Ender(task))
    return task


async def within(proc: Process, awaitable: Awaitable[T], seconds: float | None) -> T:
    """The awaitable's value, or KernelError(EAGAIN) when the time is up."""
    try:
        return await proc.loop.wait_for(awaitable, None if seconds is None else round(seconds * SECOND))
    except TimeoutExpired:
        raise KernelError(errno.EAGAIN) from None


# -- the emulated kernel's side of `Network` ----------------------------------------------------
def _ns(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * SECOND)


class EmulatedStream:
    """`Stream` on an emulated TCP socket."""

    def __init__(self, proc: Process, sock: TcpSocket):
        self.proc, self.sock = proc, sock
        self.local: Peer = (str(sock.local), sock.local_port)
        self.peer: Peer = (str(sock.remote), sock.remote_port)

    async def read(self, size: int = 65536, timeout: float | None = None) -> bytes:
        return await self.sock.recv(size, _ns(timeout))

    async def write(self, data: bytes) -> None:
        await self.sock.send(data)

    def write_eof(self) -> None:
        self.sock.shutdown()

    def close(self) -> None:
        close_socket(self.proc, self.sock)


class EmulatedListener:
    """`Listener` on an emulated TCP socket."""

    def __init__(self, proc: Process, sock: TcpSocket):
        self.proc, self.sock = proc, sock
        self.local: Peer = (_name(sock), sock.local_port)

    async def accept(self) -> EmulatedStream:
        sock, _ = await self.sock.accept()
        return EmulatedStream(self.proc, adopt(self.proc, sock))

    def close(self) -> None:
        close_socket(self.proc, self.sock)


class EmulatedDatagrams:
    """`Datagrams` on an emulated UDP socket."""

    def __init__(self, proc: Process, sock: UdpSocket):
        self.proc, self.sock = proc, sock
        self.local: Peer = (_name(sock), sock.local_port)

    async def send(self, data: bytes, address: str, port: int, source: str = "") -> None:
        here = parse_address(source) if source else None
        self.sock.sendto(data, parse_address(address), port, source=here)

    async def receive(self, timeout: float | None = None) -> tuple[bytes, Peer]:
        datagram = await self.sock.recv(_ns(timeout))
        return datagram.data, (str(datagram.source), datagram.port)

    async def receive_at(self, timeout: float | None = None) -> tuple[bytes, Peer, str]:
        datagram = await self.sock.recv(_ns(timeout))
        there = datagram.network.destination
        return datagram.data, (str(datagram.source), datagram.port), "" if there.is_multicast else str(there)

    def close(self) -> None:
        close_socket(self.proc, self.sock)


def _name(sock: Socket) -> str:
    return str(sock.local) if sock.local is not None else ("0.0.0.0" if sock.family == 4 else "::")


class Sockets:
    """`Network` for a process of an emulated machine."""

    def __init__(self, proc: Process):
        self.proc = proc

    async def udp(
        self, address: str = "", port: int = 0, remote: Peer | None = None, device: str = ""
    ) -> EmulatedDatagrams:
        wanted = parse_address(address) if address else None
        there = parse_address(remote[0]) if remote else None
        named = wanted if wanted is not None else there
        sock = open_socket(self.proc, AF_INET if named is not None and named.family == 4 else AF_INET6, SOCK_DGRAM)
        try:
            sock.v6only = wanted is not None and wanted.family == 6
            if device:
                sock.bind_device(device)
                sock.broadcast = sock.reuse_address = True
            if remote is None or wanted is not None or port:
                sock.bind(wanted, port)
            if remote is not None:
                sock.connect(there, remote[1])
        except KernelError:
            close_socket(self.proc, sock)
            raise
        return EmulatedDatagrams(self.proc, sock)

    async def connect(self, address: str, port: int, timeout: float | None = None) -> EmulatedStream:
        wanted = parse_address(address)
        sock = open_socket(self.proc, AF_INET6 if wanted.family == 6 else AF_INET, SOCK_STREAM)
        try:
            await sock.connect(wanted, port, _ns(timeout))
        except KernelError as failure:
            close_socket(self.proc, sock)
            raise KernelError(
                errno.ETIMEDOUT if failure.errno == errno.EINPROGRESS else failure.errno
            ) from None
        return EmulatedStream(self.proc, sock)

    async def listen(self, address: str = "", port: int = 0, backlog: int = 128) -> EmulatedListener:
        """`address` "" is every address, of both families (a dual-stack socket) where IPv6 is there."""
        wanted = parse_address(address) if address else None
        family = AF_INET6 if wanted is None or wanted.family == 6 else AF_INET
        sock = open_socket(self.proc, family, SOCK_STREAM)
        sock.reuse_address = True
        sock.v6only = wanted is not None and family == AF_INET6
        try:
            sock.bind(wanted, port)
            sock.listen(backlog)
        except KernelError:
            close_socket(self.proc, sock)
            raise
        return EmulatedListener(self.proc, sock)

    async def listen_unix(self, path: str) -> Listener:
        from kubenet_course.userland.unix_sockets import UnixListener

        return UnixListener(self.proc, path)

    async def connect_unix(self, path: str) -> Stream:
        from kubenet_course.userland.unix_sockets import connect

        return connect(self.proc, path)

    async def sleep(self, seconds: float) -> None:
        await self.proc.sleep(seconds)

    def time(self) -> float:
        return self.proc.system.host.wall_clock() / SECOND

    def spawn(self, work: Coroutine[Any, Any, Any]) -> Task[Any]:
        return background(self.proc, work)
