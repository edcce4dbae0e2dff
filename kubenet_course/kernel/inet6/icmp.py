"""ICMPv6: errors this host sends, and what it does with what it gets (net/ipv6/icmp.c, RFC 4443)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_master
from kubenet_course.kernel.inet6.output import ip6_build, ip6_local_out
from kubenet_course.kernel.inet6.route import Rt6Info, ip6_route_output, update_pmtu
from kubenet_course.kernel.mib import count_icmp6, count_unsent
from kubenet_course.kernel.packets import decode_network, decode_transport
from kubenet_course.kernel.skbuff import PACKET_HOST
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.wire.ethernet import ETH_P_IPV6
from kubenet_course.wire.icmpv6 import (
    ICMPV6_DEST_UNREACH,
    ICMPV6_ECHO_REPLY,
    ICMPV6_ECHO_REQUEST,
    ICMPV6_PARAMPROB,
    ICMPV6_PKT_TOOBIG,
    ICMPV6_TIME_EXCEED,
    NDISC_REDIRECT,
    NDISC_ROUTER_SOLICITATION,
    Icmpv6Header,
)
from kubenet_course.wire.ipv4 import IPPROTO_ICMPV6
from kubenet_course.wire.ipv6 import Ipv6Header

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.wire.addresses import IPv6Address

#: An error fits into the smallest MTU of IPv6 (RFC 4443, 2.4 c).
MIN_MTU = 1280


def icmpv6_send(
    net: NetNamespace, skb: SkBuff, kind: int, code: int, info: int = 0, *,
    source: IPv6Address | None = None, device: NetDevice | None = None,
) -> None:  # fmt: skip
    """icmp6_send(): report an error about `skb` to its sender, unless RFC 4443 forbids it.

    `device`: answer from the address of the interface the packet came in by (time exceeded).
    """
    ip = skb.network
    if not isinstance(ip, Ipv6Header) or ip.source == 0 or ip.source.is_multicast or net.ipv6.icmp_sending:
        return
    here = source
    if here is None and (net.ipv6.is_local(ip.destination) or ip.destination in net.ipv6.anycasts):
        here = ip.destination
    if ip.destination.is_multicast or skb.pkt_type != PACKET_HOST:
        if kind != ICMPV6_PKT_TOOBIG:
            return
        here = None
    if _ineligible(skb):
        return
    if here is not None and here in net.ipv6.anycasts and not net.ipv6.is_local(here):
        here = None
    oif = _real_device(skb) if ip.source.is_link_local else l3mdev_master(skb.in_dev)
    mark = skb.mark if net.sysctl.get_int("net", "ipv6", "fwmark_reflect") else 0
    try:
        back = ip6_route_output(net, ip.source, here or 0, oif=oif, mark=mark, protocol=IPPROTO_ICMPV6)
    except KernelError:
        return
    if not _may_send(net, kind, back):
        return
    quoted = skb.network_bytes()[: MIN_MTU - 48]
    transport = Icmpv6Header(kind, code, info)
    answer = ip6_build(net, back, IPPROTO_ICMPV6, transport, quoted, source=here, mark=mark)
    if skb.trace is not None:
        skb.trace.caused(skb, answer)
    if skb.nfct is not None:
        from kubenet_course.kernel.netfilter.conntrack_entry import nf_ct_attach

        nf_ct_attach(answer, skb)
    icmpv6_push(net, answer)


def icmpv6_push(net: NetNamespace, skb: SkBuff) -> None:
    """Send under icmpv6_xmit_lock(): what stops this message on its way out raises no error of its own."""
    net.ipv6.icmp_sending = True
    count_unsent(net, ip6_local_out(net, skb), 6)
    net.ipv6.icmp_sending = False


def _ineligible(skb: SkBuff) -> bool:
    """is_ineligible(): no error about an ICMPv6 error, a redirect, or a later fragment."""
    ip = skb.network
    if ip.fragment_offset:
        return True
    if ip.protocol != IPPROTO_ICMPV6:
        return False
    kind = getattr(skb.transport, "type", None)
    if kind is None and isinstance(skb.payload, bytes) and skb.payload:
        kind = skb.payload[0]
    return kind is None or kind < 128 or kind == NDISC_REDIRECT


def _may_send(net: NetNamespace, kind: int, rt: Rt6Info) -> bool:
    """icmpv6_xrlim_allow(): a token bucket per destination, wider for routes to wider prefixes."""
    if rt.dev is not None and rt.dev.is_loopback or kind == ICMPV6_PKT_TOOBIG:
        return True
    interval = net.sysctl.get_int("net", "ipv6", "icmp", "ratelimit") * MILLISECOND
    if rt.route is not None:
        interval >>= (128 - rt.route.prefix.prefixlen) >> 5
    now = net.loop.now
    allowed = net.ipv6.peers.of(int(rt.destination), now).allow(now, interval)
    if not allowed:
        net.count("Icmp6OutRateLimitHost")
    return allowed


def icmpv6_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """Answer echo requests, hand errors to sockets and neighbour discovery to ndisc."""
    header = skb.transport
    if not isinstance(header, Icmpv6Header):
        skb.drop("PKT_TOO_SMALL", net)
        return
    count_icmp6(net, "In", header.type)
    kind = header.type
    if kind == ICMPV6_ECHO_REQUEST:
        _echo(net, skb, header)
    elif kind in (ICMPV6_DEST_UNREACH, ICMPV6_PKT_TOOBIG, ICMPV6_TIME_EXCEED, ICMPV6_PARAMPROB):
        icmpv6_error(net, skb, header)
        skb.consume(net)
    elif NDISC_ROUTER_SOLICITATION <= kind <= NDISC_REDIRECT:
        from kubenet_course.kernel.inet6.ndisc import ndisc_rcv

        ndisc_rcv(net, skb, header)
    elif kind == ICMPV6_ECHO_REPLY:
        net.sockets.ping_deliver(skb, 6)
        skb.consume(net)
    else:
        skb.consume(net)


def _real_device(skb: SkBuff) -> NetDevice | None:
    """icmp6_dev(): the device that the address is on, where the packet came over the loopback."""
    rt: Any = skb.dst
    return rt.iif if skb.in_dev is not None and skb.in_dev.is_loopback and rt is not None and rt.iif else skb.in_dev


def _echo(net: NetNamespace, skb: SkBuff, header: Icmpv6Header) -> None:
    """icmpv6_echo_reply()."""
    ip = skb.network
    sysctl = net.sysctl
    group = ip.destination.is_multicast
    anycast = ip.destination in net.ipv6.anycasts and not net.ipv6.is_local(ip.destination)
    if sysctl.get_int("net", "ipv6", "icmp", "echo_ignore_all") or (
        group and sysctl.get_int("net", "ipv6", "icmp", "echo_ignore_multicast")
    ) or (anycast and sysctl.get_int("net", "ipv6", "icmp", "echo_ignore_anycast")):  # fmt: skip
        skb.drop("NOT_SPECIFIED", net)
        return
    source = None if group or anycast else ip.destination
    oif = _real_device(skb) if ip.source.is_link_local or group else l3mdev_master(skb.in_dev)
    mark = skb.mark if sysctl.get_int("net", "ipv6", "fwmark_reflect") else 0
    try:
        back = ip6_route_output(net, ip.source, source or 0, oif=oif, mark=mark, protocol=IPPROTO_ICMPV6)
    except KernelError:
        skb.drop("IP_OUTNOROUTES", net)
        return
    reply = ip6_build(
        net, back, IPPROTO_ICMPV6, header._replace(type=ICMPV6_ECHO_REPLY), skb.payload,
        source=source, traffic_class=ip.traffic_class, mark=mark,
    )  # fmt: skip
    if skb.trace is not None:
        skb.trace.caused(skb, reply)
    skb.consume(net)
    icmpv6_push(net, reply)


def icmpv6_error(net: NetNamespace, skb: SkBuff, header: Icmpv6Header) -> None:
    """icmpv6_notify(): learn a path MTU, then tell the socket that sent the quoted packet."""
    try:
        inner, transport, payload = decode_network(ETH_P_IPV6, bytes(skb.payload))
    except ValueError:
        return
    if not isinstance(inner, Ipv6Header):
        return
    if transport is None and not inner.fragment_offset:  # the first fragment begins with the header
        transport, payload = decode_transport(inner.protocol, payload, 6)
    if header.type == ICMPV6_PKT_TOOBIG:
        update_pmtu(net, inner.destination, header.rest)
    net.sockets.icmp_error(6, skb, header, inner, transport, payload)
