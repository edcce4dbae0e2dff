"""Tracking TCP: the state both ends must be in, seen from the middle (nf_conntrack_proto_tcp.c).

The tables give the next state for (direction, kind of segment, state); IGNORE leaves the state as
it is, INVALID makes the packet INVALID. The window check follows Guido van Rooij, "Real Stateful
TCP Packet Filtering in IP Filter": a segment must lie within what the other end can accept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter.conntrack_entry import refresh
from kubenet_course.wire import tcp_options
from kubenet_course.wire.tcp import ACK, FIN, RST, SYN

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.conntrack import Conntrack
    from kubenet_course.kernel.netfilter.conntrack_entry import ConntrackEntry
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.wire.tcp import TcpHeader

NAMES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2",
)  # fmt: skip
NO, SS, SR, ES, FW, CW, LA, TW, CL, S2 = range(10)
IV, IG = 10, 11
REPEAT = 2

TIMEOUT_NAMES = (
    "syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close",
    "max_retrans", "unacknowledged",
)  # fmt: skip
#: The sysctl of each state's timeout, in the order of NAMES.
STATE_TIMEOUTS = (
    "syn_sent", "syn_sent", "syn_recv", "established", "fin_wait", "close_wait", "last_ack", "time_wait", "close", "syn_sent",
)  # fmt: skip

# kinds of segment, rows of the tables
K_SYN, K_SYNACK, K_FIN, K_ACK, K_RST, K_NONE = range(6)
#        NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
NEXT = (
    (  # from the originator
        (SS, SS, IG, IG, IG, IG, IG, SS, SS, S2),
        (IV, IV, SR, IV, IV, IV, IV, IV, IV, SR),
        (IV, IV, FW, FW, LA, LA, LA, TW, CL, IV),
        (ES, IV, ES, ES, CW, CW, TW, TW, CL, IV),
        (IV, CL, CL, CL, CL, CL, CL, CL, CL, CL),
        (IV, IV, IV, IV, IV, IV, IV, IV, IV, IV),
    ),
    (  # from the other end
        (IV, S2, IV, IV, IV, IV, IV, SS, IV, S2),
        (IV, SR, IG, IG, IG, IG, IG, IG, IG, SR),
        (IV, IV, FW, FW, LA, LA, LA, TW, CL, IV),
        (IV, IG, SR, ES, CW, CW, TW, TW, CL, IG),
        (IV, CL, CL, CL, CL, CL, CL, CL, CL, CL),
        (IV, IV, IV, IV, IV, IV, IV, IV, IV, IV),
    ),
)
FLAGS_VALID = frozenset({SYN, SYN | ACK, RST, RST | ACK, FIN | ACK, ACK})


class Side:
    """What one end has sent and may send (struct ip_ct_tcp_state)."""

    __slots__ = ("end", "maxend", "maxwin", "maxack", "scale", "wscale_ok", "flags_closing")

    def __init__(self) -> None:
        self.end = self.maxend = self.maxwin = self.maxack = self.scale = 0
        self.wscale_ok = False
        self.flags_closing = False


class TcpState:
    """What is known of a connection (struct ip_ct_tcp): its state, both sides' windows, the last packet."""

    __slots__ = ("state", "sides", "last_dir", "last_kind", "last_seq", "last_ack", "last_end", "last_win", "retrans")

    def __init__(self) -> None:
        self.state = NO
        self.sides = (Side(), Side())
        self.last_dir = 0
        self.last_kind = K_NONE
        self.last_seq = self.last_ack = self.last_end = self.last_win = 0
        self.retrans = 0

    @property
    def name(self) -> str:
        return NAMES[self.state]


def kind_of(flags: int) -> int:
    """get_conntrack_index()."""
    if flags & RST:
        return K_RST
    if flags & SYN:
        return K_SYNACK if flags & ACK else K_SYN
    if flags & FIN:
        return K_FIN
    return K_ACK if flags & ACK else K_NONE


def _scale_option(options: bytes) -> int | None:
    """The window scale option's shift, or None."""
    found = tcp_options.find(options, tcp_options.WINDOW_SCALE, 1)
    return None if found is None else min(found[0], 14)


def _after(a: int, b: int) -> bool:
    return 0 < (a - b) & 0xFFFFFFFF < 0x80000000


def _later(a: int, b: int) -> int:
    return a if _after(a, b) else b


def packet(room: Conntrack, ct: ConntrackEntry, skb: SkBuff, direction: int, ctinfo: int) -> int:
    """nf_conntrack_tcp_packet(): 1 fine, -1 INVALID, REPEAT: forget the old connection first."""
    tcp: TcpHeader = skb.transport
    flags = tcp.flags & (SYN | ACK | FIN | RST)
    if flags not in FLAGS_VALID:
        return -1
    info = ct.tcp
    kind = kind_of(flags)
    if info is None:
        info = _begin(room, skb, tcp, kind)
        if info is None:
            return -1
        ct.tcp = info
    old = info.state
    new = NEXT[direction][kind][old]
    if new == IG:
        info.last_kind, info.last_dir = kind, direction
        return 1
    if new == IV:
        return -1
    if new == SS and old >= TW:
        # A new SYN for a connection that is over: forget the old one.
        return REPEAT
    if new == CL and kind == K_RST and old > SS and not room.liberal:
        other = info.sides[not direction]
        if other.maxack and _after(other.maxack, tcp.sequence) and not tcp.flags & ACK:
            return -1
    if not _in_window(room, info, direction, skb, tcp) and not room.liberal:
        return -1
    info.last_kind, info.last_dir = kind, direction
    info.state = new
    if kind == K_FIN:
        info.sides[direction].flags_closing = True
    timeouts = room.tcp_timeouts
    timeout = timeouts[new]
    if info.retrans >= 3 and timeout > room.timeouts["max_retrans"]:
        timeout = room.timeouts["max_retrans"]
    if not ct.status & 2:  # IPS_SEEN_REPLY
        if flags & RST:
            room.remove(ct)
            return 1
        if new == ES and timeout > room.timeouts["unacknowledged"]:
            timeout = room.timeouts["unacknowledged"]
    elif not ct.status & 4 and (old in (SR, ES)) and new == ES:
        ct.status |= 4  # IPS_ASSURED
        ct.changed = True
    if new != old:
        ct.changed = True
    refresh(ct, skb, direction, timeout, room.loop.now)
    return 1


def _begin(room: Conntrack, skb: SkBuff, tcp: TcpHeader, kind: int) -> TcpState | None:
    """tcp_new(): a SYN, or, with tcp_loose, a segment from the middle of a connection."""
    first = NEXT[0][kind][NO]
    if first >= IV or (first != SS and not room.loose):
        return None
    info = TcpState()
    side, other = info.sides
    window = max(tcp.window, 1)
    side.end = _segment_end(tcp, skb)
    if first == SS:
        side.maxwin = window
        side.maxend = side.end
        scale = _scale_option(tcp.options)
        if scale is not None:
            side.scale, side.wscale_ok = scale, True
    else:
        # Picked up in the middle: both ends are taken at their word.
        side.maxwin = window
        side.maxend = (side.end + window) & 0xFFFFFFFF
        side.scale = other.scale = 14
    return info


def _segment_end(tcp: TcpHeader, skb: SkBuff) -> int:
    return (tcp.sequence + len(skb.payload) + bool(tcp.flags & SYN) + bool(tcp.flags & FIN)) & 0xFFFFFFFF


def _in_window(room: Conntrack, info: TcpState, direction: int, skb: SkBuff, tcp: TcpHeader) -> bool:
    """tcp_in_window(): learn from the segment, and say whether it fits."""
    sender, receiver = info.sides[direction], info.sides[not direction]
    seq, ack, window = tcp.sequence, tcp.acknowledgement, tcp.window
    end = _segment_end(tcp, skb)
    if sender.maxwin == 0:
        # The first segment from this end.
        if tcp.flags & SYN:
            sender.end = sender.maxend = end
            sender.maxwin = max(window, 1)
            scale = _scale_option(tcp.options)
            if scale is not None:
                sender.scale, sender.wscale_ok = scale, True
            if not (sender.wscale_ok and receiver.wscale_ok):
                sender.scale = receiver.scale = 0
            if not tcp.flags & ACK:
                return True
        else:
            sender.end = end
            scaled = window << sender.scale
            sender.maxwin = max(scaled, 1)
            sender.maxend = (end + sender.maxwin) & 0xFFFFFFFF
            if receiver.maxwin == 0:
                receiver.end = receiver.maxend = ack
            elif sender.end == ack:
                receiver.end = ack
    elif tcp.flags & SYN and direction == 0 and info.state == SS:
        # A SYN sent again: begin anew.
        sender.end = sender.maxend = end
        sender.maxwin = max(window, 1)
        return True
    if not tcp.flags & ACK or tcp.flags & (ACK | RST) == ACK | RST and ack == 0:
        ack = receiver.end
    if tcp.flags & RST and seq == 0 and info.state == SS:
        seq = end = sender.end
    in_window = (
        not _after(seq, (sender.maxend + 1) & 0xFFFFFFFF)
        and (receiver.maxwin == 0 or not _after((sender.end - receiver.maxwin) & 0xFFFFFFFF, end))
        and not _after(ack, (receiver.end + 1) & 0xFFFFFFFF)
        and not _after((receiver.end - max(sender.maxwin, 66000)) & 0xFFFFFFFF, ack)
    )
    if not in_window:
        return False
    scaled = window if tcp.flags & SYN else window << sender.scale
    learned = scaled + ((end - seq) & 0xFFFFFFFF)
    sender.maxwin = max(sender.maxwin, learned)
    if _after(end, sender.end):
        sender.end = end
    if tcp.flags & ACK:
        if _after(ack, sender.maxack) or not sender.maxack:
            sender.maxack = ack
    if receiver.maxwin and _after(end, sender.maxend):
        receiver.maxwin += (end - sender.maxend) & 0xFFFFFFFF
    allowed = (ack + scaled) & 0xFFFFFFFF
    if _after(allowed, (receiver.maxend - 1) & 0xFFFFFFFF):
        receiver.maxend = (allowed + (0 if scaled else 1)) & 0xFFFFFFFF
    _count_retransmission(info, direction, seq, ack, end, window)
    return True


def _count_retransmission(info: TcpState, direction: int, seq: int, ack: int, end: int, window: int) -> None:
    same = (info.last_seq, info.last_ack, info.last_end, info.last_win) == (seq, ack, end, window)
    if same and info.last_dir == direction:
        info.retrans += 1
    else:
        info.last_seq, info.last_ack, info.last_end, info.last_win = seq, ack, end, window
        info.retrans = 0
