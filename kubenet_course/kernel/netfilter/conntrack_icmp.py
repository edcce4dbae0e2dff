"""Tracking ICMP: echo and its answer, and errors about other connections
(nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.wire.addresses import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.conntrack import Conntrack
    from kubenet_course.kernel.netfilter.conntrack_entry import Tuple
    from kubenet_course.kernel.skbuff import SkBuff

#: Requests and their answers: echo, timestamp, information, address mask.
PAIRS4 = {8: 0, 0: 8, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
PAIRS6 = {128: 129, 129: 128, 139: 140, 140: 139}
BEGINNINGS4 = frozenset({8, 13, 15, 17})
BEGINNINGS6 = frozenset({128, 139})
ERRORS4 = frozenset({3, 4, 5, 11, 12})
ERRORS6 = frozenset({1, 2, 3, 4})
#: Multicast listener and neighbour discovery are never tracked (they are UNTRACKED).
UNTRACKED6 = frozenset({130, 131, 132, 133, 134, 135, 136, 137, 143})


def inverse_type(family: int, kind: int) -> int | None:
    return (PAIRS4 if family == 4 else PAIRS6).get(kind)


def may_begin(family: int, kind: int) -> bool:
    return kind in (BEGINNINGS4 if family == 4 else BEGINNINGS6)


def handle_error(room: Conntrack, skb: SkBuff, family: int, zone: int) -> bool | None:
    """nf_conntrack_icmpv4_error(): None where the message is no error and is tracked itself."""
    from kubenet_course.kernel.netfilter import conntrack_entry as core

    kind = skb.transport[0]
    if family == 6 and kind in UNTRACKED6:
        skb.nfct = core.UNTRACKED
        skb.ctinfo = core.IP_CT_UNTRACKED
        return True
    if kind not in (ERRORS4 if family == 4 else ERRORS6):
        return None
    inner = inner_tuple(bytes(skb.payload), family)
    answer = core.invert(family, inner) if inner is not None else None
    found = room.find(family, answer, zone) if answer is not None else None
    if found is None:
        room.stats["invalid"] += 1
        return True
    ct, direction = found
    if ct.tuple_of(direction)[1] != skb.network[1]:
        room.stats["invalid"] += 1
        return True
    skb.nfct = ct
    skb.ctinfo = core.IP_CT_RELATED_REPLY if direction else core.IP_CT_RELATED
    return True


def inner_header(data: bytes, family: int) -> tuple[int, int, int, int] | None:
    """(source, destination, protocol, header length) of a quoted packet; None where it is broken."""
    if family == 4:
        if len(data) < 28 or data[0] >> 4 != 4:
            return None
        length = (data[0] & 15) * 4
        if length < 20 or int.from_bytes(data[6:8], "big") & 0x1FFF:
            return None
        return IPv4Address.decode(data[12:16]), IPv4Address.decode(data[16:20]), data[9], length
    if len(data) < 48 or data[0] >> 4 != 6:
        return None
    return IPv6Address.decode(data[8:24]), IPv6Address.decode(data[24:40]), data[6], 40


def inner_tuple(data: bytes, family: int) -> Tuple | None:
    """The tuple of the packet quoted in an ICMP error."""
    header = inner_header(data, family)
    if header is None:
        return None
    source, destination, protocol, length = header
    body = data[length:]
    if protocol in (6, 17, 132, 33, 136):
        if len(body) < 4:
            return None
        return source, destination, protocol, int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")
    if protocol == (1 if family == 4 else 58):
        if len(body) < 8:
            return None
        return source, destination, protocol, int.from_bytes(body[4:6], "big"), body[0] << 8 | body[1]
    return source, destination, protocol, 0, 0
