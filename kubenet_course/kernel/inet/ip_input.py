"""IPv4 packets that come in (net/ipv4/ip_input.c, ip_forward.c).

    ip_rcv → PRE_ROUTING → ip_rcv_finish → route ┬→ ip_local_deliver → LOCAL_IN → protocol
                                                 ├→ ip_forward → FORWARD → ip_output
                                                 └→ ip_error (ICMP unreachable, or silence)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.ip_output import ip_output
from kubenet_course.kernel.inet.route import input_key, ip_route_input
from kubenet_course.kernel.mib import count_group
from kubenet_course.kernel.netfilter.hooks import (
    NF_INET_FORWARD,
    NF_INET_LOCAL_IN,
    NF_INET_PRE_ROUTING,
    nf_hook,
)
from kubenet_course.kernel.skbuff import PACKET_HOST, PACKET_OTHERHOST
from kubenet_course.wire import icmp as wire_icmp
from kubenet_course.wire.ipv4 import (
    IP_DF,
    IP_MF,
    IP_OFFSET,
    IPPROTO_ICMP,
    IPPROTO_IGMP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    Ipv4Header,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.inet.route import Rtable
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

#: What a host takes to handle a packet that came in, in ns of the virtual clock.
RECEIVE_TIME = 14_000

Handler = Callable[["NetNamespace", "SkBuff"], None]


def default_protocols() -> dict[int, Handler]:
    """Who takes which IP protocol on this host (inet_add_protocol())."""
    from kubenet_course.kernel.inet.icmp import icmp_rcv
    from kubenet_course.kernel.socket.tcp import tcp_v4_rcv
    from kubenet_course.kernel.socket.udp import udp_rcv

    return {IPPROTO_ICMP: icmp_rcv, IPPROTO_UDP: udp_rcv, IPPROTO_TCP: tcp_v4_rcv}


def ip_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """A packet from a device: checks, PRE_ROUTING, then the route."""
    net.loop.now += RECEIVE_TIME
    if skb.pkt_type == PACKET_OTHERHOST:
        skb.drop("OTHERHOST", skb.dev)
        return
    mib = net.mib4
    mib.in_receives += 1
    mib.in_octets += skb.len
    if skb.network[7] & 3:
        mib.in_ecn[skb.network[7] & 3] += 1
    if net.nf4[NF_INET_PRE_ROUTING] and not nf_hook(net, 4, NF_INET_PRE_ROUTING, skb, skb.in_dev, None):
        return
    ip_rcv_finish(net, skb)


def ip_rcv_finish(net: NetNamespace, skb: SkBuff) -> None:
    """ip_rcv_finish(): look the route up, then hand on to what it says."""
    rt: Rtable | None = skb.dst
    if rt is None:
        rt = net.ipv4.input_cache.get(input_key(net, skb))
        if rt is None or skb.trace is not None:
            rt = ip_route_input(net, skb)
            if rt is None:
                return
        else:
            skb.dst = rt
    kind = rt.type
    if kind == fib.UNICAST and rt.forward:
        ip_forward(net, skb, rt)
    elif kind == fib.LOCAL or kind == fib.BROADCAST or kind == fib.MULTICAST:
        if kind != fib.LOCAL:
            count_group(net, skb, "In", kind, 4)
        if kind == fib.LOCAL and skb.pkt_type != PACKET_HOST and not skb.network.destination.is_multicast:
            if net.sysctl.conf("ipv4", skb.in_dev.name, "drop_unicast_in_l2_multicast"):  # type: ignore[union-attr]
                skb.drop("UNICAST_IN_L2_MULTICAST", skb.in_dev)
                return
        ip_local_deliver(net, skb)
    else:
        ip_error(net, skb, rt)


def ip_error(net: NetNamespace, skb: SkBuff, rt: Rtable) -> None:
    """ip_error(): no way onward. Silent where forwarding is off, an ICMP error where it is on."""
    from kubenet_course.kernel.inet.icmp import icmp_send

    dev = rt.iif
    if dev is None or not rt.forward:
        if rt.error == errno.ENETUNREACH:
            net.count("IpExtInNoRoutes")
            skb.drop("IP_INNOROUTES", dev)
        else:
            net.count("IpInAddrErrors")
            skb.drop("IP_INADDRERRORS", dev)
        return
    reason = {fib.PROHIBIT: "ROUTE_PROHIBIT", fib.UNREACHABLE: "ROUTE_UNREACHABLE"}
    drop_reason = reason.get(rt.route.type, "IP_INNOROUTES") if rt.route is not None else "IP_INNOROUTES"
    code = {
        errno.EHOSTUNREACH: wire_icmp.ICMP_HOST_UNREACH,
        errno.ENETUNREACH: wire_icmp.ICMP_NET_UNREACH,
        errno.EACCES: wire_icmp.ICMP_PKT_FILTERED,
    }.get(rt.error)
    if rt.error == errno.ENETUNREACH:
        net.count("IpExtInNoRoutes")
    if code is not None and net.ipv4.peers.of(int(skb.network.source), net.loop.now).allow_error(net.loop.now):
        icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, code)
    skb.drop(drop_reason, dev)


def ip_forward(net: NetNamespace, skb: SkBuff, rt: Rtable) -> None:
    """ip_forward(): one hop as a router."""
    if skb.pkt_type != PACKET_HOST:
        skb.drop("NOT_SPECIFIED", skb.dev)
        return
    ip: Ipv4Header = skb.network
    ttl = ip[3]
    if ttl <= 1:
        from kubenet_course.kernel.inet.icmp import icmp_send

        net.count("IpInHdrErrors")
        icmp_send(net, skb, wire_icmp.ICMP_TIME_EXCEEDED, wire_icmp.ICMP_EXC_TTL)
        skb.drop("IP_INHDR", skb.in_dev)
        return
    net.mib4.forwarded += 1
    out = rt.dev
    if skb.len > out.mtu or rt.pmtu:  # type: ignore[union-attr]
        mtu = rt.mtu if net.sysctl.get_int("net", "ipv4", "ip_forward_use_pmtu") else out.mtu  # type: ignore[union-attr]
        if (skb.len if not skb.cb else skb.cb.get("frag_max_size", skb.len)) > mtu and ip.flags_offset & IP_DF:
            from kubenet_course.kernel.inet.icmp import icmp_send

            net.count("IpFragFails")
            icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_FRAG_NEEDED, mtu)
            skb.drop("PKT_TOO_BIG", skb.in_dev)
            return
    skb.network = tuple.__new__(Ipv4Header, (ip[0], ip[1], ip[2], ttl - 1, ip[4], ip[5], ip[6], ip[7], ip[8]))
    if rt.redirect:
        ip_rt_send_redirect(net, skb, rt)
    if net.nf4[NF_INET_FORWARD] and not nf_hook(net, 4, NF_INET_FORWARD, skb, skb.in_dev, out):
        return
    if skb.trace is not None:
        skb.trace.stage(skb, "ip_forward", net)
    ip_output(net, skb, rt)


def ip_rt_send_redirect(net: NetNamespace, skb: SkBuff, rt: Rtable) -> None:
    """A better first hop is on the sender's own link: tell it (at most 9, with growing pauses)."""
    from kubenet_course.kernel.inet.icmp import icmp_send

    peer = net.ipv4.peers.of(int(skb.network.source), net.loop.now)
    if peer.allow_redirect(net.loop.now):
        gateway = rt.gateway if rt.gateway is not None else skb.network.destination
        icmp_send(net, skb, wire_icmp.ICMP_REDIRECT, 1, int(gateway))


def ip_local_deliver(net: NetNamespace, skb: SkBuff) -> None:
    """Reassemble, LOCAL_IN, then the protocol."""
    if skb.network.flags_offset & (IP_MF | IP_OFFSET):
        whole = net.ipv4.fragments.collect(skb)
        if whole is None:
            return
        skb = whole
    if net.nf4[NF_INET_LOCAL_IN] and not nf_hook(net, 4, NF_INET_LOCAL_IN, skb, skb.in_dev, None):
        return
    ip_local_deliver_finish(net, skb)


def ip_local_deliver_finish(net: NetNamespace, skb: SkBuff) -> None:
    """ip_protocol_deliver_rcu(): raw sockets get a copy, then the protocol's handler."""
    if skb.trace is not None:
        skb.trace.stage(skb, "ip_local_deliver", net)
    protocol = skb.network.protocol
    taken = net.sockets.raw_deliver(skb, 4) if net.sockets.raw else False
    handler: Any = net.ipv4.protocols.get(protocol)
    if handler is not None:
        net.mib4.in_delivers += 1
        handler(net, skb)
    elif taken or protocol == IPPROTO_IGMP:
        net.mib4.in_delivers += 1
        skb.consume(net)
    else:
        from kubenet_course.kernel.inet.icmp import icmp_send

        net.count("IpInUnknownProtos")
        icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_PROT_UNREACH)
        skb.drop("IP_NOPROTO", net)
