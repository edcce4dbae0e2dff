"""The sockets of one namespace, by what finds them when a packet comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket.base import Datagram, Socket, SocketError
from kubenet_course.wire import icmp as icmp4
from kubenet_course.wire import icmpv6

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

#: icmp_err_convert[]: (errno, fatal) by code of ICMP_DEST_UNREACH.
UNREACH_ERRNO = {
    0: (errno.ENETUNREACH, False),
    1: (errno.EHOSTUNREACH, False),
    2: (errno.ENOPROTOOPT, True),
    3: (errno.ECONNREFUSED, True),
    4: (errno.EMSGSIZE, False),
    5: (errno.EOPNOTSUPP, False),
    6: (errno.ENETUNREACH, True),
    7: (errno.EHOSTDOWN, True),
    8: (errno.ENONET, True),
    9: (errno.ENETUNREACH, True),
    10: (errno.EHOSTUNREACH, True),
    11: (errno.ENETUNREACH, False),
    12: (errno.EHOSTUNREACH, False),
    13: (errno.EHOSTUNREACH, True),
    14: (errno.EHOSTUNREACH, True),
    15: (errno.EHOSTUNREACH, True),
}

#: tab_unreach[] of net/ipv6/icmp.c.
UNREACH6_ERRNO = {
    0: (errno.ENETUNREACH, False),
    1: (errno.EACCES, True),
    2: (errno.EHOSTUNREACH, False),
    3: (errno.EHOSTUNREACH, False),
    4: (errno.ECONNREFUSED, True),
    5: (errno.EACCES, True),
    6: (errno.EACCES, True),
}


class SocketTables:
    """`udp` and `tcp` are filled by their protocols; `raw` and `packet` are lists."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.udp: dict[int, list[Any]] = {}
        self.tcp_listen: dict[int, list[Any]] = {}
        #: Who holds which TCP port: listeners, connections and those in TIME_WAIT, in order.
        self.tcp_bound: dict[int, dict[Any, None]] = {}
        self.tcp_established: dict[tuple, Any] = {}
        self.raw: list[Any] = []
        self.packet: list[Any] = []
        self._last_inode = 20000 + net.host.random.randrange(2000)

    def new_inode(self) -> int:
        self._last_inode += 1
        return self._last_inode

    def all(self) -> list[Socket]:
        """Every open socket once."""
        found: dict[int, Socket] = {}
        for table in (self.udp, self.tcp_listen, self.tcp_bound):
            for sockets in table.values():
                found.update((id(sock), sock) for sock in sockets)
        for sock in (*self.tcp_established.values(), *self.raw, *self.packet):
            found[id(sock)] = sock
        return list(found.values())

    def close_all(self) -> None:
        """The namespace goes: connections end without a word."""
        for sock in self.all():
            getattr(sock, "abort", sock.close)()

    def ephemeral_port(self, table: dict[int, list[Any]]) -> int:
        """A free port of net.ipv4.ip_local_port_range; KernelError(EADDRINUSE) if none is left."""
        low, high = map(int, self.net.sysctl.read(("net", "ipv4", "ip_local_port_range")).split())
        span = high - low + 1
        start = self.net.host.random.randrange(span)
        for step in range(span):
            port = low + (start + step) % span
            if port not in table:
                return port
        raise KernelError(errno.EADDRINUSE)

    # -- TCP ports --------------------------------------------------------------------------
    def bind_conflict(self, sock: Any, wanted: Any, port: int, listening: bool = False) -> bool:
        """inet_csk_bind_conflict(): whether somebody holds the port in a way that excludes `sock`."""
        for other in self.tcp_bound.get(port, ()):
            if other is sock:
                continue
            if sock.device is not None and other.device is not None and sock.device is not other.device:
                continue
            if sock.reuse_address and other.reuse_address and other.state != "LISTEN":
                continue
            if sock.reuse_port and other.reuse_port:
                continue
            if listening and other.state != "LISTEN":
                continue
            if _addresses_meet(sock, wanted, other):
                return True
        return False

    def open_port(self, sock: Any, wanted: Any) -> int:
        """inet_csk_find_open_port(): odd ports first, to leave the even ones to connect()."""
        for port in self._candidates(1):
            if not self.bind_conflict(sock, wanted, port):
                return port
        raise KernelError(errno.EADDRINUSE)

    def _candidates(self, parity: int) -> Iterator[int]:
        low, high = map(int, self.net.sysctl.read(("net", "ipv4", "ip_local_port_range")).split())
        reserved = _port_list(self.net.sysctl.read(("net", "ipv4", "ip_local_reserved_ports")))
        span = high - low + 1
        start = self.net.host.random.randrange(span) & ~1 | parity
        for half in (start, start ^ 1):
            for step in range(0, span, 2):
                port = low + (half + step) % span
                if port not in reserved:
                    yield port

    def hash_connect(self, sock: Any) -> None:
        """__inet_hash_connect(): a local port that makes the connection's four numbers unique.

        KernelError(EADDRNOTAVAIL) where there is none.
        """
        if sock.local_port:
            if self._connection_exists(sock, sock.local_port):
                raise KernelError(errno.EADDRNOTAVAIL)
            return
        for port in self._candidates(0):
            holders = self.tcp_bound.get(port, ())
            if any(other.user_bound for other in holders) or (holders and self._connection_exists(sock, port)):
                continue
            sock.local_port = port
            self.hold_port(sock)
            return
        raise KernelError(errno.EADDRNOTAVAIL)

    def _connection_exists(self, sock: Any, port: int) -> bool:
        return (sock.remote, sock.remote_port, sock.local, port, sock.version) in self.tcp_established

    def hold_port(self, sock: Any) -> None:
        self.tcp_bound.setdefault(sock.local_port, {})[sock] = None

    def unbind(self, sock: Any) -> None:
        """inet_put_port()."""
        holders = self.tcp_bound.get(sock.local_port)
        if holders is not None and sock in holders:
            del holders[sock]
            if not holders:
                del self.tcp_bound[sock.local_port]

    # -- delivery ---------------------------------------------------------------------------
    def raw_deliver(self, skb: SkBuff, family: int) -> bool:
        """raw_local_deliver(): every raw socket of the protocol gets a copy."""
        taken = False
        for sock in list(self.raw):
            if sock.family == family and sock.wants(skb):
                taken = True
                if skb.trace is not None:
                    skb.trace.delivered(skb, sock)
                sock.receive(skb)
        return taken

    def ping_deliver(self, skb: SkBuff, family: int) -> None:
        """ping_rcv(): echo replies to ping sockets (SOCK_DGRAM, IPPROTO_ICMP); none are open here
        because net.ipv4.ping_group_range is empty in a fresh namespace, so raw sockets serve."""

    def icmp_error(self, family: int, skb: SkBuff, header: Any, inner: Any, transport: Any, payload: bytes) -> None:
        """An ICMP error about a packet `inner` of ours: find its socket, tell it.

        Redirects are for the routing table only (raw_err(), __udp4_lib_err(), tcp_v4_err()).
        """
        if family == 4 and header.type == icmp4.ICMP_REDIRECT:
            return
        code, hard = _convert(family, header)
        error = SocketError(
            code, skb.network.source, header.type, header.code, header.rest, inner, transport, payload, skb.network, self.net.loop.now
        )
        if family == 4 and inner.protocol in (4, 41, 47) and "ip_tunnels" in self.net.rooms:
            from kubenet_course.kernel.devices._ip_tunnel_input import ip_tunnel_err

            ip_tunnel_err(self.net, inner, header.type, header.code)
        for sock in list(self.raw):
            if sock.family == family and sock.protocol == inner.protocol and sock.error_matches(inner):
                sock.report(error, hard)
        if transport is None:
            return
        if inner.protocol == 17:
            from kubenet_course.kernel.socket.udp import udp_err

            udp_err(self.net, family, error, hard)
        elif inner.protocol == 6:
            from kubenet_course.kernel.socket.tcp import tcp_err

            tcp_err(self.net, family, error, hard)


def _addresses_meet(sock: Any, wanted: Any, other: Any) -> bool:
    """inet_rcv_saddr_equal(): whether two bindings can receive the same packet."""
    theirs = other.local
    version = wanted.family if wanted is not None else sock.family
    other_version = theirs.family if theirs is not None else other.family
    if version != other_version:
        if wanted is None and sock.family == 6 and not sock.v6only:
            return True
        return theirs is None and other.family == 6 and not other.v6only
    return wanted is None or theirs is None or wanted == theirs


def _port_list(text: str) -> set[int]:
    """``8080,30000-30010`` as a set."""
    ports: set[int] = set()
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if low.isdigit():
            ports.update(range(int(low), int(high if high.isdigit() else low) + 1))
    return ports


def _convert(family: int, header: Any) -> tuple[int, bool]:
    """icmp_err_convert / icmpv6_err_convert: (errno, whether it is fatal)."""
    if family == 4:
        if header.type == icmp4.ICMP_DEST_UNREACH:
            return UNREACH_ERRNO.get(header.code, (errno.EHOSTUNREACH, True))
        if header.type == icmp4.ICMP_TIME_EXCEEDED:
            return errno.EHOSTUNREACH, False
        if header.type == icmp4.ICMP_PARAMETERPROB:
            return errno.EPROTO, True
        return errno.EHOSTUNREACH, False
    if header.type == icmpv6.ICMPV6_DEST_UNREACH:
        return UNREACH6_ERRNO.get(header.code, (errno.EPROTO, False))
    if header.type == icmpv6.ICMPV6_PKT_TOOBIG:
        return errno.EMSGSIZE, False
    if header.type == icmpv6.ICMPV6_TIME_EXCEED:
        return errno.EHOSTUNREACH, False
    return errno.EPROTO, header.type == icmpv6.ICMPV6_PARAMPROB


__all__ = ["Datagram", "SocketTables"]
