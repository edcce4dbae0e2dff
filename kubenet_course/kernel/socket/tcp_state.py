"""What one TCP connection remembers (struct tcp_sock), and the small words of the protocol.

Sequence numbers are kept as integers that never wrap; `& 0xFFFFFFFF` makes the wire's number, and
`unwrap` finds the full number nearest to one that is known. So comparing is plain `<`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.sim.loop import MILLISECOND, SECOND, Loop, Timer

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp_cong import Congestion

MASK = 0xFFFFFFFF

# include/net/tcp.h
TCP_TIMEWAIT_LEN = 60 * SECOND
TCP_RTO_MAX = 120 * SECOND
TCP_RTO_MIN = 200 * MILLISECOND
TCP_TIMEOUT_INIT = 1 * SECOND
TCP_ATO_MIN = 40 * MILLISECOND
TCP_DELACK_MAX = 200 * MILLISECOND
TCP_MAX_QUICKACKS = 16
TCP_INIT_CWND = 10
TCP_MSS_DEFAULT = 536
MAX_TCP_WINDOW = 32767


def unwrap(number: int, near: int) -> int:
    """The full sequence number that has `number` as its low 32 bits and is nearest to `near`."""
    return near + ((number - near + 0x80000000) & MASK) - 0x80000000


class Segment:
    """A piece of the send queue: `seq` up to `end`, counting SYN and FIN as one each."""

    __slots__ = (
        "seq",
        "end",
        "data",
        "flags",
        "sent",
        "retransmitted",
        "sacked",
        "lost",
        "in_retransmission",
    )

    def __init__(self, seq: int, data: bytes, flags: int):
        self.seq = seq
        self.data = data
        self.flags = flags
        self.end = seq + len(data) + (flags & 1) + (flags >> 1 & 1)
        self.sent = 0
        self.retransmitted = 0
        self.sacked = False
        self.lost = False
        self.in_retransmission = False


class LazyTimer:
    """A timer that is moved often: setting it later costs no new event (as timer_pending() tricks do)."""

    __slots__ = ("loop", "due", "callback", "_event")

    def __init__(self, loop: Loop, callback: Callable[[], object]):
        self.loop = loop
        self.callback = callback
        self.due: int | None = None
        self._event: Timer | None = None

    def set(self, delay: int) -> None:
        self.due = due = self.loop.now + delay
        event = self._event
        if event is not None and event.active:
            if event.when <= due:
                return
            event.cancel()
        self._event = self.loop.call_at(due, self._fire)

    def clear(self) -> None:
        self.due = None

    def kill(self) -> None:
        """No event is left behind (the socket is gone)."""
        self.due = None
        if self._event is not None:
            self._event.cancel()
            self._event = None

    @property
    def pending(self) -> bool:
        return self.due is not None

    @property
    def left(self) -> int:
        """Nanoseconds until it is due; 0 where it is not set."""
        return max(0, self.due - self.loop.now) if self.due is not None else 0

    def _fire(self) -> None:
        self._event = None
        if self.due is None:
            return
        if self.due > self.loop.now:
            self._event = self.loop.call_at(self.due, self._fire)
            return
        self.due = None
        self.callback()


class SendState:
    """The sending half of a connection."""

    __slots__ = (
        "una", "nxt", "write_seq", "window", "window_seq", "max_window", "unsent", "rtx", "mss", "advertised_mss",
        "pmtu", "small_end", "pushed", "sacked", "lost", "retransmits", "backoff", "rto", "srtt", "mdev", "rttvar",
        "recovery", "high", "dupacks", "first_retransmission", "last_sent", "tlp_high", "probes", "congestion",
        "scale", "bytes_acked", "bytes_retransmitted", "segments", "data_segments", "min_rtt", "total_retransmissions",
        "total_rto", "busy_since",
    )  # fmt: skip

    def __init__(self, iss: int, congestion: Congestion):
        self.una = self.nxt = self.write_seq = iss
        self.window = 0
        self.window_seq = 0
        self.max_window = 0
        self.scale = 0
        #: Not yet sent, and sent but not acknowledged.
        self.unsent: deque[Segment] = deque()
        self.rtx: deque[Segment] = deque()
        self.mss = TCP_MSS_DEFAULT
        #: The MSS that the other side announced, less the room for timestamps.
        self.advertised_mss = TCP_MSS_DEFAULT
        self.pmtu = 0
        self.small_end = iss
        self.pushed = iss
        self.sacked = 0
        self.lost = 0
        self.retransmits = 0
        self.backoff = 0
        self.total_rto = 0
        self.rto = TCP_TIMEOUT_INIT
        self.srtt = 0
        self.mdev = 0
        self.rttvar = TCP_TIMEOUT_INIT
        self.min_rtt = 0
        #: "" (open), "recovery" (after duplicate ACKs) or "loss" (after a timeout).
        self.recovery = ""
        self.high = iss
        self.dupacks = 0
        self.first_retransmission = 0
        self.last_sent = 0
        self.tlp_high = 0
        self.probes = 0
        self.congestion = congestion
        self.bytes_acked = 0
        self.bytes_retransmitted = 0
        self.segments = 0
        self.data_segments = 0
        self.total_retransmissions = 0
        self.busy_since = 0

    @property
    def in_flight(self) -> int:
        """tcp_packets_in_flight(), in segments."""
        resent = sum(seg.in_retransmission for seg in self.rtx) if self.lost else 0
        return len(self.rtx) - self.sacked - self.lost + resent

    @property
    def queued(self) -> int:
        """Bytes written that the other side has not acknowledged."""
        return self.write_seq - self.una


class ReceiveState:
    """The receiving half of a connection."""

    __slots__ = (
        "nxt", "wup", "window", "scale", "buffer", "ahead", "copied", "ts_recent", "ts_recent_time", "mss", "limit",
        "clamp", "ssthresh", "ack_scheduled", "quick", "pingpong", "ato", "last_data", "pushed", "duplicate",
        "space", "space_time", "space_copied", "rtt", "rtt_seq", "rtt_time", "bytes", "segments", "data_segments",
        "last_oow_ack", "measured", "advmss", "last_segment", "last_ack",
    )  # fmt: skip

    def __init__(self, limit: int):
        self.nxt = 0
        self.wup = 0
        self.window = 0
        self.scale = 0
        self.buffer = bytearray()
        #: Segments that came before their turn, as (seq, data, fin), in order.
        self.ahead: list[tuple[int, bytes, bool]] = []
        self.copied = 0
        self.ts_recent = 0
        self.ts_recent_time = 0
        self.mss = TCP_MSS_DEFAULT
        #: The receive buffer in bytes as the kernel counts it (twice what fits, at first).
        self.limit = limit
        self.clamp = 0
        self.ssthresh = 0
        self.ack_scheduled = False
        self.quick = 0
        self.pingpong = 0
        self.ato = 0
        self.last_data = 0
        self.pushed = 0
        self.duplicate: tuple[int, int] | None = None
        self.space = 0
        self.space_time = 0
        self.space_copied = 0
        self.rtt = 0
        self.rtt_seq = 0
        self.rtt_time = 0
        self.bytes = 0
        self.segments = 0
        self.data_segments = 0
        self.last_oow_ack = -SECOND
        self.measured = False
        self.advmss = 0
        self.last_segment = 0
        self.last_ack = 0
