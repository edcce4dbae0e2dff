"""IPv6 on a device as it comes up, goes down, and as its settings change (net/ipv6/addrconf.c)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6 import addrconf, fib_semantics, implied, mcast, ra
from kubenet_course.kernel.inet6.addrconf import (
    IFAPROT_KERNEL_LL,
    IFAPROT_KERNEL_LO,
    MIN_MTU,
    Inet6Address,
)
from kubenet_course.kernel.inet6.device import Inet6Device
from kubenet_course.wire.addresses import LOOPBACK6, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace


def device_added(net: NetNamespace, dev: NetDevice) -> None:
    """ipv6_add_dev(): a device joins "all nodes" from the beginning."""
    net.ipv6.addresses[dev] = []
    net.ipv6.devices[dev] = Inet6Device(dev)
    for group in (mcast.ALL_NODES_INTERFACE, mcast.ALL_NODES):
        mcast.join(net, dev, group)
    idev = net.ipv6.devices[dev]
    idev.forwarding = bool(net.sysctl.conf("ipv6", dev.name, "forwarding"))
    idev.disabled = addrconf.disabled(net, dev)
    net.sysctl._set(("net", "ipv6", "conf", dev.name, "mtu"), str(dev.mtu))
    if idev.forwarding and not dev.is_loopback:
        mcast.join(net, dev, mcast.ALL_ROUTERS)


def device_up(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_notify(NETDEV_UP)."""
    idev = net.ipv6.devices.get(dev)
    if dev.kind == "vrf":
        return  # addrconf_dev_config(): no address of its own
    if idev is None or addrconf.disabled(net, dev) or dev.mtu < MIN_MTU and not dev.is_loopback:
        return
    for address in net.ipv6.addresses[dev]:  # addrconf_permanent_addr()
        if "permanent" in address.flags and "noprefixroute" not in address.flags and not dev.is_loopback:
            implied.add_prefix_route(net, dev, address)
    if dev.is_loopback:
        if not any(a.local == LOOPBACK6 for a in net.ipv6.addresses[dev]):
            address = Inet6Address(LOOPBACK6, 128, fib.RT_SCOPE_HOST, {"permanent"}, proto=IFAPROT_KERNEL_LO)
            addrconf.insert(net, dev, address)
            addrconf.dad_completed(net, dev, address)
        idev.ready = True
    elif dev.running:
        idev.ready = True
        _configure(net, dev)
    fib_semantics.sync_up(net, dev)
    fib_semantics.sync_linkdown(net, dev)
    net.ipv6.flush_cache()


def carrier_changed(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_notify(NETDEV_CHANGE)."""
    idev = net.ipv6.devices.get(dev)
    if idev is not None and dev.running and dev.kind != "vrf":
        if idev.ready:
            mcast.device_up(net, dev)
        elif not addrconf.disabled(net, dev) and dev.mtu >= MIN_MTU:
            idev.ready = True
            _configure(net, dev)
    fib_semantics.sync_linkdown(net, dev)
    net.ipv6.flush_cache()


def _configure(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_dev_config() and addrconf_dad_run()."""
    implied.add_group_route(net, dev)
    net.ipv6.devices[dev].filters = True
    mcast.device_up(net, dev)
    local = generated(net, dev)
    if local is not None and all(one.local != local for one in net.ipv6.addresses[dev]):
        address = Inet6Address(local, 64, fib.RT_SCOPE_LINK, {"permanent"}, proto=IFAPROT_KERNEL_LL)
        addrconf.insert(net, dev, address)
        implied.insert_once(net, implied.prefix_route(net, dev, address.network, 0))
        addrconf.dad_start(net, dev, address)
    for address in net.ipv6.addresses[dev]:
        if "tentative" in address.flags and "dadfailed" not in address.flags and address.timer is None:
            addrconf.dad_start(net, dev, address)


def generated(net: NetNamespace, dev: NetDevice) -> IPv6Address | None:
    """addrconf_addr_gen(): by addr_gen_mode eui64, none, stable-privacy or random."""
    if getattr(dev, "no_link_local", False):
        return None
    mode = net.sysctl.conf("ipv6", dev.name, "addr_gen_mode")
    if mode == 0:
        if hasattr(dev, "isatap"):
            return dev.isatap()  # addrconf_ifid_gre(), addrconf_ifid_sit()
        return dev.mac.link_local() if dev.mac else None
    if mode == 1:
        return None
    secret = random.Random(f"{net.host.hostname}/{dev.name}/{dev.mac}/{mode}")
    return IPv6Address(0xFE80 << 112 | secret.getrandbits(64))


def device_down(net: NetNamespace, dev: NetDevice, *, unregister: bool = False) -> None:
    """addrconf_ifdown(): routes, neighbours and addresses of the device go."""
    idev = net.ipv6.devices.get(dev)
    if idev is None:
        return
    fib_semantics.flush_device(net, dev, unregister=unregister)
    net.nd.flush_device(dev)
    idev.cancel_timers()
    if idev.ready:
        idev.filters = False
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
            addrconf.delete(net, dev, address, keep_route=True)
            continue
        if address.timer is not None:
            address.timer.cancel()
            address.timer = None
        implied.leave_solicited(net, dev, address)
        implied.withdraw(net, dev, address)
        address.flags.add("tentative")
    mcast.device_down(net, dev)
    net.ipv6.flush_cache()


def mtu_changed(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_notify(NETDEV_CHANGEMTU): IPv6 lives on a device only while its MTU is at least 1280.

    The loopback loses its addresses only; what is added later stays, and ::1 waits for the next `up`.
    """
    idev = net.ipv6.devices.get(dev)
    if idev is None:
        return
    if dev.mtu < MIN_MTU:
        device_down(net, dev)
    elif dev.up and not idev.ready and not dev.is_loopback:
        device_up(net, dev)
    net.sysctl._set(("net", "ipv6", "conf", dev.name, "mtu"), str(max(dev.mtu, MIN_MTU)))
    net.ipv6.flush_cache()


# -- sysctls --------------------------------------------------------------------------------------
def sysctl_changed(net: NetNamespace, name: str, key: str) -> None:
    """What follows from a write below /proc/sys/net/ipv6/conf/<name>/."""
    if name == "all" and key == "forwarding":
        net.ipv6.forwarding = bool(net.sysctl.conf("ipv6", "all", "forwarding"))
    if name == "all":
        devices = list(net.devices.values())
    else:
        devices = [net.devices[name]] if name in net.devices else []
    for dev in devices:
        idev = net.ipv6.devices.get(dev)
        if idev is None:
            continue
        if key == "force_forwarding":
            idev.forced = bool(net.sysctl.conf("ipv6", dev.name, "force_forwarding"))
        elif key == "disable_ipv6":
            idev.disabled = addrconf.disabled(net, dev)
            if not addrconf.disabled(net, dev):
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
            (implied.join_anycast if forwarding else implied.leave_anycast)(net, dev, address)
    if forwarding:
        ra.purge_default_routers(net, dev)
