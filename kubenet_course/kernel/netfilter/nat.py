"""Network address translation (net/netfilter/nf_nat_core.c).

A connection is bound twice: its destination (PRE_ROUTING, LOCAL_OUT) and its source (POST_ROUTING,
LOCAL_IN), each by the first nat rule that says so for the first packet, else to itself (the null
binding, which still moves a port that another connection has). From then on every packet of the
connection is rewritten from the entry's tuples; no rule is looked at again.

    orig   10.244.0.2:4000 → 8.8.8.8:53          reply   8.8.8.8:53 → 192.168.1.10:4000
           └ the source is written over with the destination of `reply`, and so on
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.kernel.netfilter.conntrack import Conntrack
from kubenet_course.kernel.netfilter.conntrack_entry import (
    ICMP,
    ICMPV6,
    IP_CT_IS_REPLY,
    IP_CT_NEW,
    IP_CT_RELATED,
    IP_CT_RELATED_REPLY,
    IPS_CONFIRMED,
    IPS_DST_NAT,
    IPS_DST_NAT_DONE,
    IPS_SRC_NAT,
    IPS_SRC_NAT_DONE,
    UNTRACKED,
    WITH_PORTS,
    ConntrackEntry,
    Tuple,
    invert,
    source_key,
)
from kubenet_course.kernel.netfilter.hooks import (
    NF_INET_LOCAL_IN,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    PRI_NAT_DST,
    PRI_NAT_SRC,
)
from kubenet_course.kernel.netfilter.nat_range import spread
from kubenet_course.wire.addresses import IPv4Address, IPv6Address
from kubenet_course.wire.ipv4 import Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

SRC, DST = 0, 1
NAT_HOOKS = {
    NF_INET_PRE_ROUTING: PRI_NAT_DST,
    NF_INET_LOCAL_OUT: PRI_NAT_DST,
    NF_INET_POST_ROUTING: PRI_NAT_SRC,
    NF_INET_LOCAL_IN: PRI_NAT_SRC,
}
#: A nat chain: run it for the first packet; True to go on, False where it ended the packet.
NatChain = Callable[["NetNamespace", int, "SkBuff", "NetDevice | None", "NetDevice | None"], bool]


class NatRange(NamedTuple):
    """struct nf_nat_range2: None means "leave it"."""

    min_addr: int | None = None
    max_addr: int | None = None
    min_port: int | None = None
    max_port: int | None = None
    random: bool = False
    fully: bool = False
    persistent: bool = False
    base_port: int | None = None
    netmap: bool = False


class Nat:
    """The nat chains of one namespace, per (family, hook), in the order of their priority."""

    def __init__(self, net: NetNamespace):
        self.net = net
        self.chains: dict[tuple[int, int], list[tuple[int, NatChain]]] = {}
        self.used: dict[int, int] = {4: 0, 6: 0}

    def register(self, family: int, hook: int, priority: int, function: NatChain) -> None:
        """nf_nat_register_fn(): the first nat chain brings the four nat hooks of the family."""
        if not self.used[family]:
            for number, fixed in NAT_HOOKS.items():
                self.net.netfilter.register(family, number, fixed, nat_hook)
        self.used[family] += 1
        entries = self.chains.setdefault((family, hook), [])
        entries.insert(0, (priority, function))  # of equal priorities the newest runs first
        entries.sort(key=lambda entry: entry[0])

    def unregister(self, family: int, hook: int, function: NatChain) -> None:
        entries = self.chains.get((family, hook), [])
        self.chains[(family, hook)] = [entry for entry in entries if entry[1] != function]
        self.used[family] -= 1
        if not self.used[family]:
            for number in NAT_HOOKS:
                self.net.netfilter.unregister(family, number, nat_hook)


def nat(net: NetNamespace) -> Nat:
    found = net.rooms.get("nat")
    if found is None:
        found = net.rooms["nat"] = Nat(net)
    return found


def nat_hook(net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None) -> bool:
    """nf_nat_inet_fn() and nf_nat_ipv4_pre_routing(), _local_fn(): bind the first packet, rewrite all."""
    ct: ConntrackEntry | None = skb.nfct
    if ct is None or ct is UNTRACKED:
        return True
    ctinfo = skb.ctinfo
    source_side = hook == NF_INET_POST_ROUTING or hook == NF_INET_LOCAL_IN
    if ctinfo == IP_CT_NEW or ctinfo == IP_CT_RELATED or ctinfo == IP_CT_RELATED_REPLY:
        if ctinfo != IP_CT_NEW and ct.orig[2] is not None and skb.network[2] in (ICMP, ICMPV6):
            from kubenet_course.kernel.netfilter.nat_icmp import reply_translation

            return reply_translation(net, ct, skb, hook, source_side)
        done = IPS_SRC_NAT_DONE if source_side else IPS_DST_NAT_DONE
        if not ct.status & done:
            if not _bind(net, hook, skb, indev, outdev, ct, source_side, done):
                return False
    elif ct.masq_index and hook == NF_INET_POST_ROUTING and ctinfo < IP_CT_IS_REPLY:
        if outdev is not None and ct.masq_index != outdev.ifindex:
            # The route changed, and the address that hid the sender with it.
            net.rooms["conntrack"].remove(ct)
            skb.drop("NETFILTER_DROP", net)
            return False
    manip = ct.manip
    if manip is None:
        return True
    change = manip[not source_side][ctinfo >= IP_CT_IS_REPLY]
    if change is None:
        return True
    trace = skb.trace
    before = (skb.network, skb.transport) if trace is not None else None
    ip = skb.network
    rewrite(skb, source_side, change[0], change[1])
    if trace is not None:
        trace.nat(skb, before, (skb.network, skb.transport))
    if not source_side and skb.network[1] != ip[1]:
        if hook == NF_INET_PRE_ROUTING:
            skb.dst = None
        else:
            return route_me_harder(net, skb)
    return True


def _bind(
    net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None,
    ct: ConntrackEntry, source_side: bool, done: int,
) -> bool:  # fmt: skip
    """The first packet: ask the nat chains, else bind to what it has."""
    family = ct.family
    for _, chain in net.rooms["nat"].chains.get((family, hook), ()):
        if not chain(net, hook, skb, indev, outdev):
            return False
        if ct.status & done:
            return True
    null_binding(net, ct, SRC if source_side else DST)
    return True


def null_binding(net: NetNamespace, ct: ConntrackEntry, kind: int) -> None:
    """nf_nat_alloc_null_binding(): keep the address; a port may have to move."""
    # Bound to what the other direction expects, as an earlier binding may have changed it.
    address = ct.reply[1] if kind == SRC else ct.reply[0]
    setup_info(net, ct, NatRange(address, address), kind)


def setup_info(net: NetNamespace, ct: ConntrackEntry, wanted: NatRange, kind: int) -> bool:
    """nf_nat_setup_info(): choose a free tuple within the range and write it into `ct.reply`."""
    done = IPS_SRC_NAT_DONE if kind == SRC else IPS_DST_NAT_DONE
    if ct.status & IPS_CONFIRMED or ct.status & done:
        return True
    room: Conntrack = net.rooms["conntrack"]
    current = invert(ct.family, ct.reply)
    assert current is not None
    new = unique_tuple(net, room, current, ct, wanted, kind)
    if new != current:
        reply = invert(ct.family, new)
        assert reply is not None
        ct.reply = reply
        ct.status |= IPS_SRC_NAT if kind == SRC else IPS_DST_NAT
        _prepare(ct)
    if kind == SRC:
        room.by_source.setdefault(source_key(ct), []).append(ct)
    ct.status |= done
    return True


def _prepare(ct: ConntrackEntry) -> None:
    """What each hook writes, worked out once: `manip[kind][direction]`.

    The original's source becomes the reply's destination, and the original's destination the
    reply's source; for packets of the reply the other way round.
    """
    table: list[list[Any]] = [[None, None], [None, None]]
    (osrc, odst, protocol, osport, odport), (rsrc, rdst, _, rsport, rdport) = ct.orig, ct.reply
    icmp = protocol in (ICMP, ICMPV6)
    if ct.status & IPS_SRC_NAT:
        table[SRC][0] = (rdst, rsport if icmp else rdport)
        table[DST][1] = (osrc, osport)
    if ct.status & IPS_DST_NAT:
        table[DST][0] = (rsrc, rsport)
        table[SRC][1] = (odst, osport if icmp else odport)
    ct.manip = table


# -- choosing ---------------------------------------------------------------------------------
def used(room: Conntrack, ct: ConntrackEntry, tup: Tuple) -> bool:
    """nf_nat_used_tuple(): another connection would get this one's answers."""
    reply = invert(ct.family, tup)
    if reply is None:
        return False
    found = room.find(ct.family, reply, ct.zone)
    return found is not None and found[0] is not ct


def _in_range(tup: Tuple, wanted: NatRange, kind: int) -> bool:
    address = tup[0] if kind == SRC else tup[1]
    if wanted.min_addr is not None and not wanted.min_addr <= address <= (wanted.max_addr or wanted.min_addr):
        return False
    if wanted.min_port is None:
        return True
    port = tup[3] if kind == SRC or tup[2] in (ICMP, ICMPV6) else tup[4]
    return wanted.min_port <= port <= (wanted.max_port if wanted.max_port is not None else wanted.min_port)


def unique_tuple(
    net: NetNamespace, room: Conntrack, orig: Tuple, ct: ConntrackEntry, wanted: NatRange, kind: int
) -> Tuple:
    """get_unique_tuple(): keep what can be kept, prefer what this socket had before, then search."""
    random = wanted.random or wanted.fully
    if kind == SRC and not random:
        if _in_range(orig, wanted, kind) and not used(room, ct, orig):
            return orig
        for other in room.by_source.get(source_key(ct), ()):
            mapped = other.reply
            port = mapped[3] if orig[2] in (ICMP, ICMPV6) else mapped[4]
            candidate = (mapped[1], orig[1], orig[2], port, orig[4])
            if _in_range(candidate, wanted, kind) and not used(room, ct, candidate):
                return candidate
    tup = _choose_address(orig, wanted, kind)
    icmp = tup[2] in (ICMP, ICMPV6)
    if not random:
        if wanted.min_port is not None:
            top = wanted.max_port if wanted.max_port is not None else wanted.min_port
            if wanted.base_port is None and _in_range(tup, wanted, kind):
                if wanted.min_port == top or not used(room, ct, tup):
                    return tup
        elif not used(room, ct, tup):
            return tup
    if not icmp and tup[2] not in WITH_PORTS:
        return tup
    return _choose_port(net, room, tup, ct, wanted, kind)


def _choose_address(tup: Tuple, wanted: NatRange, kind: int) -> Tuple:
    """find_best_ips_proto(): spread sources over the range, the same for the same pair."""
    if wanted.min_addr is None:
        return tup
    low, high = wanted.min_addr, wanted.max_addr if wanted.max_addr is not None else wanted.min_addr
    address = low
    if high != low:
        address = spread(tup[0], tup[1], low, high, wanted.persistent)
    kinds = IPv4Address if isinstance(tup[0], IPv4Address) else IPv6Address
    value = kinds(address)
    if kind == SRC:
        return (value, tup[1], tup[2], tup[3], tup[4])
    return (tup[0], value, tup[2], tup[3], tup[4])


def _choose_port(
    net: NetNamespace, room: Conntrack, tup: Tuple, ct: ConntrackEntry, wanted: NatRange, kind: int
) -> Tuple:
    """nf_nat_l4proto_unique_tuple()."""
    icmp = tup[2] in (ICMP, ICMPV6)
    key = tup[3] if kind == SRC or icmp else tup[4]
    if wanted.min_port is None:
        if icmp:
            low, high = 0, 65535
        elif kind == DST:
            return tup
        elif key < 1024:
            low, high = (1, 511) if key < 512 else (600, 1023)
        else:
            low, high = 1024, 65535
    else:
        low, high = wanted.min_port, wanted.max_port if wanted.max_port is not None else wanted.min_port
        if high < low:
            low, high = high, low
    size = high - low + 1
    if wanted.base_port is not None:
        offset = (key - wanted.base_port) % size
    elif kind == DST and not wanted.fully:
        offset = 0
    else:
        offset = net.host.random.randrange(65536)
    for step in range(min(size, 128)):
        port = low + (offset + step) % size
        candidate = (
            (tup[0], tup[1], tup[2], port, tup[4])
            if kind == SRC or icmp
            else (tup[0], tup[1], tup[2], tup[3], port)
        )
        if wanted.base_port is not None or not used(room, ct, candidate):
            return candidate
    for port in range(low, high + 1):
        candidate = (
            (tup[0], tup[1], tup[2], port, tup[4]) if kind == SRC or icmp else (tup[0], tup[1], tup[2], tup[3], port)
        )
        if not used(room, ct, candidate):
            return candidate
    return tup


# -- rewriting ----------------------------------------------------------------------------------
def rewrite(skb: SkBuff, source: bool, address: int, port: int) -> None:
    """nf_nat_manip_pkt(): new headers in the packet; checksums follow by themselves."""
    ip = skb.network
    if len(ip) == 9:
        if source:
            skb.network = tuple.__new__(Ipv4Header, (address, ip[1], ip[2], ip[3], ip[4], ip[5], ip[6], ip[7], ip[8]))
        else:
            skb.network = tuple.__new__(Ipv4Header, (ip[0], address, ip[2], ip[3], ip[4], ip[5], ip[6], ip[7], ip[8]))
    else:
        skb.network = ip._replace(source=address) if source else ip._replace(destination=address)
    transport = skb.transport
    protocol = ip[2]
    if transport is None:
        if protocol in WITH_PORTS and isinstance(skb.payload, bytes) and len(skb.payload) >= 4:
            at = 0 if source else 2
            skb.payload = skb.payload[:at] + port.to_bytes(2, "big") + skb.payload[at + 2 :]
        return
    if protocol == ICMP or protocol == ICMPV6:
        if transport[2] >> 16 != port:
            skb.transport = transport._replace(rest=port << 16 | transport[2] & 0xFFFF)
    elif source:
        if transport[0] != port:
            skb.transport = tuple.__new__(type(transport), (port, *transport[1:]))
    elif transport[1] != port:
        skb.transport = tuple.__new__(type(transport), (transport[0], port, *transport[2:]))


def route_me_harder(net: NetNamespace, skb: SkBuff) -> bool:
    """ip_route_me_harder(): the destination or mark of a packet of ours changed; route it anew."""
    from kubenet_course.errors import KernelError

    ip = skb.network
    try:
        if len(ip) == 9:
            from kubenet_course.kernel.inet.route import ip_route_output

            source = 0 if ip.source.is_multicast or net.ipv4.is_broadcast(ip.source, skb.dst.dev) else ip.source
            oif = skb.sk.device if skb.sk is not None and getattr(skb.sk, "device", None) is not None else None
            skb.dst = ip_route_output(
                net, ip.destination, source, oif=oif, mark=skb.mark, tos=ip.tos, protocol=ip.protocol, any_source=True
            )
        else:
            from kubenet_course.kernel.inet6.route import ip6_route_output

            skb.dst = ip6_route_output(net, ip.destination, ip.source, mark=skb.mark)
    except KernelError:
        skb.drop("IP_OUTNOROUTES", net)
        return False
    skb.dev = skb.dst.dev
    if skb.trace is not None:
        skb.trace.route(skb, skb.dst)
    return True
