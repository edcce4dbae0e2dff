"""The routes and groups that come with IPv6 addresses (net/ipv6/addrconf.c, anycast.c).

An address brings the route to its prefix at once; when it has become this host's (after duplicate
address detection), its ``local`` route in table local, and on a router the subnet-router anycast address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.devices.vrf import l3mdev_table
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6 import mcast
from kubenet_course.wire.addresses import IPv6Address, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet6.addrconf import Inet6Address
    from kubenet_course.kernel.netns import NetNamespace

METRIC_ADDRCONF = 256
MULTICAST_ALL = Network(IPv6Address(0xFF << 120), 8)


def prefix_route(net: NetNamespace, dev: NetDevice, prefix: Network, metric: int) -> fib.FibRoute:
    return fib.FibRoute(
        prefix, fib.UNICAST, l3mdev_table(dev) or fib.RT_TABLE_MAIN, fib.RTPROT_KERNEL,
        metric=metric or METRIC_ADDRCONF, nexthops=[fib.NextHop(dev, linkdown=not dev.carrier)],
    )  # fmt: skip


def add_prefix_route(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_prefix_route(): once for all addresses of the prefix.

    A route with an end takes the end of the address that came last; one without keeps none (fib6_add_rt2node()).
    """
    if address.local.is_loopback:
        return
    route = prefix_route(net, dev, address.network, address.metric)
    route.expires = None if dev.is_loopback else address.valid  # what fib6_is_reject() says clears RTF_EXPIRES
    if insert_once(net, route):
        _expire_later(net, route)
        return
    for old in net.ipv6.table(route.table).at(route.prefix):
        if (old.dev, old.metric, old.gateway) == (dev, route.metric, None) and old.expires is not None:
            old.expires = address.valid
            _expire_later(net, old)


def _expire_later(net: NetNamespace, route: fib.FibRoute) -> None:
    if route.expires is not None:
        from kubenet_course.kernel.inet6 import fib_semantics

        net.loop.call_at(route.expires, fib_semantics.expire, net, route)


def find_prefix_route(net: NetNamespace, dev: NetDevice, network: Network) -> fib.FibRoute | None:
    """addrconf_get_prefix_route(): the first route of the prefix straight over the device, whoever made it."""
    for route in net.ipv6.table(l3mdev_table(dev) or fib.RT_TABLE_MAIN).at(network):
        if route.dev is dev and route.gateway is None and not route.nhid:
            return route
    return None


def modify_prefix_route(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> bool:
    """modify_prefix_route(): the address's new metric and end hold for its route; False where it has none any more."""
    route = find_prefix_route(net, dev, address.network)
    if route is None:
        return False
    if route.metric != (address.metric or METRIC_ADDRCONF):
        _remove(net, route)
        add_prefix_route(net, dev, address)
    else:
        route.expires = address.valid
        _expire_later(net, route)
    return True


def _remove(net: NetNamespace, route: fib.FibRoute) -> None:
    net.ipv6.table(route.table).remove(route)
    net.ipv6.flush_cache()
    net.rtnl_notify("route", route, True)


def insert_once(net: NetNamespace, route: fib.FibRoute) -> bool:
    """Add the route unless one of the same device, type and metric is there; whether it was new."""
    table = net.ipv6.table(route.table)
    dev = route.dev
    for old in table.of_device(dev) if dev is not None else ():
        if old.nexthops[0].dev is dev and old.nexthops[0].gateway is None:
            if (old.prefix, old.type, old.metric) == (route.prefix, route.type, route.metric):
                return False
    table.insert(route)
    net.ipv6.flush_cache()
    net.rtnl_notify("route", route)
    return True


def remove_prefix_route(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """check_cleanup_prefix_route(), cleanup_prefix_route(): the last lasting address of a prefix takes the route along.

    Where addresses with an end are left the route gets theirs; those that brought no route keep it nevertheless.
    """
    ends = []
    for other in net.ipv6.addresses.get(dev, ()):
        if other is not address and other.network == address.network:
            if other.flags & {"permanent", "noprefixroute"} or other.valid is None:
                return
            ends.append(other.valid)
    route = find_prefix_route(net, dev, address.network)
    if route is None:
        return
    if not ends:
        _remove(net, route)
    elif route.expires is None:
        route.expires = max(ends)
        _expire_later(net, route)


def remove_kernel_route(net: NetNamespace, wanted: fib.FibRoute) -> None:
    """Take away the kernel's own route that `wanted` describes, if it is there."""
    table = net.ipv6.table(wanted.table)
    for old in list(table.at(wanted.prefix)):
        if (old.type, old.dev, old.metric, old.protocol) == (
            wanted.type,
            wanted.dev,
            wanted.metric,
            wanted.protocol,
        ):
            table.remove(old)
            net.rtnl_notify("route", old, True)
            break


def host_route(dev: NetDevice, address: IPv6Address, kind: str) -> fib.FibRoute:
    """addrconf_f6i_alloc(): the /128 in table local for an address of the host; `kind` local or anycast."""
    return fib.FibRoute(
        Network(address, 128),
        kind,
        l3mdev_table(dev) or fib.RT_TABLE_LOCAL,
        fib.RTPROT_KERNEL,
        nexthops=[fib.NextHop(dev)],
    )


def add_group_route(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_add_mroute()."""
    if dev.multicast:
        insert_once(
            net,
            fib.FibRoute(
                MULTICAST_ALL, fib.MULTICAST, l3mdev_table(dev) or fib.RT_TABLE_LOCAL, fib.RTPROT_KERNEL,
                metric=METRIC_ADDRCONF, nexthops=[fib.NextHop(dev, linkdown=not dev.carrier)],
            ),
        )  # fmt: skip


def publish(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """ipv6_ifa_notify(RTM_NEWADDR): the address is this host's from now on."""
    net.rtnl_notify("address", (dev, address))
    locals_ = net.ipv6.locals
    locals_[address.local] = locals_.get(address.local, 0) + 1
    insert_once(net, host_route(dev, address.local, fib.LOCAL))
    if net.sysctl.conf("ipv6", dev.name, "forwarding"):
        join_anycast(net, dev, address)
    if address.peer is not None:
        insert_once(net, prefix_route(net, dev, Network(address.peer, 128), address.metric))
    net.ipv6.flush_cache()


def withdraw(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """ipv6_ifa_notify(RTM_DELADDR)."""
    if address.usable:
        count = net.ipv6.locals.get(address.local, 0) - 1
        if count > 0:
            net.ipv6.locals[address.local] = count
        else:
            net.ipv6.locals.pop(address.local, None)
        leave_anycast(net, dev, address)
    remove_kernel_route(net, host_route(dev, address.local, fib.LOCAL))
    if address.peer is not None:
        remove_kernel_route(net, prefix_route(net, dev, Network(address.peer, 128), address.metric))


def join_anycast(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_join_anycast(): the subnet-router anycast address (RFC 4291, 2.6.1)."""
    if address.prefixlen >= 127 or dev.is_loopback:
        return
    anycast = IPv6Address(address.network.address)
    idev = net.ipv6.devices[dev]
    idev.anycasts[anycast] = idev.anycasts.get(anycast, 0) + 1
    if idev.anycasts[anycast] == 1:
        net.ipv6.anycasts[anycast] = net.ipv6.anycasts.get(anycast, 0) + 1
        insert_once(net, host_route(dev, anycast, fib.ANYCAST))
        mcast.join(net, dev, anycast.solicited_node())


def leave_anycast(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_leave_anycast(): the last address of a prefix takes the subnet-router anycast address along."""
    idev = net.ipv6.devices.get(dev)
    anycast = IPv6Address(address.network.address)
    if idev is None or anycast not in idev.anycasts:
        return
    idev.anycasts[anycast] -= 1
    if idev.anycasts[anycast]:
        return
    del idev.anycasts[anycast]
    net.ipv6.anycasts[anycast] -= 1
    if not net.ipv6.anycasts[anycast]:
        del net.ipv6.anycasts[anycast]
    remove_kernel_route(net, host_route(dev, anycast, fib.ANYCAST))
    mcast.leave(net, dev, anycast.solicited_node())


def leave_solicited(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    if address.joined:
        address.joined = False
        mcast.leave(net, dev, address.local.solicited_node())
