"""Tracking what is neither TCP nor UDP: how long each packet lets its entry live, and when it is assured
(nf_conntrack_proto_icmp.c, _icmpv6.c, _udp.c for UDP-Lite, _gre.c, _generic.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter import conntrack_icmp
from kubenet_course.kernel.netfilter.conntrack_entry import (
    GRE,
    ICMP,
    ICMPV6,
    IPS_ASSURED,
    IPS_CONFIRMED,
    IPS_SEEN_REPLY,
    UDPLITE,
    ConntrackEntry,
    refresh,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.conntrack import Conntrack
    from kubenet_course.kernel.skbuff import SkBuff


def packet(room: Conntrack, ct: ConntrackEntry, skb: SkBuff, direction: int, family: int, now: int) -> bool:
    """icmp_packet(), generic_packet() and the rest; False makes the packet INVALID."""
    protocol = ct.orig[2]
    if protocol == ICMP and family == 4 or protocol == ICMPV6 and family == 6:
        if not ct.status & IPS_CONFIRMED and not conntrack_icmp.may_begin(family, skb.transport[0]):
            return False
        refresh(ct, skb, direction, room.timeouts["icmp" if family == 4 else "icmpv6"], now)
        return True
    if protocol == UDPLITE:
        replied = ct.status & IPS_SEEN_REPLY
        refresh(ct, skb, direction, room.timeouts["udp_stream" if replied else "udp"], now)
        if replied:
            ct.status |= IPS_ASSURED
        return True
    if protocol == GRE:
        replied = ct.status & IPS_SEEN_REPLY
        refresh(ct, skb, direction, room.timeouts["gre_stream" if replied else "gre"], now)
        if replied:
            ct.status |= IPS_ASSURED
        return True
    refresh(ct, skb, direction, room.timeouts["generic"], now)
    return True
