"""meta … set, ct … set, and fields of headers that a rule writes (nft_meta.c, nft_ct.c, nft_payload.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubenet_course.kernel.netfilter.conntrack_entry import IPS_TEMPLATE, UNTRACKED, ConntrackEntry
from kubenet_course.kernel.netfilter.nf_tables.expressions import Ct, Expr, Meta, Option, Payload
from kubenet_course.kernel.netfilter.nf_tables.protocols import PROTOCOLS, TRANSPORT
from kubenet_course.kernel.netfilter.tables import NF_TRACE, Table
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress

#: Writes the value; False where the packet has no such field.
Write = Callable[[Any, Any, Any], bool]

#: (protocol, field) → what changes in the header tuple.
_FIELDS: dict[tuple[str, str], Callable[[Any, int], Any]] = {
    ("ip", "saddr"): lambda header, value: header._replace(source=IPv4Address(value)),
    ("ip", "daddr"): lambda header, value: header._replace(destination=IPv4Address(value)),
    ("ip", "ttl"): lambda header, value: header._replace(ttl=value),
    ("ip", "id"): lambda header, value: header._replace(identification=value),
    ("ip", "dscp"): lambda header, value: header._replace(tos=header.tos & 3 | value << 2),
    ("ip", "ecn"): lambda header, value: header._replace(tos=header.tos & 0xFC | value),
    ("ip", "frag-off"): lambda header, value: header._replace(flags_offset=value),
    ("ip6", "saddr"): lambda header, value: header._replace(source=IPv6Address(value)),
    ("ip6", "daddr"): lambda header, value: header._replace(destination=IPv6Address(value)),
    ("ip6", "hoplimit"): lambda header, value: header._replace(ttl=value),
    ("ip6", "dscp"): lambda header, value: header._replace(traffic_class=header.traffic_class & 3 | value << 2),
    ("ip6", "ecn"): lambda header, value: header._replace(traffic_class=header.traffic_class & 0xFC | value),
    ("ip6", "flowlabel"): lambda header, value: header._replace(flow_label=value),
    ("tcp", "sport"): lambda header, value: header._replace(source_port=value),
    ("tcp", "dport"): lambda header, value: header._replace(destination_port=value),
    ("tcp", "sequence"): lambda header, value: header._replace(sequence=value),
    ("tcp", "ackseq"): lambda header, value: header._replace(acknowledgement=value),
    ("tcp", "flags"): lambda header, value: header._replace(flags=value),
    ("tcp", "window"): lambda header, value: header._replace(window=value),
    ("udp", "sport"): lambda header, value: header._replace(source_port=value),
    ("udp", "dport"): lambda header, value: header._replace(destination_port=value),
    ("th", "sport"): lambda header, value: header._replace(source_port=value),
    ("th", "dport"): lambda header, value: header._replace(destination_port=value),
    ("icmp", "type"): lambda header, value: header._replace(type=value),
    ("icmp", "code"): lambda header, value: header._replace(code=value),
    ("icmpv6", "type"): lambda header, value: header._replace(type=value),
    ("icmpv6", "code"): lambda header, value: header._replace(code=value),
    ("ether", "saddr"): lambda header, value: header._replace(source=MacAddress(value)),
    ("ether", "daddr"): lambda header, value: header._replace(destination=MacAddress(value)),
}  # fmt: skip


def writer(target: Expr, table: Table) -> Write:
    if isinstance(target, Meta):
        return _meta(target.key)
    if isinstance(target, Ct):
        return _ct(target, table)
    if isinstance(target, Payload):
        return _payload(target)
    if isinstance(target, Option):
        return _option(target)
    return lambda skb, state, value: False


def _meta(key: str) -> Write:
    def write(skb: Any, state: Any, value: Any) -> bool:
        if key == "mark":
            skb.mark = value
        elif key == "priority":
            skb.priority = value
        elif key == "pkttype":
            skb.pkt_type = value
        elif key == "nftrace":
            skb.nf_flags = skb.nf_flags | NF_TRACE if value else skb.nf_flags & ~NF_TRACE
        return True

    return write


def _ct(target: Ct, table: Table) -> Write:
    key = target.key

    def write(skb: Any, state: Any, value: Any) -> bool:
        ct = skb.nfct
        if key == "zone":
            if ct is not None:
                return True
            nothing = (0, 0, 0, 0, 0)
            template = ConntrackEntry(state.family, nothing, nothing, value)
            template.status = IPS_TEMPLATE
            skb.nfct = template
            return True
        if ct is None or ct is UNTRACKED:
            return False
        if key == "mark":
            if ct.mark != value:
                ct.mark = value
                ct.changed = True
        elif key == "label":
            ct.labels |= 1 << value
        return True

    return write


def _payload(target: Payload) -> Write:
    from kubenet_course.kernel.netfilter.nf_tables.readers import CLASSES

    change = _FIELDS.get((target.protocol, target.name))
    protocol = PROTOCOLS[target.protocol]
    there = eval(f"lambda skb: {protocol.guard or 'True'}", dict(CLASSES))  # noqa: S307
    layer = {"ether": "eth"}.get(target.protocol, "transport" if protocol.base == TRANSPORT else "network")

    def write(skb: Any, state: Any, value: Any) -> bool:
        if change is None or not there(skb):
            return False
        setattr(skb, layer, change(getattr(skb, layer), value))
        return True

    return write


def _option(target: Option) -> Write:
    from kubenet_course.kernel.netfilter.targets.TCPMSS import with_segment_size
    from kubenet_course.wire.tcp import TcpHeader

    def write(skb: Any, state: Any, value: Any) -> bool:
        header = skb.transport
        if target.name != "maxseg" or header.__class__ is not TcpHeader:
            return False
        if b"\x02\x04" not in header.options:
            return False
        skb.transport = with_segment_size(header, value, 40 if len(skb.network) == 9 else 60)
        return True

    return write
