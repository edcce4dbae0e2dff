"""Multicast groups of a device and the MLDv2 reports about them (net/ipv6/mcast.c, RFC 3810).

A change is reported at once and again within a second (robustness 2), from ``::`` while the link-local
address is tentative; all groups are reported once more when it has become valid.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kubenet_course.kernel.inet6.device import Inet6Device, McGroup
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire.addresses import ANY6, IPv6Address
from kubenet_course.wire.icmpv6 import ICMPV6_MLD2_REPORT, Icmpv6Header
from kubenet_course.wire.ipv4 import IPPROTO_ICMPV6
from kubenet_course.wire.ipv6 import ROUTER_ALERT
from kubenet_course.wire.ndisc import MLD2_TO_EXCLUDE, MLD2_TO_INCLUDE, encode_mld2_report

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace

ALL_NODES = IPv6Address.parse("ff02::1")
ALL_NODES_INTERFACE = IPv6Address.parse("ff01::1")
ALL_ROUTERS = IPv6Address.parse("ff02::2")
ALL_ROUTERS_INTERFACE = IPv6Address.parse("ff01::2")
ALL_ROUTERS_SITE = IPv6Address.parse("ff05::2")
MLD2_ROUTERS = IPv6Address.parse("ff02::16")
ROBUSTNESS = 2


def _quiet(group: int) -> bool:
    """MAF_NOREPORT: all-nodes and what does not leave the interface are never reported."""
    return group == ALL_NODES or (group >> 112 & 0xF) < 2


def join(net: NetNamespace, dev: NetDevice, group: IPv6Address) -> None:
    """__ipv6_dev_mc_inc()."""
    idev = net.ipv6.devices[dev]
    known = idev.groups.get(group)
    if known is not None:
        known.users += 1
        return
    idev.left.pop(group, None)
    entry = idev.groups[group] = McGroup(group)
    if dev.up and not _quiet(group):
        entry.reports = ROBUSTNESS
        _changed(net, idev)


def leave(net: NetNamespace, dev: NetDevice, group: IPv6Address) -> None:
    """__ipv6_dev_mc_dec()."""
    idev = net.ipv6.devices.get(dev)
    entry = idev.groups.get(group) if idev is not None else None
    if idev is None or entry is None:
        return
    entry.users -= 1
    if entry.users:
        return
    del idev.groups[group]
    if not _quiet(group):
        entry.reports = ROBUSTNESS
        idev.left[group] = entry
        if dev.up:
            _changed(net, idev)


def device_down(net: NetNamespace, dev: NetDevice) -> None:
    """ipv6_mc_down(): the groups stay; that some were left is told when the device is up again."""
    idev = net.ipv6.devices[dev]
    idev.cancel_timers()
    for entry in idev.groups.values():
        entry.reports = 0


def device_up(net: NetNamespace, dev: NetDevice) -> None:
    """ipv6_mc_up(): tell the routers about all groups again."""
    idev = net.ipv6.devices[dev]
    for entry in idev.groups.values():
        if not _quiet(entry.address):
            entry.reports = ROBUSTNESS
    if idev.left or any(entry.reports for entry in idev.groups.values()):
        _changed(net, idev)


def dad_complete(net: NetNamespace, dev: NetDevice) -> None:
    """ipv6_mc_dad_complete(): the link-local address may be used: report everything again."""
    idev = net.ipv6.devices[dev]
    idev.mld_dad_rounds = ROBUSTNESS
    _dad_round(net, idev)


def _dad_round(net: NetNamespace, idev: Inet6Device) -> None:
    idev.mld_dad_timer = None
    records = [
        (MLD2_TO_EXCLUDE, entry.address)
        for entry in reversed(idev.groups.values())
        if not _quiet(entry.address)
    ]
    if records and idev.dev.up:
        _send(net, idev, records)
    idev.mld_dad_rounds -= 1
    if idev.mld_dad_rounds > 0:
        idev.mld_dad_timer = net.loop.call_later(_delay(net, idev), _dad_round, net, idev)


def _changed(net: NetNamespace, idev: Inet6Device) -> None:
    """mld_ifc_event()."""
    idev.mld_rounds = ROBUSTNESS
    if idev.mld_timer is not None:
        idev.mld_timer.cancel()
    idev.mld_timer = net.loop.call_later(0, _round, net, idev)


def _round(net: NetNamespace, idev: Inet6Device) -> None:
    """mld_ifc_work(): one report with what is still to be said."""
    idev.mld_timer = None
    records = []
    for kind, entries in ((MLD2_TO_INCLUDE, idev.left), (MLD2_TO_EXCLUDE, idev.groups)):
        for entry in reversed(list(entries.values())):
            if entry.reports:
                entry.reports -= 1
                records.append((kind, entry.address))
                if not entry.reports and entries is idev.left:
                    del idev.left[entry.address]
    if records and idev.dev.up:
        _send(net, idev, records)
    idev.mld_rounds -= 1
    if idev.mld_rounds > 0:
        idev.mld_timer = net.loop.call_later(_delay(net, idev), _round, net, idev)


def _delay(net: NetNamespace, idev: Inet6Device) -> int:
    """A time below mldv2_unsolicited_report_interval, from the MAC address and the clock."""
    interval = net.sysctl.conf("ipv6", idev.dev.name, "mldv2_unsolicited_report_interval") * MILLISECOND
    return int(random.Random(f"{idev.dev.mac}{net.loop.now}").random() * interval)


def _send(net: NetNamespace, idev: Inet6Device, records: list[tuple[int, IPv6Address]]) -> None:
    """mld_sendpack()."""
    from kubenet_course.kernel.inet6.addrconf import link_local_address
    from kubenet_course.kernel.inet6.output import control_output

    if not net.sysctl.conf("ipv6", idev.dev.name, "disable_ipv6"):
        source = link_local_address(net, idev.dev) or ANY6
        rest, body = encode_mld2_report(records)
        control_output(
            net, idev.dev, source, MLD2_ROUTERS, Icmpv6Header(ICMPV6_MLD2_REPORT, 0, rest), body,
            hop_limit=1, protocol=IPPROTO_ICMPV6, extensions=(ROUTER_ALERT,),
        )  # fmt: skip
