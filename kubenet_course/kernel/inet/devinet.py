"""IPv4 addresses of devices, and the routes that come with them (net/ipv4/devinet.c, fib_frontend.c).

Adding 10.0.1.11/24 to a device that is up makes, in table local, ``local 10.0.1.11`` and
``broadcast 10.0.1.255``, and in table main ``10.0.1.0/24 … proto kernel scope link src 10.0.1.11``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.wire.addresses import LOOPBACK4, IPv4Address, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace



@dataclass(slots=True, eq=False)
class InetAddress:
    """struct in_ifaddr: `local` with `prefixlen`; `peer` is `local` unless point to point.

    `valid` and `preferred` are lifetimes' ends in ns of the virtual clock, None for ever.
    """

    local: IPv4Address
    prefixlen: int
    label: str
    peer: IPv4Address
    broadcast: IPv4Address | None = None
    scope: int = 0
    secondary: bool = False
    noprefixroute: bool = False
    metric: int = 0
    valid: int | None = None
    preferred: int | None = None
    #: Given a preferred lifetime of nothing.
    deprecated: bool = False
    #: A group that was joined with the address and is left with it.
    autojoin: bool = False

    @property
    def network(self) -> Network:
        return Network.of(self.peer, self.prefixlen)


def address_add(net: NetNamespace, dev: NetDevice, new: InetAddress, *, replace: bool = False) -> None:
    """inet_rtm_newaddr() and __inet_insert_ifa().

    KernelError(EEXIST, "ipv4: Address already assigned") for the same address and prefix length; `replace` gives
    that one new lifetimes and a new metric instead.
    """
    addresses = net.ipv4.addresses[dev]
    for old in addresses:
        if old.local == new.local and old.prefixlen == new.prefixlen and old.network == new.network:
            if not replace:
                raise KernelError(errno.EEXIST, "ipv4: Address already assigned")
            _modify(net, dev, old, new)
            return
    if new.prefixlen > 32:
        raise KernelError(errno.EINVAL, "ipv4: Invalid prefix length")
    if not new.local:
        return
    validate = getattr(dev, "validate_address", None)
    if validate is not None:
        validate(new.local, 4)
    position = 0
    for number, old in enumerate(addresses):
        # Primaries come before secondaries and are ordered by scope (after the last of equal or narrower scope).
        if not old.secondary and new.scope <= old.scope:
            position = number + 1
        if old.prefixlen == new.prefixlen and old.network == new.network:
            if old.scope != new.scope:
                raise KernelError(errno.EINVAL, "ipv4: Invalid scope value")
            new.secondary = True
    if new.secondary:
        position = len(addresses)
    addresses.insert(position, new)
    net.ipv4.locals[new.local] = net.ipv4.locals.get(new.local, 0) + 1
    if new.autojoin:
        groups = net.ipv4.groups[dev]
        groups[new.local] = groups.get(new.local, 0) + 1
    net.rtnl_notify("address", (dev, new))
    _add_routes(net, dev, new)
    _watch_lifetime(net, dev, new)
    net.ipv4.flush_cache()


def _modify(net: NetNamespace, dev: NetDevice, old: InetAddress, new: InetAddress) -> None:
    """The part of inet_rtm_newaddr() for an address that exists."""
    if old.metric != new.metric:
        _remove_routes(net, dev, old)
        old.metric = new.metric
        _add_routes(net, dev, old)
    old.valid, old.preferred = new.valid, new.preferred
    old.noprefixroute, old.deprecated = new.noprefixroute, new.deprecated
    _watch_lifetime(net, dev, old)
    net.ipv4.flush_cache()


def _watch_lifetime(net: NetNamespace, dev: NetDevice, address: InetAddress) -> None:
    """check_lifetime(): the address goes when its time is up."""
    if address.valid is not None:
        net.loop.call_at(address.valid, _expire, net, dev, address)


def _expire(net: NetNamespace, dev: NetDevice, address: InetAddress) -> None:
    still = address in net.ipv4.addresses.get(dev, ())
    if still and address.valid is not None and address.valid <= net.loop.now:
        address_remove(net, dev, address)


def address_remove(net: NetNamespace, dev: NetDevice, address: InetAddress) -> None:
    """__inet_del_ifa(): its secondaries go too, or are promoted (sysctl promote_secondaries)."""
    addresses = net.ipv4.addresses[dev]
    promote = any(
        net.sysctl.conf("ipv4", name, "promote_secondaries")
        for name in ("all", dev.name)
        if (name == "all" or name in net.devices)
    )
    followers = []
    if not address.secondary:
        followers = [
            other
            for other in addresses
            if other.secondary and other.prefixlen == address.prefixlen and other.local in address.network
        ]
    if promote and followers:
        _promote(net, dev, address, followers)
    else:
        _take_out(net, dev, address)
        for other in followers:
            _take_out(net, dev, other)
    if not addresses:
        from kubenet_course.kernel.inet import fib_semantics

        fib_semantics.flush_device(net, dev, force=True)  # fib_inetaddr_event(): the last one is gone
    net.ipv4.flush_cache()


def _promote(net: NetNamespace, dev: NetDevice, address: InetAddress, followers: list[InetAddress]) -> None:
    """The first secondary becomes the primary; what the old one gave the others is made anew."""
    stale = [route for other in followers for route in _implied_routes(net, dev, other, up=True)]
    _take_out(net, dev, address)
    followers[0].secondary = False
    for route in stale:
        _remove_route(net, dev, route)
    for other in net.ipv4.addresses[dev]:
        _add_routes(net, dev, other)


def _take_out(net: NetNamespace, dev: NetDevice, address: InetAddress) -> None:
    net.ipv4.addresses[dev].remove(address)
    net.rtnl_notify("address", (dev, address), True)
    count = net.ipv4.locals.get(address.local, 0) - 1
    if count > 0:
        net.ipv4.locals[address.local] = count
    else:
        net.ipv4.locals.pop(address.local, None)
    if address.autojoin:
        groups = net.ipv4.groups[dev]
        groups[address.local] -= 1
        if not groups[address.local]:
            del groups[address.local]
    _remove_routes(net, dev, address)
    net.netfilter.address_gone(dev, address.local)
    if count <= 0:
        from kubenet_course.kernel.inet import fib_semantics

        fib_semantics.flush_local_source(net, address.local)
    if not net.ipv4.addresses[dev]:  # fib_inetaddr_event(): the last address takes every route along
        from kubenet_course.kernel.inet import fib_semantics

        fib_semantics.flush_device(net, dev, force=True)
        net.arp.flush_device(dev)


def device_up(net: NetNamespace, dev: NetDevice) -> None:
    """inetdev_event(NETDEV_UP): lo gets 127.0.0.1/8; the routes of all addresses appear."""
    if dev.is_loopback and not net.ipv4.addresses[dev]:
        address_add(net, dev, InetAddress(LOOPBACK4, 8, dev.name, LOOPBACK4, scope=fib.RT_SCOPE_HOST))
        return
    for address in net.ipv4.addresses[dev]:
        _add_routes(net, dev, address)
    from kubenet_course.kernel.inet import fib_semantics

    fib_semantics.sync_linkdown(net, dev)
    net.ipv4.flush_cache()
    announce(net, dev)


def announce(net: NetNamespace, dev: NetDevice) -> None:
    """inetdev_send_gratuitous_arp(), where arp_notify says so: neighbours learn a new MAC address at once."""
    addresses = net.ipv4.addresses.get(dev, ())
    if dev.is_loopback or dev.noarp or not dev.up or not addresses:
        return
    if net.sysctl.conf("ipv4", "all", "arp_notify") or net.sysctl.conf("ipv4", dev.name, "arp_notify"):
        from kubenet_course.kernel.inet.arp import arp_announce

        for address in addresses:
            arp_announce(net, dev, address.local)


def _implied_routes(
    net: NetNamespace, dev: NetDevice, address: InetAddress, up: bool | None = None
) -> list[fib.FibRoute]:
    """fib_add_ifaddr(): the routes one address brings, or would where the device were `up`."""

    vrf = getattr(dev.master, "table", 0)  # l3mdev_fib_table()

    def route(kind: str, prefix: Network, scope: int, table: int, metric: int = 0) -> fib.FibRoute:
        return fib.FibRoute(
            prefix,
            kind,
            vrf or table,
            fib.RTPROT_KERNEL,
            scope,
            metric=metric,
            prefsrc=source,
            nexthops=[fib.NextHop(dev)],
        )

    source = address.local
    if address.secondary:
        primary = next(
            (a for a in net.ipv4.addresses[dev] if not a.secondary and a.prefixlen == address.prefixlen and address.local in a.network),
            None,
        )
        if primary is None:
            return []
        source = primary.local
    host = Network(address.local, 32)
    routes = [route(fib.LOCAL, host, fib.RT_SCOPE_HOST, fib.RT_TABLE_LOCAL)]
    if not (dev.up if up is None else up):
        return routes
    if address.broadcast is not None and int(address.broadcast) != 0xFFFFFFFF:
        brd = Network(address.broadcast, 32)
        routes.append(route(fib.BROADCAST, brd, fib.RT_SCOPE_LINK, fib.RT_TABLE_LOCAL))
    network = address.network
    zeronet = network.address.is_zeronet or network.address.is_multicast  # type: ignore[union-attr]
    if not zeronet and not address.secondary and (address.prefixlen < 32 or address.peer != address.local):
        if not address.noprefixroute:
            kind, table = (fib.LOCAL, fib.RT_TABLE_LOCAL) if dev.is_loopback else (fib.UNICAST, fib.RT_TABLE_MAIN)
            scope = fib.RT_SCOPE_HOST if dev.is_loopback else fib.RT_SCOPE_LINK
            routes.append(route(kind, network, scope, table, address.metric))
        if address.prefixlen < 31:
            last = Network(network.broadcast, 32)
            routes.append(route(fib.BROADCAST, last, fib.RT_SCOPE_LINK, fib.RT_TABLE_LOCAL))
    return routes


def _add_routes(net: NetNamespace, dev: NetDevice, address: InetAddress) -> None:
    """fib_magic(RTM_NEWROUTE); not where the source is another address's broadcast address, and was so first."""
    from kubenet_course.kernel.inet.fib_semantics import valid_prefsrc

    for new in _implied_routes(net, dev, address):
        table = net.ipv4.table(new.table)
        present = [
            old
            for old in table.at(new.prefix)
            if old.type == new.type and old.dev is dev and old.metric == new.metric
            and old.prefsrc == new.prefsrc and old.protocol == new.protocol
        ]  # fmt: skip
        if not present and valid_prefsrc(net, new):
            here = new.scope == fib.RT_SCOPE_HOST
            new.nexthops[0].scope = fib.RT_SCOPE_NOWHERE if here else fib.RT_SCOPE_HOST
            new.nexthops[0].linkdown = not here and not dev.carrier
            table.insert(new)
            net.rtnl_notify("route", new)


def _remove_routes(net: NetNamespace, dev: NetDevice, address: InetAddress) -> None:
    """fib_del_ifaddr(): what no other address of the device still needs."""
    wanted = {
        (route.table, route.prefix, route.type, route.prefsrc)
        for other in net.ipv4.addresses.get(dev, ())
        if other is not address
        for route in _implied_routes(net, dev, other)
    }
    # The prefix, then its broadcast addresses, and the address itself at last.
    for route in sorted(_implied_routes(net, dev, address, up=True), key=lambda route: route.type == fib.LOCAL):
        if (route.table, route.prefix, route.type, route.prefsrc) not in wanted:
            _remove_route(net, dev, route)


def _remove_route(net: NetNamespace, dev: NetDevice, route: fib.FibRoute) -> None:
    """fib_magic(RTM_DELROUTE)."""
    table = net.ipv4.table(route.table)
    for old in list(table.at(route.prefix)):
        if (old.type, old.dev, old.protocol, old.prefsrc) == (route.type, dev, fib.RTPROT_KERNEL, route.prefsrc):
            table.remove(old)
            net.rtnl_notify("route", old, True)
            break


def select_source(net: NetNamespace, dev: NetDevice | None, destination: int, scope: int) -> IPv4Address | None:
    """inet_select_addr(): a primary address of `dev`, best on the destination's subnet."""
    first = None
    if dev is not None:
        for address in net.ipv4.addresses.get(dev, ()):
            if address.secondary or min(address.scope, 254) > scope:
                continue
            if not destination or destination in address.network:
                return address.local
            if first is None:
                first = address.local
        if first is not None:
            return first
    for other in net.devices.values():
        for address in net.ipv4.addresses.get(other, ()):
            if address.secondary or address.scope == fib.RT_SCOPE_LINK or address.scope > scope:
                continue
            return address.local
    return None
