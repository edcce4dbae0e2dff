"""What an acknowledgement does for the sender (net/ipv4/tcp_input.c: tcp_ack() and below).

    tcp_ack → window update → clean the retransmit queue → RTT, RTO → SACK → lost? → retransmit

Loss is noticed as RFC 5681 and RFC 6675 say: three duplicate ACKs, or three segments with SACK above a
hole. What is lost is sent again as the congestion window allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.socket import tcp_output as out
from kubenet_course.kernel.socket.tcp_state import MASK, TCP_RTO_MAX, TCP_RTO_MIN, unwrap
from kubenet_course.sim.loop import MICROSECOND, MILLISECOND
from kubenet_course.wire.tcp import SYN

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket
    from kubenet_course.kernel.socket.tcp_state import Segment
    from kubenet_course.wire.tcp import TcpHeader
    from kubenet_course.wire.tcp_options import TcpOptions


def tcp_ack(sk: TcpSocket, tcp: TcpHeader, options: TcpOptions, seq: int, carries: bool) -> bool:
    """Take the acknowledgement in; False where it acknowledges what was never sent.

    `carries`: the segment holds data, SYN or FIN, so it is no duplicate ACK.
    """
    snd = sk.snd
    ack = unwrap(tcp.acknowledgement, snd.una)
    if ack > snd.nxt:
        return False
    if ack < snd.una:
        if options.sack:
            _tag_sacked(sk, options)
            _find_lost(sk, 0)
        return True
    prior_una = snd.una
    window_changed = _update_window(sk, tcp, seq, ack)
    snd.una = ack
    sk.rcv.last_ack = sk.net.loop.now
    snd.probes = 0
    acked = _clean_queue(sk, ack, options)
    newly = ack > prior_una
    if newly:
        snd.bytes_acked += ack - prior_una
        snd.dupacks = 0
        if snd.tlp_high and ack >= snd.tlp_high:
            snd.tlp_high = 0
    sacked = _tag_sacked(sk, options) if options.sack else 0
    if not newly and snd.rtx and not carries and not window_changed:
        snd.dupacks += 1
    if newly and not snd.recovery:
        snd.congestion.acked(acked, sk.net.loop.now, snd.srtt)
    _recover(sk, newly, acked)
    if newly:
        _ack_moved_timers(sk)
        sk.ready.notify()
    elif sacked and snd.rtx:
        sk.rearm_rto()
    if not snd.rtx:
        if snd.unsent and snd.unsent[0].end > snd.una + snd.window:
            sk.check_probe_timer()
        elif sk.timer_kind == "window":
            snd.backoff = 0
            sk.clear_rto()
    return True


def _update_window(sk: TcpSocket, tcp: TcpHeader, seq: int, ack: int) -> bool:
    """tcp_ack_update_window()."""
    snd = sk.snd
    window = tcp.window if tcp.flags & SYN else tcp.window << snd.scale
    if not (ack > snd.una or seq > snd.window_seq or (seq == snd.window_seq and window > snd.window)):
        return False
    changed = window != snd.window
    snd.window_seq = seq
    if changed:
        snd.window = window
        if window > snd.max_window:
            snd.max_window = window
    return changed


def _clean_queue(sk: TcpSocket, ack: int, options: TcpOptions) -> int:
    """tcp_clean_rtx_queue(): forget what arrived, measure the round trip; how many segments it was."""
    snd = sk.snd
    now = sk.net.loop.now
    count = 0
    sample = -1
    retransmitted = False
    while snd.rtx and snd.rtx[0].end <= ack:
        seg = snd.rtx.popleft()
        count += 1
        if seg.sacked:
            snd.sacked -= 1
        else:
            sk.net.count("TcpExtTCPDelivered")
        if seg.lost:
            snd.lost -= 1
        if seg.retransmitted:
            retransmitted = True
        elif not seg.sacked:
            sample = now - seg.sent
    if (
        count
        and sample < 0
        and retransmitted
        and options.timestamp is not None
        and options.timestamp[1]
        and sk.timestamps
    ):
        age = (out.timestamp_now(sk) - options.timestamp[1]) & MASK
        if age < 1 << 30:
            sample = age * MILLISECOND
    if sample >= 0:
        rtt_sample(sk, sample)
    if count:
        snd.retransmits = snd.backoff = 0
        if not snd.recovery:
            snd.first_retransmission = 0
    return count


def rtt_sample(sk: TcpSocket, rtt: int) -> None:
    """tcp_rtt_estimator() and tcp_set_rto() (RFC 6298), in ns; the deviation counts as 200 ms at least."""
    snd = sk.snd
    rtt = max(rtt, MICROSECOND)
    if not snd.srtt:
        snd.srtt = rtt
        snd.mdev = rtt // 2
        snd.min_rtt = rtt
    else:
        error = rtt - snd.srtt
        snd.srtt = max(MICROSECOND, snd.srtt + error // 8)
        snd.mdev += (abs(error) - snd.mdev) // 4
        snd.min_rtt = min(snd.min_rtt, rtt)
    least = sk.net.sysctl.get_int("net", "ipv4", "tcp_rto_min_us") * MICROSECOND or TCP_RTO_MIN
    snd.rttvar = max(4 * snd.mdev, least)
    snd.rto = min(snd.srtt + snd.rttvar, TCP_RTO_MAX)


def _ack_moved_timers(sk: TcpSocket) -> None:
    """tcp_rearm_rto(), tcp_schedule_loss_probe() after the left edge moved."""
    if not sk.snd.rtx:
        sk.clear_rto()
        return
    sk.rearm_rto()
    if not sk.snd.recovery:
        sk.schedule_probe()


# -- SACK ---------------------------------------------------------------------------------------
def _tag_sacked(sk: TcpSocket, options: TcpOptions) -> int:
    """tcp_sacktag_write_queue(): mark what the other side holds already; how many are new."""
    snd = sk.snd
    if not sk.sack_ok:
        return 0
    fresh = 0
    for left, right in options.sack:
        start, end = unwrap(left, snd.una), unwrap(right, snd.una)
        if not (snd.una < end <= snd.nxt) or start >= end or start < snd.una:
            continue  # a duplicate's report (D-SACK), or nonsense
        for seg in snd.rtx:
            if seg.seq >= start and seg.end <= end and not seg.sacked:
                seg.sacked = True
                sk.net.count("TcpExtTCPDelivered")
                snd.sacked += 1
                fresh += 1
                if seg.lost:
                    seg.lost = False
                    snd.lost -= 1
    return fresh


def _mark_lost(sk: TcpSocket, seg: Segment) -> None:
    if not seg.lost and not seg.sacked:
        seg.lost = True
        seg.in_retransmission = False
        sk.snd.lost += 1


def _find_lost(sk: TcpSocket, dupacks: int) -> bool:
    """RFC 6675 IsLost(): whether anything is newly lost."""
    snd = sk.snd
    before = snd.lost
    threshold = 3
    if sk.sack_ok:
        above = snd.sacked
        for seg in snd.rtx:
            if above < threshold:
                break
            if seg.sacked:
                above -= 1
            elif not seg.retransmitted:
                _mark_lost(sk, seg)
    elif dupacks >= threshold and snd.rtx and not snd.recovery:
        _mark_lost(sk, snd.rtx[0])
    return snd.lost > before


# -- recovery -----------------------------------------------------------------------------------
def _recover(sk: TcpSocket, newly: bool, acked: int) -> None:
    """tcp_fastretrans_alert(): enter, go on with or leave recovery."""
    snd = sk.snd
    if snd.recovery and newly and snd.una >= snd.high:
        if snd.recovery == "recovery":
            snd.congestion.cwnd = max(min(snd.congestion.cwnd, snd.congestion.ssthresh), 2)
        snd.recovery = ""
        snd.first_retransmission = 0
        snd.dupacks = 0
    found = _find_lost(sk, snd.dupacks) if snd.rtx and (snd.sacked or snd.dupacks) else False
    if not snd.recovery:
        if not found:
            return
        snd.recovery = "recovery"
        snd.high = snd.nxt
        snd.congestion.reduce()
        snd.congestion.cwnd = snd.congestion.ssthresh
        sk.net.count("TcpExtTCPSackRecovery" if sk.sack_ok else "TcpExtTCPRenoRecovery")
    elif newly and snd.rtx:
        if not sk.sack_ok or snd.recovery == "loss":
            head = snd.rtx[0]
            if not head.retransmitted:
                _mark_lost(sk, head)
        if snd.recovery == "loss":
            snd.congestion.limited = True
            snd.congestion.acked(acked, sk.net.loop.now, snd.srtt)
    retransmit_lost(sk)


def retransmit_lost(sk: TcpSocket) -> None:
    """tcp_xmit_retransmit_queue()."""
    snd = sk.snd
    if not snd.lost:
        return
    for seg in list(snd.rtx):
        if not seg.lost or seg.in_retransmission:
            continue
        if snd.in_flight >= snd.congestion.cwnd:
            break
        if not out.retransmit(sk, seg):
            break
        if seg is snd.rtx[0]:
            sk.rearm_rto()


def enter_loss(sk: TcpSocket) -> None:
    """tcp_enter_loss(): a timeout; everything unacknowledged counts as lost."""
    snd = sk.snd
    if snd.recovery != "loss":
        snd.congestion.reduce()
    snd.congestion.cwnd = 1
    snd.recovery = "loss"
    snd.high = snd.nxt
    snd.dupacks = 0
    for seg in snd.rtx:
        if seg.sacked:
            continue
        if not seg.lost:
            seg.lost = True
            snd.lost += 1
        seg.in_retransmission = False
