"""IPv6 addresses of devices (net/ipv6/addrconf.c, RFC 4862).

A device that is up and has carrier gets its link-local address and a route to all groups
(``ff00::/8`` in table local). A new address is `tentative` until nobody answered a neighbour
solicitation for it (after up to one second of waiting and one more for the answer); then its
``local`` route appears and it may be used. Going down takes all addresses away.
"""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6 import mcast
from kubenet_course.kernel.inet6.device import Inet6Device
from kubenet_course.sim.loop import MILLISECOND, SECOND, Timer
from kubenet_course.wire.addresses import ANY6, LOOPBACK6, IPv6Address, Network

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

MIN_MTU = 1280
METRIC_ADDRCONF = 256
IFAPROT_KERNEL_LO, IFAPROT_KERNEL_RA, IFAPROT_KERNEL_LL = 1, 2, 3
MULTICAST_ALL = Network(IPv6Address(0xFF << 120), 8)


@dataclass(slots=True, eq=False)
class Inet6Address:
    """struct inet6_ifaddr. `peer` is None unless point to point; `metric` 0 means 256.

    `flags` are iproute2's words: permanent, tentative, dadfailed, nodad, noprefixroute, deprecated,
    mngtmpaddr, temporary, optimistic, home. `valid` and `preferred` are the lifetimes' ends in ns of
    the virtual clock, None for ever.
    """

    local: IPv6Address
    prefixlen: int
    scope: int = 0
    flags: set[str] = field(default_factory=set)
    peer: IPv6Address | None = None
    metric: int = 0
    valid: int | None = None
    preferred: int | None = None
    proto: int = 0
    created: int = 0
    updated: int = 0
    probes: int = 0
    nonce: bytes = b""
    timer: Timer | None = None
    lifetime_timer: Timer | None = None

    @property
    def network(self) -> Network:
        return Network.of(self.local, self.prefixlen)

    @property
    def usable(self) -> bool:
        """Whether the host may use it: not tentative, or optimistic."""
        return "tentative" not in self.flags


def address_scope(address: IPv6Address) -> int:
    """rt_scope(ipv6_addr_scope()): as `ip addr` names it."""
    if address.is_loopback:
        return fib.RT_SCOPE_HOST
    if address.is_link_local:
        return fib.RT_SCOPE_LINK
    if address >> 118 == 0x3FB:
        return fib.RT_SCOPE_SITE
    return fib.RT_SCOPE_UNIVERSE


# -- adding and removing ------------------------------------------------------------------------
def address_add(net: NetNamespace, dev: NetDevice, new: Inet6Address, *, replace: bool = False) -> None:
    """inet6_rtm_newaddr(): KernelError with the kernel's sentence where it is refused.

    `new.flags` need not say permanent or tentative; `replace` changes an address that is there.
    """
    if dev not in net.ipv6.devices or dev.mtu < MIN_MTU or _disabled(net, dev):
        raise KernelError(errno.EACCES, "ipv6: IPv6 is disabled on this device")
    if new.prefixlen > 128:
        raise KernelError(errno.EINVAL, "ipv6: Invalid prefix length")
    if new.local == 0:
        raise KernelError(errno.EADDRNOTAVAIL, "ipv6: Invalid address")
    for old in net.ipv6.addresses[dev]:
        if old.local == new.local:
            if not replace:
                raise KernelError(errno.EEXIST, "ipv6: address already assigned")
            _modify(net, dev, old, new)
            return
    if new.local.is_multicast:
        raise KernelError(
            errno.EINVAL, 'ipv6: Cannot assign multicast address without "IFA_F_MCAUTOJOIN" flag'
        )
    if new.local.is_loopback and not dev.is_loopback:
        raise KernelError(errno.EADDRNOTAVAIL, "ipv6: Cannot assign loopback address on this device")
    if new.valid is None:
        new.flags.add("permanent")
    new.scope = address_scope(new.local)
    _insert(net, dev, new)
    if "noprefixroute" not in new.flags:
        _add_prefix_route(net, dev, new)
    _arm_lifetime(net, dev, new)
    dad_start(net, dev, new)


def _insert(net: NetNamespace, dev: NetDevice, new: Inet6Address) -> None:
    """ipv6_link_dev_addr(): before the first of an equal or wider scope, so newest first."""
    if dev.up and not dev.is_loopback:
        _add_group_route(net, dev)
    new.created = new.updated = net.loop.now
    new.flags.add("tentative")
    if "permanent" not in new.flags and new.valid is None:
        new.flags.add("permanent")
    addresses = net.ipv6.addresses[dev]
    position = next((n for n, old in enumerate(addresses) if _width(old) <= _width(new)), len(addresses))
    addresses.insert(position, new)


def _width(address: Inet6Address) -> int:
    """IPV6_ADDR_SCOPE_: host 1, link 2, site 5, global 14."""
    return {fib.RT_SCOPE_HOST: 1, fib.RT_SCOPE_LINK: 2, fib.RT_SCOPE_SITE: 5}.get(address.scope, 14)


def _modify(net: NetNamespace, dev: NetDevice, old: Inet6Address, new: Inet6Address) -> None:
    """inet6_addr_modify(): flags, lifetimes and metric."""
    kept = old.flags & {"tentative", "dadfailed", "temporary", "optimistic"}
    if "nodad" in new.flags or "dadfailed" in old.flags:
        kept -= {"dadfailed"}
    had_route = "noprefixroute" not in old.flags
    metric = old.metric
    old.valid, old.preferred = new.valid, new.preferred
    old.flags = kept | (new.flags - {"tentative"})
    if new.valid is None:
        old.flags.add("permanent")
    old.updated = net.loop.now
    if new.metric:
        old.metric = new.metric
    wants_route = "noprefixroute" not in old.flags
    if had_route and (not wants_route or metric != old.metric):
        fresh, old.metric = old.metric, metric
        _remove_prefix_route(net, dev, old)
        old.metric = fresh
    if wants_route:
        _add_prefix_route(net, dev, old)
    _arm_lifetime(net, dev, old)
    net.ipv6.flush_cache()


def address_remove(
    net: NetNamespace, dev: NetDevice, address: IPv6Address | Inet6Address, prefixlen: int = -1
) -> None:
    """inet6_addr_del(): KernelError(EADDRNOTAVAIL) where the device has no such address."""
    if not isinstance(address, Inet6Address):
        found = next(
            (
                old
                for old in net.ipv6.addresses.get(dev, ())
                if old.local == address and prefixlen in (-1, old.prefixlen)
            ),
            None,
        )
        if found is None:
            raise KernelError(errno.EADDRNOTAVAIL, "ipv6: address not found")
        address = found
    _delete(net, dev, address)


def _delete(net: NetNamespace, dev: NetDevice, address: Inet6Address, *, keep_route: bool = False) -> None:
    """ipv6_del_addr()."""
    addresses = net.ipv6.addresses[dev]
    if address not in addresses:
        return
    addresses.remove(address)
    for timer in (address.timer, address.lifetime_timer):
        if timer is not None:
            timer.cancel()
    if not keep_route and "noprefixroute" not in address.flags:
        _remove_prefix_route(net, dev, address)
    _leave_solicited(net, dev, address)
    _withdraw(net, dev, address)
    from kubenet_course.kernel.inet6 import fib_semantics

    if not net.ipv6.is_local(address.local):
        fib_semantics.forget_source(net, address.local)
    net.ipv6.flush_cache()


# -- routes that come with addresses ------------------------------------------------------------
def _prefix_route(net: NetNamespace, dev: NetDevice, prefix: Network, metric: int) -> fib.FibRoute:
    route = fib.FibRoute(
        prefix, fib.UNICAST, fib.RT_TABLE_MAIN, fib.RTPROT_KERNEL, metric=metric or METRIC_ADDRCONF,
        nexthops=[fib.NextHop(dev, linkdown=not dev.carrier)],
    )  # fmt: skip
    return route


def _add_prefix_route(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_prefix_route(): once for all addresses of the prefix."""
    if address.local.is_loopback:
        return
    _insert_once(net, _prefix_route(net, dev, address.network, address.metric))


def _insert_once(net: NetNamespace, route: fib.FibRoute) -> bool:
    table = net.ipv6.table(route.table)
    for old in table.at(route.prefix):
        if (old.type, old.dev, old.metric, old.gateway) == (route.type, route.dev, route.metric, None):
            return False
    table.insert(route)
    net.ipv6.flush_cache()
    return True


def _remove_prefix_route(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """check_cleanup_prefix_route(): the last address of a prefix takes the route along."""
    for other in net.ipv6.addresses.get(dev, ()):
        if other is not address and other.network == address.network and "noprefixroute" not in other.flags:
            if (other.metric or METRIC_ADDRCONF) == (address.metric or METRIC_ADDRCONF):
                return
    _remove_kernel_route(net, _prefix_route(net, dev, address.network, address.metric))


def _remove_kernel_route(net: NetNamespace, wanted: fib.FibRoute) -> None:
    table = net.ipv6.table(wanted.table)
    for old in list(table.at(wanted.prefix)):
        if (old.type, old.dev, old.metric, old.protocol) == (
            wanted.type,
            wanted.dev,
            wanted.metric,
            wanted.protocol,
        ):
            table.remove(old)
            break


def _host_route(dev: NetDevice, address: IPv6Address, kind: str) -> fib.FibRoute:
    return fib.FibRoute(
        Network(address, 128),
        kind,
        fib.RT_TABLE_LOCAL,
        fib.RTPROT_KERNEL,
        nexthops=[fib.NextHop(dev, linkdown=not dev.carrier)],
    )


def _add_group_route(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_add_mroute()."""
    if dev.multicast:
        _insert_once(
            net,
            fib.FibRoute(
                MULTICAST_ALL, fib.MULTICAST, fib.RT_TABLE_LOCAL, fib.RTPROT_KERNEL, metric=METRIC_ADDRCONF,
                nexthops=[fib.NextHop(dev, linkdown=not dev.carrier)],
            ),
        )  # fmt: skip


def _publish(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """ipv6_ifa_notify(RTM_NEWADDR): the address is this host's from now on."""
    locals_ = net.ipv6.locals
    locals_[address.local] = locals_.get(address.local, 0) + 1
    _insert_once(net, _host_route(dev, address.local, fib.LOCAL))
    if net.sysctl.conf("ipv6", dev.name, "forwarding"):
        _join_anycast(net, dev, address)
    if address.peer is not None:
        _insert_once(net, _prefix_route(net, dev, Network(address.peer, 128), address.metric))
    net.ipv6.flush_cache()


def _withdraw(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """ipv6_ifa_notify(RTM_DELADDR)."""
    if address.usable:
        count = net.ipv6.locals.get(address.local, 0) - 1
        if count > 0:
            net.ipv6.locals[address.local] = count
        else:
            net.ipv6.locals.pop(address.local, None)
        _leave_anycast(net, dev, address)
    _remove_kernel_route(net, _host_route(dev, address.local, fib.LOCAL))
    if address.peer is not None:
        _remove_kernel_route(net, _prefix_route(net, dev, Network(address.peer, 128), address.metric))


def _join_anycast(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_join_anycast(): the subnet-router anycast address (RFC 4291, 2.6.1)."""
    if address.prefixlen >= 127 or dev.is_loopback:
        return
    anycast = IPv6Address(address.network.address)
    idev = net.ipv6.devices[dev]
    idev.anycasts[anycast] = idev.anycasts.get(anycast, 0) + 1
    if idev.anycasts[anycast] == 1:
        net.ipv6.anycasts[anycast] = net.ipv6.anycasts.get(anycast, 0) + 1
        _insert_once(net, _host_route(dev, anycast, fib.ANYCAST))
        mcast.join(net, dev, anycast.solicited_node())


def _leave_anycast(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
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
    _remove_kernel_route(net, _host_route(dev, anycast, fib.ANYCAST))
    mcast.leave(net, dev, anycast.solicited_node())


def _leave_solicited(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    if not dev.is_loopback and not dev.noarp:
        mcast.leave(net, dev, address.local.solicited_node())


# -- lifetimes ----------------------------------------------------------------------------------
def _arm_lifetime(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_verify(): deprecate when no longer preferred, delete when no longer valid."""
    if address.lifetime_timer is not None:
        address.lifetime_timer.cancel()
        address.lifetime_timer = None
    now = net.loop.now
    if address.preferred is not None and address.preferred <= now:
        address.flags.add("deprecated")
    else:
        address.flags.discard("deprecated")
    ends = [end for end in (address.preferred, address.valid) if end is not None and end > now]
    if ends:
        address.lifetime_timer = net.loop.call_at(min(ends), _lifetime_over, net, dev, address)


def _lifetime_over(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    if address.valid is not None and address.valid <= net.loop.now:
        _delete(net, dev, address)
        return
    _arm_lifetime(net, dev, address)
    net.ipv6.flush_cache()


# -- duplicate address detection ------------------------------------------------------------------
def dad_start(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_start() and addrconf_dad_begin()."""
    if not dev.is_loopback and not dev.noarp:
        mcast.join(net, dev, address.local.solicited_node())
    accept = max(
        net.sysctl.conf("ipv6", "all", "accept_dad"), net.sysctl.conf("ipv6", dev.name, "accept_dad")
    )
    if dev.is_loopback or dev.noarp or accept < 1 or "nodad" in address.flags:
        _dad_completed(net, dev, address)
        return
    if not net.ipv6.devices[dev].ready:
        return
    address.probes = net.sysctl.conf("ipv6", dev.name, "dad_transmits")
    seeded = random.Random(f"{net.host.hostname}{dev.mac}{address.local}")
    delay = net.sysctl.conf("ipv6", dev.name, "router_solicitation_delay") * SECOND
    address.nonce = seeded.randbytes(6)
    wait = int(seeded.random() * delay)
    if "optimistic" in address.flags and not net.sysctl.conf("ipv6", dev.name, "optimistic_dad"):
        address.flags.discard("optimistic")
    if address.timer is not None:
        address.timer.cancel()
    address.timer = net.loop.call_later(wait, _dad_work, net, dev, address)


def _dad_work(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_work(): ask, and wait for an objection."""
    from kubenet_course.kernel.inet6.ndisc import ndisc_send_ns

    address.timer = None
    if address not in net.ipv6.addresses.get(dev, ()) or "tentative" not in address.flags:
        return
    if not net.ipv6.devices[dev].ready:
        return
    if address.probes <= 0:
        _dad_completed(net, dev, address)
        return
    address.probes -= 1
    retrans = max(net.sysctl.get_int("net", "ipv6", "neigh", dev.name, "retrans_time_ms"), 10) * MILLISECOND
    address.timer = net.loop.call_later(retrans, _dad_work, net, dev, address)
    ndisc_send_ns(net, dev, address.local, address.local.solicited_node(), ANY6, address.nonce)


def _dad_completed(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_completed()."""
    from kubenet_course.kernel.inet6 import ra

    address.flags -= {"tentative", "optimistic", "dadfailed"}
    _publish(net, dev, address)
    if address.scope != fib.RT_SCOPE_LINK or dev.is_loopback:
        return
    mcast.dad_complete(net, dev)
    ra.start_solicitations(net, dev)


def dad_failure(net: NetNamespace, dev: NetDevice, address: Inet6Address) -> None:
    """addrconf_dad_failure(): another host has the address; ours stays tentative, for a human."""
    if "tentative" not in address.flags or "dadfailed" in address.flags:
        return
    if address.timer is not None:
        address.timer.cancel()
        address.timer = None
    net.host.log(f"IPv6: {dev.name}: IPv6 duplicate address {address.local} used by another host detected!")
    _leave_solicited(net, dev, address)
    if "permanent" in address.flags:
        address.flags.add("dadfailed")
        accept = net.sysctl.conf("ipv6", dev.name, "accept_dad")
        if accept > 1 and address.scope == fib.RT_SCOPE_LINK and address.local == dev.mac.link_local():
            net.sysctl.write(("net", "ipv6", "conf", dev.name, "disable_ipv6"), "1")
    else:
        _delete(net, dev, address)


# -- devices ------------------------------------------------------------------------------------
def _disabled(net: NetNamespace, dev: NetDevice) -> bool:
    return bool(net.sysctl.conf("ipv6", dev.name, "disable_ipv6"))


def link_local_address(net: NetNamespace, dev: NetDevice, *, tentative: bool = False) -> IPv6Address | None:
    """ipv6_get_lladdr(): the device's link-local address that may be used, or None."""
    for address in net.ipv6.addresses.get(dev, ()):
        if address.scope == fib.RT_SCOPE_LINK and (address.usable or tentative):
            return address.local
    return None


def device_added(net: NetNamespace, dev: NetDevice) -> None:
    """ipv6_add_dev(): a device joins "all nodes" from the beginning."""
    net.ipv6.addresses[dev] = []
    net.ipv6.devices[dev] = Inet6Device(dev)
    for group in (mcast.ALL_NODES_INTERFACE, mcast.ALL_NODES):
        mcast.join(net, dev, group)
    idev = net.ipv6.devices[dev]
    idev.forwarding = bool(net.sysctl.conf("ipv6", dev.name, "forwarding"))
    if idev.forwarding and not dev.is_loopback:
        mcast.join(net, dev, mcast.ALL_ROUTERS)


def device_up(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_notify(NETDEV_UP)."""
    from kubenet_course.kernel.inet6 import fib_semantics

    idev = net.ipv6.devices.get(dev)
    if idev is None or _disabled(net, dev) or dev.mtu < MIN_MTU and not dev.is_loopback:
        return
    if dev.is_loopback:
        if not any(a.local == LOOPBACK6 for a in net.ipv6.addresses[dev]):
            address = Inet6Address(LOOPBACK6, 128, fib.RT_SCOPE_HOST, {"permanent"}, proto=IFAPROT_KERNEL_LO)
            _insert(net, dev, address)
            _dad_completed(net, dev, address)
        idev.ready = True
    elif dev.running:
        idev.ready = True
        _configure(net, dev)
    fib_semantics.sync_linkdown(net, dev)
    net.ipv6.flush_cache()


def carrier_changed(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_notify(NETDEV_CHANGE)."""
    from kubenet_course.kernel.inet6 import fib_semantics

    idev = net.ipv6.devices.get(dev)
    if idev is not None and dev.running and not idev.ready and not _disabled(net, dev) and dev.mtu >= MIN_MTU:
        idev.ready = True
        _configure(net, dev)
    elif idev is not None and dev.running and idev.ready:
        mcast.device_up(net, dev)
    fib_semantics.sync_linkdown(net, dev)
    net.ipv6.flush_cache()


def _configure(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_dev_config() and addrconf_dad_run()."""
    _add_group_route(net, dev)
    mcast.device_up(net, dev)
    if link_local_address(net, dev, tentative=True) is None:
        local = _generated(net, dev)
        if local is not None:
            address = Inet6Address(local, 64, fib.RT_SCOPE_LINK, {"permanent"}, proto=IFAPROT_KERNEL_LL)
            _insert(net, dev, address)
            _insert_once(net, _prefix_route(net, dev, address.network, 0))
            dad_start(net, dev, address)
    for address in net.ipv6.addresses[dev]:
        if "tentative" in address.flags and "dadfailed" not in address.flags and address.timer is None:
            dad_start(net, dev, address)


def _generated(net: NetNamespace, dev: NetDevice) -> IPv6Address | None:
    """addrconf_addr_gen(): by addr_gen_mode eui64, none, stable-privacy or random."""
    if getattr(dev, "no_link_local", False):
        return None
    mode = net.sysctl.conf("ipv6", dev.name, "addr_gen_mode")
    if mode == 0:
        return dev.mac.link_local() if dev.mac else None
    if mode == 1:
        return None
    secret = random.Random(f"{net.host.hostname}/{dev.name}/{dev.mac}/{mode}")
    return IPv6Address(0xFE80 << 112 | secret.getrandbits(64))


def device_down(net: NetNamespace, dev: NetDevice, *, unregister: bool = False) -> None:
    """addrconf_ifdown(): routes, neighbours and addresses of the device go."""
    from kubenet_course.kernel.inet6 import fib_semantics

    idev = net.ipv6.devices.get(dev)
    if idev is None:
        return
    fib_semantics.flush_device(net, dev)
    net.nd.flush_device(dev)
    idev.cancel_timers()
    idev.ready = False
    idev.ra_received = False
    keep = not unregister and any(
        net.sysctl.conf("ipv6", name, "keep_addr_on_down") > 0 for name in ("all", dev.name)
    )
    for address in list(net.ipv6.addresses[dev]):
        stays = (
            keep
            and "permanent" in address.flags
            and address.scope not in (fib.RT_SCOPE_LINK, fib.RT_SCOPE_HOST)
        )
        if not stays:
            _delete(net, dev, address, keep_route=True)
            continue
        if address.timer is not None:
            address.timer.cancel()
            address.timer = None
        _leave_solicited(net, dev, address)
        _withdraw(net, dev, address)
        address.flags.add("tentative")
    mcast.device_down(net, dev)
    net.ipv6.flush_cache()


def mtu_changed(net: NetNamespace, dev: NetDevice) -> None:
    """IPv6 lives on a device only while its MTU is at least 1280."""
    idev = net.ipv6.devices.get(dev)
    if idev is None or dev.is_loopback:
        return
    if dev.mtu < MIN_MTU:
        device_down(net, dev)
    elif dev.up and not idev.ready:
        device_up(net, dev)
    net.sysctl._set(("net", "ipv6", "conf", dev.name, "mtu"), str(max(dev.mtu, MIN_MTU)))
    net.ipv6.flush_cache()


# -- sysctls --------------------------------------------------------------------------------------
def sysctl_changed(net: NetNamespace, name: str, key: str) -> None:
    """What follows from a write below /proc/sys/net/ipv6/conf/<name>/."""
    devices = (
        list(net.devices.values()) if name == "all" else [d for d in net.devices.values() if d.name == name]
    )
    for dev in devices:
        idev = net.ipv6.devices.get(dev)
        if idev is None:
            continue
        if key == "disable_ipv6":
            if not _disabled(net, dev):
                if dev.up and not idev.ready:
                    device_up(net, dev)
            elif idev.ready or net.ipv6.addresses[dev]:
                device_down(net, dev)
        elif key == "forwarding":
            _forwarding_changed(net, dev)
        elif key == "addr_gen_mode" and dev.running and idev.ready and name != "all":
            _configure(net, dev)


def _forwarding_changed(net: NetNamespace, dev: NetDevice) -> None:
    """dev_forward_change()."""
    idev = net.ipv6.devices[dev]
    forwarding = bool(net.sysctl.conf("ipv6", dev.name, "forwarding"))
    if forwarding == idev.forwarding:
        return
    idev.forwarding = forwarding
    groups = (mcast.ALL_ROUTERS, mcast.ALL_ROUTERS_INTERFACE, mcast.ALL_ROUTERS_SITE)
    if dev.multicast and not dev.is_loopback:
        for group in groups:
            if forwarding and group not in idev.groups:
                mcast.join(net, dev, group)
            elif not forwarding and group in idev.groups:
                mcast.leave(net, dev, group)
    for address in net.ipv6.addresses[dev]:
        if address.usable:
            (_join_anycast if forwarding else _leave_anycast)(net, dev, address)
    if forwarding:
        from kubenet_course.kernel.inet6 import ra

        ra.purge_default_routers(net, dev)
