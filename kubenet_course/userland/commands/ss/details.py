"""What ss prints behind a socket with -o, -e, -m and -i."""

from __future__ import annotations

from kubenet_course.kernel.socket.tcp import SEND_BUFFER, TcpSocket
from kubenet_course.kernel.socket.tcp_cong import INFINITE
from kubenet_course.sim.loop import MICROSECOND, MILLISECOND, SECOND
from kubenet_course.userland.socket_table import SocketRecord


def print_ms(ms: int) -> str:
    """print_ms_timer(): ``59sec``, ``1min20sec``, ``3.200ms``."""
    ms = max(ms, 0)
    msecs, seconds, minutes = ms % 1000, ms // 1000 % 60, ms // 60000
    text = ""
    if minutes:
        msecs = 0
        text += f"{minutes}min"
        if minutes > 9:
            seconds = 0
    if seconds:
        if seconds > 9:
            msecs = 0
        text += f"{seconds}{'.' if msecs else 'sec'}"
    if msecs:
        text += f"{msecs:03d}ms"
    return text


def timer_text(timer: tuple[str, int, int]) -> str:
    name, ms, count = timer
    return f" timer:({name},{print_ms(ms)},{count})"


def extended(record: SocketRecord) -> str:
    """-e: inode, cookie and shutdown arrows."""
    text = f" ino:{record.inode}" if record.inode else ""
    text += f" sk:{record.inode - 19000 if record.inode else id(record.sock) % 4096:x}"
    text += " cgroup:/"
    if record.v6only:
        text += " v6only:1"
    sock = record.sock
    if record.kind == "tcp" and isinstance(sock, TcpSocket):
        text += f" {'-' if sock.shut_send else '<'}-{'-' if sock.shut_receive else '>'}"
    return text + (" <->" if record.kind != "tcp" else "")


def memory(record: SocketRecord) -> str:
    """-m."""
    sock = record.sock
    if isinstance(sock, TcpSocket):
        held, limit, drops = len(sock.rcv.buffer), sock.rcv.limit, 0
        send_limit = 16384 if sock.state == "LISTEN" else SEND_BUFFER
        queued = record.send_queue
    else:
        held, limit, send_limit, queued = record.receive_queue, 212992, 212992, 0
        drops = getattr(sock, "drops", 0)
    return f" skmem:(r{held},rb{limit},t0,tb{send_limit},f0,w{queued},o0,bl0,d{drops})"


def _ms(ns: int) -> str:
    """Milliseconds with up to three places, as printf("%g") gives them."""
    return f"{ns / MILLISECOND:.3f}".rstrip("0").rstrip(".")


def tcp_info(record: SocketRecord) -> str:
    """-i: struct tcp_info in ss' order."""
    sock = record.sock
    if not isinstance(sock, TcpSocket):
        return ""
    snd, rcv = sock.snd, sock.rcv
    now = sock.net.loop.now
    parts = [snd.congestion.name]
    if sock.state == "LISTEN":
        parts.append(f"cwnd:{snd.congestion.cwnd}")
        return " " + " ".join(parts)
    if sock.window_scaling:
        parts.append(f"wscale:{snd.scale},{rcv.scale}")
    parts.append(f"rto:{snd.rto // MILLISECOND}")
    if snd.backoff:
        parts.append(f"backoff:{snd.backoff}")
    if snd.srtt:
        parts.append(f"rtt:{_ms(snd.srtt)}/{_ms(snd.mdev)}")
    if rcv.ato:
        parts.append(f"ato:{rcv.ato // MILLISECOND}")
    parts += [
        f"mss:{snd.mss}",
        f"pmtu:{snd.pmtu}",
        f"rcvmss:{rcv.mss}",
        f"advmss:{rcv.advmss}",
        f"cwnd:{snd.congestion.cwnd}",
    ]
    if snd.congestion.ssthresh != INFINITE:
        parts.append(f"ssthresh:{snd.congestion.ssthresh}")
    sent = snd.nxt - snd.una + snd.bytes_acked - 1 + snd.bytes_retransmitted
    if sent > 0:
        parts.append(f"bytes_sent:{sent}")
    if snd.bytes_retransmitted:
        parts.append(f"bytes_retrans:{snd.bytes_retransmitted}")
    if snd.bytes_acked > 1:
        parts.append(f"bytes_acked:{snd.bytes_acked}")
    if rcv.bytes:
        parts.append(f"bytes_received:{rcv.bytes}")
    parts += [f"segs_out:{snd.segments}", f"segs_in:{rcv.segments}"]
    if snd.data_segments:
        parts.append(f"data_segs_out:{snd.data_segments}")
    if rcv.data_segments:
        parts.append(f"data_segs_in:{rcv.data_segments}")
    if snd.srtt:
        parts.append(f"send {snd.congestion.cwnd * snd.mss * 8 * SECOND // max(snd.srtt, MICROSECOND)}bps")
    for name, moment in (("lastsnd", snd.last_sent), ("lastrcv", rcv.last_data), ("lastack", rcv.last_ack)):
        if now - moment >= MILLISECOND:
            parts.append(f"{name}:{(now - moment) // MILLISECOND}")
    if snd.rtx:
        parts.append(f"unacked:{len(snd.rtx)}")
    if snd.total_retransmissions:
        retransmitting = sum(seg.in_retransmission for seg in snd.rtx)
        parts.append(f"retrans:{retransmitting}/{snd.total_retransmissions}")
    if snd.lost:
        parts.append(f"lost:{snd.lost}")
    if snd.sacked:
        parts.append(f"sacked:{snd.sacked}")
    if rcv.rtt:
        parts.append(f"rcv_rtt:{_ms(rcv.rtt)}")
    parts += [f"rcv_space:{rcv.space}", f"rcv_ssthresh:{rcv.ssthresh}"]
    if snd.min_rtt:
        parts.append(f"minrtt:{_ms(snd.min_rtt)}")
    if snd.window:
        parts.append(f"snd_wnd:{snd.window}")
    return " " + " ".join(parts)
