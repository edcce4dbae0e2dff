"""Segments that arrive for a socket (net/ipv4/tcp_input.c, RFC 9293 3.10.7).

tcp_rcv ┬ LISTEN       → a request (tcp_listen.py)
        ├ SYN_SENT     → rcv_synsent
        └ all others   → validate_incoming → tcp_ack → state → data_queue → ack_snd_check

Length: the states of a connection, in the order of tcp_input.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.kernel.socket import tcp_output as out
from kubenet_course.kernel.socket.tcp_ack import tcp_ack
from kubenet_course.kernel.socket.tcp_state import TCP_ATO_MIN, TCP_MAX_QUICKACKS, unwrap
from kubenet_course.kernel.socket.tcp_window import choose_window, full_space, receive_space, receive_window
from kubenet_course.kernel.socket.tcp_xmit import send_reset
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpHeader
from kubenet_course.wire.tcp_options import TIMESTAMP_LENGTH, TcpOptions

if TYPE_CHECKING:
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.kernel.socket.tcp import TcpSocket

NO_OPTIONS = TcpOptions()


def tcp_rcv(sk: TcpSocket, skb: SkBuff) -> None:
    """tcp_v4_do_rcv() for a connection; ends the packet."""
    tcp = skb.transport
    options = TcpOptions.decode(tcp.options) if tcp.options else NO_OPTIONS
    sk.rcv.segments += 1
    if sk.state == "SYN_SENT":
        rcv_synsent(sk, skb, tcp, options)
        return
    seq = unwrap(tcp.sequence, sk.rcv.nxt)
    data: bytes = skb.payload
    end = seq + len(data) + (tcp.flags & FIN) + (tcp.flags >> 1 & 1)
    if not validate_incoming(sk, skb, tcp, options, seq, end):
        return
    if not tcp.flags & ACK:
        skb.drop("TCP_FLAGS", sk.net)
        return
    if not tcp_ack(sk, tcp, options, seq, bool(end - seq)):
        if sk.state == "SYN_RECV":
            send_reset(sk.net, skb, sk)
        else:
            challenge_ack(sk)
        skb.drop("TCP_ACK_UNSENT_DATA", sk.net)
        return
    if not _state_process(sk, skb, seq, end):
        return
    _store_ts_recent(sk, options, seq)
    if data or tcp.flags & FIN:
        data_queue(sk, seq, data, bool(tcp.flags & FIN), bool(tcp.flags & PSH))
    skb.consume(sk)
    out.push(sk)
    ack_snd_check(sk)
    if sk.closed and sk.state in ("FIN_WAIT2", "TIME_WAIT"):
        sk.orphan_wait()


# -- is it ours? --------------------------------------------------------------------------------
def validate_incoming(
    sk: TcpSocket, skb: SkBuff, tcp: TcpHeader, options: TcpOptions, seq: int, end: int
) -> bool:
    """tcp_validate_incoming(): PAWS, window, RST, SYN; False where the packet was ended here."""
    rcv = sk.rcv
    if sk.timestamps and options.timestamp is not None and rcv.ts_recent and not tcp.flags & RST:
        if unwrap(options.timestamp[0], rcv.ts_recent) < rcv.ts_recent:
            if not _out_of_window_limited(sk, end > seq):
                _send_dupack(sk, seq, end)
            skb.drop("TCP_RFC7323_PAWS", sk.net)
            return False
    if end < rcv.wup or seq > rcv.nxt + receive_window(sk):
        reason = "TCP_OLD_SEQUENCE" if end < rcv.wup else "TCP_INVALID_SEQUENCE"
        if not tcp.flags & RST:
            if tcp.flags & SYN:
                challenge_ack(sk)
            elif not _out_of_window_limited(sk, end > seq):
                _send_dupack(sk, seq, end)
        skb.drop(reason, sk.net)
        return False
    if tcp.flags & RST:
        if seq == rcv.nxt:
            tcp_reset(sk)
            skb.consume(sk)
        else:
            challenge_ack(sk)
            skb.drop("TCP_RESET", sk.net)
        return False
    if tcp.flags & SYN:
        if sk.state == "SYN_RECV" and tcp.flags & ACK and seq + 1 == rcv.nxt:
            return True  # both sides opened at once; this is the other's SYN-ACK
        challenge_ack(sk)
        skb.drop("TCP_INVALID_SYN", sk.net)
        return False
    return True


def _out_of_window_limited(sk: TcpSocket, carries: bool) -> bool:
    """tcp_oow_rate_limited()."""
    if carries:
        return False
    pause = sk.net.sysctl.get_int("net", "ipv4", "tcp_invalid_ratelimit") * MILLISECOND
    now = sk.net.loop.now
    if now - sk.rcv.last_oow_ack < pause:
        return True
    sk.rcv.last_oow_ack = now
    return False


def challenge_ack(sk: TcpSocket) -> None:
    """tcp_send_challenge_ack() (RFC 5961)."""
    if not _out_of_window_limited(sk, False):
        sk.net.count("TcpExtTCPChallengeACK")
        out.send_ack(sk)


def _send_dupack(sk: TcpSocket, seq: int, end: int) -> None:
    """tcp_send_dupack()."""
    rcv = sk.rcv
    if end != seq and seq < rcv.nxt:
        enter_quickack(sk)
        if sk.sack_ok and sk.net.sysctl.get_int("net", "ipv4", "tcp_dsack"):
            rcv.duplicate = (seq, min(end, rcv.nxt))
    out.send_ack(sk)


def _store_ts_recent(sk: TcpSocket, options: TcpOptions, seq: int) -> None:
    """tcp_replace_ts_recent()."""
    rcv = sk.rcv
    if sk.timestamps and options.timestamp is not None and seq <= rcv.wup:
        value = unwrap(options.timestamp[0], rcv.ts_recent)
        if value >= rcv.ts_recent or not rcv.ts_recent:
            rcv.ts_recent = value
            rcv.ts_recent_time = sk.net.loop.now


def tcp_reset(sk: TcpSocket) -> None:
    """tcp_reset(): the other side gave up."""
    code = {"SYN_SENT": errno.ECONNREFUSED, "CLOSE_WAIT": errno.EPIPE}.get(sk.state, errno.ECONNRESET)
    sk.fail(code)


# -- opening ------------------------------------------------------------------------------------
def rcv_synsent(sk: TcpSocket, skb: SkBuff, tcp: TcpHeader, options: TcpOptions) -> None:
    """tcp_rcv_synsent_state_process()."""
    snd = sk.snd
    if tcp.flags & ACK:
        ack = unwrap(tcp.acknowledgement, snd.una)
        if not snd.una < ack <= snd.nxt:
            send_reset(sk.net, skb, sk)
            skb.drop("TCP_INVALID_ACK_SEQUENCE", sk.net)
            return
        if tcp.flags & RST:
            tcp_reset(sk)
            skb.consume(sk)
            return
        if not tcp.flags & SYN:
            skb.drop("TCP_FLAGS", sk.net)
            return
        _peer_offers(sk, tcp, options)
        snd.window_seq = sk.rcv.nxt - 1
        tcp_ack(sk, tcp, options, sk.rcv.nxt - 1, True)
        finish_connect(sk)
        skb.consume(sk)
        out.send_ack(sk)
        out.push(sk)
        return
    if tcp.flags & RST:
        skb.drop("TCP_RESET", sk.net)
        return
    if tcp.flags & SYN:  # both sides open at once
        _peer_offers(sk, tcp, options)
        sk.set_state("SYN_RECV")
        snd.window = snd.max_window = tcp.window
        snd.window_seq = sk.rcv.nxt
        seg = snd.rtx[0]
        seg.flags |= ACK
        skb.consume(sk)
        out.send_syn(sk, seg)
        return
    skb.drop("TCP_FLAGS", sk.net)


def _peer_offers(sk: TcpSocket, tcp: TcpHeader, options: TcpOptions) -> None:
    """What the other side's SYN said: its sequence, MSS, scale, timestamps, SACK."""
    get = sk.net.sysctl.get_int
    rcv, snd = sk.rcv, sk.snd
    sk.peer_options = options
    rcv.nxt = rcv.wup = rcv.copied = tcp.sequence + 1
    sk.timestamps = options.timestamp is not None and bool(get("net", "ipv4", "tcp_timestamps"))
    sk.window_scaling = options.window_scale is not None and bool(get("net", "ipv4", "tcp_window_scaling"))
    sk.sack_ok = options.sack_permitted and bool(get("net", "ipv4", "tcp_sack"))
    if sk.window_scaling:
        snd.scale = options.window_scale or 0
    else:
        snd.scale = rcv.scale = 0
        rcv.clamp = min(rcv.clamp, 65535)
    if options.timestamp is not None:
        rcv.ts_recent = options.timestamp[0]
    set_peer_mss(sk, options)


def set_peer_mss(sk: TcpSocket, options: TcpOptions) -> None:
    """tcp_initialize_rcv_mss() and its like: what the peer can take in one segment, by its option (else 536)."""
    mss = options.mss or 536
    mss = max(mss, sk.net.sysctl.get_int("net", "ipv4", "tcp_min_snd_mss"))
    if sk.mss_clamp:
        mss = min(mss, sk.mss_clamp)
    sk.snd.advertised_mss = mss - (TIMESTAMP_LENGTH if sk.timestamps else 0)
    out.current_mss(sk)
    sk.rcv.mss = min(sk.snd.mss, 536)


def finish_connect(sk: TcpSocket) -> None:
    """tcp_finish_connect(), tcp_init_transfer(), tcp_init_buffer_space()."""
    sk.set_state("ESTABLISHED")
    rcv = sk.rcv
    advmss = rcv.advmss - (TIMESTAMP_LENGTH if sk.timestamps else 0)
    rcv.advmss = advmss
    whole = full_space(sk)
    if rcv.clamp >= whole:
        rcv.clamp = whole
    if rcv.clamp > 2 * advmss and rcv.clamp + advmss > whole:
        rcv.clamp = max(2 * advmss, whole - advmss)
    rcv.ssthresh = min(rcv.window, rcv.clamp)
    rcv.space = min(rcv.window, 10 * advmss)
    rcv.space_time = sk.net.loop.now
    rcv.space_copied = rcv.copied
    sk.established_at = sk.snd.last_sent = sk.net.loop.now
    sk.snd.last_sent = 0
    if sk.keepalive:
        sk.arm_keepalive()
    sk.ready.notify()


# -- states -------------------------------------------------------------------------------------
def _state_process(sk: TcpSocket, skb: SkBuff, seq: int, end: int) -> bool:
    """tcp_rcv_state_process() after the ACK was taken; False where the packet was ended here."""
    state = sk.state
    if state == "ESTABLISHED":
        return True
    acked_all = sk.snd.una == sk.snd.write_seq
    tcp = skb.transport
    if state == "SYN_RECV":
        if sk.snd.una > sk.snd.window_seq or acked_all:
            if sk.window_scaling and not tcp.flags & SYN:
                sk.snd.window = sk.snd.max_window = tcp.window << sk.snd.scale
            finish_connect(sk)
        return True
    if (
        sk.shut_receive
        and end > seq
        and end - (tcp.flags & FIN) > sk.rcv.nxt
        and state in ("FIN_WAIT1", "FIN_WAIT2")
    ):
        sk.net.count("TcpExtTCPAbortOnData")
        send_reset(sk.net, skb, sk)
        tcp_reset(sk)
        skb.drop("TCP_ABORT_ON_DATA", sk.net)
        return False
    if state == "FIN_WAIT1" and acked_all:
        sk.set_state("FIN_WAIT2")
        sk.ready.notify()
    elif state == "CLOSING" and acked_all:
        sk.enter_time_wait("TIME_WAIT")
        skb.consume(sk)
        return False
    elif state == "LAST_ACK" and acked_all:
        sk.done()
        skb.consume(sk)
        return False
    return True


# -- data ---------------------------------------------------------------------------------------
def enter_quickack(sk: TcpSocket) -> None:
    """tcp_enter_quickack_mode()."""
    _more_quickacks(sk, TCP_MAX_QUICKACKS)
    sk.rcv.pingpong = 0
    sk.rcv.ato = TCP_ATO_MIN


def _more_quickacks(sk: TcpSocket, most: int) -> None:
    count = sk.rcv.window // (2 * max(sk.rcv.mss, 1)) or 2
    sk.rcv.quick = max(sk.rcv.quick, min(count, most))


def data_queue(sk: TcpSocket, seq: int, data: bytes, fin: bool, pushed: bool) -> None:
    """tcp_data_queue(): in order, ahead of its turn, or seen before."""
    rcv = sk.rcv
    end = seq + len(data) + fin
    if sk.state in ("CLOSE_WAIT", "LAST_ACK", "CLOSING", "TIME_WAIT") and end > rcv.nxt:
        return
    dsack = sk.sack_ok and bool(sk.net.sysctl.get_int("net", "ipv4", "tcp_dsack"))
    if end <= rcv.nxt:
        if dsack:
            rcv.duplicate = (seq, end)
        sk.net.count("TcpExtDelayedACKLost")
        enter_quickack(sk)
        rcv.ack_scheduled = True
        return
    if seq >= rcv.nxt + max(receive_window(sk), 0) and not (seq == rcv.nxt and not data):
        enter_quickack(sk)
        rcv.ack_scheduled = True
        return
    if seq > rcv.nxt:
        _queue_ahead(sk, seq, data, fin)
        return
    if seq < rcv.nxt:
        if dsack:
            rcv.duplicate = (seq, rcv.nxt)
        enter_quickack(sk)
        data = data[rcv.nxt - seq :]
    _take(sk, data, fin, pushed)
    while rcv.ahead and rcv.ahead[0][0] <= rcv.nxt:
        later, more, last = rcv.ahead.pop(0)
        if later + len(more) + last > rcv.nxt:
            _take(sk, more[rcv.nxt - later :], last, True)
    sk.ready.notify()


def _take(sk: TcpSocket, data: bytes, fin: bool, pushed: bool) -> None:
    """Data whose turn it is, into the receive buffer."""
    rcv = sk.rcv
    if data:
        rcv.nxt += len(data)
        rcv.bytes += len(data)
        rcv.data_segments += 1
        if not sk.shut_receive:
            rcv.buffer += data
        else:
            rcv.copied += len(data)
        _event_data(sk, len(data), pushed)
    if fin:
        rcv.nxt += 1
        tcp_fin(sk)


def _queue_ahead(sk: TcpSocket, seq: int, data: bytes, fin: bool) -> None:
    """tcp_data_queue_ofo(): keep it, sorted and without overlap in front."""
    rcv = sk.rcv
    rcv.ack_scheduled = True
    rcv.last_segment = seq
    end = seq + len(data)
    for other, held, _ in rcv.ahead:
        if other <= seq and other + len(held) >= end and not fin:
            rcv.duplicate = (seq, end)
            return
    place = 0
    while place < len(rcv.ahead) and rcv.ahead[place][0] <= seq:
        place += 1
    if place and rcv.ahead[place - 1][0] + len(rcv.ahead[place - 1][1]) > seq:
        cut = rcv.ahead[place - 1][0] + len(rcv.ahead[place - 1][1]) - seq
        seq, data = seq + cut, data[cut:]
    while place < len(rcv.ahead) and rcv.ahead[place][0] < end:
        later, held, last = rcv.ahead[place]
        if later + len(held) <= end and not (last and not fin):
            del rcv.ahead[place]
        else:
            data = data[: later - seq]
            break
    rcv.ahead.insert(place, (seq, data, fin))


def _event_data(sk: TcpSocket, length: int, pushed: bool) -> None:
    """tcp_event_data_recv(), tcp_measure_rcv_mss(), tcp_grow_window()."""
    rcv = sk.rcv
    now = sk.net.loop.now
    rcv.ack_scheduled = True
    if length >= rcv.mss:
        rcv.mss = min(length, rcv.advmss or length)
        if not rcv.measured and length >= (rcv.advmss or 536):
            rcv.measured = True
            rcv.clamp = full_space(sk) - 384
    elif pushed:
        rcv.pushed += 1
    if not rcv.ato:
        _more_quickacks(sk, TCP_MAX_QUICKACKS)
        rcv.ato = TCP_ATO_MIN
    else:
        pause = now - rcv.last_data
        if pause <= TCP_ATO_MIN // 2:
            rcv.ato = (rcv.ato >> 1) + TCP_ATO_MIN // 2
        elif pause < rcv.ato:
            rcv.ato = min((rcv.ato >> 1) + pause, sk.snd.rto)
        elif pause > sk.snd.rto:
            _more_quickacks(sk, TCP_MAX_QUICKACKS)
    rcv.last_data = now
    if length >= 128:
        room = min(rcv.clamp, receive_space(sk)) - rcv.ssthresh
        if room > 0:
            rcv.ssthresh += min(room, max(2 * rcv.advmss if rcv.measured else 2 * length, 2 * length))
            rcv.quick |= 1
    _measure_rtt(sk, now)


def _measure_rtt(sk: TcpSocket, now: int) -> None:
    """tcp_rcv_rtt_measure(): the time that one window's worth of data takes."""
    rcv = sk.rcv
    if rcv.rtt_time and rcv.nxt >= rcv.rtt_seq:
        rcv.rtt = max(now - rcv.rtt_time, 1000)
    if not rcv.rtt_time or rcv.nxt >= rcv.rtt_seq:
        rcv.rtt_seq = rcv.nxt + rcv.window
        rcv.rtt_time = now


def rcv_space_adjust(sk: TcpSocket) -> None:
    """tcp_rcv_space_adjust(): a program that reads quickly gets a larger buffer (DRS)."""
    rcv = sk.rcv
    now = sk.net.loop.now
    if not rcv.rtt or now - rcv.space_time < rcv.rtt:
        return
    copied = rcv.copied - rcv.space_copied
    if copied > rcv.space:
        if sk.net.sysctl.get_int("net", "ipv4", "tcp_moderate_rcvbuf") and not sk.receive_buffer_locked:
            wanted = 2 * copied + 16 * rcv.advmss
            wanted += 2 * wanted * (copied - rcv.space) // max(rcv.space, 1)
            most = int(sk.net.sysctl.read(("net", "ipv4", "tcp_rmem")).split()[2])
            limit = min(wanted * 2, most)
            if limit > rcv.limit:
                rcv.limit = limit
                rcv.clamp = full_space(sk)
        rcv.space = copied
    rcv.space_copied = rcv.copied
    rcv.space_time = now


def tcp_fin(sk: TcpSocket) -> None:
    """tcp_fin(): the other side has no more to say."""
    rcv = sk.rcv
    rcv.ack_scheduled = True
    sk.peer_closed = True
    rcv.ahead.clear()
    state = sk.state
    if state in ("SYN_RECV", "ESTABLISHED"):
        sk.set_state("CLOSE_WAIT")
        rcv.pingpong = 255
    elif state == "FIN_WAIT1":
        out.send_ack(sk)
        sk.set_state("CLOSING")
    elif state == "FIN_WAIT2":
        out.send_ack(sk)
        sk.enter_time_wait("TIME_WAIT")
    sk.ready.notify()


# -- acknowledging ------------------------------------------------------------------------------
def ack_snd_check(sk: TcpSocket) -> None:
    """tcp_ack_snd_check(): now, or within 40 ms."""
    rcv = sk.rcv
    if not rcv.ack_scheduled or sk.state in ("CLOSE", "TIME_WAIT"):
        return
    much = rcv.nxt - rcv.wup > rcv.mss and choose_window(sk) >= rcv.window
    if much or rcv.ahead or rcv.duplicate or (rcv.quick and not out.in_pingpong(sk)):
        out.send_ack(sk)
    else:
        out.send_delayed_ack(sk)


def cleanup_rbuf(sk: TcpSocket, copied: int) -> None:
    """tcp_cleanup_rbuf(): the program has read; acknowledge now if that opens the window or helps."""
    rcv = sk.rcv
    now = False
    if rcv.ack_scheduled:
        if (
            rcv.nxt - rcv.wup > rcv.mss
            or copied
            and not rcv.buffer
            and (rcv.pushed > 1 or (rcv.pushed and not out.in_pingpong(sk)))
        ):
            now = True
    if copied and not now and not sk.shut_receive:
        left = receive_window(sk)
        if 2 * left <= rcv.clamp:
            window = choose_window(sk)
            now = bool(window) and window >= 2 * left
    if now:
        out.send_ack(sk)
