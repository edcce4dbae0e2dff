"""The sockets of a namespace as records: what ss, netstat, lsof and /proc/net/tcp all print."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.kernel.socket.tcp_minisocks import TcpRequest, TcpTimeWait
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire.addresses import IpAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class SocketRecord(NamedTuple):
    """One socket. `state` is netstat's word; UDP is ESTABLISHED (connected) or CLOSE.

    `family` is the socket's (6 for a mapped IPv4 connection of an IPv6 socket); an address is None
    while it is a wildcard. `timer` is (ss' word, ms left, retransmissions) or None.
    """

    kind: str
    state: str
    family: int
    receive_queue: int
    send_queue: int
    local: IpAddress | None
    local_port: int
    remote: IpAddress | None
    remote_port: int
    v6only: bool
    device: str
    owner: Any
    descriptor: int
    inode: int
    timer: tuple[str, int, int] | None
    sock: Any


def socket_records(net: NetNamespace) -> list[SocketRecord]:
    """All of them: udp, then tcp listeners, then tcp connections, each in the order of making."""
    tables = net.sockets
    found = [_raw(sock) for sock in tables.raw]
    found += [_udp(sock) for sockets in tables.udp.values() for sock in sockets]
    listeners = [_listener(sock) for sockets in tables.tcp_listen.values() for sock in sockets]
    found += sorted(listeners, key=lambda record: record.inode)
    found += [_connection(sock) for sock in tables.tcp_established.values()]
    return found


def _owner(sock: Any) -> tuple[Any, int]:
    return getattr(sock, "owner", None), getattr(sock, "fd", 3)


def _raw(sock: Any) -> SocketRecord:
    owner, fd = _owner(sock)
    waiting = sum(len(one.data) for one in sock.queue)
    state = "ESTABLISHED" if sock.remote is not None else "CLOSE"
    return SocketRecord(
        "raw", state, sock.family, waiting, 0, sock.local, sock.protocol, sock.remote, 0, sock.v6only,
        sock.device.name if sock.device else "", owner, fd, sock.inode, None, sock,
    )  # fmt: skip


def _udp(sock: Any) -> SocketRecord:
    owner, fd = _owner(sock)
    # Each datagram counts with the kernel's overhead (truesize), 768 bytes at least.
    waiting = sum(768 if len(one.data) <= 256 else 1280 + len(one.data) // 1024 * 1024 for one in sock.queue)
    state = "ESTABLISHED" if sock.remote is not None else "CLOSE"
    return SocketRecord(
        "udp", state, sock.family, waiting, 0, sock.local, sock.local_port, sock.remote, sock.remote_port, sock.v6only,
        sock.device.name if sock.device else "", owner, fd, sock.inode, None, sock,
    )  # fmt: skip


def _listener(sock: Any) -> SocketRecord:
    owner, fd = _owner(sock)
    return SocketRecord(
        "tcp", "LISTEN", sock.family, len(sock.accept_queue), sock.backlog, sock.local, sock.local_port, None, 0,
        sock.v6only, sock.device.name if sock.device else "", owner, fd, sock.inode, None, sock,
    )  # fmt: skip


def _connection(sock: Any) -> SocketRecord:
    owner, fd = _owner(sock)
    timer: tuple[str, int, int] | None = None
    waiting = unsent = 0
    if isinstance(sock, TcpTimeWait):
        timer = ("timewait", (sock.until - sock.net.loop.now) // MILLISECOND, 0)
    elif isinstance(sock, TcpRequest):
        left = sock.timer.when - sock.net.loop.now if sock.timer.active else 0
        timer = ("on", left // MILLISECOND, sock.retransmits)
    else:
        waiting = len(sock.rcv.buffer) + (1 if sock.peer_closed and sock.state == "CLOSE_WAIT" else 0)
        unsent = sock.snd.write_seq - sock.snd.una
        timer = _tcp_timer(sock)
    return SocketRecord(
        "tcp", sock.state, sock.family, waiting, unsent, sock.local, sock.local_port, sock.remote, sock.remote_port,
        False, sock.device.name if sock.device else "", owner, fd, sock.inode, timer, sock,
    )  # fmt: skip


def _tcp_timer(sock: Any) -> tuple[str, int, int] | None:
    """idiag_timer: retransmission, probe, keepalive, in this order."""
    if sock.timer_kind in ("rto", "tail") and sock.timer.pending:
        return ("on", sock.timer.left // MILLISECOND, sock.snd.retransmits)
    if sock.timer_kind == "window" and sock.timer.pending:
        return ("persist", sock.timer.left // MILLISECOND, sock.snd.probes)
    if sock.keep_timer.pending and sock.state not in ("CLOSE", "LISTEN"):
        return ("keepalive", sock.keep_timer.left // MILLISECOND, sock.snd.probes)
    return None
