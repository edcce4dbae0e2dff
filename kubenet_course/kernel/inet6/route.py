"""From a packet's addresses to where it goes, for IPv6 (net/ipv6/route.c, addrconf.c).

`ip6_route_output` answers for a packet of this host's own, `ip6_route_input` for one that came in;
the answer is an `Rt6Info`, cached per namespace until anything it depends on changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_master
from kubenet_course.kernel.dst import DstEntry, select_hop
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6.saddr import select_source
from kubenet_course.kernel.neighbour import FAILED
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import ANY6, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.neighbour import Neighbour
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

MIN_MTU = 1280


class Rt6Info(DstEntry[IPv6Address]):
    """An IPv6 routing decision (struct rt6_info)."""

    __slots__ = ("exception",)

    def __init__(self, net: NetNamespace, kind: str, dev: NetDevice | None, destination: IPv6Address):
        super().__init__(net, kind, dev, destination)
        self.exception: Rt6Exception | None = None
        self.source: IPv6Address = ANY6

    def _neigh_lookup(self) -> Neighbour:
        """ip6_neigh_lookup()."""
        assert self.dev is not None
        return self.net.nd.get(self.nexthop, self.dev)

    def link_failure(self, skb: SkBuff) -> None:
        """ip6_link_failure(): the next hop did not answer; tell the sender."""
        from kubenet_course.kernel.inet6.icmp import icmpv6_send
        from kubenet_course.wire.icmpv6 import ICMPV6_ADDR_UNREACH, ICMPV6_DEST_UNREACH

        icmpv6_send(self.net, skb, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH)


class Rt6Exception:
    """What ICMPv6 taught about one destination: a path MTU or a redirect's gateway."""

    __slots__ = ("pmtu", "gateway", "dev", "expires")

    def __init__(self) -> None:
        self.pmtu = 0
        self.gateway: IPv6Address | None = None
        self.dev: NetDevice | None = None
        self.expires = 0


# -- the tables -----------------------------------------------------------------------------------
def fib6_lookup(
    net: NetNamespace, key: fib.FlowKey, oif: int = 0, strict: bool = True
) -> tuple[fib.FibRule, fib.FibRoute, list[fib.NextHop]]:
    """fib6_rule_lookup(): the first rule whose table answers; `strict`: over device `oif`, else rather over it.

    KernelError(ENETUNREACH) where none does; an unreachable (…) route's own error with `.route`.
    """
    for rule in net.ipv6.rules.walk(key):
        if rule.action != "lookup":
            code = {"blackhole": errno.EINVAL, "unreachable": errno.ENETUNREACH, "prohibit": errno.EACCES}
            raise KernelError(code.get(rule.action, errno.EINVAL))
        table = net.ipv6.tables.get(rule.table)
        found = select_route(net, table, key, oif, strict) if table is not None else None
        if found is None:
            continue
        route, hops = found
        if rule.suppresses(route, hops) or route.type == fib.THROW:
            continue
        if route.type in fib.TYPE_ERRORS:
            failure = KernelError(fib.TYPE_ERRORS[route.type])
            failure.route, failure.rule = route, rule  # type: ignore[attr-defined]
            raise failure
        return rule, route, hops
    raise KernelError(errno.ENETUNREACH)


def select_route(
    net: NetNamespace, table: fib.FibTable, key: fib.FlowKey, oif: int, strict: bool
) -> tuple[fib.FibRoute, list[fib.NextHop]] | None:
    """fib6_table_lookup() and find_rr_leaf(): longest prefix, lowest metric, then a live router."""
    address = key.destination
    for _, mask, bucket in table._lengths:
        routes = bucket.get(address & mask)
        if not routes:
            continue
        best: tuple[int, fib.FibRoute, list[fib.NextHop]] | None = None
        sourced = net.ipv6.subtrees and any(route.source is not None for route in routes)
        for route in routes:
            if best is not None and (route.metric != best[1].metric or route.source != best[1].source):
                break
            if sourced and (route.source is None or key.source not in route.source):
                continue  # where some ask for a source, those that do not are never found
            hops = _usable(net, route, oif if strict else 0)
            if not hops:
                continue
            score = _score(net, route, hops)
            if oif and not strict:
                over = [hop for hop in hops if hop.dev.ifindex == oif]  # type: ignore[union-attr]
                score += 2 * bool(over)  # of several next hops the hash chooses all the same
            if best is None or score > best[0]:
                best = (score, route, hops)
        if best is not None:
            return best[1], best[2]
    return None


def _usable(net: NetNamespace, route: fib.FibRoute, oif: int) -> list[fib.NextHop]:
    conf = net.sysctl.conf
    hops = []
    for hop in route.nexthops:
        dev = hop.dev
        if hop.dead or dev is None or (oif and dev.ifindex != oif):
            continue
        if hop.linkdown and (
            conf("ipv6", dev.name, "ignore_routes_with_linkdown")
            or conf("ipv6", "all", "ignore_routes_with_linkdown")
        ):
            continue
        hops.append(hop)
    return hops


def _score(net: NetNamespace, route: fib.FibRoute, hops: list[fib.NextHop]) -> int:
    """rt6_score_route(): router preference, then whether the router answers (hosts only)."""
    score = {"low": 0, "medium": 4, "high": 8}.get(route.pref, 4)
    if len(hops) == 1 and hops[0].gateway is not None and not net.sysctl.conf("ipv6", "all", "forwarding"):
        entry = net.nd.entries.get((hops[0].gateway, hops[0].dev))  # type: ignore[arg-type]
        if entry is not None and entry.state == FAILED:
            return 0
        score += 2
    return score


def _choose(hops: list[fib.NextHop], source: int, destination: int, ports: int) -> fib.NextHop:
    """fib6_multipath_select(): by a hash of the flow, in proportion to the weights."""
    if len(hops) == 1:
        return hops[0]
    total = sum(hop.weight for hop in hops)
    mixed = (source * 0x9E3779B97F4A7C15 ^ destination * 0xC2B2AE3D27D4EB4F ^ ports * 0x165667B19E3779F9) & (
        1 << 64
    ) - 1
    mixed = (mixed ^ mixed >> 29) * 0xBF58476D1CE4E5B9 & (1 << 64) - 1
    point = (mixed >> 32) * total >> 32
    return select_hop(hops, point)


# -- output ---------------------------------------------------------------------------------------
def ip6_route_output(
    net: NetNamespace,
    destination: IPv6Address,
    source: int = 0,
    *,
    oif: NetDevice | None = None,
    mark: int = 0,
    protocol: int = 0,
    source_port: int = 0,
    destination_port: int = 0,
    tos: int = 0,
    retry: bool = True,
    strict: bool = True,
) -> Rt6Info:
    """ip6_dst_lookup(): how this host sends to `destination`; a source is chosen where none is given.

    `strict`: over no other device than `oif`, as for a socket that is bound to it (RT6_LOOKUP_F_IFACE).

    KernelError: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL (blackhole), EADDRNOTAVAIL (no source).
    """
    key = (destination, source, oif, mark, source_port << 16 | destination_port, protocol, tos, strict)
    cached = net.ipv6.output_cache.get(key)
    if cached is not None:
        return cached
    flow = fib.FlowKey(
        int(destination),
        int(source),
        "lo",
        oif.name if oif else "",
        mark,
        tos,
        protocol,
        source_port,
        destination_port,
    )
    try:
        rt = _route_output(net, destination, source, oif, flow, strict)
    except KernelError as failure:
        if source or not retry:
            _note_unsent(net, destination, failure)
            raise
        # ip6_dst_lookup_tail(): a source first, then the route or rule that wants it.
        chosen = select_source(net, None, destination)
        if chosen is None:
            _note_unsent(net, destination, failure)
            raise KernelError(errno.EADDRNOTAVAIL) from failure
        return ip6_route_output(
            net, destination, int(chosen), oif=oif, mark=mark, protocol=protocol, source_port=source_port,
            destination_port=destination_port, tos=tos, strict=True,
        )  # fmt: skip
    _apply_exception(net, rt)
    if len(net.ipv6.output_cache) > 65536:
        net.ipv6.output_cache.clear()
    net.ipv6.output_cache[key] = rt
    return rt


def _note_unsent(net: NetNamespace, destination: IPv6Address, failure: KernelError) -> None:
    if net.loop.tracer is not None:
        why = (getattr(failure, "route", None), getattr(failure, "rule", None))
        net.loop.tracer.unsent(net, destination, failure.errno, *why)


def _route_output(
    net: NetNamespace, destination: IPv6Address, source: int, oif: NetDevice | None, flow: fib.FlowKey, strict: bool
) -> Rt6Info:
    if destination == 0:
        destination = IPv6Address(source) if source else IPv6Address(1)
        flow = fib.FlowKey(int(destination), int(source), "lo", flow.oif, flow.mark)
    if oif is not None and not oif.up:
        raise KernelError(errno.ENETUNREACH)
    strict = strict or not source or destination.is_link_local or destination.is_multicast or destination.is_loopback
    rule, route, hops = fib6_lookup(net, flow, 0 if oif is None or oif.kind == "vrf" else oif.ifindex, strict)
    if route.type in (fib.LOCAL, fib.ANYCAST):
        rt = Rt6Info(net, fib.LOCAL, l3mdev_master(route.dev) or net.loopback, destination)
        rt.iif = route.dev
        rt.source = IPv6Address(source) if source else _source(net, route.dev, destination, route)
    else:
        hop = _choose(hops, int(source), int(destination), flow.source_port << 16 | flow.destination_port)
        kind = fib.MULTICAST if destination.is_multicast else fib.UNICAST
        rt = Rt6Info(net, kind, hop.dev, destination)
        rt.gateway = hop.gateway  # type: ignore[assignment]
        rt.source = IPv6Address(source) if source else _source(net, hop.dev, destination, route)
    rt.route, rt.rule = route, rule
    return rt


def _source(
    net: NetNamespace, dev: NetDevice | None, destination: IPv6Address, route: fib.FibRoute
) -> IPv6Address:
    if isinstance(route.prefsrc, IPv6Address):
        return route.prefsrc
    chosen = select_source(net, dev, destination)
    return chosen if chosen is not None else ANY6


# -- input ----------------------------------------------------------------------------------------
def ip6_route_input(net: NetNamespace, skb: SkBuff) -> Rt6Info | None:
    """ip6_route_input(): sets and returns `skb.dst`; None where the packet was dropped here."""
    ip = skb.network
    key = (ip.destination, ip.source, skb.in_dev, skb.mark, ip.flow_label if net.ipv6.rules.custom else 0)
    rt = net.ipv6.input_cache.get(key)
    if rt is None:
        rt = _route_input(net, skb)
        if len(net.ipv6.input_cache) > 65536:
            net.ipv6.input_cache.clear()
        net.ipv6.input_cache[key] = rt
    skb.dst = rt
    if skb.trace is not None:
        skb.trace.route(skb, rt)
    return rt


def _route_input(net: NetNamespace, skb: SkBuff) -> Rt6Info:
    ip = skb.network
    dev = skb.in_dev
    assert dev is not None
    destination: IPv6Address = ip.destination
    if destination.is_multicast:
        kind = fib.MULTICAST
        rt = Rt6Info(net, kind, net.loopback, destination)
        rt.iif = dev
        return rt
    port = getattr(skb.transport, "source_port", 0)
    flow = fib.FlowKey(
        int(destination), int(ip.source), dev.name, "", skb.mark, ip.traffic_class, ip.protocol,
        port, getattr(skb.transport, "destination_port", 0) if port else 0,
    )  # fmt: skip
    strict = dev.ifindex if destination.is_link_local else 0
    try:
        rule, route, hops = fib6_lookup(net, flow, strict)
    except KernelError as failure:
        rt = Rt6Info(net, fib.UNREACHABLE, net.loopback, destination)
        rt.error, rt.iif, rt.route = failure.errno, dev, getattr(failure, "route", None)
        return rt
    if route.type in (fib.LOCAL, fib.ANYCAST):
        rt = Rt6Info(net, fib.LOCAL, net.loopback, destination)
    else:
        hop = _choose(hops, int(ip.source), int(destination), ip.flow_label)
        rt = Rt6Info(net, fib.UNICAST, hop.dev, destination)
        rt.gateway, rt.forward = hop.gateway, True  # type: ignore[assignment]
        rt.redirect = hop.dev is dev
        _apply_exception(net, rt)
    rt.route, rt.rule, rt.iif = route, rule, dev
    return rt


# -- what ICMPv6 teaches --------------------------------------------------------------------------
def _apply_exception(net: NetNamespace, rt: Rt6Info) -> None:
    known = net.ipv6.exceptions.get(int(rt.destination))
    if known is None or rt.type != fib.UNICAST:
        return
    if known.expires <= net.loop.now:
        del net.ipv6.exceptions[int(rt.destination)]
        return
    rt.exception = known
    if known.pmtu:
        rt.pmtu = min(known.pmtu, rt.dev.mtu if rt.dev else known.pmtu)
    if known.gateway is not None and not rt.forward:
        rt.gateway = known.gateway if known.gateway != rt.destination else None


def update_pmtu(net: NetNamespace, destination: IPv6Address, mtu: int) -> None:
    """ip6_update_pmtu(): remember the path MTU for net.ipv6.route.mtu_expires seconds."""
    if mtu < MIN_MTU:
        return
    entry = net.ipv6.exceptions.setdefault(int(destination), Rt6Exception())
    entry.pmtu = mtu
    entry.expires = net.loop.now + net.sysctl.get_int("net", "ipv6", "route", "mtu_expires") * SECOND
    net.ipv6.flush_cache()
    net.loop.call_at(entry.expires, net.ipv6.flush_cache)


def update_redirect(
    net: NetNamespace, destination: IPv6Address, router: IPv6Address, target: IPv6Address, dev: NetDevice
) -> bool:
    """rt6_do_redirect(): take a better first hop on the same link from the old one's word."""
    try:
        rt = ip6_route_output(net, destination, oif=dev)
    except KernelError:
        return False
    if rt.gateway != router:
        return False
    entry = net.ipv6.exceptions.setdefault(int(destination), Rt6Exception())
    entry.gateway, entry.dev = target, dev
    entry.expires = net.loop.now + net.sysctl.get_int("net", "ipv6", "route", "gc_timeout") * SECOND * 10
    net.ipv6.flush_cache()
    return True
