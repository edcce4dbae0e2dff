"""Connections that are not yet, or no longer, a whole socket (net/ipv4/tcp_minisocks.c).

`TcpRequest` stands for a handshake that a listener has answered (SYN_RECV); `TcpTimeWait` for a closed
connection whose last segments may still be about (60 s). Both live in the table of connections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_master
from kubenet_course.kernel.socket import tcp_output as out
from kubenet_course.kernel.socket.tcp_state import (
    MASK,
    TCP_RTO_MAX,
    TCP_TIMEOUT_INIT,
    TCP_TIMEWAIT_LEN,
    unwrap,
)
from kubenet_course.kernel.socket.tcp_window import receive_window
from kubenet_course.kernel.socket.tcp_xmit import answer, route_output, send_reset, send_segment
from kubenet_course.sim.loop import MILLISECOND, SECOND
from kubenet_course.wire.tcp import ACK, FIN, RST, SYN, TcpHeader
from kubenet_course.wire.tcp_options import TcpOptions

if TYPE_CHECKING:
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.kernel.socket.tcp import TcpSocket


#: Both ends' timers run out in the same tick; the one that was set last is looked at first.
JIFFY = MILLISECOND


class TcpRequest:
    """struct tcp_request_sock."""

    state = "SYN_RECV"
    owner: Any = None
    inode = 0
    type_name = "tcp"

    def __init__(self, listener: TcpSocket, skb: SkBuff, options: TcpOptions):
        net = listener.net
        ip, tcp = skb.network, skb.transport
        self.net = net
        self.listener = listener
        self.family = listener.family
        self.version = ip.destination.family
        self.local, self.local_port = ip.destination, tcp.destination_port
        self.remote, self.remote_port = ip.source, tcp.source_port
        self.device = skb.in_dev if self.version == 6 and ip.source.is_link_local else listener.device
        if self.device is None and net.sysctl.get_int("net", "ipv4", "tcp_l3mdev_accept"):
            self.device = l3mdev_master(skb.in_dev)  # inet_request_bound_dev_if()
        self.peer_seq = tcp.sequence
        self.options = options
        self.peer_window = tcp.window
        self.ts_recent = options.timestamp[0] if options.timestamp else 0
        random = net.host.random
        self.iss = random.getrandbits(32)
        self.ts_offset = random.getrandbits(32)
        self.retransmits = 0
        self.acked = self.unroutable = False
        self.mark = listener.mark
        self.started = self.sent = net.loop.now
        self.timeout = TCP_TIMEOUT_INIT
        self.window = self.scale = self.advmss = 0
        self.timer = net.loop.call_later(self.timeout - JIFFY, self._timer)

    @property
    def key(self) -> tuple:
        return (self.remote, self.remote_port, self.local, self.local_port, self.version)

    def send_synack(self, skb: SkBuff | None = None) -> bool:
        """tcp_v4_send_synack(); False where there is no route back, or a rule of OUTPUT stopped it."""
        listener = self.listener
        try:
            rt = route_output(
                self.net, self.version, self.remote, self.local, ports=(self.local_port, self.remote_port),
                device=self.device, mark=self.mark, tos=listener.tos,
            )  # fmt: skip
        except KernelError:
            self.unroutable = True
            return False
        self.advmss = out.advertised_mss(self.version, rt)
        room = self.advmss - (12 if self._timestamps else 0)
        scaling = (
            bool(self.net.sysctl.get_int("net", "ipv4", "tcp_window_scaling"))
            and self.options.window_scale is not None
        )
        self.window, self.scale = out.initial_window(self.net, listener.rcv.limit, room, scaling)
        get = self.net.sysctl.get_int
        offer = TcpOptions(
            mss=min(self.advmss, listener.mss_clamp or 65535),
            window_scale=self.scale if scaling else None,
            sack_permitted=self.options.sack_permitted and bool(get("net", "ipv4", "tcp_sack")),
            timestamp=(self.timestamp(), self.ts_recent) if self._timestamps else None,
        )
        header = TcpHeader(
            self.local_port, self.remote_port, self.iss, (self.peer_seq + 1) & MASK, SYN | ACK,
            min(self.window, 65535), offer.encode(),
        )  # fmt: skip
        return send_segment(
            self.net, self.version, rt, header, b"", self.local, ttl=listener.ttl, tos=listener.tos, mark=self.mark,
            sk=listener, cause=skb,
        )  # fmt: skip

    @property
    def _timestamps(self) -> bool:
        return self.options.timestamp is not None and bool(
            self.net.sysctl.get_int("net", "ipv4", "tcp_timestamps")
        )

    def timestamp(self) -> int:
        return (self.net.loop.now // MILLISECOND + self.ts_offset) & MASK

    def _timer(self) -> None:
        """reqsk_timer_handler(): the SYN-ACK again, at 1, 3, 7, 15 and 31 s."""
        listener = self.listener
        if listener.state != "LISTEN" or self.retransmits >= self.net.sysctl.get_int(
            "net", "ipv4", "tcp_synack_retries"
        ):
            self.drop()
            return
        self.retransmits += 1
        self.net.count("TcpRetransSegs")
        if not self.send_synack():
            self.drop()  # what cannot even be sent is not waited for
            return
        self.timeout = min(self.timeout * 2, TCP_RTO_MAX)
        self.timer = self.net.loop.call_later(self.timeout, self._timer)

    def drop(self) -> None:
        """Out of the tables."""
        self.timer.cancel()
        self.listener.requests.discard(self)
        if self.net.sockets.tcp_established.get(self.key) is self:
            del self.net.sockets.tcp_established[self.key]

    def abort(self) -> None:
        self.drop()

    close = abort


class TcpTimeWait:
    """struct tcp_timewait_sock; `state` is TIME_WAIT, or FIN_WAIT2 where the other side is still to close."""

    owner: Any = None
    inode = 0
    type_name = "tcp"

    def __init__(self, sk: TcpSocket, state: str, timeout: int = TCP_TIMEWAIT_LEN):
        self.net = sk.net
        self.family, self.version = sk.family, sk.version
        self.local, self.local_port = sk.local, sk.local_port
        self.remote, self.remote_port = sk.remote, sk.remote_port
        self.device, self.mark, self.tos, self.ttl = sk.device, sk.mark, sk.tos, sk.ttl
        self.state = state
        self.reuse_address, self.reuse_port = sk.reuse_address, sk.reuse_port
        self.v6only = sk.v6only
        self.snd_nxt = sk.snd.nxt  # type: ignore[has-type]
        self.rcv_nxt = sk.rcv.nxt  # type: ignore[has-type]
        self.window = sk.rcv.window >> sk.rcv.scale  # type: ignore[has-type]
        self.window_size = receive_window(sk)
        self.timestamps = sk.timestamps  # type: ignore[has-type]
        self.ts_recent = sk.rcv.ts_recent  # type: ignore[has-type]
        self.ts_offset = sk.ts_offset  # type: ignore[has-type]
        self.ts_recent_time = sk.rcv.ts_recent_time  # type: ignore[has-type]
        self.user_bound = sk.user_bound  # type: ignore[has-type]
        self.last_ack = -SECOND
        self.until = 0
        self.timer: Any = None
        self._arm(timeout)

    @property
    def key(self) -> tuple:
        return (self.remote, self.remote_port, self.local, self.local_port, self.version)

    def _arm(self, timeout: int) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.until = self.net.loop.now + timeout
        self.timer = self.net.loop.call_later(timeout, self.drop)

    def drop(self) -> None:
        """inet_twsk_kill()."""
        self.timer.cancel()
        tables = self.net.sockets
        if tables.tcp_established.get(self.key) is self:
            del tables.tcp_established[self.key]
        tables.unbind(self)

    def abort(self) -> None:
        self.drop()

    close = abort

    def receive(self, skb: SkBuff) -> bool:
        """tcp_timewait_state_process(); False: a SYN that may open a new connection in its place."""
        tcp = skb.transport
        options = TcpOptions.decode(tcp.options) if tcp.options else TcpOptions()
        seq = unwrap(tcp.sequence, self.rcv_nxt)
        end = seq + len(skb.payload) + (tcp.flags & FIN) + (tcp.flags >> 1 & 1)
        stale = bool(
            self.timestamps
            and options.timestamp
            and unwrap(options.timestamp[0], self.ts_recent) < self.ts_recent
        )
        if self.state == "FIN_WAIT2":
            self._fin_wait2(skb, tcp, options, seq, end, stale)
            return True
        if not stale and seq == self.rcv_nxt and (seq == end or tcp.flags & RST):
            if tcp.flags & RST:
                if not self.net.sysctl.get_int("net", "ipv4", "tcp_rfc1337"):
                    self.drop()
                    skb.consume(self.net)
                    return True
            else:
                self._arm(TCP_TIMEWAIT_LEN)
            skb.consume(self.net)
            return True
        newer = seq > self.rcv_nxt or bool(
            options.timestamp and self.ts_recent and options.timestamp[0] > self.ts_recent
        )
        if tcp.flags & SYN and not tcp.flags & (RST | ACK) and not stale and newer:
            return False
        if not tcp.flags & RST:
            self._arm(TCP_TIMEWAIT_LEN)
            self._ack(skb)
        skb.drop("TCP_TIMEWAIT" if stale else "TCP_INVALID_SEQUENCE", self.net)
        return True

    def _fin_wait2(
        self, skb: SkBuff, tcp: TcpHeader, options: TcpOptions, seq: int, end: int, stale: bool
    ) -> None:
        if stale or end < self.rcv_nxt or seq > self.rcv_nxt + max(self.window_size, 1):
            self._ack(skb)
            skb.drop("TCP_INVALID_SEQUENCE", self.net)
            return
        if tcp.flags & RST:
            self.drop()
            skb.consume(self.net)
            return
        if tcp.flags & SYN and seq >= self.rcv_nxt:
            send_reset(self.net, skb)
            self.drop()
            skb.drop("TCP_INVALID_SYN", self.net)
            return
        if not tcp.flags & ACK or end <= self.rcv_nxt or seq == end:
            skb.consume(self.net)
            return
        if not tcp.flags & FIN or end != self.rcv_nxt + 1:
            send_reset(self.net, skb)
            self.drop()
            skb.drop("TCP_CLOSE", self.net)
            return
        self.state = "TIME_WAIT"
        self.rcv_nxt = end
        if options.timestamp:
            self.ts_recent = options.timestamp[0]
        self._arm(TCP_TIMEWAIT_LEN)
        self._ack(skb, limited=False)
        skb.consume(self.net)

    def _ack(self, skb: SkBuff, limited: bool = True) -> None:
        """tcp_v4_timewait_ack()."""
        now = self.net.loop.now
        pause = self.net.sysctl.get_int("net", "ipv4", "tcp_invalid_ratelimit") * MILLISECOND
        if limited and now - self.last_ack < pause:
            return
        self.last_ack = now
        stamp = (
            ((now // MILLISECOND + self.ts_offset) & MASK, self.ts_recent & MASK) if self.timestamps else None
        )
        header = TcpHeader(
            self.local_port, self.remote_port, self.snd_nxt & MASK, self.rcv_nxt & MASK, ACK, self.window,
            TcpOptions(timestamp=stamp).encode(),
        )  # fmt: skip
        answer(self.net, skb, header, mark=self.mark, tos=self.tos)
