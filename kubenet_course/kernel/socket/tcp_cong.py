"""How much may be on the way: slow start and congestion avoidance (net/ipv4/tcp_cong.c, tcp_cubic.c).

RFC 5681 with an initial window of ten segments (RFC 6928); `cubic` grows as RFC 9438, `reno` (and
any other name) by one segment a round trip. Counted in segments, as the kernel does.
"""

from __future__ import annotations

from kubenet_course.kernel.socket.tcp_state import TCP_INIT_CWND
from kubenet_course.sim.loop import SECOND

INFINITE = 0x7FFFFFFF
CUBIC_BETA = 717 / 1024
CUBIC_C = 0.4


class Congestion:
    """`cwnd` and `ssthresh` of one connection."""

    __slots__ = ("name", "cwnd", "ssthresh", "count", "last_max", "epoch", "origin", "k", "limited", "prior")

    def __init__(self, name: str):
        self.name = name
        self.cwnd = TCP_INIT_CWND
        self.ssthresh = INFINITE
        self.count = 0.0
        self.last_max = 0.0
        self.epoch = -1
        self.origin = 0.0
        self.k = 0.0
        #: Whether the window, and not the program, held back the last burst (tcp_is_cwnd_limited()).
        self.limited = False
        self.prior = 0

    def acked(self, segments: int, now: int, srtt: int) -> None:
        """cong_avoid(): `segments` were acknowledged in order, `srtt` in ns."""
        if not self.limited:
            return
        if self.cwnd < self.ssthresh:
            grown = min(self.cwnd + segments, self.ssthresh)
            segments -= grown - self.cwnd
            self.cwnd = grown
            if segments <= 0:
                return
        per = self._cubic(now, srtt) if self.name == "cubic" else self.cwnd
        self.count += segments / max(1.0, per)
        if self.count >= 1:
            self.cwnd += int(self.count)
            self.count -= int(self.count)

    def _cubic(self, now: int, srtt: int) -> float:
        """bictcp_update(): acknowledged segments per segment of growth."""
        if self.epoch < 0:
            self.epoch = now
            if self.last_max <= self.cwnd:
                self.k, self.origin = 0.0, float(self.cwnd)
            else:
                self.k = ((self.last_max - self.cwnd) / CUBIC_C) ** (1 / 3)
                self.origin = self.last_max
        elapsed = (now - self.epoch + srtt) / SECOND
        target = self.origin + CUBIC_C * (elapsed - self.k) ** 3
        reno = self.cwnd
        if target > self.cwnd:
            return min(max(2.0, self.cwnd / (target - self.cwnd)), max(2.0, reno))
        return 100.0 * self.cwnd

    def reduce(self) -> None:
        """ssthresh(): a loss was noticed."""
        self.prior = self.cwnd
        if self.name == "cubic":
            self.epoch = -1
            fallen = self.cwnd < self.last_max
            self.last_max = self.cwnd * (1 + CUBIC_BETA) / 2 if fallen else float(self.cwnd)
            self.ssthresh = max(int(self.cwnd * CUBIC_BETA), 2)
        else:
            self.ssthresh = max(self.cwnd >> 1, 2)

    def restart(self, idle: int, rto: int) -> None:
        """tcp_cwnd_restart(): after a pause longer than the RTO, begin again from the initial window."""
        self.epoch = -1
        self.ssthresh = (
            max(self.ssthresh, (self.cwnd >> 1) + (self.cwnd >> 2)) if self.ssthresh != INFINITE else INFINITE
        )
        least = min(TCP_INIT_CWND, self.cwnd)
        while idle > rto and self.cwnd > least:
            self.cwnd = max(self.cwnd >> 1, least)
            idle -= rto
