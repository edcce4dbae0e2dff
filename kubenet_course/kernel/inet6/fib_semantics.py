"""`ip -6 route add | replace | change | append | del`: what is accepted, and the words of refusal
(net/ipv6/ip6_fib.c, route.c).

Unlike IPv4, routes of one prefix with the same metric and a gateway join into one multipath route, an
unreachable (blackhole, …) route hangs on `lo`, and a metric of 0 means 1024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_table
from kubenet_course.kernel.inet import fib
from kubenet_course.wire.addresses import IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

METRIC_USER = 1024


def address_type(net: NetNamespace, address: int) -> str:
    """What table local says of an address: unicast, local, anycast or multicast."""
    if address >> 120 == 0xFF:
        return fib.MULTICAST
    found = net.ipv6.tables[fib.RT_TABLE_LOCAL].lookup(address)
    return found[0].type if found is not None else fib.UNICAST


# -- adding ---------------------------------------------------------------------------------------
def route_add(
    net: NetNamespace,
    route: fib.FibRoute,
    *,
    create: bool = True,
    excl: bool = True,
    replace: bool = False,
    append: bool = False,
) -> None:
    """inet6_rtm_newroute(): the verbs differ in their netlink flags only, as for IPv4.

    add: create, excl. replace: create, replace. change: replace. append: create, append.
    """
    table = net.ipv6.table(route.table)  # there is one even where the route is then refused
    _check(net, route)
    here = [old for old in table.at(route.prefix) if old.source == route.source]
    net.ipv6.subtrees = net.ipv6.subtrees or route.source is not None
    if replace:
        _replace(net, table, here, route, create)
    elif len(route.nexthops) > 1:
        _add_multipath(net, table, here, route, excl)
    else:
        _add_one(table, here, route, excl)
    if route.expires is not None:
        net.loop.call_at(route.expires, expire, net, route)
    net.ipv6.flush_cache()
    net.rtnl_notify("route", route)


def _can_multipath(route: fib.FibRoute) -> bool:
    """rt6_qualify_for_ecmp(): every next hop has a gateway."""
    return (
        bool(route.nexthops)
        and all(hop.gateway is not None for hop in route.nexthops)
        and "addrconf" not in route.flags
        and not route.nhid
    )


def _add_one(table: fib.FibTable, here: list[fib.FibRoute], route: fib.FibRoute, excl: bool) -> None:
    """fib6_add_rt2node()."""
    same = [old for old in here if old.metric == route.metric]
    if same and excl:
        raise KernelError(errno.EEXIST)
    for old in same:
        if any(a.dev is b.dev and a.gateway == b.gateway for a in old.nexthops for b in route.nexthops):
            raise KernelError(errno.EEXIST)
    sibling = next((old for old in same if _can_multipath(old) and _can_multipath(route)), None)
    if sibling is not None:
        sibling.nexthops += route.nexthops
        table.leads(sibling)
    else:
        table.insert(route)


def _add_multipath(
    net: NetNamespace, table: fib.FibTable, here: list[fib.FibRoute], route: fib.FibRoute, excl: bool
) -> None:
    """ip6_route_multipath_add(): each next hop is a route of its own; all or none."""
    if len({(hop.dev, hop.gateway) for hop in route.nexthops}) < len(route.nexthops):
        raise KernelError(errno.EEXIST)
    _add_one(table, here, route, excl)


def _replace(
    net: NetNamespace, table: fib.FibTable, here: list[fib.FibRoute], route: fib.FibRoute, create: bool
) -> None:
    same = [old for old in here if old.metric == route.metric]
    able = _can_multipath(route)
    victim = next((old for old in same if _can_multipath(old) == able), None) or next(iter(same), None)
    if victim is None:
        if not create:  # fib6_add_1(); where there is a node (always at the root), fib6_add_rt2node() says nothing
            bare = bool(here) or not route.prefix.prefixlen
            raise KernelError(errno.ENOENT, "" if bare else "Can not replace route - no match found")
        table.insert(route)
        return
    position = table.at(route.prefix).index(victim)
    table.remove(victim)
    table.insert(route, position if table.at(route.prefix) else None)


def _check(net: NetNamespace, route: fib.FibRoute) -> None:
    """ip6_route_info_create()."""
    if route.tos:
        raise KernelError(errno.EINVAL, "Invalid dsfield (tos): option not available for IPv6")
    if not route.metric:
        route.metric = METRIC_USER
    if route.nhid:
        if route.nexthops:
            raise KernelError(errno.EINVAL, "Nexthop specification and nexthop id are mutually exclusive")
        net.ipv4.nexthops.check(route, 6)
        net.ipv4.nexthops.bind(route)
        return
    multipath = len(route.nexthops) > 1
    if route.type in fib.TYPE_ERRORS:
        route.nexthops = [fib.NextHop(net.loopback)]
    if not route.nexthops:
        raise KernelError(errno.ENODEV)
    for hop in route.nexthops:
        if multipath and hop.gateway is None:
            raise KernelError(
                errno.EINVAL, "Device only routes can not be added for IPv6 using the multipath API"
            )
        check_nexthop(net, hop, route)
    if route.prefsrc is not None and not _may_prefer(net, route):
        raise KernelError(errno.EINVAL, "Invalid source address")
    for hop in route.nexthops:
        assert hop.dev is not None
        hop.linkdown = hop.dev.up and not hop.dev.carrier


def _may_prefer(net: NetNamespace, route: fib.FibRoute) -> bool:
    """ipv6_chk_addr(): an address of this host; of host or link scope only on the route's own device."""
    found = [(dev, a) for dev, addresses in net.ipv6.addresses.items() for a in addresses if a.local == route.prefsrc]
    return any(dev is route.dev or a.scope not in (fib.RT_SCOPE_HOST, fib.RT_SCOPE_LINK) for dev, a in found)


def check_nexthop(net: NetNamespace, hop: fib.NextHop, route: fib.FibRoute) -> None:
    """fib6_nh_init()."""
    if hop.onlink:
        if hop.dev is None:
            raise KernelError(errno.ENODEV, "Nexthop device required for onlink")
        if not hop.dev.up:
            raise KernelError(errno.ENETDOWN, "Nexthop device is not up")
    if hop.gateway is not None:
        _check_gateway(net, hop, route)
    dev = hop.dev
    if dev is None or dev.mtu < 1280 and not dev.is_loopback:  # IPv6 has left it: no idev
        raise KernelError(errno.ENODEV)
    if route.type not in fib.TYPE_ERRORS and net.sysctl.conf("ipv6", dev.name, "disable_ipv6"):
        raise KernelError(errno.EACCES, "IPv6 is disabled on nexthop device")
    if not dev.up and route.type not in fib.TYPE_ERRORS:
        raise KernelError(errno.ENETDOWN, "Nexthop device is not up")
    if dev not in net.ipv6.devices:
        raise KernelError(errno.ENODEV)


def _check_gateway(net: NetNamespace, hop: fib.NextHop, route: fib.FibRoute) -> None:
    """ip6_validate_gw()."""
    gateway = hop.gateway
    assert isinstance(gateway, IPv6Address)
    link_local = gateway.is_link_local
    own = any(
        address.local == gateway
        for dev, addresses in net.ipv6.addresses.items()
        for address in addresses
        if (not link_local or dev is hop.dev) and not dev.is_loopback
    )
    if own:
        raise KernelError(errno.EINVAL, "Gateway can not be a local address")
    if not link_local:
        if gateway.is_multicast or gateway.is_unspecified:
            raise KernelError(errno.EINVAL, "Invalid gateway address")
        if hop.onlink:
            _check_onlink(net, hop, route)
        else:
            _check_reachable(net, hop, route)
    if hop.dev is None:
        raise KernelError(errno.EINVAL, "Egress device not specified")
    if hop.dev.is_loopback:
        raise KernelError(errno.EINVAL, "Egress device can not be loopback device for this route")


def _check_onlink(net: NetNamespace, hop: fib.NextHop, route: fib.FibRoute) -> None:
    """ip6_route_check_nh_onlink(): what table main says of the gateway must not be another device or an own address."""
    from kubenet_course.kernel.inet6.route import select_route

    assert hop.gateway is not None and hop.dev is not None
    table = net.ipv6.table(l3mdev_table(hop.dev) or fib.RT_TABLE_MAIN)
    found = select_route(net, table, fib.FlowKey(int(hop.gateway)), hop.dev.ifindex, strict=False)
    if found is None or found[0].prefix.address == 0 or found[0].type in fib.TYPE_ERRORS:
        return
    if found[0].type != fib.UNICAST or found[1][0].dev is not hop.dev:
        raise KernelError(errno.EINVAL, "Nexthop has invalid gateway or device mismatch")


def _check_reachable(net: NetNamespace, hop: fib.NextHop, route: fib.FibRoute) -> None:
    """ip6_route_check_nh(): the gateway must be on a link, not behind another gateway."""
    assert hop.gateway is not None
    found = None
    if route.table not in (fib.RT_TABLE_MAIN, fib.RT_TABLE_LOCAL) and route.table in net.ipv6.tables:
        found = net.ipv6.tables[route.table].lookup(hop.gateway, oif=hop.dev.ifindex if hop.dev else 0)
        if found is not None and (not found[1] or found[1][0].gateway is not None):
            found = None
    if found is None:
        found = _lookup(net, hop.gateway, hop.dev.ifindex if hop.dev else 0)
    if found is None or not found[1] or found[1][0].gateway is not None:
        raise KernelError(errno.EHOSTUNREACH)
    dev = found[1][0].dev
    if dev is net.loopback and found[0].type == fib.UNICAST:  # fib6_is_reject(): nothing is behind the loopback
        raise KernelError(errno.EHOSTUNREACH)
    if hop.dev is not None and dev is not hop.dev:
        raise KernelError(errno.EHOSTUNREACH)
    hop.dev = dev


def _lookup(
    net: NetNamespace, address: int, oif: int
) -> tuple[fib.FibRoute, list[fib.NextHop]] | None:
    for rule in net.ipv6.rules.walk(fib.FlowKey(int(address))):
        table = net.ipv6.tables.get(rule.table)
        if table is None or rule.action != "lookup":
            continue
        found = table.lookup(address, oif=oif)
        if found is not None and found[0].type != fib.THROW:
            return found
    return None


# -- removing -------------------------------------------------------------------------------------
def route_delete(net: NetNamespace, wanted: fib.FibRoute, fields: set[str]) -> fib.FibRoute:
    """ip6_route_del(): the first route that agrees in every field named; KernelError(ESRCH).

    `fields`: which of metric, type, protocol, prefsrc, nexthops were said. A next hop named alone is
    taken out of a multipath route; without one the whole route goes.
    """
    net.ipv4.nexthops.named(wanted.nhid)
    table = net.ipv6.tables.get(wanted.table)
    if table is None:
        raise KernelError(errno.ESRCH, "FIB table does not exist")
    hops = wanted.nexthops if "nexthops" in fields else []
    for old in list(table.at(wanted.prefix)):
        if old.source != wanted.source:
            continue
        if "metric" in fields and wanted.metric and old.metric != wanted.metric:
            continue
        if "protocol" in fields and old.protocol != wanted.protocol:
            continue
        if wanted.nhid and old.nhid != wanted.nhid:
            continue
        if hops and not all(any(_names(hop, own) for own in old.nexthops) for hop in hops):
            continue
        rest = [own for own in old.nexthops if hops and not any(_names(hop, own) for hop in hops)]
        if hops and rest and any(hop.gateway is not None for hop in hops):
            old.nexthops[:] = rest
        else:
            table.remove(old)
        net.ipv6.flush_cache()
        net.rtnl_notify("route", old, True)
        return old
    nowhere = all(hop.gateway is None and hop.dev in (None, net.loopback) for hop in hops) and not wanted.metric
    if not wanted.prefix.prefixlen and nowhere and not any(old.source is None for old in table.at(wanted.prefix)):
        raise KernelError(errno.ENOENT)  # what is found at a root without a route is fib6_null_entry, and that stays
    raise KernelError(errno.ESRCH)


def _names(said: fib.NextHop, own: fib.NextHop) -> bool:
    return (said.dev is None or said.dev is own.dev) and (said.gateway is None or said.gateway == own.gateway)


def expire(net: NetNamespace, route: fib.FibRoute) -> None:
    """fib6_age(): a route with an end of its own is over."""
    table = net.ipv6.tables.get(route.table)
    if table is None or route not in table.at(route.prefix) or route.expires is None:
        return
    if route.expires > net.loop.now:
        net.loop.call_at(route.expires, expire, net, route)
        return
    table.remove(route)
    net.ipv6.flush_cache()


# -- devices and addresses that go away -------------------------------------------------------
def flush_device(net: NetNamespace, dev: NetDevice, *, unregister: bool = False) -> None:
    """fib6_ifdown(): every route over a device that went down.

    A multipath route with a next hop left keeps the others as dead, for when the device is up again.
    """
    for table in net.ipv6.tables.values():
        for route in list(table):
            if not any(hop.dev is dev for hop in route.nexthops):
                continue
            left = [hop for hop in route.nexthops if hop.dev is not dev]
            if all(hop.dead for hop in left):
                table.remove(route)
            elif unregister or route.nhid:
                route.nexthops[:] = left
            else:
                for hop in route.nexthops:
                    if hop.dev is dev:
                        hop.dead = hop.linkdown = True


def sync_up(net: NetNamespace, dev: NetDevice) -> None:
    """rt6_sync_up() after NETDEV_UP: next hops that went with the device are back."""
    for table in net.ipv6.tables.values():
        for route in table.unordered():
            for hop in route.nexthops:
                if hop.dev is dev:
                    hop.dead = False


def sync_linkdown(net: NetNamespace, dev: NetDevice) -> None:
    """rt6_sync_up() and rt6_sync_down_dev(): mark the next hops of a device without carrier."""
    for table in net.ipv6.tables.values():
        for route in table.of_device(dev):
            for hop in route.nexthops:
                if hop.dev is dev and route.type not in (fib.LOCAL, fib.ANYCAST):
                    hop.linkdown = not dev.carrier


def forget_source(net: NetNamespace, address: IPv6Address) -> None:
    """rt6_remove_prefsrc(): routes keep, but no longer prefer, a source address that is gone."""
    for table in net.ipv6.tables.values():
        for route in table:
            if route.prefsrc == address:
                route.prefsrc = None
