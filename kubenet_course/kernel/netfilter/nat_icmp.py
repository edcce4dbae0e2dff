"""NAT of ICMP errors: the quoted packet is translated back too (nf_nat_icmp_reply_translation()).

The error's receiver must recognise its own packet in the quotation, so the addresses, ports and
checksums inside of it are those it had before this host rewrote it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter.conntrack_entry import (
    ICMP,
    ICMPV6,
    IP_CT_IS_REPLY,
    IPS_DST_NAT,
    IPS_DST_NAT_DONE,
    IPS_SRC_NAT,
    IPS_SRC_NAT_DONE,
    WITH_PORTS,
    ConntrackEntry,
)
from kubenet_course.kernel.netfilter.conntrack_icmp import ERRORS4, ERRORS6, inner_header
from kubenet_course.kernel.netfilter.hooks import NF_INET_LOCAL_OUT, NF_INET_PRE_ROUTING
from kubenet_course.wire.checksum import internet_checksum

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


REDIRECT = 5


def reply_translation(net: NetNamespace, ct: ConntrackEntry, skb: SkBuff, hook: int, source_side: bool) -> bool:
    """nf_nat_icmp_reply_translation(): rewrite the quoted packet and the error itself, for one hook.

    The end that is changed outside is the opposite end inside, because the quoted packet went the
    other way. The error's source is rewritten even where a router in between sent it.
    """
    from kubenet_course.kernel.netfilter.nat import DST, SRC, route_me_harder

    if skb.transport[0] == REDIRECT and ct.family == 4:
        # Where the translation is not decided yet it is taken for one, and a redirect would tell of the wrong address.
        done = IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE
        if ct.status & done != done or ct.status & (IPS_SRC_NAT | IPS_DST_NAT):
            skb.drop("NETFILTER_DROP", net)
            return False
    if ct.manip is None or skb.transport[0] not in (ERRORS4 if ct.family == 4 else ERRORS6):
        return True
    change = ct.manip[SRC if source_side else DST][skb.ctinfo >= IP_CT_IS_REPLY]
    if change is None:
        return True
    before = (skb.network, skb.transport)
    skb.payload = rewrite_quoted(bytes(skb.payload), ct.family, not source_side, *change)
    old = skb.network
    skb.network = old._replace(source=change[0]) if source_side else old._replace(destination=change[0])
    if skb.trace is not None:
        skb.trace.nat(skb, before, (skb.network, skb.transport))
    if not source_side and skb.network[1] != old[1]:
        if hook == NF_INET_PRE_ROUTING:
            skb.dst = None
        elif hook == NF_INET_LOCAL_OUT:
            return route_me_harder(net, skb)
    return True


def rewrite_quoted(data: bytes, family: int, source: bool, address: int, port: int) -> bytes:
    """The quoted bytes with one end changed, and their checksums with it."""
    header = inner_header(data, family)
    if header is None:
        return data
    protocol, length = header[2], header[3]
    out = bytearray(data)
    at, size = ((12 if source else 16), 4) if family == 4 else ((8 if source else 24), 16)
    old_address = bytes(out[at : at + size])
    new_address = int(address).to_bytes(size, "big")
    out[at : at + size] = new_address
    if family == 4:
        out[10:12] = b"\0\0"
        out[10:12] = internet_checksum(bytes(out[:length])).to_bytes(2, "big")
    place = None
    if protocol in WITH_PORTS:
        place = length + (0 if source else 2)
    elif protocol in (ICMP, ICMPV6):
        place = length + 4
    changes = [(old_address, new_address)] if protocol != ICMP else []
    if place is not None and len(out) >= place + 2:
        new_port = port.to_bytes(2, "big")
        changes.append((bytes(out[place : place + 2]), new_port))
        out[place : place + 2] = new_port
    sum_at = {6: 16, 17: 6, ICMP: 2, ICMPV6: 2}.get(protocol)
    if sum_at is not None and len(out) >= length + sum_at + 2:
        spot = length + sum_at
        value = int.from_bytes(out[spot : spot + 2], "big")
        if not (protocol == 17 and value == 0):
            for old, new in changes:
                value = replace_checksum(value, old, new)
            out[spot : spot + 2] = value.to_bytes(2, "big")
    return bytes(out)


def replace_checksum(checksum: int, old: bytes, new: bytes) -> int:
    """RFC 1624: HC' = ~(~HC + ~m + m')."""
    total = ~checksum & 0xFFFF
    for at in range(0, len(old), 2):
        total += ~int.from_bytes(old[at : at + 2], "big") & 0xFFFF
        total += int.from_bytes(new[at : at + 2], "big")
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
