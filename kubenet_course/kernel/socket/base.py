"""What all sockets share: the queue a program waits on, options, errors, closing."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import Future, Signal, TimeoutExpired
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace


class Datagram(NamedTuple):
    """One received packet: its data and sender, and for raw sockets the headers as well."""

    data: bytes
    source: IpAddress
    port: int
    network: Any = None
    transport: Any = None
    dev: Any = None
    time: int = 0


class SocketError(NamedTuple):
    """One entry of the error queue (IP_RECVERR): `errno`, and the ICMP message if any.

    `offender` sent the ICMP error; `network`, `transport`, `payload` are the quoted packet's.
    """

    errno: int
    offender: IpAddress | None
    type: int
    code: int
    info: int
    network: Any
    transport: Any
    payload: bytes
    reply: Any = None
    time: int = 0


class Socket:
    """The base of every socket. `local` and `remote` are addresses, None while unset.

    Reading waits in virtual time: ``await sock.recv()``; with `timeout` in ns, KernelError(EAGAIN)
    when it is up. A pending error (`so_error`) is raised once, as KernelError.
    """

    type_name = ""
    dont_fragment: bool | None = None
    broadcast = False
    recv_errors = False
    reuse_address = False
    reuse_port = False
    transparent = False
    freebind = False
    v6only = False
    queue_limit = 1000
    owner: Any = None
    drops = 0

    def __init__(self, net: NetNamespace, family: int, protocol: int):
        self.net = net
        self.family = family
        self.protocol = protocol
        self.local: IpAddress | None = None
        self.local_port = 0
        self.remote: IpAddress | None = None
        self.remote_port = 0
        self.device: NetDevice | None = None
        self.ttl = 0
        self.tos = 0
        self.mark = 0
        self.options: dict[str, Any] = {}
        self.so_error = 0
        self.errors: deque[SocketError] = deque()
        self.queue: deque[Datagram] = deque()
        self.closed = False
        self.ready = Signal(net.loop)
        self.inode = net.sockets.new_inode()

    # -- waiting ----------------------------------------------------------------------------
    async def wait_ready(self, timeout: int | None = None) -> None:
        """Wait until something arrived; KernelError(EAGAIN) after `timeout` ns."""
        future: Future[None] = self.ready.wait()
        try:
            await self.net.loop.wait_for(future, timeout)
        except TimeoutExpired:
            raise KernelError(errno.EAGAIN) from None

    async def recv(self, timeout: int | None = None) -> Datagram:
        """The next datagram."""
        deadline = None if timeout is None else self.net.loop.now + timeout
        while not self.queue:
            self.raise_pending()
            if self.closed:
                raise KernelError(errno.EBADF)
            left = None if deadline is None else deadline - self.net.loop.now
            if left is not None and left <= 0:
                raise KernelError(errno.EAGAIN)
            await self.wait_ready(left)
        return self.queue.popleft()

    def raise_pending(self) -> None:
        """sock_error(): raise and clear a pending error."""
        if self.so_error:
            code, self.so_error = self.so_error, 0
            raise KernelError(code)

    def deliver(self, datagram: Datagram) -> bool:
        """Queue a datagram for the program; False where the queue is full."""
        if len(self.queue) >= self.queue_limit:
            self.drops += 1
            return False
        self.queue.append(datagram)
        self.ready.notify()
        return True

    def report(self, error: SocketError, hard: bool) -> None:
        """ip_icmp_error(): note an ICMP error; `hard` makes the next call fail with it."""
        if self.recv_errors:
            self.errors.append(error)
        if hard or self.recv_errors:
            self.so_error = error.errno
        self.ready.notify()

    # -- options ----------------------------------------------------------------------------
    def bind_device(self, name: str) -> None:
        """SO_BINDTODEVICE: KernelError(ENODEV)."""
        self.device = self.net.device(name) if name else None

    def close(self) -> None:
        """Forget the socket; what waits in its queue is gone."""
        if self.closed:
            return
        self.closed = True
        self.unhash()
        self.queue.clear()
        self.ready.notify()

    def unhash(self) -> None:
        """Take the socket out of the namespace's tables."""
