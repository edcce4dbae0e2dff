"""Neighbour discovery: solicitations, advertisements and redirects (net/ipv6/ndisc.c, RFC 4861)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet6 import addrconf, mcast
from kubenet_course.kernel.inet6.output import control_output
from kubenet_course.kernel.neighbour import FAILED, INCOMPLETE, PROBE, REACHABLE, STALE, Neighbour
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IPv6Address, MacAddress
from kubenet_course.wire.icmpv6 import (
    NDISC_NEIGHBOUR_ADVERTISEMENT,
    NDISC_NEIGHBOUR_SOLICITATION,
    NDISC_REDIRECT,
    NDISC_ROUTER_ADVERTISEMENT,
    NDISC_ROUTER_SOLICITATION,
    Icmpv6Header,
)
from kubenet_course.wire.ndisc import (
    FLAG_OVERRIDE,
    FLAG_ROUTER,
    FLAG_SOLICITED,
    OPT_NONCE,
    OPT_REDIRECTED,
    OPT_SOURCE_MAC,
    OPT_TARGET_MAC,
    Option,
    decode_options,
    link_address,
    option,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet6.addrconf import Inet6Address
    from kubenet_course.kernel.inet6.route import Rt6Info
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


# -- sending ----------------------------------------------------------------------------------------
def ndisc_send_ns(
    net: NetNamespace,
    dev: NetDevice,
    target: IPv6Address,
    destination: IPv6Address,
    source: IPv6Address | None,
    nonce: bytes = b"",
    cause: SkBuff | None = None,
) -> None:
    """Who has `target`? `source` None takes the link-local address; ANY6 asks for DAD, with a nonce."""
    if source is None:
        source = addrconf.link_local_address(net, dev)
        if source is None:
            return
    body = target.encode()
    if source != 0:
        body += link_address(OPT_SOURCE_MAC, dev.mac).encode()
    elif nonce and net.sysctl.conf("ipv6", dev.name, "enhanced_dad"):
        body += Option(OPT_NONCE, nonce).encode()
    control_output(
        net, dev, source, destination, Icmpv6Header(NDISC_NEIGHBOUR_SOLICITATION, 0), body, cause=cause
    )


def ndisc_send_na(
    net: NetNamespace, dev: NetDevice, destination: IPv6Address, target: IPv6Address, flags: int, *,
    with_mac: bool, own: bool = True, cause: SkBuff | None = None,
) -> None:  # fmt: skip
    """`target` is at this device's MAC; a proxy answers from its own address."""
    source: IPv6Address | None = target
    if not own:
        from kubenet_course.kernel.inet6.saddr import select_source

        source = select_source(net, dev, destination)
    if source is None:
        return
    body = target.encode()
    if with_mac:
        body += link_address(OPT_TARGET_MAC, dev.mac).encode()
    control_output(
        net,
        dev,
        source,
        destination,
        Icmpv6Header(NDISC_NEIGHBOUR_ADVERTISEMENT, 0, flags),
        body,
        cause=cause,
    )


def ndisc_solicit(entry: Neighbour, skb: SkBuff | None) -> None:
    """Ask for a neighbour, from the waiting packet's source address where it is ours."""
    dev = entry.dev
    net = dev.net
    target: IPv6Address = entry.ip  # type: ignore[assignment]
    source: IPv6Address | None = None
    if (
        skb is not None
        and getattr(skb.network, "source", None) is not None
        and skb.network.source.family == 6
    ):
        candidate = skb.network.source
        if any(a.local == candidate and a.usable for a in net.ipv6.addresses.get(dev, ())):
            source = candidate
    unicast = entry.state == PROBE and entry.mac is not None
    destination = target if unicast else target.solicited_node()
    ndisc_send_ns(net, dev, target, destination, source, cause=skb)


# -- receiving --------------------------------------------------------------------------------------
def ndisc_rcv(net: NetNamespace, skb: SkBuff, header: Icmpv6Header) -> None:
    """Only what was not forwarded (hop limit 255) and is well formed counts."""
    ip = skb.network
    dev = skb.in_dev
    assert dev is not None
    body = bytes(skb.payload)
    if ip.ttl != 255 or header.code != 0:
        skb.drop("NOT_SPECIFIED", dev)
        return
    fixed = {NDISC_NEIGHBOUR_SOLICITATION: 16, NDISC_NEIGHBOUR_ADVERTISEMENT: 16, NDISC_REDIRECT: 32}.get(
        header.type, 0
    )
    if header.type == NDISC_ROUTER_ADVERTISEMENT:
        fixed = 8
    options = decode_options(body[fixed:]) if len(body) >= fixed else None
    if options is None:
        skb.drop("IPV6_NDISC_BAD_OPTIONS", dev)
        return
    if header.type == NDISC_NEIGHBOUR_SOLICITATION:
        reason = _recv_ns(net, skb, dev, IPv6Address.decode(body), options)
    elif header.type == NDISC_NEIGHBOUR_ADVERTISEMENT:
        reason = _recv_na(net, skb, dev, IPv6Address.decode(body), header.rest, options)
    elif header.type == NDISC_REDIRECT:
        reason = _recv_redirect(net, skb, dev, body, options)
    elif header.type == NDISC_ROUTER_SOLICITATION:
        reason = _recv_rs(net, skb, dev, options)
    else:
        from kubenet_course.kernel.inet6 import ra

        reason = ra.receive(net, skb, dev, header, body)
    if reason:
        skb.drop(reason, dev)
    else:
        skb.consume(dev)


def _own(net: NetNamespace, dev: NetDevice, target: IPv6Address) -> Inet6Address | None:
    return next((a for a in net.ipv6.addresses.get(dev, ()) if a.local == target), None)


def _mac(value: bytes | None) -> MacAddress | None:
    return MacAddress.decode(value) if value is not None and len(value) >= 6 else None


def _recv_ns(
    net: NetNamespace, skb: SkBuff, dev: NetDevice, target: IPv6Address, options: list[Option]
) -> str:
    """ndisc_recv_ns()."""
    ip = skb.network
    dad = ip.source == 0
    multicast = ip.destination.is_multicast
    if target.is_multicast or (dad and ip.destination != target.solicited_node()):
        return "NOT_SPECIFIED"
    sender = _mac(option(options, OPT_SOURCE_MAC))
    if dad and option(options, OPT_SOURCE_MAC) is not None:
        return "NOT_SPECIFIED"
    mine = _own(net, dev, target)
    if mine is not None and not mine.usable:
        nonce = option(options, OPT_NONCE)
        if dad and not (nonce is not None and mine.nonce and nonce[:6] == mine.nonce):
            addrconf.dad_failure(net, dev, mine)
        return ""
    idev = net.ipv6.devices[dev]
    proxied = mine is None and target not in idev.anycasts
    if proxied and not _proxies(net, dev, target):
        return "NOT_SPECIFIED"
    router = FLAG_ROUTER if net.sysctl.conf("ipv6", dev.name, "forwarding") and not proxied else 0
    override = FLAG_OVERRIDE if mine is not None else 0
    if dad:
        ndisc_send_na(
            net,
            dev,
            mcast.ALL_NODES,
            target,
            router | override,
            with_mac=True,
            own=mine is not None,
            cause=skb,
        )
        return ""
    if sender is not None or not multicast:
        entry = net.nd.get(ip.source, dev)
        if sender is not None:
            entry.update(sender, STALE)
    flags = router | FLAG_SOLICITED | (override if multicast else 0)
    ndisc_send_na(net, dev, ip.source, target, flags, with_mac=multicast, own=mine is not None, cause=skb)
    return ""


def _proxies(net: NetNamespace, dev: NetDevice, target: IPv6Address) -> bool:
    """pndisc_check_router(): a proxy entry, on a forwarding interface with proxy_ndp."""
    conf = net.sysctl.conf
    if not conf("ipv6", dev.name, "forwarding"):
        return False
    if not (conf("ipv6", "all", "proxy_ndp") or conf("ipv6", dev.name, "proxy_ndp")):
        return False
    return (int(target), dev) in net.nd.proxies or (int(target), None) in net.nd.proxies


def _recv_na(
    net: NetNamespace, skb: SkBuff, dev: NetDevice, target: IPv6Address, flags: int, options: list[Option]
) -> str:
    """ndisc_recv_na()."""
    ip = skb.network
    solicited = bool(flags & FLAG_SOLICITED)
    if target.is_multicast or (ip.destination.is_multicast and solicited):
        return "NOT_SPECIFIED"
    mac = _mac(option(options, OPT_TARGET_MAC))
    mine = _own(net, dev, target)
    if mine is not None:
        if not mine.usable:
            addrconf.dad_failure(net, dev, mine)
        return ""
    entry = net.nd.lookup(target, dev)
    if entry is None or entry.state == FAILED:
        return "" if entry is None else "NOT_SPECIFIED"
    if mac is None and entry.state == INCOMPLETE:
        return ""
    learn(entry, mac, REACHABLE if solicited else STALE, bool(flags & FLAG_OVERRIDE))
    entry.router = bool(flags & FLAG_ROUTER)
    return ""


def learn(entry: Neighbour, mac: MacAddress | None, state: str, override: bool) -> None:
    """ndisc_update(): RFC 4861, 7.2.5; without override a different address only casts doubt."""
    try:
        if not override and mac is not None and entry.mac is not None and mac != entry.mac:
            if entry.state == REACHABLE:
                entry.update(entry.mac, STALE, admin=True)
            return
        entry.update(mac, state, override=True)
    except KernelError:
        return


def _recv_rs(net: NetNamespace, skb: SkBuff, dev: NetDevice, options: list[Option]) -> str:
    """ndisc_recv_rs(): a router learns the asker's address; a daemon answers."""
    if not net.sysctl.conf("ipv6", dev.name, "forwarding") or skb.network.source == 0:
        return ""
    mac = _mac(option(options, OPT_SOURCE_MAC))
    if mac is not None:
        net.nd.get(skb.network.source, dev).update(mac, STALE)
    return ""


# -- redirects --------------------------------------------------------------------------------------
def ndisc_send_redirect(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> None:
    """Tell the sender that a better first hop is on its own link (RFC 4861, 8.2)."""
    dev = rt.dev
    ip = skb.network
    assert dev is not None
    source = addrconf.link_local_address(net, dev)
    target = rt.nexthop
    if source is None or net.ipv6.is_local(ip.source) or ip.destination.is_multicast:
        return
    if target != ip.destination and not target.is_link_local:
        return
    if not net.ipv6.peers.of(int(ip.source), net.loop.now).allow(net.loop.now, SECOND):
        return
    body = target.encode() + ip.destination.encode()
    entry = net.nd.lookup(target, dev)
    if entry is not None and entry.mac is not None:
        body += link_address(OPT_TARGET_MAC, entry.mac).encode()
    room = 1280 - 48 - len(body) - 8
    quoted = skb.network_bytes()[: room & ~7]
    body += Option(OPT_REDIRECTED, bytes(6) + quoted + bytes(-len(quoted) % 8)).encode()
    control_output(net, dev, source, ip.source, Icmpv6Header(NDISC_REDIRECT, 0), body, cause=skb)


def _recv_redirect(net: NetNamespace, skb: SkBuff, dev: NetDevice, body: bytes, options: list[Option]) -> str:
    """ndisc_redirect_rcv() and rt6_do_redirect()."""
    from kubenet_course.kernel.inet6.route import update_redirect

    ip = skb.network
    target, destination = IPv6Address.decode(body), IPv6Address.decode(body[16:])
    if not ip.source.is_link_local or destination.is_multicast:
        return "NOT_SPECIFIED"
    conf = net.sysctl.conf
    if conf("ipv6", dev.name, "forwarding") or not conf("ipv6", dev.name, "accept_redirects"):
        return "NOT_SPECIFIED"
    if target != destination and not target.is_link_local:
        return "NOT_SPECIFIED"
    if update_redirect(net, destination, ip.source, target, dev):
        mac = _mac(option(options, OPT_TARGET_MAC))
        if mac is not None:
            learn(net.nd.get(target, dev), mac, STALE, True)
        net.nd.get(target, dev).router = target != destination
    return ""


def unsolicited(net: NetNamespace, dev: NetDevice) -> None:
    """ndisc_send_unsol_na(): tell everybody (sysctl ndisc_notify)."""
    if not net.sysctl.conf("ipv6", dev.name, "ndisc_notify"):
        return
    router = FLAG_ROUTER if net.sysctl.conf("ipv6", dev.name, "forwarding") else 0
    for address in net.ipv6.addresses.get(dev, ()):
        if address.usable:
            ndisc_send_na(net, dev, mcast.ALL_NODES, address.local, router | FLAG_OVERRIDE, with_mac=True)
