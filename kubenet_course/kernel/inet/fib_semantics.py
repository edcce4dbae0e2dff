"""`ip route add | replace | change | append | del`: what is accepted, and the words of refusal
(net/ipv4/fib_semantics.c, fib_trie.c, fib_frontend.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.fib_frontend import fib_lookup
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace


#: fib_props[]: how narrow a route of this type must be.
LEAST_SCOPE = {
    fib.LOCAL: fib.RT_SCOPE_HOST, fib.BROADCAST: fib.RT_SCOPE_LINK, fib.ANYCAST: fib.RT_SCOPE_LINK,
    "nat": fib.RT_SCOPE_NOWHERE, "xresolve": fib.RT_SCOPE_NOWHERE,
}  # fmt: skip


def address_type(
    net: NetNamespace, address: int, dev: NetDevice | None = None, table: int = fib.RT_TABLE_LOCAL
) -> str:
    """inet_addr_type(): what table local (or another, as a VRF has its own) says of an address."""
    if address == 0 or address == 0xFFFFFFFF:
        return fib.BROADCAST
    if address >> 28 == 0xE:
        return fib.MULTICAST
    found = net.ipv4.lookup(table, address)
    if found is None:
        return fib.UNICAST
    route, _ = found
    if dev is not None and route.dev is not dev:
        return fib.UNICAST
    return route.type


def valid_prefsrc(net: NetNamespace, route: fib.FibRoute) -> bool:
    """fib_valid_prefsrc(): an address of this host, by the route's own table or by local."""
    assert route.prefsrc is not None
    if route.type == fib.LOCAL and route.prefsrc == route.prefix.address:
        return True
    tables = {fib.RT_TABLE_LOCAL if route.table == fib.RT_TABLE_MAIN else route.table, fib.RT_TABLE_LOCAL}
    return any(address_type(net, route.prefsrc, table=table) == fib.LOCAL for table in tables)


def route_add(
    net: NetNamespace, route: fib.FibRoute, *, create: bool = True, excl: bool = True, replace: bool = False, append: bool = False
) -> None:
    """fib_table_insert(): the four verbs differ in their netlink flags only.

    add: create, excl. replace: create, replace. change: replace. append: create, append.
    """
    table = net.ipv4.table(route.table)
    table.created = True  # even where the route is then refused
    _check(net, route)
    if route.type == fib.LOCAL:
        net.ipv4.custom_local_routes = True
    here = table.at(route.prefix)
    same_key = [old for old in here if old.tos == route.tos and old.metric == route.metric]
    if same_key:
        if excl:
            raise KernelError(errno.EEXIST)
        twin = next((old for old in same_key if _identical(old, route)), None)
        if replace:
            if twin is not None:
                if twin is same_key[0]:
                    return
                raise KernelError(errno.EEXIST)
            position = here.index(same_key[0])
            table.remove(same_key[0])
            table.insert(route, position if table.at(route.prefix) else None)
            net.ipv4.flush_cache()
            net.rtnl_notify("route", route)
            return
        if twin is not None:
            raise KernelError(errno.EEXIST)
        if not append:
            table.insert(route, here.index(same_key[0]))
            net.ipv4.flush_cache()
            net.rtnl_notify("route", route)
            return
    elif not create:
        raise KernelError(errno.ENOENT)
    table.insert(route)
    net.ipv4.flush_cache()
    net.rtnl_notify("route", route)


def _identical(old: fib.FibRoute, new: fib.FibRoute) -> bool:
    return (
        (old.type, old.scope, old.protocol, old.prefsrc, old.metrics, old.nhid)
        == (new.type, new.scope, new.protocol, new.prefsrc, new.metrics, new.nhid)
        and len(old.nexthops) == len(new.nexthops)
        and all(a.same(b) for a, b in zip(old.nexthops, new.nexthops))
    )


def route_delete(net: NetNamespace, wanted: fib.FibRoute, fields: set[str]) -> fib.FibRoute:
    """fib_table_delete(): the first route that agrees in every field named; ESRCH for none.

    `fields`: which of tos, metric, type, scope, protocol, prefsrc, nexthops were said.
    """
    net.ipv4.nexthops.named(wanted.nhid)
    table = net.ipv4.tables.get(wanted.table)
    if table is None or not table.created:
        raise KernelError(errno.ESRCH, "FIB table does not exist")
    for old in table.at(wanted.prefix):
        if old.tos != wanted.tos:
            continue
        if "metric" in fields and old.metric != wanted.metric:
            continue
        if "type" in fields and old.type != wanted.type:
            continue
        if "scope" in fields and old.scope != wanted.scope:
            continue
        if "protocol" in fields and old.protocol != wanted.protocol:
            continue
        if "prefsrc" in fields and old.prefsrc != wanted.prefsrc:
            continue
        if wanted.nhid and old.nhid != wanted.nhid:
            continue
        if "nexthops" in fields and not _hops_agree(old, wanted):
            continue
        if "metrics" in fields and any(old.metrics.get(key) != value for key, value in wanted.metrics.items()):
            continue
        table.remove(old)
        net.ipv4.flush_cache()
        net.rtnl_notify("route", old, True)
        return old
    raise KernelError(errno.ESRCH)


def _hops_agree(old: fib.FibRoute, wanted: fib.FibRoute) -> bool:
    """fib_nh_match(): a device or gateway that was named must be the route's."""
    if len(wanted.nexthops) > 1:
        return len(old.nexthops) == len(wanted.nexthops) and all(
            (said.weight == 1 or said.weight == own.weight)
            and (said.dev is None or said.dev is own.dev)
            and (said.gateway is None or said.gateway == own.gateway)
            for own, said in zip(old.nexthops, wanted.nexthops)
        )
    hop = wanted.nexthops[0]
    if not old.nexthops:
        return hop.dev is None and hop.gateway is None
    own = old.nexthops[0]
    return (hop.dev is None or hop.dev is own.dev) and (hop.gateway is None or hop.gateway == own.gateway)


def _check(net: NetNamespace, route: fib.FibRoute) -> None:
    """rtm_to_fib_config() and fib_create_info()."""
    if route.tos & 3:
        raise KernelError(errno.EINVAL, "Invalid dsfield (tos): ECN bits must be 0")
    if route.scope > fib.RT_SCOPE_HOST or route.scope < LEAST_SCOPE.get(route.type, fib.RT_SCOPE_UNIVERSE):
        raise KernelError(errno.EINVAL, "Invalid scope")
    for hop in route.nexthops:
        if hop.gateway == 0:
            hop.gateway = None
    if route.nhid:
        if route.nexthops:
            raise KernelError(errno.EINVAL, "Nexthop specification and nexthop id are mutually exclusive")
        net.ipv4.nexthops.check(route, 4)
        net.ipv4.nexthops.bind(route)
    elif route.type in fib.TYPE_ERRORS:
        if any(hop.gateway or hop.dev for hop in route.nexthops):
            raise KernelError(
                errno.EINVAL, "Gateway, device and multipath can not be specified for this route type"
            )
        route.nexthops = []
    elif route.type in (fib.LOCAL, fib.BROADCAST, fib.UNICAST, fib.MULTICAST, fib.ANYCAST):
        if not route.nexthops:
            raise KernelError(errno.ENODEV)
        if route.scope == fib.RT_SCOPE_HOST:
            hop = route.nexthops[0]
            if len(route.nexthops) > 1:
                raise KernelError(errno.EINVAL, "Route with host scope can not have multiple nexthops")
            if hop.gateway is not None:
                raise KernelError(errno.EINVAL, "Route with host scope can not have a gateway")
            if hop.dev is None:
                raise KernelError(errno.ENODEV)
            hop.scope = fib.RT_SCOPE_NOWHERE
        else:
            for hop in route.nexthops:
                _check_nexthop(net, hop, route.scope, route.table)
    if route.prefsrc is not None:
        if not valid_prefsrc(net, route):
            raise KernelError(errno.EINVAL, "Invalid prefsrc address")
    congestion = route.metrics.get("congctl")
    if congestion is not None and congestion not in net.sysctl.read(("net", "ipv4", "tcp_available_congestion_control")).split():
        raise KernelError(errno.EINVAL, "Unknown tcp congestion algorithm")
    for hop in route.nexthops:
        if hop.dev is not None and hop.scope != fib.RT_SCOPE_NOWHERE:
            hop.linkdown = hop.dev.up and not hop.dev.carrier


def _check_nexthop(net: NetNamespace, hop: fib.NextHop, scope: int, table: int) -> None:
    """fib_check_nh()."""
    if hop.gateway is None:
        if hop.dev is None:
            raise KernelError(errno.ENODEV)
        if hop.onlink:
            raise KernelError(errno.EINVAL, "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set")
        if not hop.dev.up:
            raise KernelError(errno.ENETDOWN, "Device for nexthop is not up")
        hop.scope = fib.RT_SCOPE_HOST
        return
    if hop.gateway.family == 6:
        from kubenet_course.kernel.inet6 import fib_semantics as fib6_semantics

        # fib_check_nh_v6_gw()
        fib6_semantics.check_nexthop(net, hop, fib.FibRoute(Network(IPv6Address(0), 0), table=table))
        hop.scope = fib.RT_SCOPE_LINK
        return
    if hop.onlink:
        if scope >= fib.RT_SCOPE_LINK:
            raise KernelError(errno.EINVAL, "Nexthop has invalid scope")
        if hop.dev is None:
            raise KernelError(errno.ENODEV, "Nexthop device required for onlink")
        if not hop.dev.up:
            raise KernelError(errno.ENETDOWN, "Nexthop device is not up")
        if address_type(net, hop.gateway) != fib.UNICAST:
            raise KernelError(errno.EINVAL, "Nexthop has invalid gateway")
        hop.scope = fib.RT_SCOPE_LINK
        return
    try:
        via, hops = _gateway_lookup(net, hop, scope, table)
    except KernelError as failure:
        raise KernelError(failure.errno, "Nexthop has invalid gateway") from None
    if via.type not in (fib.UNICAST, fib.LOCAL):
        raise KernelError(errno.EINVAL, "Nexthop has invalid gateway")
    if hop.dev is None:
        hop.dev = hops[0].dev if hops else via.dev
    hop.scope = via.scope
    if hop.dev is None:
        raise KernelError(errno.EINVAL, "No egress device for nexthop gateway")
    if not hop.dev.up:
        raise KernelError(errno.ENETDOWN)
    if scope >= hop.scope:
        raise KernelError(errno.EINVAL, "Nexthop has invalid scope")


def _gateway_lookup(net: NetNamespace, hop: fib.NextHop, scope: int, table: int) -> tuple[fib.FibRoute, list[fib.NextHop]]:
    """The route to the gateway itself: in the route's own table first, then by the rules; the look-up's error."""
    wanted = max(scope + 1, fib.RT_SCOPE_LINK)
    oif = hop.dev.ifindex if hop.dev is not None else 0
    assert hop.gateway is not None
    if table and table not in (fib.RT_TABLE_MAIN, fib.RT_TABLE_LOCAL) and table in net.ipv4.tables:
        found = net.ipv4.tables[table].lookup(hop.gateway, oif=oif, scope=wanted)
        if found is not None and found[0].type not in fib.TYPE_ERRORS:
            return found
    key = fib.FlowKey(int(hop.gateway), iif="lo", oif=hop.dev.name if hop.dev else "")
    _, route, hops = fib_lookup(net, key, oif, scope=wanted, ignore_linkdown=False)
    return route, hops


# -- devices and addresses that go away -------------------------------------------------------
def flush_device(net: NetNamespace, dev: NetDevice, *, force: bool) -> None:
    """fib_disable_ip() / fib_sync_down_dev(): routes over a device that went down.

    `force`: the device goes away with all its routes; else those of next-hop scope nowhere (``scope host``) stay.
    """
    for table in net.ipv4.tables.values():
        for route in list(table):
            touched = False
            for hop in route.nexthops:
                if hop.dev is dev and (force or hop.scope != fib.RT_SCOPE_NOWHERE):
                    hop.dead = hop.linkdown = touched = True
            if touched and all(hop.dead for hop in route.nexthops):
                table.remove(route)


def sync_linkdown(net: NetNamespace, dev: NetDevice) -> None:
    """fib_sync_down_dev()/up() on carrier changes: mark next hops `linkdown`, revive dead ones."""
    for table in net.ipv4.tables.values():
        for route in table.of_device(dev):
            for hop in route.nexthops:
                if hop.dev is dev and hop.scope != fib.RT_SCOPE_NOWHERE:
                    hop.linkdown = not dev.carrier
                    if dev.up:
                        hop.dead = False


def flush_local_source(net: NetNamespace, address: IPv4Address) -> None:
    """fib_sync_down_addr(): routes whose preferred source address is gone."""
    for table in net.ipv4.tables.values():
        for route in list(table):
            if route.prefsrc == address and not (route.type == fib.LOCAL and route.prefix.address == address):
                table.remove(route)
