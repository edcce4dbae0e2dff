"""The ways to a real server (net/netfilter/ipvs/ip_vs_xmit.c): NAT, direct routing, tunnel.

The packet goes on through LOCAL_OUT, as the kernel lets it, and out by the route to the real server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import Encapsulated
from kubenet_course.kernel.netfilter.hooks import NF_INET_LOCAL_OUT, nf_hook
from kubenet_course.wire.ipv4 import IP_DF, IPPROTO_IPIP, Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.ipvs.state import Connection, Ipvs
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


def track(net: NetNamespace, conn: Connection, skb: SkBuff, outgoing: bool) -> None:
    """ip_vs_update_conntrack() with net.ipv4.vs.conntrack, else ip_vs_notrack()."""
    if net.rooms.get("conntrack") is None:
        return
    from kubenet_course.kernel.netfilter.conntrack_entry import IP_CT_UNTRACKED, UNTRACKED, invert

    if not conn.tracked:
        skb.nfct, skb.ctinfo = UNTRACKED, IP_CT_UNTRACKED
        return
    ct = skb.nfct
    if ct is None or ct is UNTRACKED or ct.confirmed or not outgoing or ct.family != conn.family:
        return
    wanted = invert(ct.family, ct.reply)
    if wanted is None or (wanted[1], wanted[4]) == (conn.real, conn.rport):
        return
    # The answer will come from the real server.
    source, destination, protocol, _, dport = ct.reply
    ct.reply = (conn.real, destination, protocol, conn.rport, dport)


def _route(net: NetNamespace, conn: Connection, skb: SkBuff) -> Any:
    """__ip_vs_get_out_rt(): the route to the real server; None where there is none."""
    if conn.family == 6:
        from kubenet_course.kernel.inet6.route import ip6_route_output

        try:
            return ip6_route_output(net, conn.real, 0, mark=skb.mark)  # type: ignore[arg-type]
        except KernelError:
            return None
    from kubenet_course.kernel.inet.route import ip_route_output

    try:
        return ip_route_output(net, conn.real, 0, mark=skb.mark)  # type: ignore[arg-type]
    except KernelError:
        return None


def _fits(net: NetNamespace, skb: SkBuff, mtu: int) -> bool:
    """Whether the packet fits, or may be cut; else "fragmentation needed"."""
    ip = skb.network
    if skb.len <= mtu or not isinstance(ip, Ipv4Header) or not ip.flags_offset & IP_DF:
        return True
    from kubenet_course.kernel.inet.icmp import icmp_send
    from kubenet_course.wire import icmp as wire_icmp

    icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_FRAG_NEEDED, mtu)
    skb.drop("PKT_TOO_BIG", net)
    return False


def _older(net: NetNamespace, skb: SkBuff) -> bool:
    """decrement_ttl()."""
    ip = skb.network
    if not isinstance(ip, Ipv4Header):
        if ip.hop_limit > 1:
            skb.network = ip._replace(hop_limit=ip.hop_limit - 1)
        return True
    if ip.ttl <= 1:
        from kubenet_course.kernel.inet.icmp import icmp_send
        from kubenet_course.wire import icmp as wire_icmp

        icmp_send(net, skb, wire_icmp.ICMP_TIME_EXCEEDED, wire_icmp.ICMP_EXC_TTL)
        skb.drop("IP_INHDR", net)
        return False
    skb.network = ip._replace(ttl=ip.ttl - 1)
    return True


def _output(net: NetNamespace, skb: SkBuff, rt: Any, hook: int) -> bool:
    """ip_vs_nat_send_or_cont(): LOCAL_OUT, then out. Always False: the packet is on its way or gone."""
    skb.dst = rt
    skb.dev = rt.dev
    family = rt.destination.family
    hooks = net.nf4 if family == 4 else net.nf6
    if hook != NF_INET_LOCAL_OUT and hooks[NF_INET_LOCAL_OUT]:
        if not nf_hook(net, family, NF_INET_LOCAL_OUT, skb, None, rt.dev):
            return False
        rt = skb.dst
    if family == 4:
        from kubenet_course.kernel.inet.ip_output import ip_output

        ip_output(net, skb, rt)
    else:
        from kubenet_course.kernel.inet6.output import ip6_output

        ip6_output(net, skb, rt)
    return False


def nat_xmit(net: NetNamespace, room: Ipvs, conn: Connection, skb: SkBuff, hook: int) -> bool:
    """ip_vs_nat_xmit(): a new destination address and port."""
    from kubenet_course.kernel.netfilter.nat import rewrite

    rt = _route(net, conn, skb)
    if rt is None:
        skb.drop("IP_OUTNOROUTES", net)
        return False
    local = rt.type == "local"
    if not local and not (_older(net, skb) and _fits(net, skb, rt.mtu)):
        return False
    before = (skb.network, skb.transport)
    rewrite(skb, False, conn.real, conn.rport)
    if skb.trace is not None:
        skb.trace.nat(skb, before, (skb.network, skb.transport))
    skb.cb = {**(skb.cb or {}), "ipvs": conn}
    track(net, conn, skb, True)
    if local:
        skb.dst = rt if hook == NF_INET_LOCAL_OUT else skb.dst
        return True
    return _output(net, skb, rt, hook)


def dr_xmit(net: NetNamespace, room: Ipvs, conn: Connection, skb: SkBuff, hook: int) -> bool:
    """ip_vs_dr_xmit(): as it is, to the real server's MAC address."""
    rt = _route(net, conn, skb)
    if rt is None:
        skb.drop("IP_OUTNOROUTES", net)
        return False
    if rt.type == "local":
        return True
    if not (_older(net, skb) and _fits(net, skb, rt.mtu)):
        return False
    skb.cb = {**(skb.cb or {}), "ipvs": conn}
    track(net, conn, skb, True)
    return _output(net, skb, rt, hook)


def tunnel_xmit(net: NetNamespace, room: Ipvs, conn: Connection, skb: SkBuff, hook: int) -> bool:
    """ip_vs_tunnel_xmit(): in an IP packet to the real server."""
    from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out

    rt = _route(net, conn, skb)
    if rt is None:
        skb.drop("IP_OUTNOROUTES", net)
        return False
    if rt.type == "local":
        return True
    if conn.family != 4:
        skb.drop("TUNNEL_TXINFO", net)
        return False
    if not (_older(net, skb) and _fits(net, skb, rt.mtu - 20)):
        return False
    ip = skb.network
    inner = skb.clone(net.loop)
    inner.eth = None
    df = bool(ip.flags_offset & IP_DF) and bool(room.conf("pmtu_disc"))
    outer = ip_build(
        net, rt, IPPROTO_IPIP, None, Encapsulated(None, inner), ttl=ip.ttl, tos=ip.tos, df=df, mark=skb.mark
    )
    outer.cb = {"ipvs": conn}
    if skb.trace is not None:
        skb.trace.caused(skb, outer)
    inner.consume(net)
    skb.consume(net)
    track(net, conn, outer, True)
    ip_local_out(net, outer)
    return False


def local_xmit(net: NetNamespace, room: Ipvs, conn: Connection, skb: SkBuff, hook: int) -> bool:
    """ip_vs_null_xmit(): the real server is this host."""
    return True
