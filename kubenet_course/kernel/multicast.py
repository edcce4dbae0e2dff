"""Which multicast groups a device takes, as `ip maddr` and `bridge fdb` show them (net/core/dev_addr_lists.c).

A device that is up is in 224.0.0.1 (all hosts). With IPv6 in the kernel every device is in ff02::1 and ff01::1
from the beginning, even where disable_ipv6 is set; what its own filter holds of IPv6 is lost when it goes down
(or IPv6 is switched off) after it was ready, and comes back with it. A bridge that is up also hears the snoopers' groups
(224.0.0.106, ff02::6a, RFC 4286).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address, MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

ALL_HOSTS = IPv4Address(0xE0000001)
ALL_SNOOPERS = IPv4Address(0xE000006A)
ALL_NODES = IPv6Address(0xFF02 << 112 | 1)
ALL_NODES_INTERFACE = IPv6Address(0xFF01 << 112 | 1)
ALL_SNOOPERS6 = IPv6Address(0xFF02 << 112 | 0x6A)


def snoops(dev: NetDevice) -> bool:
    """A bridge that is up and has multicast snooping on."""
    return dev.up and bool(getattr(dev, "mcast_snooping", False))


def groups(dev: NetDevice, family: int) -> list[tuple[IpAddress, int]]:
    """The groups of one family as (address, users), as /proc/net/igmp or igmp6 list them."""
    found: list[tuple[IpAddress, int]] = []
    if family == 4:
        if dev.up and (dev.multicast or dev.is_loopback):
            found.append((ALL_HOSTS, 1))
        if snoops(dev):
            found.append((ALL_SNOOPERS, 1))
        joined = dev.net.ipv4.groups.get(dev, {})
        return [(IPv4Address(group), users) for group, users in reversed(joined.items())] + found
    idev = dev.net.ipv6.devices.get(dev)
    if snoops(dev):
        found.append((ALL_SNOOPERS6, 1))
    if idev is not None:
        own = [(group.address, group.users) for group in idev.groups.values() if group.address not in NODES]
        found = [*reversed(own), *found]
        found += [(ALL_NODES, 1), (ALL_NODES_INTERFACE, 1)]
    return found


NODES = frozenset({ALL_NODES, ALL_NODES_INTERFACE})


def link_groups(dev: NetDevice) -> list[tuple[MacAddress, bool]]:
    """The link-layer groups in the order in which they came, as (address, added by hand)."""
    if dev.is_loopback or dev.link_type != "ether":
        return []
    found: dict[MacAddress, bool] = {}
    idev = dev.net.ipv6.devices.get(dev)
    if idev is not None and idev.filters:
        found[ALL_NODES.multicast_mac()] = False
    if snoops(dev):
        found[ALL_SNOOPERS.multicast_mac()] = False
        found[ALL_SNOOPERS6.multicast_mac()] = False
    if dev.up and dev.multicast:
        found[ALL_HOSTS.multicast_mac()] = False
    if idev is not None and idev.filters:
        for group in idev.groups.values():
            if group.address >> 112 & 0xF != 1:
                found.setdefault(group.address.multicast_mac(), False)
    for joined in dev.net.ipv4.groups.get(dev, {}):
        found.setdefault(IPv4Address(joined).multicast_mac(), False)
    for mac in dev.static_groups:
        found[mac] = True
    return list(found.items())
