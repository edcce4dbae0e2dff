"""Segments that leave (net/ipv4/tcp_output.c).

send() → queue → write_xmit: window? Nagle? cwnd? → transmit → ip_local_out
                                 └ retransmit ← timers, duplicate ACKs

How a segment gets to IP is in `tcp_xmit`, how much a peer may send in `tcp_window`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.socket.tcp_state import MASK, TCP_ATO_MIN, TCP_DELACK_MAX, Segment
from kubenet_course.kernel.socket.tcp_window import select_window
from kubenet_course.kernel.socket.tcp_xmit import queue_xmit, route_output
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpHeader
from kubenet_course.wire.tcp_options import TIMESTAMP_LENGTH, TcpOptions

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.socket.tcp import TcpSocket


# -- sizes --------------------------------------------------------------------------------------
def header_room(version: int) -> int:
    """Bytes of IP and TCP header without options."""
    return 40 if version == 4 else 60


def advertised_mss(sk_version: int, rt: Any) -> int:
    """ipv4_default_advmss(), ip6_default_advmss(): what this host can take in one segment."""
    route = getattr(rt, "route", None)
    if route is not None and route.metrics.get("advmss"):
        return int(route.metrics["advmss"])
    least = 256 if sk_version == 4 else 1220
    room = header_room(sk_version)
    return min(max(rt.mtu - room, least), 65535 - room)


def current_mss(sk: TcpSocket) -> int:
    """tcp_current_mss(): payload bytes that fit in one segment now (the path MTU may have changed)."""
    snd = sk.snd
    try:
        rt = route_output(
            sk.net, sk.version, sk.remote, sk.local, ports=(sk.local_port, sk.remote_port), device=sk.device,
            mark=sk.mark, tos=sk.tos,
        )  # fmt: skip
        mtu = rt.mtu
    except KernelError:
        mtu = snd.pmtu or 576
    if mtu != snd.pmtu:
        snd.pmtu = mtu
    mss = min(mtu - header_room(sk.version) - (TIMESTAMP_LENGTH if sk.timestamps else 0), snd.advertised_mss)
    if sk.mss_clamp:
        mss = min(mss, sk.mss_clamp)
    # tcp_bound_to_half_wnd()
    if snd.max_window > 536:
        mss = min(mss, max(snd.max_window >> 1, 68 - 20))
    if sk.rcv.ahead or sk.rcv.duplicate:
        blocks = min(len(_blocks(sk)) + (sk.rcv.duplicate is not None), 3 if sk.timestamps else 4)
        mss -= 4 + 8 * blocks if sk.sack_ok else 0
    snd.mss = max(mss, sk.net.sysctl.get_int("net", "ipv4", "tcp_min_snd_mss") - TIMESTAMP_LENGTH)
    return snd.mss


# -- building -----------------------------------------------------------------------------------
def timestamp_now(sk: TcpSocket) -> int:
    return (sk.net.loop.now // MILLISECOND + sk.ts_offset) & MASK


def _blocks(sk: TcpSocket) -> list[tuple[int, int]]:
    """The stretches that arrived ahead of their turn, the newest first."""
    found: list[list[int]] = []
    for seq, data, fin in sk.rcv.ahead:
        end = seq + len(data) + fin
        if found and found[-1][1] == seq:
            found[-1][1] = end
        else:
            found.append([seq, end])
    blocks = [(left, right) for left, right in found]
    newest = sk.rcv.last_segment
    blocks.sort(key=lambda block: not block[0] <= newest < block[1])
    return blocks


def _options(sk: TcpSocket) -> bytes:
    """tcp_established_options()."""
    stamp = None
    if sk.timestamps:
        stamp = (timestamp_now(sk), sk.rcv.ts_recent & MASK)
    if not sk.rcv.ahead and sk.rcv.duplicate is None:
        if stamp is None:
            return b""
        return TcpOptions(timestamp=stamp).encode()
    sack: list[tuple[int, int]] = []
    if sk.sack_ok:
        if sk.rcv.duplicate is not None:
            sack.append(sk.rcv.duplicate)
        sack += _blocks(sk)
        sack = [(left & MASK, right & MASK) for left, right in sack[: 3 if stamp else 4]]
    return TcpOptions(timestamp=stamp, sack=tuple(sack)).encode()


def transmit(sk: TcpSocket, seq: int, flags: int, data: bytes = b"", options: bytes | None = None) -> bool:
    """__tcp_transmit_skb(): one segment, with the newest acknowledgement and window."""
    window = min(sk.rcv.window, 65535) if flags & SYN else select_window(sk)
    header = TcpHeader(
        sk.local_port, sk.remote_port, seq & MASK, sk.rcv.nxt & MASK if flags & ACK else 0, flags, window,
        _options(sk) if options is None else options,
    )  # fmt: skip
    sk.snd.segments += 1
    if flags & ACK:
        _ack_sent(sk)
    if data:
        sk.snd.data_segments += 1
        _data_sent(sk)
    return queue_xmit(sk, header, data)


def _ack_sent(sk: TcpSocket) -> None:
    """tcp_event_ack_sent()."""
    rcv = sk.rcv
    rcv.duplicate = None
    if rcv.quick:
        rcv.quick = max(0, rcv.quick - 1)
        if not rcv.quick:
            rcv.ato = TCP_ATO_MIN
    rcv.ack_scheduled = False
    rcv.pushed = 0
    sk.delack_timer.clear()


def _data_sent(sk: TcpSocket) -> None:
    """tcp_event_data_sent(): an answer soon after a question makes the connection interactive."""
    now = sk.net.loop.now
    sk.snd.last_sent = now
    if now - sk.rcv.last_data < sk.rcv.ato:
        sk.rcv.pingpong = min(sk.rcv.pingpong + 1, 255)


def in_pingpong(sk: TcpSocket) -> bool:
    return sk.rcv.pingpong >= sk.net.sysctl.get_int("net", "ipv4", "tcp_pingpong_thresh")


def syn_options(sk: TcpSocket, mss: int, peer: TcpOptions | None = None) -> TcpOptions:
    """tcp_syn_options() and tcp_synack_options(): `peer` is what a SYN offered, None for our own."""
    get = sk.net.sysctl.get_int
    stamps = bool(get("net", "ipv4", "tcp_timestamps")) and (peer is None or peer.timestamp is not None)
    scaling = bool(get("net", "ipv4", "tcp_window_scaling")) and (
        peer is None or peer.window_scale is not None
    )
    sack = bool(get("net", "ipv4", "tcp_sack")) and (peer is None or peer.sack_permitted)
    echo = peer.timestamp[0] if peer is not None and peer.timestamp is not None else 0
    return TcpOptions(
        mss=mss,
        window_scale=sk.rcv.scale if scaling else None,
        sack_permitted=sack,
        timestamp=(timestamp_now(sk), echo) if stamps else None,
    )


def initial_window(net: NetNamespace, limit: int, mss: int, scaling: bool) -> tuple[int, int]:
    """tcp_select_initial_window(): (window, scale)."""
    space = limit // 2
    if space > mss:
        space -= space % mss
    window = space
    scale = 0
    if scaling:
        sysctl = net.sysctl
        most = max(
            limit // 2,
            int(sysctl.read(("net", "ipv4", "tcp_rmem")).split()[2]),
            sysctl.get_int("net", "core", "rmem_max"),
        )
        scale = min(max(most.bit_length() - 16, 0), 14)
    return min(window, 65535 << scale), scale


# -- the write queue ----------------------------------------------------------------------------
def queue_data(sk: TcpSocket, data: bytes) -> None:
    """tcp_sendmsg(): append to the queue in pieces of at most one MSS; PSH marks the end."""
    snd = sk.snd
    mss = current_mss(sk)
    at = 0
    if snd.unsent and not snd.unsent[-1].flags & FIN and len(snd.unsent[-1].data) < mss:
        last = snd.unsent[-1]
        at = min(len(data), mss - len(last.data))
        last.data += data[:at]
        last.end += at
        snd.write_seq += at
    while at < len(data):
        piece = data[at : at + mss]
        seg = Segment(snd.write_seq, piece, 0)
        snd.unsent.append(seg)
        snd.write_seq = seg.end
        at += len(piece)
        if snd.max_window and snd.write_seq > snd.pushed + (snd.max_window >> 1):
            seg.flags |= PSH
            snd.pushed = snd.write_seq
    if snd.unsent:
        snd.unsent[-1].flags |= PSH
        snd.pushed = snd.write_seq


def _resize(sk: TcpSocket, mss: int) -> None:
    """tcp_fragment(): cut the first unsent segment where the MSS has become smaller."""
    snd = sk.snd
    first = snd.unsent[0]
    if len(first.data) <= mss:
        return
    snd.unsent.popleft()
    pieces = [first.data[start : start + mss] for start in range(0, len(first.data), mss)]
    seq = first.seq
    parts = []
    for number, piece in enumerate(pieces):
        part = Segment(seq, piece, first.flags if number == len(pieces) - 1 else 0)
        parts.append(part)
        seq = part.end
    snd.unsent.extendleft(reversed(parts))


def write_xmit(sk: TcpSocket) -> bool:
    """tcp_write_xmit(): send what window, congestion and Nagle allow; whether anything went."""
    snd = sk.snd
    if not snd.unsent:
        return False
    mss = current_mss(sk)
    sent = False
    now = sk.net.loop.now
    cong = snd.congestion
    if not snd.rtx and snd.last_sent and now - snd.last_sent > snd.rto:
        if sk.net.sysctl.get_int("net", "ipv4", "tcp_slow_start_after_idle"):
            cong.restart(now - snd.last_sent, snd.rto)
    cong.limited = False
    while snd.unsent:
        if len(snd.unsent[0].data) > mss:
            _resize(sk, mss)
        seg = snd.unsent[0]
        if snd.in_flight >= cong.cwnd:
            cong.limited = True
            break
        if seg.end - (seg.flags & FIN) > snd.una + snd.window:
            break
        small = len(seg.data) < mss
        if small and len(snd.unsent) == 1 and not seg.flags & FIN and not sk.nodelay and snd.rtx:
            if sk.cork or snd.una < snd.small_end <= snd.nxt:
                break
        snd.unsent.popleft()
        first = not snd.rtx
        snd.rtx.append(seg)
        sk.net.count("TcpExtTCPOrigDataSent")
        snd.nxt = max(snd.nxt, seg.end)
        seg.sent = now
        if small and seg.data:
            snd.small_end = seg.end
        transmit(sk, seg.seq, seg.flags | ACK, seg.data)
        if first or snd.tlp_high:
            sk.rearm_rto()
        sent = True
    if not cong.limited and sent and cong.cwnd < cong.ssthresh:
        cong.limited = cong.cwnd < 2 * len(snd.rtx)
    if sent and not sk.snd.recovery:
        sk.schedule_probe()
    if not snd.rtx and snd.unsent:
        sk.check_probe_timer()
    return sent


def push(sk: TcpSocket) -> None:
    if sk.snd.unsent and sk.state not in ("SYN_SENT", "SYN_RECV", "CLOSE"):
        write_xmit(sk)


def queue_fin(sk: TcpSocket) -> None:
    """tcp_send_fin(): on the last unsent segment, or one of its own."""
    snd = sk.snd
    if snd.unsent:
        snd.unsent[-1].flags |= FIN
        snd.unsent[-1].end += 1
        snd.write_seq += 1
    else:
        seg = Segment(snd.write_seq, b"", FIN)
        snd.unsent.append(seg)
        snd.write_seq = seg.end
    push(sk)


def retransmit(sk: TcpSocket, seg: Segment) -> bool:
    """__tcp_retransmit_skb(): False where it could not be sent."""
    snd = sk.snd
    now = sk.net.loop.now
    if seg.flags & SYN:
        sent = send_syn(sk, seg)
    else:
        mss = current_mss(sk)
        if seg.seq < snd.una:  # partly acknowledged (tcp_trim_head())
            seg.data = seg.data[snd.una - seg.seq :]
            seg.seq = snd.una
        if len(seg.data) > mss:
            split_sent(sk, seg, mss)
        sent = transmit(sk, seg.seq, seg.flags | ACK, seg.data)
    if not snd.first_retransmission:
        snd.first_retransmission = seg.sent or now
    seg.sent = now
    seg.retransmitted += 1
    if seg.lost:
        seg.in_retransmission = True
    snd.total_retransmissions += 1
    snd.bytes_retransmitted += len(seg.data)
    sk.net.count("TcpRetransSegs")
    return sent


def split_sent(sk: TcpSocket, seg: Segment, mss: int) -> None:
    """Cut a segment that was sent already, after the path MTU fell."""
    snd = sk.snd
    place = snd.rtx.index(seg)
    rest = seg.data[mss:]
    flags = seg.flags
    seg.data = seg.data[:mss]
    seg.flags &= ~(FIN | PSH)
    seg.end = seg.seq + mss
    seq = seg.end
    while rest:
        piece, rest = rest[:mss], rest[mss:]
        part = Segment(seq, piece, 0 if rest else flags)
        part.sent, part.retransmitted, part.lost = seg.sent, seg.retransmitted, seg.lost
        snd.lost += seg.lost
        place += 1
        snd.rtx.insert(place, part)
        seq = part.end


def send_syn(sk: TcpSocket, seg: Segment) -> bool:
    """tcp_connect(), and a SYN or SYN-ACK sent again."""
    flags = seg.flags
    options = syn_options(sk, sk.rcv.advmss, sk.peer_options if flags & ACK else None)
    return transmit(sk, seg.seq, flags, b"", options.encode())


# -- without data -------------------------------------------------------------------------------
def send_ack(sk: TcpSocket) -> None:
    """tcp_send_ack()."""
    if sk.state != "CLOSE":
        transmit(sk, sk.snd.nxt, ACK)


def send_delayed_ack(sk: TcpSocket) -> None:
    """tcp_send_delayed_ack(): 40 ms, to let an answer carry the acknowledgement."""
    sk.rcv.ack_scheduled = True
    delay = min(max(sk.rcv.ato, TCP_ATO_MIN), TCP_DELACK_MAX)
    timer = sk.delack_timer
    if timer.pending and timer.left <= delay:
        return
    timer.set(delay)


def send_probe(sk: TcpSocket) -> bool:
    """tcp_write_wakeup(): a piece of data where the window lets it, else an old byte's number."""
    snd = sk.snd
    if snd.unsent:
        seg = snd.unsent[0]
        room = snd.una + snd.window - seg.seq
        if room > 0 and seg.data:
            mss = min(room, current_mss(sk))
            if len(seg.data) > mss:
                _resize(sk, mss)
                seg = snd.unsent[0]
            snd.unsent.popleft()
            snd.rtx.append(seg)
            sk.net.count("TcpExtTCPOrigDataSent")
            snd.nxt = max(snd.nxt, seg.end)
            seg.sent = sk.net.loop.now
            seg.flags |= PSH
            transmit(sk, seg.seq, seg.flags | ACK, seg.data)
            sk.rearm_rto()
            return True
    transmit(sk, snd.una - 1, ACK)
    return False


def send_active_reset(sk: TcpSocket) -> None:
    """tcp_send_active_reset()."""
    sk.net.count("TcpOutRsts")
    transmit(sk, sk.snd.nxt, RST | ACK)
