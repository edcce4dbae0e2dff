"""IPv6 packets that go out (net/ipv6/ip6_output.c).

ip6_local_out → LOCAL_OUT → ip6_output → POST_ROUTING → fragment? → neighbour → device
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.inet.ip_output import SEND_TIME
from kubenet_course.kernel.mib import count_group, count_icmp6
from kubenet_course.kernel.netfilter.hooks import NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING, nf_hook
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.ethernet import ETH_P_IPV6
from kubenet_course.wire.icmpv6 import ICMPV6_PKT_TOOBIG
from kubenet_course.wire.ipv4 import IPPROTO_ICMPV6, IPPROTO_TCP
from kubenet_course.wire.ipv6 import NEXTHDR_FRAGMENT, FragmentHeader, Ipv6Header

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet6.route import Rt6Info
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.wire.addresses import IPv6Address


def ip6_build(
    net: NetNamespace,
    rt: Rt6Info,
    protocol: int,
    transport: Any,
    payload: Any,
    *,
    source: IPv6Address | None = None,
    hop_limit: int = 0,
    traffic_class: int = 0,
    flow_label: int | None = None,
    mark: int = 0,
    sk: Any = None,
    extensions: tuple[tuple[int, bytes], ...] = (),
) -> SkBuff:
    """A packet with its IPv6 header, ready for `ip6_local_out`.

    `hop_limit` 0 takes the device's (1 for multicast); `flow_label` None makes one for the flow.
    """
    if not hop_limit:
        hop_limit = 1 if rt.destination.is_multicast else _hop_limit(net, rt)
    size = transport.header_length if transport is not None else 0
    size += payload.frame_length() if isinstance(payload, SkBuff) else len(payload)
    for _, body in extensions:
        size += len(body)
    here = source if source is not None else rt.source
    if flow_label is None:
        flow_label = make_flow_label(here, rt.destination, protocol, transport)
    header = Ipv6Header(
        here, rt.destination, protocol, hop_limit, size, traffic_class, flow_label, extensions
    )
    skb = SkBuff(
        net.loop, header, transport, payload, ethertype=ETH_P_IPV6, length=size + 40, sk=sk, mark=mark
    )
    skb.dst = rt
    skb.dev = rt.dev
    return skb


def _hop_limit(net: NetNamespace, rt: Rt6Info) -> int:
    """ip6_dst_hoplimit(): the route's, the router's advice, or the device's setting."""
    if rt.route is not None and rt.route.metrics.get("hoplimit"):
        return rt.route.metrics["hoplimit"]
    idev = net.ipv6.devices.get(rt.dev) if rt.dev is not None else None
    if idev is not None and idev.ra_hop_limit:
        return idev.ra_hop_limit
    return net.sysctl.conf("ipv6", rt.dev.name, "hop_limit") if rt.dev is not None else 64


def make_flow_label(source: int, destination: int, protocol: int, transport: Any) -> int:
    """ip6_make_flowlabel(): the same for all packets of a flow (net.ipv6.auto_flowlabels 1)."""
    ports = getattr(transport, "source_port", 0) << 16 | getattr(transport, "destination_port", 0)
    mixed = (source ^ destination * 0x9E3779B1 ^ ports * 0x85EBCA6B ^ protocol * 0xC2B2AE35) & (1 << 128) - 1
    mixed ^= mixed >> 64
    mixed ^= mixed >> 32
    return (mixed * 0x2C1B3C6D >> 12) & 0xFFFFF


def ip6_local_out(net: NetNamespace, skb: SkBuff) -> bool:
    """Send a packet of this host's own; False where a rule of LOCAL_OUT dropped it (EPERM)."""
    net.loop.now += SEND_TIME
    net.mib6.out_requests += 1
    if skb.network.protocol == IPPROTO_ICMPV6:
        count_icmp6(net, "Out", getattr(skb.transport, "type", -1))
    if skb.trace is not None:
        skb.trace.local_out(skb, net)
    return ip6_local_out_finish(net, skb)


def ip6_local_out_finish(net: NetNamespace, skb: SkBuff) -> bool:
    """LOCAL_OUT and what follows; for itself where connection tracking had held the packet back."""
    if net.nf6[NF_INET_LOCAL_OUT] and not nf_hook(net, 6, NF_INET_LOCAL_OUT, skb, None, skb.dst.dev):
        return False
    ip6_output(net, skb, skb.dst)
    return True


def control_output(
    net: NetNamespace,
    dev: NetDevice,
    source: IPv6Address,
    destination: IPv6Address,
    transport: Any,
    body: bytes,
    *,
    hop_limit: int = 255,
    protocol: int = 58,
    extensions: tuple[tuple[int, bytes], ...] = (),
    cause: SkBuff | None = None,
) -> None:
    """ndisc_send_skb(), mld_sendpack(): a packet of the protocol itself, with no route look-up."""
    from kubenet_course.kernel.inet6.route import Rt6Info

    kind = fib.MULTICAST if destination.is_multicast else fib.UNICAST
    rt = Rt6Info(net, kind, dev, destination)
    rt.source = source
    skb = ip6_build(
        net,
        rt,
        protocol,
        transport,
        body,
        source=source,
        hop_limit=hop_limit,
        flow_label=0,
        extensions=extensions,
    )
    if cause is not None and cause.trace is not None:
        cause.trace.caused(cause, skb)
    ip6_local_out(net, skb)


def ip6_output(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> None:
    """ip6_output() and the multicast part of ip6_finish_output2()."""
    dev = rt.dev
    skb.dev = dev
    idev = net.ipv6.devices.get(dev)  # type: ignore[arg-type]
    if idev is None or idev.disabled:
        skb.drop("IPV6DISABLED", dev)
        return
    if net.nf6[NF_INET_POST_ROUTING] and not nf_hook(net, 6, NF_INET_POST_ROUTING, skb, skb.in_dev, dev):
        if skb.in_dev is None and skb.network.protocol != IPPROTO_TCP:
            net.count("Ip6OutDiscards")  # the error comes back to ip6_send_skb(), which TCP does without
        return
    ip6_finish_output(net, skb, rt)


def _loop_back(net: NetNamespace, skb: SkBuff, dev: NetDevice) -> None:
    """A group that this host joined hears its own packets (IPV6_MULTICAST_LOOP)."""
    from kubenet_course.kernel.inet6.input import ipv6_rcv

    twin = skb.clone(net.loop)
    twin.dst = None
    twin.in_dev = twin.dev = dev
    twin.pkt_type = 0
    twin.sk = None
    twin.nf_flags = 0
    net.loop.call_soon(ipv6_rcv, net, twin)


def ip6_finish_output(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> None:
    """ip6_finish_output(): in pieces where it does not fit the path, else to the neighbour."""
    dev = rt.dev
    assert dev is not None
    if skb.len > dev.mtu or rt.pmtu or (rt.route is not None and rt.route.metrics):
        mtu = rt.mtu if skb.in_dev is None else dev.mtu
        if skb.len > mtu:
            ip6_fragment(net, skb, rt, mtu)
            return
    if skb.cb and "frag_max_size" in skb.cb and skb.len > skb.cb["frag_max_size"]:
        # Connection tracking put it together: it leaves in pieces no larger than it came in.
        ip6_fragment(net, skb, rt, min(skb.cb["frag_max_size"], dev.mtu))
        return
    _finish2(net, skb, rt)


def _finish2(net: NetNamespace, skb: SkBuff, rt: Rt6Info) -> None:
    """ip6_finish_output2()."""
    if rt.type == fib.MULTICAST:
        dev = rt.dev
        assert dev is not None
        destination = skb.network.destination
        loops = skb.sk is None or skb.sk.options.get("multicast_loop", True)
        # The protocol's own packets (ndisc, MLD) come from a socket that does not listen to itself.
        count_group(net, skb, "Out", fib.MULTICAST, 6)
        if not dev.is_loopback and net.ipv6.joined(dev, destination) and loops and not _is_control(skb):
            _loop_back(net, skb, dev)
        if destination >> 112 & 0xF <= 1 and not dev.is_loopback:
            skb.consume(dev)
            return
    mib = net.mib6
    mib.out_transmits += 1
    mib.out_octets += skb.len
    neigh = rt.neigh
    if neigh is None or neigh.eth is None or neigh.state == "FAILED":
        neigh = rt.neighbour()
    skb.ethertype = ETH_P_IPV6
    neigh.output(skb)


def _is_control(skb: SkBuff) -> bool:
    kind = getattr(skb.transport, "type", 0)
    return skb.network.protocol == 58 and (133 <= kind <= 137 or kind == 143)


def ip6_fragment(net: NetNamespace, skb: SkBuff, rt: Rt6Info, mtu: int) -> None:
    """ip6_fragment(): only the source splits; what was forwarded is answered "packet too big"."""
    ip: Ipv6Header = skb.network
    if skb.in_dev is not None and not (skb.cb or {}).get("frag_max_size"):
        from kubenet_course.kernel.inet6.icmp import icmpv6_send

        net.count("Ip6FragFails")
        icmpv6_send(net, skb, ICMPV6_PKT_TOOBIG, 0, mtu)
        skb.drop("PKT_TOO_BIG", rt.dev)
        return
    body = skb.network_bytes()[ip.header_length :]
    room = (mtu - ip.header_length - 8) & ~7
    net.ipv6.next_fragment_id = ident = (net.ipv6.next_fragment_id + 1) & 0xFFFFFFFF or 1
    for offset in range(0, len(body), room):
        piece = body[offset : offset + room]
        fragment = FragmentHeader(ip.protocol, offset, offset + room < len(body), ident)
        header = ip._replace(
            payload_length=ip.header_length - 40 + 8 + len(piece),
            extensions=(*ip.extensions, (NEXTHDR_FRAGMENT, fragment.encode())),
        )
        part = SkBuff(
            net.loop,
            header,
            None,
            piece,
            ethertype=ETH_P_IPV6,
            length=header.total_length,
            mark=skb.mark,
            sk=skb.sk,
        )
        part.trace, part.nfct, part.ctinfo, part.priority = skb.trace, skb.nfct, skb.ctinfo, skb.priority
        part.dst, part.dev, part.in_dev, part.pkt_type = rt, rt.dev, skb.in_dev, skb.pkt_type
        part.physin, part.physout, part.cb = skb.physin, skb.physout, skb.cb
        net.count("Ip6FragCreates")
        _finish2(net, part, rt)
    net.count("Ip6FragOKs")
    skb.consume(net)
