"""What comes in for an IP tunnel: which one it is for, what was in it, and errors about its other end
(net/ipv4/ip_tunnel.c: ip_tunnel_lookup(), ip_tunnel_rcv(); ipip.c, ip_gre.c, sit.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.devices._ip_tunnel import IpTunnel, tunnels_of
from kubenet_course.kernel.devices._stack import Encapsulated, scrub
from kubenet_course.kernel.packets import decode_frame, decode_network
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IPv4Address
from kubenet_course.wire.ethernet import ETH_P_IP, ETH_P_IPV6
from kubenet_course.wire.gre import ETH_P_TEB, GreHeader
from kubenet_course.wire.ipv4 import IPPROTO_GRE, IPPROTO_IPIP, IPPROTO_IPV6

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


def find(
    net: NetNamespace,
    protocol: int,
    source: IPv4Address,
    destination: IPv4Address,
    key: int | None,
    tap: bool,
) -> IpTunnel | None:
    """ip_tunnel_lookup(): remote and local, remote, local, then the fallback device; keys must agree."""
    best, score = None, -1
    for tunnel in tunnels_of(net):
        kinds_agree = tunnel.protocol == protocol or (tunnel.kind == "sit" and protocol == IPPROTO_IPIP)
        if not tunnel.up or tunnel.kind == "erspan" or not kinds_agree or tunnel.tap != tap:
            continue
        if protocol == IPPROTO_IPIP and tunnel.kind == "sit" and not tunnel.carries(ETH_P_IP):
            continue
        remote, local = tunnel.settings["remote"], tunnel.settings["local"]
        if (remote and remote != source) or (local and local != destination):
            continue
        if tunnel.settings.get("ikey") != key:
            continue
        points = 2 * bool(remote) + bool(local) + (0 if tunnel.fallback else 4)
        if points > score:
            best, score = tunnel, points
    return best


def ip_tunnel_rcv(net: NetNamespace, skb: SkBuff) -> None:
    """ipip_rcv(), gre_rcv(), ipip6_rcv(): out of the tunnel, or "port unreachable"."""
    from kubenet_course.kernel.inet.icmp import icmp_send
    from kubenet_course.wire import icmp as wire_icmp

    ip = skb.network
    payload = skb.payload
    header: GreHeader | None = None
    if ip.protocol == IPPROTO_GRE:
        try:
            header = payload.header if isinstance(payload, Encapsulated) else GreHeader.decode(bytes(payload))
        except ValueError:
            skb.drop("HDR_TRUNC", net)
            return
    tap = header is not None and header.protocol == ETH_P_TEB
    tunnel = find(
        net, ip.protocol, ip.source, ip.destination, header.key if header is not None else None, tap
    )
    if tunnel is None:
        icmp_send(net, skb, wire_icmp.ICMP_DEST_UNREACH, wire_icmp.ICMP_PORT_UNREACH)
        skb.drop("IP_NOPROTO", net)
        return
    if isinstance(payload, Encapsulated):
        inner = payload.take_out(net.loop, tunnel)
    else:
        decoded = _decode(net, bytes(payload), ip.protocol, header, tap)
        if decoded is None:
            tunnel.rx_errors += 1
            skb.drop("HDR_TRUNC", tunnel)
            return
        inner = scrub(decoded, tunnel)
    if skb.trace is not None:
        inner.trace = skb.trace
        skb.trace.caused(skb, inner)
    skb.consume(tunnel)
    tunnel.take_in(inner, header)


def ip_tunnel_err(net: NetNamespace, inner: Any, kind: int, code: int) -> None:
    """ipip_err(), gre_err(): the way to the remote is broken; who sends next is told (dst_link_failure())."""
    if kind == 3 and (code == 4 or inner.protocol != IPPROTO_IPIP and code == 3):
        return
    for tunnel in tunnels_of(net):
        remote, local = tunnel.settings["remote"], tunnel.settings["local"]
        if tunnel.protocol == inner.protocol and remote == inner.destination and local in (inner.source, 0):
            tunnel.err_count = tunnel.err_count + 1 if net.loop.now < tunnel.err_time + 30 * SECOND else 1
            tunnel.err_time = net.loop.now


def _decode(
    net: NetNamespace, data: bytes, protocol: int, header: GreHeader | None, tap: bool
) -> SkBuff | None:
    """The inner packet from bytes (after reassembly); None where it is broken."""
    try:
        if header is not None:
            data = data[header.header_length :]
            if tap:
                return decode_frame(net.loop, data)
            ethertype = header.protocol
        else:
            ethertype = ETH_P_IPV6 if protocol == IPPROTO_IPV6 else ETH_P_IP
        network, transport, body = decode_network(ethertype, data)
    except ValueError:
        return None
    return SkBuff(net.loop, network, transport, body, ethertype=ethertype)
