"""One tracked connection and its tuples (struct nf_conn, struct nf_conntrack_tuple).

A tuple is (source, destination, protocol, source port, destination port); for ICMP the ports are
the identifier and type << 8 | code. An entry has two: `orig`, as the first packet was, and `reply`,
as an answer will look. The table they are kept in is conntrack.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import conntrack_icmp
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.skbuff import SkBuff

Tuple = tuple[int, int, int, int, int]

# enum ip_conntrack_info
IP_CT_ESTABLISHED, IP_CT_RELATED, IP_CT_NEW, IP_CT_ESTABLISHED_REPLY, IP_CT_RELATED_REPLY = range(5)
IP_CT_IS_REPLY = 3
IP_CT_UNTRACKED = 7
ORIGINAL, REPLY = 0, 1

# enum ip_conntrack_status
IPS_EXPECTED, IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED = 1, 2, 4, 8
IPS_SRC_NAT, IPS_DST_NAT = 16, 32
IPS_NAT_MASK = IPS_SRC_NAT | IPS_DST_NAT
IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE = 128, 256
IPS_DYING, IPS_FIXED_TIMEOUT, IPS_TEMPLATE = 512, 1024, 2048

TCP, UDP, ICMP, ICMPV6, SCTP, DCCP, UDPLITE, GRE = 6, 17, 1, 58, 132, 33, 136, 47
WITH_PORTS = frozenset({TCP, UDP, SCTP, DCCP, UDPLITE})


class ConntrackEntry:
    """One connection (struct nf_conn). `counters` is [[packets, bytes], [packets, bytes]] or None."""

    __slots__ = (
        "family", "orig", "reply", "status", "expires", "timeout", "mark", "zone", "tcp", "stream_at", "counters",
        "ident", "started", "stopped", "manip", "masq_index", "helper", "labels", "master", "changed",
    )  # fmt: skip

    def __init__(self, family: int, orig: Tuple, reply: Tuple, zone: int = 0):
        self.family = family
        self.orig = orig
        self.reply = reply
        self.status = 0
        self.expires = 0
        self.timeout = 0
        self.mark = 0
        self.zone = zone
        self.tcp: Any = None
        self.stream_at = 0
        self.counters: list[list[int]] | None = None
        self.ident = 0
        self.started = 0
        self.stopped = 0
        #: What NAT writes, as [maniptype][direction] -> (address, port) or None; see nat.py.
        self.manip: Any = None
        self.masq_index = 0
        self.helper = ""
        self.labels = 0
        self.master: ConntrackEntry | None = None
        #: Something changed that listeners are told of when the packet is done.
        self.changed = False

    @property
    def protocol(self) -> int:
        return self.orig[2]

    @property
    def confirmed(self) -> bool:
        return bool(self.status & IPS_CONFIRMED)

    def tuple_of(self, direction: int) -> Tuple:
        return self.reply if direction else self.orig

    def __repr__(self) -> str:
        return f"<ConntrackEntry {self.orig} {self.reply}>"


#: Stands on packets that a rule took out of tracking (CT --notrack, NOTRACK).
UNTRACKED = ConntrackEntry(0, (0, 0, 0, 0, 0), (0, 0, 0, 0, 0))


def invert(family: int, tup: Tuple) -> Tuple | None:
    """nf_ct_invert_tuple(): the answer's tuple; None for ICMP messages without an answer."""
    source, destination, protocol, a, b = tup
    if protocol == ICMP and family == 4 or protocol == ICMPV6 and family == 6:
        other = conntrack_icmp.inverse_type(family, b >> 8)
        return None if other is None else (destination, source, protocol, a, other << 8 | b & 255)
    return (destination, source, protocol, b, a)


def tuple_of_packet(skb: SkBuff) -> Tuple | None:
    """nf_ct_get_tuple(); None where the transport header is missing (a fragment, cut short)."""
    ip = skb.network
    protocol = ip[2]
    transport = skb.transport
    if protocol == TCP or protocol == UDP:
        if transport is None:
            return None
        return (ip[0], ip[1], protocol, transport[0], transport[1])
    if protocol == ICMP or protocol == ICMPV6:
        if transport is None:
            return None
        return (ip[0], ip[1], protocol, transport[2] >> 16, transport[0] << 8 | transport[1])
    if protocol in WITH_PORTS:
        payload = skb.payload
        if not isinstance(payload, (bytes, bytearray)) or len(payload) < 4:
            return None
        ports = int.from_bytes(payload[:4], "big")
        return (ip[0], ip[1], protocol, ports >> 16, ports & 0xFFFF)
    return (ip[0], ip[1], protocol, 0, 0)


def source_key(ct: ConntrackEntry) -> tuple:
    """hash_by_src(): entries that come from the same socket, whatever their destination."""
    return (ct.family, ct.zone, ct.orig[0], ct.orig[2], ct.orig[3])


def refresh(ct: ConntrackEntry, skb: SkBuff, direction: int, timeout: int, now: int) -> None:
    """nf_ct_refresh_acct(): a packet more; the entry lives `timeout` ns from now."""
    if ct.status & IPS_CONFIRMED:
        if not ct.status & IPS_FIXED_TIMEOUT:
            ct.expires = now + timeout
    else:
        ct.timeout = timeout
    if ct.counters is not None:
        counter = ct.counters[direction]
        counter[0] += 1
        counter[1] += skb.len


def nf_ct_attach(new: SkBuff, old: SkBuff) -> None:
    """nf_conntrack_attach(): an ICMP error or RST made here belongs to the packet it is about."""
    ct = old.nfct
    if ct is None or ct is UNTRACKED:
        new.nfct = ct
        return
    new.nfct = ct
    new.ctinfo = IP_CT_RELATED if old.ctinfo >= IP_CT_IS_REPLY else IP_CT_RELATED_REPLY


def describe(ct: ConntrackEntry, now: int) -> dict[str, Any]:
    """A snapshot for the trace: what may change later."""
    return {
        "orig": ct.orig, "reply": ct.reply, "status": ct.status, "mark": ct.mark, "family": ct.family,
        "state": ct.tcp.name if ct.tcp is not None else None, "timeout": max(0, ct.expires - now) // SECOND,
    }  # fmt: skip
