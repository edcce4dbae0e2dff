"""ICMP: errors this host sends, and what it does with those it gets (net/ipv4/icmp.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_master
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out
from kubenet_course.kernel.inet.route import Rtable, ip_route_output, update_pmtu, update_redirect
from kubenet_course.kernel.mib import count_icmp, count_unsent
from kubenet_course.kernel.packets import decode_network, decode_transport
from kubenet_course.kernel.skbuff import PACKET_HOST
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IPv4Address
from kubenet_course.wire.ethernet import ETH_P_IP
from kubenet_course.wire.icmp import (
    ICMP_DEST_UNREACH,
    ICMP_ECHO,
    ICMP_ECHOREPLY,
    ICMP_FRAG_NEEDED,
    ICMP_REDIRECT,
    IcmpHeader,
)
from kubenet_course.wire.ipv4 import IPPROTO_ICMP, Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

#: The error's payload: as much of the packet as fits in 576 bytes (RFC 1812).
ERROR_LIMIT = 576


def icmp_send(net: NetNamespace, skb: SkBuff, kind: int, code: int, info: int = 0, *, source: IPv4Address | None = None) -> None:
    """icmp_send(): report an error about `skb` to its sender, unless RFC 1122 forbids it.

    Nothing is sent about broadcasts, later fragments or other ICMP errors.
    """
    ip = skb.network
    if not isinstance(ip, Ipv4Header) or net.ipv4.icmp_sending:
        return
    rt: Any = skb.dst
    if skb.pkt_type != PACKET_HOST or (rt is not None and rt.type in (fib.BROADCAST, fib.MULTICAST)):
        return
    if ip.destination.is_multicast or ip.fragment_offset or ip.source == 0:
        return
    if isinstance(skb.transport, IcmpHeader) and skb.transport.is_error:
        return
    here = source
    if here is None and net.ipv4.is_local(ip.destination, skb.in_dev):
        here = ip.destination
    mark = skb.mark if net.sysctl.get_int("net", "ipv4", "fwmark_reflect") else 0
    try:
        where = skb.in_dev if skb.in_dev is not None else skb.dst.dev if skb.dst is not None else None
        back = ip_route_output(
            net, ip.source, here or 0, oif=l3mdev_master(where), mark=mark, protocol=IPPROTO_ICMP
        )
    except KernelError:
        return
    if not _may_send(net, kind, code, back):
        return
    room = min(back.mtu, ERROR_LIMIT) - 28
    quoted = skb.network_bytes()[:room]
    transport = IcmpHeader(kind, code, info)
    answer = ip_build(net, back, IPPROTO_ICMP, transport, quoted, tos=(ip.tos & 0x1E) | 0xC0, source=here, mark=mark)
    if skb.trace is not None:
        skb.trace.caused(skb, answer)
    if skb.nfct is not None:
        from kubenet_course.kernel.netfilter.conntrack_entry import nf_ct_attach

        nf_ct_attach(answer, skb)
    icmp_push_reply(net, answer)


def icmp_push_reply(net: NetNamespace, skb: SkBuff) -> None:
    """Send under icmp_xmit_lock(): what stops this message on its way out raises no ICMP error of its own."""
    count_icmp(net, "Out", skb.transport.type)
    net.ipv4.icmp_sending = True
    count_unsent(net, ip_local_out(net, skb), 4)
    net.ipv4.icmp_sending = False


def _may_send(net: NetNamespace, kind: int, code: int, rt: Rtable) -> bool:
    """icmpv4_xrlim_allow(): one per second and destination after a burst of six; path MTU discovery is not limited."""
    if kind == ICMP_DEST_UNREACH and code == ICMP_FRAG_NEEDED or rt.dev is not None and rt.dev.is_loopback:
        return True
    if not net.sysctl.get_int("net", "ipv4", "icmp_ratemask") >> kind & 1:
        return True
    interval = net.sysctl.get_int("net", "ipv4", "icmp_ratelimit") * SECOND // 1000
    now = net.loop.now
    allowed = net.ipv4.peers.of(int(rt.destination), now).allow(now, interval)
    if not allowed:
        net.count("IcmpOutRateLimitHost")
    return allowed


def icmp_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """Answer echo requests; hand errors to the socket of the packet they are about."""
    header = skb.transport
    if not isinstance(header, IcmpHeader):
        skb.drop("PKT_TOO_SMALL", net)
        return
    count_icmp(net, "In", header.type)
    if header.type == ICMP_ECHO:
        _echo(net, skb, header)
    elif header.type == ICMP_ECHOREPLY:
        net.sockets.ping_deliver(skb, 4)
        skb.consume(net)
    elif header.is_error:
        icmp_error(net, skb, header)
        skb.consume(net)
    else:
        skb.consume(net)


def _echo(net: NetNamespace, skb: SkBuff, header: IcmpHeader) -> None:
    sysctl = net.sysctl
    if sysctl.get_int("net", "ipv4", "icmp_echo_ignore_all"):
        skb.drop("NOT_SPECIFIED", net)
        return
    rt: Any = skb.dst
    group = rt is not None and rt.type in (fib.BROADCAST, fib.MULTICAST) or skb.network.destination.is_multicast
    if group and sysctl.get_int("net", "ipv4", "icmp_echo_ignore_broadcasts"):
        net.count("IcmpInErrors")
        skb.drop("NOT_SPECIFIED", net)
        return
    ip = skb.network
    source = None if group else ip.destination
    mark = skb.mark if sysctl.get_int("net", "ipv4", "fwmark_reflect") else 0
    try:
        back = ip_route_output(
            net, ip.source, source or 0, oif=l3mdev_master(skb.in_dev), mark=mark, tos=ip.tos, protocol=IPPROTO_ICMP
        )
    except KernelError:
        skb.drop("IP_OUTNOROUTES", net)
        return
    answer = IcmpHeader(ICMP_ECHOREPLY, header.code, header.rest)
    reply = ip_build(net, back, IPPROTO_ICMP, answer, skb.payload, tos=ip.tos, source=source, mark=mark)
    if skb.trace is not None:
        skb.trace.caused(skb, reply)
    skb.consume(net)
    icmp_push_reply(net, reply)


def icmp_error(net: NetNamespace, skb: SkBuff, header: IcmpHeader) -> None:
    """icmp_unreach() and icmp_redirect(): learn from it, then tell the socket."""
    try:
        inner, transport, payload = decode_network(ETH_P_IP, quoted(skb.payload))
    except ValueError:
        return
    if transport is None and isinstance(inner, Ipv4Header) and not inner.fragment_offset:
        transport, payload = decode_transport(inner.protocol, payload, 4)  # the first fragment begins with the header
    if header.type == ICMP_DEST_UNREACH and header.code == ICMP_FRAG_NEEDED:
        mtu = header.rest & 0xFFFF
        if mtu and not net.sysctl.get_int("net", "ipv4", "ip_no_pmtu_disc"):
            update_pmtu(net, inner.destination, mtu)
    if header.type == ICMP_REDIRECT:
        assert skb.in_dev is not None
        update_redirect(net, inner.destination, skb.network.source, IPv4Address(header.rest), skb.in_dev)
    net.sockets.icmp_error(4, skb, header, inner, transport, payload)


def quoted(data: bytes) -> bytes:
    """The quoted packet as if it were whole: its header's length says more than was quoted."""
    return bytes(data)
