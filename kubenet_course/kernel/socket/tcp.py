"""TCP sockets (net/ipv4/tcp.c, RFC 9293): what a program calls.

    sock = make_socket(net, AF_INET, SOCK_STREAM)
    sock.bind(address, port); sock.listen(128)
    conn, (address, port) = await sock.accept()

    await sock.connect(address, port)
    await sock.send(b"…"); data = await sock.recv(4096)      # b"" at the end
    sock.shutdown(SHUT_WR); sock.close()

Errors are KernelError; `timeout` is in ns of virtual time (KernelError EAGAIN, for `connect`
EINPROGRESS, when it is up). The protocol is in `tcp_demux` (which socket), `tcp_input`, `tcp_ack`,
`tcp_output` (with `tcp_window` and `tcp_xmit`), `tcp_timer` and `tcp_minisocks` (requests, TIME_WAIT).

Length: the socket's calls and its state are one thing.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket import tcp_output as out
from kubenet_course.kernel.socket import tcp_timer
from kubenet_course.kernel.socket.base import Socket
from kubenet_course.kernel.socket.tcp_cong import Congestion
from kubenet_course.kernel.socket.tcp_demux import new_syn_segment, tcp_err, tcp_v4_rcv, tcp_v6_rcv
from kubenet_course.kernel.socket.tcp_input import cleanup_rbuf, rcv_space_adjust
from kubenet_course.kernel.socket.tcp_minisocks import TcpRequest, TcpTimeWait
from kubenet_course.kernel.socket.tcp_state import (
    TCP_TIMEOUT_INIT,
    TCP_TIMEWAIT_LEN,
    LazyTimer,
    ReceiveState,
    SendState,
)
from kubenet_course.kernel.socket.tcp_xmit import route_output
from kubenet_course.sim.loop import MILLISECOND, SECOND
from kubenet_course.wire.addresses import LOOPBACK4, LOOPBACK6, IpAddress, IPv4Address, IPv6Address
from kubenet_course.wire.tcp_options import TcpOptions

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

JIFFY = 4 * MILLISECOND

SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2
#: What a fresh connection may hold unsent, in payload bytes (net.ipv4.tcp_wmem after its first growth).
SEND_BUFFER = 87040


class TcpSocket(Socket):
    """One end of a connection, or a listener. `state` is netstat's word (``ESTABLISHED``, …)."""

    type_name = "tcp"

    def __init__(self, net: NetNamespace, family: int):
        super().__init__(net, family, 6)
        self.state = "CLOSE"
        #: The IP version on the wire: 4 for a mapped IPv4 connection of an IPv6 socket.
        self.version = family
        rmem = net.sysctl.read(("net", "ipv4", "tcp_rmem")).split()
        self.rcv = ReceiveState(int(rmem[1]))
        self.snd = SendState(0, Congestion(net.sysctl.read(("net", "ipv4", "tcp_congestion_control"))))
        self.user_bound = False
        self.peer_options = TcpOptions()
        self.timestamps = self.window_scaling = self.sack_ok = False
        self.ts_offset = 0
        self.ip_ident = 0
        self.mss_clamp = 0
        self.nodelay = self.cork = False
        self.keepalive = False
        self.keep_idle = self.keep_interval = self.keep_count = 0
        self.user_timeout = 0
        self.linger: int | None = None
        self.receive_buffer_locked = False
        self.soft_error = 0
        #: No program holds the socket any more; the kernel finishes it.
        self.orphan = False
        self.shut_receive = self.shut_send = False
        self.peer_closed = False
        self.established_at = 0
        self.requests: set[TcpRequest] = set()
        self.accept_queue: deque[TcpSocket] = deque()
        self.backlog = 0
        self.timer_kind = ""
        self.timer = LazyTimer(net.loop, self._timer_fired)
        self.delack_timer = LazyTimer(net.loop, self._delack_fired)
        self.keep_timer = LazyTimer(net.loop, self._keepalive_fired)

    # -- names ------------------------------------------------------------------------------
    def bind(self, address: IpAddress | None, port: int, *, scope: str = "") -> None:
        """KernelError: EADDRINUSE, EADDRNOTAVAIL, EINVAL (bound already), ENODEV (no such scope)."""
        if self.local_port or self.state != "CLOSE":
            raise KernelError(errno.EINVAL)
        wanted = address if address is not None and address != 0 else None
        if wanted is not None and self.family == 4 and not isinstance(wanted, IPv4Address):
            raise KernelError(errno.EAFNOSUPPORT)
        if scope:
            self.device = self.net.device(scope)
        if wanted is not None and not (self.freebind or self.transparent or self._nonlocal_bind(wanted)):
            ip = self.net.ipv4 if wanted.family == 4 else self.net.ipv6
            if not ip.is_local(wanted, self.device):
                raise KernelError(errno.EADDRNOTAVAIL)
        tables = self.net.sockets
        if port:
            if tables.bind_conflict(self, wanted, port):
                raise KernelError(errno.EADDRINUSE)
        else:
            port = tables.open_port(self, wanted)
        self.local, self.local_port = wanted, port
        self.user_bound = True
        tables.hold_port(self)

    def _nonlocal_bind(self, wanted: IpAddress) -> bool:
        name = "ipv4" if wanted.family == 4 else "ipv6"
        return bool(self.net.sysctl.get_int("net", name, "ip_nonlocal_bind"))

    def listen(self, backlog: int = 128) -> None:
        """inet_csk_listen_start(); an unbound socket gets a free port."""
        if self.state == "LISTEN":
            self.backlog = min(backlog, self.net.sysctl.get_int("net", "core", "somaxconn"))
            return
        if self.state != "CLOSE" or self.closed:
            raise KernelError(errno.EINVAL)
        if not self.local_port:
            self.bind(None, 0)
        tables = self.net.sockets
        if tables.bind_conflict(self, self.local, self.local_port, listening=True):
            raise KernelError(errno.EADDRINUSE)
        self.backlog = min(max(backlog, 0), self.net.sysctl.get_int("net", "core", "somaxconn"))
        self.state = "LISTEN"
        tables.tcp_listen.setdefault(self.local_port, []).append(self)

    async def accept(self, timeout: int | None = None) -> tuple[TcpSocket, tuple[IpAddress, int]]:
        """The next connection and its peer; KernelError(EINVAL) where it does not listen."""
        deadline = None if timeout is None else self.net.loop.now + timeout
        while not self.accept_queue:
            if self.closed:
                raise KernelError(errno.EBADF)
            if self.state != "LISTEN":
                raise KernelError(errno.EINVAL)
            await self._wait(deadline)
        child = self.accept_queue.popleft()
        assert child.remote is not None
        return child, (child.remote, child.remote_port)

    def inherit(self, child: TcpSocket) -> None:
        """What a connection takes over from its listener."""
        for name in (
            "ttl", "tos", "mark", "reuse_address", "reuse_port", "transparent", "freebind", "v6only", "nodelay", "keepalive",
            "keep_idle", "keep_interval", "keep_count", "mss_clamp", "user_timeout", "linger", "receive_buffer_locked",
        ):  # fmt: skip
            setattr(child, name, getattr(self, name))
        child.rcv.limit = self.rcv.limit

    # -- connecting -------------------------------------------------------------------------
    async def connect(
        self, address: IpAddress, port: int, timeout: int | None = None, *, scope: str = ""
    ) -> None:
        """KernelError: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EISCONN, …;
        EINPROGRESS when `timeout` is up first (the attempt goes on until the socket is closed)."""
        self.start_connect(address, port, scope=scope)
        deadline = None if timeout is None else self.net.loop.now + timeout
        while self.state in ("SYN_SENT", "SYN_RECV"):
            try:
                await self._wait(deadline)
            except KernelError as failure:
                raise KernelError(
                    errno.EINPROGRESS if failure.errno == errno.EAGAIN else failure.errno
                ) from None
        self.raise_pending()
        if self.state == "CLOSE":
            raise KernelError(errno.ECONNABORTED)

    def start_connect(self, address: IpAddress, port: int, *, scope: str = "") -> None:
        """tcp_v4_connect(): choose names and send the SYN, without waiting."""
        if self.state in ("SYN_SENT", "SYN_RECV"):
            raise KernelError(errno.EALREADY)
        if self.state != "CLOSE" or self.closed:
            raise KernelError(errno.EISCONN)
        if self.family == 6 and isinstance(address, IPv6Address) and int(address) >> 32 == 0xFFFF:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        if self.family == 4 and not isinstance(address, IPv4Address):
            raise KernelError(errno.EAFNOSUPPORT)
        if address == 0:
            address = LOOPBACK4 if isinstance(address, IPv4Address) else LOOPBACK6
        if scope:
            self.device = self.net.device(scope)
        if address.is_link_local and address.family == 6 and self.device is None:
            raise KernelError(errno.EINVAL)  # tcp_v6_connect(): such an address needs an interface
        self.version = address.family
        source = self.local if self.local is not None and self.local.family == address.family else None
        rt = route_output(
            self.net,
            self.version,
            address,
            source,
            ports=(self.local_port, port),
            device=self.device,
            mark=self.mark,
            tos=self.tos,
            connect=True,
        )
        if getattr(rt, "type", "") in ("broadcast", "multicast") or address.is_multicast:
            raise KernelError(errno.ENETUNREACH)
        bound_to = self.local
        self.local = source if source is not None else rt.source
        self.remote, self.remote_port = address, port
        try:
            self.net.sockets.hash_connect(self)
        except KernelError:
            self.local, self.remote, self.remote_port = bound_to, None, 0
            raise
        self._send_first_syn(rt)

    def _send_first_syn(self, rt: Any) -> None:
        """tcp_connect()."""
        random = self.net.host.random
        iss = random.getrandbits(32)
        self.ts_offset = random.getrandbits(32)
        self.begin(iss)
        snd, rcv = self.snd, self.rcv
        rcv.advmss = out.advertised_mss(self.version, rt)
        if self.mss_clamp:
            rcv.advmss = min(rcv.advmss, self.mss_clamp)
        scaling = bool(self.net.sysctl.get_int("net", "ipv4", "tcp_window_scaling"))
        rcv.window, rcv.scale = out.initial_window(self.net, rcv.limit, rcv.advmss, scaling)
        rcv.clamp = 65535 << 14
        snd.pmtu = rt.mtu
        self.state = "SYN_SENT"
        self.hash()
        self.net.count("TcpActiveOpens")
        seg = new_syn_segment(self)
        seg.sent = self.net.loop.now
        snd.rtx.append(seg)
        snd.nxt = snd.write_seq = snd.pushed = snd.small_end = seg.end
        self.set_timer("rto", TCP_TIMEOUT_INIT)
        out.send_syn(self, seg)

    def begin(self, iss: int) -> None:
        """Fresh sequence numbers and identifiers for a new connection."""
        snd = self.snd
        snd.una = snd.nxt = snd.write_seq = snd.pushed = snd.small_end = snd.high = iss
        self.ip_ident = self.net.host.random.getrandbits(16)

    def hash(self) -> None:
        self.net.sockets.tcp_established[self.key] = self

    @property
    def key(self) -> tuple:
        return (self.remote, self.remote_port, self.local, self.local_port, self.version)

    # -- data -------------------------------------------------------------------------------
    @property
    def send_buffer(self) -> int:
        return max(SEND_BUFFER, 2 * self.snd.congestion.cwnd * self.snd.mss)

    async def send(self, data: bytes, timeout: int | None = None) -> int:
        """All of `data` into the send queue, waiting for room; KernelError(EPIPE, ECONNRESET, …)."""
        deadline = None if timeout is None else self.net.loop.now + timeout
        view = bytes(data)
        at = 0
        while True:
            self._check_sendable()
            room = self.send_buffer - self.snd.queued
            if self.state not in ("SYN_SENT", "SYN_RECV") and (room > 0 or at >= len(view)):
                piece = view[at : at + room]
                at += len(piece)
                if piece:
                    out.queue_data(self, piece)
                    out.push(self)
                if at >= len(view):
                    break
                continue
            await self._wait(deadline)
        # The call returns when the packets it caused have run their course, as softirqs do.
        await self.net.loop.sleep(0)
        return len(view)

    def send_now(self, data: bytes) -> int:
        """send(2) with MSG_DONTWAIT: how many bytes there was room for; KernelError as `send`."""
        self._check_sendable()
        piece = data[: max(self.send_buffer - self.snd.queued, 0)]
        if piece and self.state not in ("SYN_SENT", "SYN_RECV"):
            out.queue_data(self, piece)
            out.push(self)
            return len(piece)
        return 0

    def _check_sendable(self) -> None:
        self.raise_pending()
        if self.closed:
            raise KernelError(errno.EBADF)
        if self.shut_send or self.state in ("CLOSE", "LISTEN"):
            raise KernelError(errno.EPIPE if self.shut_send or self.remote is not None else errno.ENOTCONN)

    async def recv(self, n: int = 65536, timeout: int | None = None) -> bytes:  # type: ignore[override]
        """Up to `n` bytes, at least one; b"" once the other side has closed."""
        deadline = None if timeout is None else self.net.loop.now + timeout
        rcv = self.rcv
        while not rcv.buffer:
            if self.closed:
                raise KernelError(errno.EBADF)
            if self.so_error:
                self.raise_pending()
            if self.peer_closed or self.shut_receive:
                return b""
            if self.state in ("CLOSE", "LISTEN"):
                if self.remote is not None:
                    return b""
                raise KernelError(errno.ENOTCONN)
            await self._wait(deadline)
        data = bytes(rcv.buffer[:n])
        del rcv.buffer[:n]
        rcv.copied += len(data)
        rcv_space_adjust(self)
        if self.state not in ("CLOSE", "TIME_WAIT"):
            cleanup_rbuf(self, len(data))
        return data

    async def _wait(self, deadline: int | None) -> None:
        left = None if deadline is None else deadline - self.net.loop.now
        if left is not None and left <= 0:
            raise KernelError(errno.EAGAIN)
        await self.wait_ready(left)

    # -- ending -----------------------------------------------------------------------------
    def shutdown(self, how: int = SHUT_WR) -> None:
        """inet_shutdown(); KernelError(ENOTCONN)."""
        if self.state == "LISTEN" and how != SHUT_WR:
            self._stop_listening()
            return
        if self.state in ("CLOSE", "LISTEN"):
            raise KernelError(errno.ENOTCONN)
        if how in (SHUT_RD, SHUT_RDWR):
            self.shut_receive = True
        if how in (SHUT_WR, SHUT_RDWR) and not self.shut_send:
            self.shut_send = True
            if self.state == "SYN_SENT":
                self.done()
            else:
                self._close_state()
        self.ready.notify()

    def _close_state(self) -> None:
        """tcp_close_state() and tcp_send_fin()."""
        following = {"ESTABLISHED": "FIN_WAIT1", "SYN_RECV": "FIN_WAIT1", "CLOSE_WAIT": "LAST_ACK"}.get(
            self.state
        )
        if following is not None:
            self.state = following
            out.queue_fin(self)

    def close(self) -> None:
        """tcp_close(): FIN, or RST where data was left unread; the kernel goes on until it is over."""
        if self.closed:
            return
        self.closed = True
        self.orphan = True
        self.owner = None
        self.ready.notify()
        if self.state == "LISTEN":
            self._stop_listening()
            return
        if self.state in ("CLOSE", "SYN_SENT"):
            self.done()
            return
        unread = bool(self.rcv.buffer)
        self.rcv.buffer.clear()
        self.shut_receive = True
        if unread or self.linger == 0:
            if self.state in ("ESTABLISHED", "CLOSE_WAIT", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV"):
                self.net.count("TcpExtTCPAbortOnClose")
                out.send_active_reset(self)
            self.done()
            return
        if not self.shut_send:
            self.shut_send = True
            self._close_state()
        if self.state == "FIN_WAIT2":
            self.orphan_wait()

    def orphan_wait(self) -> None:
        """FIN_WAIT2 without a program: wait for the other side's FIN, tcp_fin_timeout long."""
        if self.state == "FIN_WAIT2":
            self.enter_time_wait("FIN_WAIT2")

    def abort(self) -> None:
        """Gone without a word (its namespace is)."""
        self.closed = True
        if self.state == "LISTEN":
            self._stop_listening()
        else:
            self.done()

    def _stop_listening(self) -> None:
        """inet_csk_listen_stop(): what waited to be accepted is reset."""
        tables = self.net.sockets
        listeners = tables.tcp_listen.get(self.local_port, [])
        if self in listeners:
            listeners.remove(self)
            if not listeners:
                del tables.tcp_listen[self.local_port]
        self.state = "CLOSE"
        for request in list(self.requests):
            request.drop()
        for child in self.accept_queue:
            if child.state not in ("CLOSE", "TIME_WAIT"):
                out.send_active_reset(child)
            child.closed = True
            child.done()
        self.accept_queue.clear()
        tables.unbind(self)
        self.local_port = 0
        self.ready.notify()

    def fail(self, code: int) -> None:
        """The connection ends with an error that the program's next call reports."""
        self.so_error = code
        self.peer_closed = True
        self.done()

    def done(self) -> None:
        """tcp_done(): CLOSE, out of the tables, no more timers."""
        tables = self.net.sockets
        if self.state in ("SYN_SENT", "SYN_RECV"):
            self.net.count("TcpAttemptFails")
        elif self.state in ("ESTABLISHED", "CLOSE_WAIT"):
            self.net.count("TcpEstabResets")
        if self.remote is not None and tables.tcp_established.get(self.key) is self:
            del tables.tcp_established[self.key]
        tables.unbind(self)
        self.state = "CLOSE"
        self.shut_send = True
        self._kill_timers()
        self.snd.unsent.clear()
        self.snd.rtx.clear()
        self.snd.lost = self.snd.sacked = 0
        self.ready.notify()

    def enter_time_wait(self, state: str) -> None:
        """tcp_time_wait(): a small socket takes over."""
        timeout = TCP_TIMEWAIT_LEN
        if state == "FIN_WAIT2":
            timeout = self.net.sysctl.get_int("net", "ipv4", "tcp_fin_timeout") * SECOND
        tables = self.net.sockets
        self.net.count("TcpExtTW")
        small = TcpTimeWait(self, state, timeout)
        self.done()
        tables.tcp_established[small.key] = small
        tables.hold_port(small)

    def unhash(self) -> None:
        self.done()

    # -- timers -----------------------------------------------------------------------------
    def set_state(self, state: str) -> None:
        self.state = state

    def set_timer(self, kind: str, delay: int) -> None:
        """In `delay` ns; the timer wheel is never early, so a jiffy (4 ms) comes on top."""
        self.timer_kind = kind
        self.timer.set(delay + JIFFY)

    def rearm_rto(self) -> None:
        """tcp_rearm_rto()."""
        if not self.snd.rtx:
            self.clear_rto()
            return
        self.set_timer("rto", self.snd.rto)

    def clear_rto(self) -> None:
        self.timer_kind = ""
        self.timer.clear()

    def schedule_probe(self) -> None:
        tcp_timer.schedule_probe(self)

    def check_probe_timer(self) -> None:
        tcp_timer.check_probe_timer(self)

    def set_keepalive(self, on: bool, idle: int = 0, interval: int = 0, count: int = 0) -> None:
        """SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL (ns) and TCP_KEEPCNT; 0 leaves the sysctl's."""
        self.keepalive, self.keep_idle, self.keep_interval, self.keep_count = on, idle, interval, count
        if on and self.state not in ("CLOSE", "LISTEN"):
            self.arm_keepalive()
        elif not on:
            self.keep_timer.clear()

    def arm_keepalive(self) -> None:
        self.keep_timer.set(tcp_timer.keepalive_times(self)[0])

    def _timer_fired(self) -> None:
        tcp_timer.timer_fired(self)

    def _delack_fired(self) -> None:
        tcp_timer.delack_fired(self)

    def _keepalive_fired(self) -> None:
        tcp_timer.keepalive_fired(self)

    def _kill_timers(self) -> None:
        self.timer_kind = ""
        for timer in (self.timer, self.delack_timer, self.keep_timer):
            timer.kill()


__all__ = ["SHUT_RD", "SHUT_RDWR", "SHUT_WR", "TcpSocket", "tcp_err", "tcp_v4_rcv", "tcp_v6_rcv"]
