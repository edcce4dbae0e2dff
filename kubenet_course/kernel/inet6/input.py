"""IPv6 packets that come in (net/ipv6/ip6_input.c, the forwarding half of ip6_output.c).

ipv6_rcv → PRE_ROUTING → ip6_rcv_finish → route ┬→ ip6_input → LOCAL_IN → protocol
                                                ├→ ip6_forward → FORWARD → ip6_output
                                                └→ ip6_pkt_drop (ICMPv6 unreachable, or silence)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.ip_input import RECEIVE_TIME
from kubenet_course.kernel.inet6.output import ip6_output
from kubenet_course.kernel.inet6.route import ip6_route_input
from kubenet_course.kernel.mib import count_group
from kubenet_course.kernel.netfilter.hooks import (
    NF_INET_FORWARD,
    NF_INET_LOCAL_IN,
    NF_INET_PRE_ROUTING,
    nf_hook,
)
from kubenet_course.kernel.skbuff import PACKET_HOST, PACKET_OTHERHOST
from kubenet_course.wire import icmpv6 as wire
from kubenet_course.wire.ipv4 import IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from kubenet_course.wire.ipv6 import NEXTHDR_NONE, Ipv6Header

if TYPE_CHECKING:
    from kubenet_course.kernel.inet6.route import Rt6Info
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

Handler = Callable[["NetNamespace", "SkBuff"], None]


def default_protocols() -> dict[int, Handler]:
    """Who takes which upper protocol on this host (inet6_add_protocol())."""
    from kubenet_course.kernel.inet6.icmp import icmpv6_rcv
    from kubenet_course.kernel.socket import tcp
    from kubenet_course.kernel.socket.udp import udp_rcv

    return {
        IPPROTO_ICMPV6: icmpv6_rcv,
        IPPROTO_UDP: udp_rcv,
        IPPROTO_TCP: getattr(tcp, "tcp_v6_rcv", tcp.tcp_v4_rcv),
    }


def ipv6_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """A packet from a device: checks, PRE_ROUTING, then the route."""
    net.loop.now += RECEIVE_TIME
    if skb.pkt_type == PACKET_OTHERHOST:
        skb.drop("OTHERHOST", skb.dev)
        return
    dev = skb.in_dev
    ip = skb.network
    mib = net.mib6
    mib.in_receives += 1
    mib.in_octets += skb.len
    if ip.traffic_class & 3:
        mib.in_ecn[ip.traffic_class & 3] += 1
    idev = net.ipv6.devices.get(dev)  # type: ignore[arg-type]
    if idev is None or idev.disabled:
        skb.drop("IPV6DISABLED", dev)
        return
    source, destination = ip[0], ip[1]
    if source == 1 or destination == 1:
        # RFC 4291 2.5.3: the loopback address must not come from a wire.
        if not dev.is_loopback:  # type: ignore[union-attr]
            skb.drop("IP_INVALID_SOURCE" if source == 1 else "IP_INVALID_DEST", dev)
            return
    if source >> 120 == 0xFF:
        skb.drop("IP_INVALID_SOURCE", dev)
        return
    if destination >> 120 == 0xFF:
        if destination >> 112 & 0xF <= 1 and not dev.is_loopback and skb.eth is not None:  # type: ignore[union-attr]
            skb.drop("IP_INVALID_DEST", dev)
            return
    if net.nf6[NF_INET_PRE_ROUTING] and not nf_hook(net, 6, NF_INET_PRE_ROUTING, skb, dev, None):
        return
    ip6_rcv_finish(net, skb)


def ip6_rcv_finish(net: NetNamespace, skb: SkBuff) -> None:
    """ip6_rcv_finish(): look the route up, then hand on to what it says."""
    rt: Rt6Info | None = skb.dst
    if rt is None:
        rt = ip6_route_input(net, skb)
        if rt is None:
            return
    kind = rt.type
    if kind == fib.UNICAST and rt.forward:
        ip6_forward(net, skb, rt)
    elif kind == fib.LOCAL:
        ip6_input(net, skb)
    elif kind == fib.MULTICAST:
        ip6_mc_input(net, skb)
    else:
        ip6_pkt_drop(net, skb, rt)


def ip6_pkt_drop(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> None:
    """ip6_pkt_discard() and ip6_pkt_prohibit(): an ICMPv6 error, whether or not this host forwards."""
    from kubenet_course.kernel.inet6.icmp import icmpv6_send

    dev = rt.iif
    reasons = {
        fib.PROHIBIT: "ROUTE_PROHIBIT",
        fib.UNREACHABLE: "ROUTE_UNREACHABLE",
        fib.BLACKHOLE: "ROUTE_BLACKHOLE",
    }
    reason = reasons.get(rt.route.type, "IP_INNOROUTES") if rt.route is not None else "IP_INNOROUTES"
    if reason != "ROUTE_BLACKHOLE" and rt.error != errno.EINVAL:
        code = wire.ICMPV6_ADM_PROHIBITED if rt.error == errno.EACCES else wire.ICMPV6_NOROUTE
        net.count("Ip6InNoRoutes")
        icmpv6_send(net, skb, wire.ICMPV6_DEST_UNREACH, code)
    skb.drop(reason, dev)


def ip6_forward(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> None:
    """ip6_forward(): one hop as a router."""
    dev = skb.in_dev
    if not net.ipv6.forwarding and not net.ipv6.devices[dev].forced:  # type: ignore[index]
        net.count("Ip6InAddrErrors")
        skb.drop("IP_INADDRERRORS", dev)
        return
    if skb.pkt_type != PACKET_HOST:
        skb.drop("NOT_SPECIFIED", dev)
        return
    ip: Ipv6Header = skb.network
    hops = ip[3]
    if hops <= 1:
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        icmpv6_send(net, skb, wire.ICMPV6_TIME_EXCEED, 0, device=dev)
        net.count("Ip6InHdrErrors")
        skb.drop("IP_INHDR", dev)
        return
    if net.nd.proxies and not _forward_proxy(net, skb, rt):
        return
    source = ip[0]
    out = rt.dev
    if rt.redirect and out is dev:
        from kubenet_course.kernel.inet6.ndisc import ndisc_send_redirect

        ndisc_send_redirect(net, skb, rt)
    elif source >> 118 == 0x3FA or source == 0 or source == 1:
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        # A link-local source does not leave its link: "beyond scope of source address".
        if source >> 118 == 0x3FA:
            icmpv6_send(net, skb, wire.ICMPV6_DEST_UNREACH, 2)
        net.count("Ip6InAddrErrors")
        skb.drop("IP_INADDRERRORS", dev)
        return
    mtu = out.mtu if not rt.pmtu and not (rt.route is not None and rt.route.metrics) else rt.mtu  # type: ignore[union-attr]
    if (skb.len if not skb.cb else skb.cb.get("frag_max_size", skb.len)) > mtu:
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        icmpv6_send(net, skb, wire.ICMPV6_PKT_TOOBIG, 0, mtu)
        net.count("Ip6InTooBigErrors")
        net.count("Ip6FragFails")
        skb.drop("PKT_TOO_BIG", dev)
        return
    skb.network = tuple.__new__(Ipv6Header, (source, ip[1], ip[2], hops - 1, ip[4], ip[5], ip[6], ip[7]))
    if net.nf6[NF_INET_FORWARD] and not nf_hook(net, 6, NF_INET_FORWARD, skb, dev, out):
        return
    if skb.trace is not None:
        skb.trace.stage(skb, "ip6_forward", net)
    net.mib6.forwarded += 1
    ip6_output(net, skb, rt)


def _forward_proxy(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> bool:
    """ip6_forward_proxy_check(): neighbour discovery for a proxied address is for this host."""
    ip, dev = skb.network, skb.in_dev
    conf = net.sysctl.conf
    if not (conf("ipv6", "all", "proxy_ndp") or conf("ipv6", dev.name, "proxy_ndp")):  # type: ignore[union-attr]
        return True
    if (int(ip.destination), dev) not in net.nd.proxies:
        return True
    if ip.protocol == IPPROTO_ICMPV6 and 133 <= getattr(skb.transport, "type", 0) <= 137:
        ip6_input(net, skb)
        return False
    if ip.destination.is_link_local:
        skb.drop("IP_INADDRERRORS", dev)
        return False
    return True


def ip6_mc_input(net: NetNamespace, skb: SkBuff) -> None:
    """ip6_mc_input(): for a group that the device has joined."""
    count_group(net, skb, "In", fib.MULTICAST, 6)
    if net.ipv6.joined(skb.in_dev, skb.network.destination):  # type: ignore[arg-type]
        ip6_input(net, skb)
    else:
        skb.drop("IP_INVALID_DEST", skb.in_dev)


def ip6_input(net: NetNamespace, skb: SkBuff) -> None:
    """LOCAL_IN, reassembly, then the protocol."""
    if net.nf6[NF_INET_LOCAL_IN] and not nf_hook(net, 6, NF_INET_LOCAL_IN, skb, skb.in_dev, None):
        return
    if skb.network.extensions and skb.network.is_fragment:
        whole = net.ipv6.fragments.collect(skb)
        if whole is None:
            return
        skb = whole
    ip6_input_finish(net, skb)


def ip6_input_finish(net: NetNamespace, skb: SkBuff) -> None:
    """ip6_protocol_deliver_rcu(): raw sockets get a copy, then the protocol's handler."""
    if skb.trace is not None:
        skb.trace.stage(skb, "ip6_input", net)
    protocol = skb.network.protocol
    taken = net.sockets.raw_deliver(skb, 6)
    handler: Any = net.ipv6.protocols.get(protocol)
    if handler is not None:
        net.mib6.in_delivers += 1
        handler(net, skb)
    elif taken or protocol == NEXTHDR_NONE:
        net.mib6.in_delivers += 1
        skb.consume(net)
    else:
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        # Parameter problem: unrecognized next header, at byte 6 of the header.
        icmpv6_send(net, skb, wire.ICMPV6_PARAMPROB, 1, 6)
        net.count("Ip6InUnknownProtos")
        skb.drop("IP_NOPROTO", net)
