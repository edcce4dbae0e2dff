"""The receive window that a socket offers (net/ipv4/tcp_output.c: tcp_select_window()); all sizes in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.socket.tcp_state import MAX_TCP_WINDOW

if TYPE_CHECKING:
    from kubenet_course.kernel.socket.tcp import TcpSocket


def full_space(sk: TcpSocket) -> int:
    """tcp_full_space(): how many payload bytes the receive buffer is good for."""
    share = 0.5 if not sk.rcv.measured else 0.625
    return int(sk.rcv.limit * share)


def receive_space(sk: TcpSocket) -> int:
    """tcp_space(): what of that is free."""
    held = len(sk.rcv.buffer) + sum(len(data) for _, data, _ in sk.rcv.ahead)
    return full_space(sk) - held


def receive_window(sk: TcpSocket) -> int:
    """tcp_receive_window(): what is left of the window last offered."""
    return max(0, sk.rcv.wup + sk.rcv.window - sk.rcv.nxt)


def choose_window(sk: TcpSocket) -> int:
    """__tcp_select_window(): without silly small windows (RFC 9293, 3.8.6.2.2)."""
    rcv = sk.rcv
    mss = rcv.mss
    allowed = full_space(sk)
    whole = min(rcv.clamp, allowed)
    mss = min(mss, whole)
    free = receive_space(sk)
    step = 1 << rcv.scale
    if free < whole >> 1:
        rcv.quick = 0
        free &= ~(step - 1)
        if free < allowed >> 4 or free < mss:
            return 0
    if free > rcv.ssthresh:
        free = -(-rcv.ssthresh // step) * step
    if rcv.scale:
        return -(-free // step) * step
    window = rcv.window
    if window <= free - mss or window > free:
        window = free // mss * mss
    elif mss == whole and free > window + (whole >> 1):
        window = free
    return window


def select_window(sk: TcpSocket) -> int:
    """tcp_select_window(): the number for the header; never takes back what was offered."""
    rcv = sk.rcv
    left = receive_window(sk)
    window = choose_window(sk)
    if window < left:
        window = -(-left // (1 << rcv.scale)) * (1 << rcv.scale)
    rcv.window = window
    rcv.wup = rcv.nxt
    limit = 65535 if sk.window_scaling else MAX_TCP_WINDOW * 2 + 1
    return min(window >> rcv.scale, limit)
