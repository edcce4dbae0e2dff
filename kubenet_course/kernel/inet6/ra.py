"""Routers found by themselves: solicitations sent, advertisements believed
(net/ipv6/addrconf.c, ndisc.c: ndisc_router_discovery(), RFC 4861 6.3, RFC 4862 5.5).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet6 import addrconf, implied, mcast
from kubenet_course.kernel.inet6.addrconf import IFAPROT_KERNEL_RA, Inet6Address
from kubenet_course.kernel.inet6.output import control_output
from kubenet_course.kernel.neighbour import STALE
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import ANY6, IPv6Address, MacAddress, Network
from kubenet_course.wire.icmpv6 import NDISC_ROUTER_SOLICITATION, Icmpv6Header
from kubenet_course.wire.ndisc import (
    OPT_MTU,
    OPT_PREFIX,
    OPT_SOURCE_MAC,
    Option,
    PrefixInformation,
    RouterAdvertisement,
    link_address,
    option,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

INFINITY = 0xFFFFFFFF
MIN_VALID_LIFETIME = 2 * 3600


def accepts(net: NetNamespace, dev: NetDevice) -> bool:
    """ipv6_accept_ra(): hosts do (accept_ra 1), routers only with accept_ra 2."""
    accept = net.sysctl.conf("ipv6", dev.name, "accept_ra")
    return accept == 2 if net.sysctl.conf("ipv6", dev.name, "forwarding") else accept > 0


# -- asking -----------------------------------------------------------------------------------------
def start_solicitations(net: NetNamespace, dev: NetDevice) -> None:
    """The end of addrconf_dad_completed(): ask for routers now, then ever more rarely."""
    idev = net.ipv6.devices[dev]
    if (
        not accepts(net, dev)
        or not net.sysctl.conf("ipv6", dev.name, "router_solicitations")
        or dev.is_loopback
    ):
        return
    ndisc_send_rs(net, dev)
    idev.rs_count = 1
    idev.rs_interval = _spread(
        dev, 0, net.sysctl.conf("ipv6", dev.name, "router_solicitation_interval") * SECOND, 0.9
    )
    idev.rs_timer = net.loop.call_later(idev.rs_interval, _again, net, dev)


def _spread(dev: NetDevice, count: int, interval: int, low: float) -> int:
    """rfc3315_s14_backoff_init(): `interval` times `low` to `low` + 0.2, from the MAC."""
    return int(interval * (low + 0.2 * random.Random(f"{dev.mac}{count}").random()))


def _again(net: NetNamespace, dev: NetDevice) -> None:
    """addrconf_rs_timer()."""
    idev = net.ipv6.devices.get(dev)
    if idev is None or idev.ra_received or not idev.ready or not accepts(net, dev):
        return
    limit = net.sysctl.conf("ipv6", dev.name, "router_solicitations")
    if 0 <= limit <= idev.rs_count:
        return
    ndisc_send_rs(net, dev)
    idev.rs_count += 1
    longest = net.sysctl.conf("ipv6", dev.name, "router_solicitation_max_interval") * SECOND
    idev.rs_interval = _spread(dev, idev.rs_count, idev.rs_interval, 1.9)
    if longest and idev.rs_interval > longest:
        idev.rs_interval = _spread(dev, idev.rs_count, longest, 0.9)
    idev.rs_timer = net.loop.call_later(idev.rs_interval, _again, net, dev)


def ndisc_send_rs(net: NetNamespace, dev: NetDevice) -> None:
    source = addrconf.link_local_address(net, dev) or ANY6
    body = b"" if source == 0 else link_address(OPT_SOURCE_MAC, dev.mac).encode()
    control_output(net, dev, source, mcast.ALL_ROUTERS, Icmpv6Header(NDISC_ROUTER_SOLICITATION, 0), body)


# -- believing --------------------------------------------------------------------------------------
def receive(net: NetNamespace, skb: SkBuff, dev: NetDevice, header: Icmpv6Header, body: bytes) -> str:
    """ndisc_router_discovery(): a drop reason, or "" where it was taken."""
    router: IPv6Address = skb.network.source
    if not router.is_link_local:
        return "NOT_SPECIFIED"
    try:
        advert, options = RouterAdvertisement.decode(header.rest, body)
    except ValueError:
        return "IPV6_NDISC_BAD_OPTIONS"
    idev = net.ipv6.devices[dev]
    if not accepts(net, dev) or any(a.local == router for a in net.ipv6.addresses[dev]):
        return ""
    idev.ra_received = True
    if net.sysctl.conf("ipv6", dev.name, "accept_ra_defrtr"):
        _default_route(net, dev, router, advert)
    if advert.hop_limit and advert.hop_limit >= net.sysctl.conf("ipv6", dev.name, "accept_ra_min_hop_limit"):
        idev.ra_hop_limit = advert.hop_limit
        net.sysctl._set(("net", "ipv6", "conf", dev.name, "hop_limit"), str(advert.hop_limit))
    _neighbour(net, dev, router, options)
    if net.sysctl.conf("ipv6", dev.name, "accept_ra_pinfo"):
        for found in options:
            if found.type == OPT_PREFIX:
                _prefix(net, dev, found.value)
    mtu = option(options, OPT_MTU)
    if mtu is not None and len(mtu) >= 6 and net.sysctl.conf("ipv6", dev.name, "accept_ra_mtu"):
        size = int.from_bytes(mtu[2:6], "big")
        if 1280 <= size <= dev.mtu:
            idev.ra_mtu = size
            net.sysctl._set(("net", "ipv6", "conf", dev.name, "mtu"), str(size))
    net.ipv6.flush_cache()
    return ""


def _neighbour(net: NetNamespace, dev: NetDevice, router: IPv6Address, options: list[Option]) -> None:
    value = option(options, OPT_SOURCE_MAC)
    if value is None or len(value) < 6:
        return
    entry = net.nd.get(router, dev)
    entry.update(MacAddress.decode(value), STALE)
    entry.router = True


def _default_route(
    net: NetNamespace, dev: NetDevice, router: IPv6Address, advert: RouterAdvertisement
) -> None:
    table = net.ipv6.table(fib.RT_TABLE_MAIN)
    prefix = Network(ANY6, 0)
    known = next(
        (r for r in table.at(prefix) if r.protocol == fib.RTPROT_RA and r.gateway == router and r.dev is dev),
        None,
    )
    if known is not None and not advert.lifetime:
        table.remove(known)
        return
    if not advert.lifetime:
        return
    if known is None:
        metric = net.sysctl.conf("ipv6", dev.name, "ra_defrtr_metric")
        known = fib.FibRoute(
            prefix, fib.UNICAST, fib.RT_TABLE_MAIN, fib.RTPROT_RA, metric=metric,
            nexthops=[fib.NextHop(dev, router)], flags={"addrconf"},
        )  # fmt: skip
        table.insert(known)
    known.pref = {1: "high", 3: "low"}.get(advert.flags >> 3 & 3, "medium")
    if advert.hop_limit:
        known.metrics["hoplimit"] = advert.hop_limit
    _lives(net, known, advert.lifetime)


def _lives(net: NetNamespace, route: fib.FibRoute, seconds: int) -> None:
    from kubenet_course.kernel.inet6 import fib_semantics

    if seconds >= INFINITY:
        route.expires = None
        return
    route.expires = net.loop.now + seconds * SECOND
    net.loop.call_at(route.expires, fib_semantics.expire, net, route)


def purge_default_routers(net: NetNamespace, dev: NetDevice) -> None:
    """rt6_purge_dflt_routers(): a router does not believe other routers."""
    table = net.ipv6.table(fib.RT_TABLE_MAIN)
    if net.sysctl.conf("ipv6", dev.name, "accept_ra") == 2:
        return
    for route in list(table.at(Network(ANY6, 0))):
        if route.protocol == fib.RTPROT_RA and route.dev is dev:
            table.remove(route)


def _prefix(net: NetNamespace, dev: NetDevice, value: bytes) -> None:
    """addrconf_prefix_rcv(): an on-link prefix is a route, an autonomous one an address."""
    try:
        info = PrefixInformation.decode(value)
    except ValueError:
        return
    if (
        info.preferred > info.valid
        or info.prefix.is_multicast
        or info.prefix.is_link_local
        or info.prefixlen > 128
    ):
        return
    network = Network.of(info.prefix, info.prefixlen)
    if info.onlink:
        _onlink_route(net, dev, network, info.valid)
    if info.autonomous and info.prefixlen == 64 and net.sysctl.conf("ipv6", dev.name, "autoconf"):
        _autoconf_address(net, dev, network, info)


def _onlink_route(net: NetNamespace, dev: NetDevice, network: Network, valid: int) -> None:
    table = net.ipv6.table(fib.RT_TABLE_MAIN)
    known = next(
        (
            r
            for r in table.at(network)
            if r.protocol in (fib.RTPROT_KERNEL, fib.RTPROT_RA) and r.dev is dev and r.gateway is None
        ),
        None,
    )
    if known is not None:
        if not valid:
            table.remove(known)
        elif known.expires is not None:
            _lives(net, known, valid)
        return
    if valid:
        route = fib.FibRoute(
            network, fib.UNICAST, fib.RT_TABLE_MAIN, fib.RTPROT_KERNEL, metric=implied.METRIC_ADDRCONF,
            nexthops=[fib.NextHop(dev)], flags={"addrconf"},
        )  # fmt: skip
        table.insert(route)
        _lives(net, route, valid)


def _autoconf_address(net: NetNamespace, dev: NetDevice, network: Network, info: PrefixInformation) -> None:
    """addrconf_prefix_rcv_add_addr(): the prefix with the interface identifier, with its lifetimes."""
    from kubenet_course.kernel.inet6 import interface

    # A token goes before what the device's address gives.
    own = net.ipv6.devices[dev].token or interface.generated(net, dev)
    if own is None:
        return
    local = IPv6Address(int(network.address) | (own & (1 << 64) - 1))
    now = net.loop.now
    valid = None if info.valid == INFINITY else now + info.valid * SECOND
    preferred = None if info.preferred == INFINITY else now + info.preferred * SECOND
    known = next((a for a in net.ipv6.addresses[dev] if a.local == local), None)
    if known is None:
        if not info.valid:
            return
        address = Inet6Address(
            local,
            64,
            addrconf.address_scope(local),
            {"mngtmpaddr"},
            valid=valid,
            preferred=preferred,
            proto=IFAPROT_KERNEL_RA,
        )
        addrconf.insert(net, dev, address)
        address.flags.discard("permanent")
        addrconf.arm_lifetime(net, dev, address)
        addrconf.dad_start(net, dev, address)
        return
    # RFC 4862 5.5.3 e: an unauthenticated advertisement cannot shorten a life below two hours.
    left = (known.valid - now) // SECOND if known.valid is not None else INFINITY
    if info.valid <= MIN_VALID_LIFETIME and info.valid <= left:
        valid = now + min(left, MIN_VALID_LIFETIME) * SECOND
    known.valid, known.preferred, known.updated = valid, preferred, now
    addrconf.arm_lifetime(net, dev, known)
