"""IPv4 packets that go out (net/ipv4/ip_output.c).

    ip_local_out → LOCAL_OUT → ip_output → POST_ROUTING → fragment? → neighbour → device
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.mib import count_group
from kubenet_course.kernel.netfilter.hooks import NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nf_hook
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire import icmp as wire_icmp
from kubenet_course.wire.ethernet import ETH_P_IP
from kubenet_course.wire.ipv4 import IP_DF, IP_MF, IPPROTO_TCP, Ipv4Header

if TYPE_CHECKING:
    from kubenet_course.kernel.inet.route import Rtable
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.wire.addresses import IPv4Address

#: What a host takes to send a packet of its own, in ns of the virtual clock.
SEND_TIME = 6_000


def ip_build(
    net: NetNamespace,
    rt: Rtable,
    protocol: int,
    transport: Any,
    payload: Any,
    *,
    source: IPv4Address | None = None,
    ttl: int = 0,
    tos: int = 0,
    df: bool = False,
    ident: int | None = None,
    mark: int = 0,
    sk: Any = None,
) -> SkBuff:
    """A packet with its IP header, ready for `ip_local_out`.

    `ident` None: 0 for DF packets without a socket's counter, else the host's next number.
    """
    if not ttl:
        ttl = 1 if rt.destination.is_multicast else net.sysctl.get_int("net", "ipv4", "ip_default_ttl")
    if ident is None:
        ident = net.ipv4.next_id = (net.ipv4.next_id + 1) & 0xFFFF
    size = 20 + (transport.header_length if transport is not None else 0)
    size += payload.frame_length() if isinstance(payload, SkBuff) else len(payload)
    header = Ipv4Header(
        source if source is not None else rt.source, rt.destination, protocol, ttl, size, ident, IP_DF if df else 0, tos
    )
    skb = SkBuff(net.loop, header, transport, payload, length=size, sk=sk, mark=mark)
    skb.dst = rt
    skb.dev = rt.dev
    return skb


def ip_local_out(net: NetNamespace, skb: SkBuff) -> bool:
    """Send a packet of this host's own; False where a rule of LOCAL_OUT dropped it (EPERM)."""
    net.loop.now += SEND_TIME
    net.mib4.out_requests += 1
    if skb.trace is not None:
        skb.trace.local_out(skb, net)
    return ip_local_out_finish(net, skb)


def ip_local_out_finish(net: NetNamespace, skb: SkBuff) -> bool:
    """LOCAL_OUT and what follows; for itself where connection tracking had held the packet back."""
    if net.nf4[NF_INET_LOCAL_OUT] and not nf_hook(net, 4, NF_INET_LOCAL_OUT, skb, None, skb.dst.dev):
        return False
    ip_output(net, skb, skb.dst)
    return True


def ip_output(net: NetNamespace, skb: SkBuff, rt: Rtable) -> None:
    """ip_output() and ip_mc_output()."""
    skb.dev = rt.dev
    if rt.type != fib.UNICAST and rt.type in (fib.BROADCAST, fib.MULTICAST) and not rt.dev.is_loopback:  # type: ignore[union-attr]
        _loop_back(net, skb, rt)
    if net.nf4[NF_INET_POST_ROUTING] and not nf_hook(net, 4, NF_INET_POST_ROUTING, skb, skb.in_dev, rt.dev):
        if skb.in_dev is None and skb.network.protocol != IPPROTO_TCP:
            net.count("IpOutDiscards")  # the error comes back to ip_send_skb(), which TCP does without
        return
    ip_finish_output(net, skb, rt)


def _loop_back(net: NetNamespace, skb: SkBuff, rt: Rtable) -> None:
    """A broadcast (or a group this host joined) is for this host too."""
    if rt.type == fib.MULTICAST and not net.ipv4.joined(rt.dev, skb.network.destination):  # type: ignore[arg-type]
        return
    from kubenet_course.kernel.inet.ip_input import ip_rcv

    twin = skb.clone(net.loop)
    twin.dst = rt  # ip_mc_finish_output(): it keeps its route, so that its source is not looked into
    twin.in_dev = twin.dev = rt.dev
    twin.pkt_type = 0
    net.loop.call_soon(ip_rcv, net, twin)


def ip_finish_output(net: NetNamespace, skb: SkBuff, rt: Rtable) -> None:
    """__ip_finish_output() and ip_finish_output2()."""
    if skb.len > rt.dev.mtu or rt.pmtu or (rt.route is not None and rt.route.metrics):  # type: ignore[union-attr]
        mtu = rt.mtu if skb.in_dev is None else rt.dev.mtu  # type: ignore[union-attr]
        if skb.len > mtu:
            ip_fragment(net, skb, rt, mtu)
            return
    if skb.cb and "frag_max_size" in skb.cb:
        # Connection tracking put it together: it leaves in pieces no larger than it came in.
        ip_fragment(net, skb, rt, min(skb.cb["frag_max_size"], rt.dev.mtu))  # type: ignore[union-attr]
        return
    mib = net.mib4
    mib.out_transmits += 1
    mib.out_octets += skb.len
    if rt.type == fib.MULTICAST or rt.type == fib.BROADCAST:
        count_group(net, skb, "Out", rt.type, 4)
    neigh = rt.neigh
    if neigh is None or neigh.eth is None or neigh.state == "FAILED":
        neigh = rt.neighbour()
    skb.ethertype = ETH_P_IP
    neigh.output(skb)


def ip_fragment(net: NetNamespace, skb: SkBuff, rt: Rtable, mtu: int) -> None:
    """ip_fragment(): split at 8-byte borders; with DF set, say "fragmentation needed" instead."""
    ip: Ipv4Header = skb.network
    if ip.flags_offset & IP_DF and not (skb.cb or {}).get("ignore_df"):
        from kubenet_course.kernel.inet.icmp import icmp_send

        net.count("IpFragFails")
        icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_FRAG_NEEDED, mtu)
        skb.drop("PKT_TOO_BIG", rt.dev)
        return
    body = skb.network_bytes()[ip.header_length :]
    room = (mtu - ip.header_length) & ~7
    offset = ip.fragment_offset
    more_after = ip.flags_offset & IP_MF
    pieces = [body[start : start + room] for start in range(0, len(body), room)]
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        flags = (offset // 8) | (more_after if last else IP_MF)
        header = ip._replace(total_length=ip.header_length + len(piece), flags_offset=flags)
        part = SkBuff(net.loop, header, None, piece, length=header.total_length, mark=skb.mark, sk=skb.sk)
        part.trace, part.nfct, part.ctinfo, part.priority = skb.trace, skb.nfct, skb.ctinfo, skb.priority
        part.dst, part.dev, part.in_dev, part.pkt_type = rt, rt.dev, skb.in_dev, skb.pkt_type
        if part.trace is not None:
            part.trace.caused(skb, part)
        part.physin, part.physout = skb.physin, skb.physout
        if skb.cb:
            part.cb = {key: value for key, value in skb.cb.items() if key != "frag_max_size"}
        offset += len(piece)
        net.count("IpFragCreates")
        net.mib4.out_transmits += 1
        net.mib4.out_octets += part.len
        rt.neighbour().output(part)
    net.count("IpFragOKs")
    skb.consume(net)
