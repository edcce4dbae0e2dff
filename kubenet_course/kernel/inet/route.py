"""From a packet's addresses to where it goes: the route look-up (net/ipv4/route.c).

An `Rtable` is the answer, kept on the packet as `skb.dst`: for input it names what happens next
(`deliver`, `forward`, or the error to send back), for output the device, next hop and source.
Answers are cached per namespace until anything they depend on changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_master, l3mdev_table
from kubenet_course.kernel.dst import DstEntry, select_hop
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.devinet import select_source
from kubenet_course.kernel.inet.fib_frontend import fib_lookup, fib_validate_source, inet_addr_onlink
from kubenet_course.kernel.neighbour import VALID
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IpAddress, IPv4Address

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.neighbour import Neighbour
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class Rtable(DstEntry[IPv4Address]):
    """An IPv4 routing decision (struct rtable); the gateway may be an IPv6 one (RFC 8950)."""

    __slots__ = ("exception", "tclassid")

    def __init__(self, net: NetNamespace, kind: str, dev: NetDevice | None, destination: IPv4Address):
        super().__init__(net, kind, dev, destination)
        self.exception: NextHopException | None = None
        self.source: Any = None
        #: Realms of the way (dst.tclassid), for `-m realm`.
        self.tclassid = 0

    def _neigh_lookup(self) -> Neighbour:
        """ip_neigh_for_gw()."""
        assert self.dev is not None
        table = self.net.nd if self.nexthop.family == 6 else self.net.arp
        return table.get(self.nexthop, self.dev)

    def link_failure(self, skb: SkBuff) -> None:
        """ipv4_link_failure(): the next hop did not answer; tell the sender."""
        from kubenet_course.kernel.inet.icmp import icmp_send
        from kubenet_course.wire.icmp import ICMP_DEST_UNREACH, ICMP_HOST_UNREACH

        icmp_send(self.net, skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH)


class NextHopException:
    """fnhe: what ICMP taught about one destination: a path MTU or a redirect's gateway."""

    __slots__ = ("pmtu", "gateway", "expires", "locked")

    def __init__(self) -> None:
        self.pmtu = 0
        self.gateway: IPv4Address | None = None
        self.expires = 0
        self.locked = False


def _gateway(hop: fib.NextHop) -> IpAddress | None:
    """rt_set_nexthop(): a gateway counts only on a link; one that is this host's own address does not."""
    return hop.gateway if hop.scope == fib.RT_SCOPE_LINK else None


def _choose(
    net: NetNamespace, hops: list[fib.NextHop], source: int, destination: int, ports: int = 0
) -> fib.NextHop:
    """fib_select_multipath(): by a hash of the flow, in proportion to the weights."""
    if len(hops) == 1:
        return hops[0]
    total = sum(hop.weight for hop in hops)
    mixed = (source * 0x9E3779B1 ^ destination * 0x85EBCA6B ^ ports * 0xC2B2AE35) & 0xFFFFFFFF
    mixed ^= mixed >> 15
    point = (mixed * 0x2C1B3C6D & 0xFFFFFFFF) * total >> 32
    return select_hop(hops, point)


def ip_route_output(
    net: NetNamespace,
    destination: IPv4Address,
    source: int = 0,
    *,
    oif: NetDevice | None = None,
    mark: int = 0,
    tos: int = 0,
    protocol: int = 0,
    source_port: int = 0,
    destination_port: int = 0,
    any_source: bool = False,
) -> Rtable:
    """ip_route_output_key_hash(): how this host sends to `destination`.

    `source` must be an address of this host, unless `any_source` (FLOWI_FLAG_ANYSRC).
    KernelError: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL (blackhole), ENODEV, ENETDOWN.
    """
    key = (
        destination,
        source,
        oif,
        mark,
        tos,
        any_source,
        (protocol, source_port, destination_port) if net.ipv4.rules.custom else 0,
    )
    cached = net.ipv4.output_cache.get(key)
    if cached is not None:
        return cached
    if source and not any_source and not ip_dev_find(net, source):
        raise KernelError(errno.EINVAL if source >> 28 >= 0xE or source >> 24 == 0 else errno.ENETUNREACH)
    rt = _route_output(net, destination, source, oif, mark, tos, protocol, source_port, destination_port)
    _apply_exception(net, rt)
    if len(net.ipv4.output_cache) > 65536:
        net.ipv4.output_cache.clear()
    net.ipv4.output_cache[key] = rt
    return rt


def ip_route_connect(net: NetNamespace, destination: IPv4Address, source: int = 0, **how: Any) -> Rtable:
    """ip_route_connect(): where no source was given, look once more with the one that was found.

    So rules about the source hold for a connected socket; `how` as of ip_route_output().
    """
    rt = ip_route_output(net, destination, source, **how)
    if not source and rt.source:
        rt = ip_route_output(net, destination, rt.source, **how)
    return rt


def ip_dev_find(net: NetNamespace, address: int) -> bool:
    """__ip_dev_find(): an address of one of our devices, or one that table local says is ours."""
    return address in net.ipv4.locals or net.ipv4.is_local(address)


def _route_output(
    net: NetNamespace, destination: IPv4Address, source: int, oif: NetDevice | None, mark: int, tos: int,
    protocol: int, source_port: int, destination_port: int,
) -> Rtable:  # fmt: skip
    ipv4 = net.ipv4
    if source:
        if source == 0xFFFFFFFF or source >> 28 == 0xE or source >> 24 == 0:
            raise KernelError(errno.EINVAL)
        if oif is None and (destination.is_multicast or destination == 0xFFFFFFFF):
            oif = next(
                (d for d in net.devices.values() if any(a.local == source for a in ipv4.addresses[d])), None
            )
            if oif is None:
                raise KernelError(errno.EINVAL)
    if oif is not None and not oif.up:
        raise KernelError(errno.ENETUNREACH)
    if oif is not None and not source and (destination.is_multicast or destination == 0xFFFFFFFF):
        source = select_source(net, oif, 0, fib.RT_SCOPE_LINK) or 0
    if oif is not None and (destination >> 8 == 0xE00000 or destination == 0xFFFFFFFF):
        # Groups of the link and the limited broadcast ask no table.
        rt = Rtable(net, fib.BROADCAST if destination == 0xFFFFFFFF else fib.MULTICAST, oif, destination)
        rt.source = IPv4Address(source)
        return rt
    if destination == 0:
        destination = IPv4Address(source) if source else IPv4Address(0x7F000001)
        rt = Rtable(net, fib.LOCAL, net.loopback, destination)
        rt.source = IPv4Address(source) if source else destination
        return rt
    flow = fib.FlowKey(
        int(destination),
        source,
        "lo",
        oif.name if oif else "",
        mark,
        tos,
        protocol,
        source_port,
        destination_port,
    )
    try:
        rule, route, hops = fib_lookup(net, flow, oif.ifindex if oif and oif.kind != "vrf" else 0)
    except KernelError as failure:
        if oif is not None and (destination.is_multicast or not l3mdev_table(oif)):
            # No route that may be used, but a device was named: assume that the destination is on its link.
            rt = Rtable(net, fib.UNICAST, oif, destination)
            rt.source = IPv4Address(source) if source else select_source(net, oif, 0, fib.RT_SCOPE_LINK)
            if rt.source is None:
                rt.source = IPv4Address(0)
            if destination.is_multicast:
                rt.type = fib.MULTICAST
            return rt
        if net.loop.tracer is not None:
            net.loop.tracer.unsent(
                net,
                destination,
                failure.errno,
                getattr(failure, "route", None),
                getattr(failure, "rule", None),
            )
        raise
    if route.type == fib.LOCAL:
        rt = Rtable(net, fib.LOCAL, l3mdev_master(hops[0].dev if hops else oif) or net.loopback, destination)
        rt.source = IPv4Address(source) if source else (route.prefsrc or destination)
        rt.route, rt.rule = route, rule
        rt.iif = hops[0].dev if hops else oif  # FIB_RES_OIF(): traffic to itself keeps the address's device
        return rt
    hop = _choose(net, hops, source, int(destination))
    kind = route.type
    if destination == 0xFFFFFFFF:
        kind = fib.BROADCAST
    elif destination.is_multicast:
        kind = fib.MULTICAST
    rt = Rtable(net, kind, hop.dev, destination)
    rt.route, rt.rule, rt.tclassid = route, rule, hop.realms
    # __mkroute_output(): broadcast, and multicast without a route of its own, use no gateway.
    direct = kind == fib.BROADCAST or (kind == fib.MULTICAST and route.prefix.prefixlen < 4)
    rt.gateway = None if direct else _gateway(hop)
    if source:
        rt.source = IPv4Address(source)
    else:
        rt.source = route.prefsrc or select_source(
            net, hop.dev, int(hop.gateway or destination) if route.prefsrc is None else 0, max(route.scope, 0)
        )
        if rt.source is None:
            rt.source = IPv4Address(0)
    if rt.source.is_loopback and hop.dev is not None and not hop.dev.is_loopback:
        if not net.ipv4.arrivals[hop.dev].route_localnet:
            raise KernelError(errno.EINVAL)
    return rt


def ip_route_input(net: NetNamespace, skb: SkBuff) -> Rtable | None:
    """ip_route_input_noref(): what to do with a packet that came in; sets and returns `skb.dst`.

    None where the packet was dropped here (a martian, or no route and nothing to say).
    """
    key = input_key(net, skb)
    rt = net.ipv4.input_cache.get(key)
    if rt is None:
        found = _route_input(net, skb)
        if isinstance(found, str):
            skb.drop(found, skb.in_dev)
            return None
        rt = found
        if len(net.ipv4.input_cache) > 65536:
            net.ipv4.input_cache.clear()
        net.ipv4.input_cache[key] = rt
    skb.dst = rt
    if skb.trace is not None:
        skb.trace.route(skb, rt)
    return rt


def input_key(net: NetNamespace, skb: SkBuff) -> tuple[Any, ...]:
    """What the decision about a packet that came in depends on."""
    ip = skb.network
    if net.ipv4.rules.custom:  # rules look at the protocol and the ports (fib4_rules_early_flow_dissect())
        return (ip.destination, ip.source, skb.in_dev, skb.mark, ip.tos, ip.protocol, _ports(skb))
    return (ip.destination, ip.source, skb.in_dev, skb.mark, ip.tos)


def _route_input(net: NetNamespace, skb: SkBuff) -> Rtable | str:
    """ip_route_input_slow(): an Rtable, or the reason to drop the packet for."""
    ip = skb.network
    dev: NetDevice = skb.in_dev  # type: ignore[assignment]
    source, destination = ip.source, ip.destination
    if source.is_multicast or source == 0xFFFFFFFF:
        return "IP_INVALID_SOURCE"
    if destination == 0xFFFFFFFF or (source == 0 and destination == 0):
        return _broadcast_input(net, skb, dev)
    if source.is_zeronet:
        return "IP_INVALID_SOURCE"
    if destination.is_zeronet:
        return "IP_INVALID_DEST"
    if (destination.is_loopback or source.is_loopback) and not net.ipv4.arrivals[dev].route_localnet:
        return "IP_LOCALNET"
    if destination.is_multicast:
        if net.ipv4.joined(dev, destination):
            rt = Rtable(net, fib.MULTICAST, net.loopback, destination)
            rt.iif = dev
            return rt
        return "IP_INVALID_DEST"
    flow = fib.FlowKey(
        int(destination), int(source), dev.name, "", skb.mark, ip.tos, ip.protocol, *_ports(skb)
    )
    forwarding = net.ipv4.forwarding[dev]
    try:
        rule, route, hops = fib_lookup(net, flow)
    except KernelError as failure:
        code = failure.errno if forwarding or hasattr(failure, "route") else errno.EHOSTUNREACH
        refused = _error_route(net, dev, destination, code, getattr(failure, "route", None), forwarding)
        if failure.errno == errno.EINVAL:
            if skb.trace is not None:
                skb.trace.route(skb, refused)
            return "ROUTE_BLACKHOLE"
        return refused
    if route.type not in (fib.BROADCAST, fib.LOCAL) and not forwarding:
        return _error_route(net, dev, destination, errno.EHOSTUNREACH, None, forwarding)
    if route.type == fib.BROADCAST:
        return _broadcast_input(net, skb, dev)
    if route.type == fib.LOCAL:
        on_link = fib_validate_source(net, skb, dev)
        if isinstance(on_link, str):
            return on_link
        rt = Rtable(net, fib.LOCAL, net.loopback, destination)
        rt.route, rt.rule, rt.iif = route, rule, dev
        return rt
    hop = _choose(net, hops, int(source), int(destination))
    on_link = fib_validate_source(net, skb, dev, hop.dev)
    if isinstance(on_link, str):
        return on_link
    rt = Rtable(net, fib.UNICAST, hop.dev, destination)
    rt.tclassid = hop.realms
    rt.route, rt.rule, rt.iif, rt.gateway, rt.forward = route, rule, dev, _gateway(hop), True
    if hop.dev is dev and on_link and net.ipv4.arrivals[dev].send_redirects:
        shared = net.sysctl.conf("ipv4", dev.name, "shared_media") | net.sysctl.conf(
            "ipv4", "all", "shared_media"
        )
        rt.redirect = bool(shared) or inet_addr_onlink(net, dev, source, rt.gateway)
    _apply_exception(net, rt)
    return rt


def _ports(skb: SkBuff) -> tuple[int, int]:
    transport = skb.transport
    port = getattr(transport, "source_port", None)
    return (port, transport.destination_port) if port is not None else (0, 0)


def _broadcast_input(net: NetNamespace, skb: SkBuff, dev: NetDevice) -> Rtable | str:
    if not skb.network.source.is_zeronet:
        on_link = fib_validate_source(net, skb, dev)
        if isinstance(on_link, str):
            return on_link
    rt = Rtable(net, fib.BROADCAST, net.loopback, skb.network.destination)
    rt.iif = dev
    return rt


def _error_route(
    net: NetNamespace,
    dev: NetDevice,
    destination: IPv4Address,
    code: int,
    route: fib.FibRoute | None,
    forwarding: bool,
) -> Rtable:
    rt = Rtable(net, fib.UNREACHABLE, net.loopback, destination)
    rt.error, rt.iif, rt.route, rt.forward = code, dev, route, forwarding
    return rt


# -- what ICMP teaches --------------------------------------------------------------------------
def _apply_exception(net: NetNamespace, rt: Rtable) -> None:
    """Use a learned path MTU or redirect for this destination, while it lasts."""
    known = net.ipv4.exceptions.get(rt.destination)
    if known is None or rt.type != fib.UNICAST:
        return
    if known.expires and known.expires <= net.loop.now:
        del net.ipv4.exceptions[int(rt.destination)]
        return
    rt.exception = known
    if known.pmtu:
        rt.pmtu = min(known.pmtu, rt.dev.mtu if rt.dev else known.pmtu)
    if known.gateway is not None and not rt.forward:
        rt.gateway = known.gateway


def update_pmtu(net: NetNamespace, destination: IPv4Address, mtu: int) -> None:
    """ip_rt_update_pmtu(): remember the path MTU for mtu_expires (600) seconds."""
    least = net.sysctl.get_int("net", "ipv4", "route", "min_pmtu")
    entry = net.ipv4.exceptions.setdefault(int(destination), NextHopException())
    if mtu < least:
        entry.locked = True
        mtu = least
    entry.pmtu = mtu
    entry.expires = net.loop.now + net.sysctl.get_int("net", "ipv4", "route", "mtu_expires") * SECOND
    net.ipv4.flush_cache()
    net.loop.call_at(entry.expires, net.ipv4.flush_cache)


def update_redirect(
    net: NetNamespace, destination: IPv4Address, old: IPv4Address, new: IPv4Address, dev: NetDevice
) -> None:
    """__ip_do_redirect(): take a better gateway on the same link from the old one's word."""
    conf = net.sysctl.conf
    accepts = conf("ipv4", dev.name, "accept_redirects"), conf("ipv4", "all", "accept_redirects")
    forwarding = conf("ipv4", dev.name, "forwarding")
    if not (all(accepts) if forwarding else any(accepts)):
        return
    if new == old or new.is_multicast or not any(int(new) in a.network for a in net.ipv4.addresses[dev]):
        return
    if net.ipv4.is_local(new):
        return
    try:
        rt = ip_route_output(net, destination)
    except KernelError:
        return
    if rt.gateway != old:
        return
    neighbour = net.arp.get(new, dev)
    if neighbour.state not in VALID:
        neighbour.resolve()
        return
    entry = net.ipv4.exceptions.setdefault(int(destination), NextHopException())
    entry.gateway = new
    entry.expires = net.loop.now + 300 * SECOND
    net.ipv4.flush_cache()
