"""When nothing is heard (net/ipv4/tcp_timer.c): retransmission, probes, delayed ACKs, keepalive.

One timer serves retransmission ("rto"), the tail loss probe ("tail", RFC 8985) and the zero window
probe ("window"), as `icsk_pending` does. Retransmission waits double up to two minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.kernel.socket import tcp_output as out
from kubenet_course.kernel.socket.tcp_ack import enter_loss
from kubenet_course.kernel.socket.tcp_state import TCP_ATO_MIN, TCP_RTO_MAX, TCP_RTO_MIN
from kubenet_course.sim.loop import MILLISECOND, SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket


def model_timeout(boundary: int, base: int = TCP_RTO_MIN) -> int:
    """tcp_model_timeout(): how long `boundary` doublings from `base` last."""
    linear = (TCP_RTO_MAX // base).bit_length() - 1
    if boundary <= linear:
        return ((2 << boundary) - 1) * base
    return ((2 << linear) - 1) * base + (boundary - linear) * TCP_RTO_MAX


def timer_fired(sk: TcpSocket) -> None:
    """tcp_write_timer_handler()."""
    kind = sk.timer_kind
    sk.timer_kind = ""
    if sk.state in ("CLOSE", "LISTEN"):
        return
    if kind == "tail":
        _tail_loss_probe(sk)
    elif kind == "window":
        _window_probe(sk)
    else:
        retransmit_timer(sk)


def retransmit_timer(sk: TcpSocket) -> None:
    """tcp_retransmit_timer()."""
    snd = sk.snd
    if not snd.rtx:
        return
    snd.tlp_high = 0
    if _gives_up(sk):
        return
    if sk.state not in ("SYN_SENT", "SYN_RECV"):
        enter_loss(sk)
    snd.retransmits += 1
    snd.total_rto += 1
    sk.net.count("TcpExtTCPTimeouts")
    out.retransmit(sk, snd.rtx[0])
    linear = sk.net.sysctl.get_int("net", "ipv4", "tcp_syn_linear_timeouts")
    if sk.state != "SYN_SENT" or snd.total_rto > linear:
        snd.backoff += 1
        snd.rto = min(snd.rto * 2, TCP_RTO_MAX)
    sk.set_timer("rto", snd.rto)


def _gives_up(sk: TcpSocket) -> bool:
    """tcp_write_timeout(): too many attempts end the connection."""
    snd = sk.snd
    get = sk.net.sysctl.get_int
    now = sk.net.loop.now
    if sk.state in ("SYN_SENT", "SYN_RECV"):
        limit = (
            get("net", "ipv4", "tcp_syn_retries")
            if sk.state == "SYN_SENT"
            else get("net", "ipv4", "tcp_synack_retries")
        )
        if sk.state == "SYN_SENT":
            limit += get("net", "ipv4", "tcp_syn_linear_timeouts")
        expired = snd.retransmits >= limit
    else:
        limit = get("net", "ipv4", "tcp_retries2")
        if sk.orphan:
            limit = get("net", "ipv4", "tcp_orphan_retries") or (8 if not sk.soft_error else 0)
        started = snd.first_retransmission
        expired = bool(snd.retransmits and started) and now - started >= model_timeout(limit)
    if sk.user_timeout and snd.first_retransmission and now - snd.first_retransmission >= sk.user_timeout:
        expired = True
    if expired:
        sk.fail(sk.soft_error or errno.ETIMEDOUT)
    return expired


# -- tail loss probe ----------------------------------------------------------------------------
def schedule_probe(sk: TcpSocket) -> None:
    """tcp_schedule_loss_probe(): earlier than the RTO, send the last segment again."""
    snd = sk.snd
    if sk.timer_kind == "window" or snd.recovery or not snd.rtx or not sk.sack_ok or snd.sacked:
        return
    if sk.net.sysctl.get_int("net", "ipv4", "tcp_early_retrans") not in (3, 4):
        return
    if sk.state in ("SYN_SENT", "SYN_RECV"):
        return
    if snd.srtt:
        timeout = 2 * snd.srtt + (TCP_RTO_MIN if len(snd.rtx) == 1 else 2 * MILLISECOND)
    else:
        timeout = snd.rto
    left = snd.rtx[0].sent + snd.rto - sk.net.loop.now
    if left > 0:
        timeout = min(timeout, left)
    sk.set_timer("tail", timeout)


def _tail_loss_probe(sk: TcpSocket) -> None:
    """tcp_send_loss_probe()."""
    snd = sk.snd
    if not snd.rtx:
        return
    if not snd.tlp_high:
        had = len(snd.unsent)
        if had and snd.unsent[0].end <= snd.una + snd.window:
            snd.congestion.cwnd += 1
            out.write_xmit(sk)
            snd.congestion.cwnd -= 1
        if len(snd.unsent) == had:
            out.retransmit(sk, snd.rtx[-1])
        snd.tlp_high = snd.nxt
        sk.net.count("TcpExtTCPLossProbes")
    sk.set_timer("rto", snd.rto)


# -- zero window --------------------------------------------------------------------------------
def check_probe_timer(sk: TcpSocket) -> None:
    """tcp_check_probe_timer(): data wait, nothing is on the way, the window is closed."""
    if not sk.snd.rtx and sk.timer_kind != "window":
        sk.set_timer("window", max(sk.snd.rto, TCP_RTO_MIN))


def _window_probe(sk: TcpSocket) -> None:
    """tcp_probe_timer()."""
    snd = sk.snd
    if snd.rtx or not snd.unsent:
        snd.probes = 0
        return
    limit = sk.net.sysctl.get_int("net", "ipv4", "tcp_retries2")
    if snd.probes >= limit:
        sk.fail(sk.soft_error or errno.ETIMEDOUT)
        return
    sent_data = out.send_probe(sk)
    if snd.rtx or (sent_data and not snd.unsent):
        snd.probes = snd.backoff = 0
        return
    snd.probes += 1
    snd.backoff = min(snd.backoff + 1, limit)
    sk.set_timer("window", min(max(snd.rto, TCP_RTO_MIN) << snd.backoff, TCP_RTO_MAX))


# -- delayed ACK --------------------------------------------------------------------------------
def delack_fired(sk: TcpSocket) -> None:
    """tcp_delack_timer_handler()."""
    rcv = sk.rcv
    if sk.state in ("CLOSE", "LISTEN") or not rcv.ack_scheduled:
        return
    if not out.in_pingpong(sk):
        rcv.ato = min(rcv.ato << 1, sk.snd.rto)
    else:
        rcv.pingpong = 0
        rcv.ato = TCP_ATO_MIN
    out.send_ack(sk)


# -- keepalive, FIN_WAIT2 -----------------------------------------------------------------------
def keepalive_times(sk: TcpSocket) -> tuple[int, int, int]:
    """(idle ns, interval ns, probes)."""
    get = sk.net.sysctl.get_int
    idle = sk.keep_idle or get("net", "ipv4", "tcp_keepalive_time") * SECOND
    interval = sk.keep_interval or get("net", "ipv4", "tcp_keepalive_intvl") * SECOND
    return idle, interval, sk.keep_count or get("net", "ipv4", "tcp_keepalive_probes")


def keepalive_fired(sk: TcpSocket) -> None:
    """tcp_keepalive_timer(): an idle peer is asked whether it is there."""
    if sk.state == "FIN_WAIT2" and sk.orphan:
        sk.enter_time_wait("FIN_WAIT2")
        return
    if not sk.keepalive or sk.state in ("CLOSE", "SYN_SENT", "LISTEN"):
        return
    idle, interval, count = keepalive_times(sk)
    quiet = sk.net.loop.now - max(sk.rcv.last_data, sk.rcv.last_ack, sk.established_at)
    if sk.snd.rtx or sk.snd.unsent:
        sk.keep_timer.set(idle)
    elif quiet < idle:
        sk.keep_timer.set(idle - quiet)
    elif sk.snd.probes >= count:
        out.send_active_reset(sk)
        sk.fail(errno.ETIMEDOUT)
    else:
        probes = sk.snd.probes + 1
        out.transmit(sk, sk.snd.una - 1, 16)
        sk.snd.probes = probes
        sk.keep_timer.set(interval)
