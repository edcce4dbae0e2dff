"""Masquerading, and forgetting it when the address goes (net/netfilter/nf_nat_masquerade.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.nat import DST, SRC, NatRange, setup_info
from kubenet_course.kernel.netfilter.tables import ACCEPT, DROP

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netfilter.tables import HookState
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


def masquerade(net: NetNamespace, skb: SkBuff, state: HookState, wanted: NatRange) -> int:
    """nf_nat_masquerade_ipv4() and _ipv6(): bind the source to the way out's own address."""
    ct, out = skb.nfct, state.outdev
    if ct is None or out is None:
        return ACCEPT
    if skb.network.source == 0:
        return ACCEPT
    address: Any
    if state.family == 4:
        from kubenet_course.kernel.inet.devinet import select_source

        rt = skb.dst
        nexthop = rt.nexthop if rt is not None else skb.network.destination
        address = select_source(net, out, int(nexthop) if nexthop.family == 4 else 0, 0)
    else:
        address = source6(net, out, skb.network.destination)
    if address is None or not address:
        return DROP
    ct.masq_index = out.ifindex
    return ACCEPT if setup_info(net, ct, wanted._replace(min_addr=address, max_addr=address), SRC) else DROP


def source6(net: NetNamespace, out: NetDevice, destination: Any) -> Any:
    """ipv6_dev_get_saddr() for one device: prefer an address of the destination's scope."""
    own = [address.local for address in net.ipv6.device_addresses(out)]
    wide = [address for address in own if not address.is_link_local]
    if destination.is_link_local or not wide:
        return next((address for address in own if address.is_link_local), wide[0] if wide else None)
    return wide[0]


def device_down(net: NetNamespace, dev: NetDevice) -> None:
    """masq_device_event(): connections hidden behind this device are forgotten."""
    room = net.rooms.get("conntrack")
    if room is not None:
        for ct in [ct for ct in room.entries() if ct.masq_index == dev.ifindex]:
            room.remove(ct)


def address_gone(net: NetNamespace, dev: NetDevice, address: int) -> None:
    """masq_inet_event(): those hidden behind an address that is no more."""
    room = net.rooms.get("conntrack")
    if room is not None:
        for ct in [ct for ct in room.entries() if ct.masq_index == dev.ifindex and ct.reply[1] == address]:
            room.remove(ct)


def redirect(net: NetNamespace, skb: SkBuff, state: HookState, wanted: NatRange) -> int:
    """nf_nat_redirect(): to this host: the incoming device's first address, or 127.0.0.1."""
    ct = skb.nfct
    if ct is None:
        return ACCEPT
    from kubenet_course.wire.addresses import LOOPBACK4, LOOPBACK6

    address: Any
    if state.hook == 3:
        address = LOOPBACK4 if state.family == 4 else LOOPBACK6
    else:
        address = None
        dev = state.indev
        if dev is not None and state.family == 4:
            own = net.ipv4.device_addresses(dev)
            address = own[0].local if own else None
        elif dev is not None:
            address = next((a.local for a in net.ipv6.device_addresses(dev) if not a.local.is_link_local), None)
        if address is None:
            return DROP
    return ACCEPT if setup_info(net, ct, wanted._replace(min_addr=address, max_addr=address), DST) else DROP
