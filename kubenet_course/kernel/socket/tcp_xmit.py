"""From TCP to IP: a segment's route and IP header, and answers that no socket stands behind.

ip_queue_xmit() and ip_send_unicast_reply() of net/ipv4/ip_output.c, inet6_csk_xmit(), tcp_v4_send_reset().
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import l3mdev_master
from kubenet_course.kernel.mib import count_no_route
from kubenet_course.kernel.socket.tcp_state import MASK
from kubenet_course.wire.ipv4 import IPPROTO_TCP
from kubenet_course.wire.tcp import ACK, FIN, RST, TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff
    from kubenet_course.kernel.socket.tcp import TcpSocket


def route_output(
    net: NetNamespace, version: int, remote: Any, local: Any, *, ports: tuple[int, int] = (0, 0), device: Any = None,
    mark: int = 0, tos: int = 0, connect: bool = False,
) -> Any:  # fmt: skip
    """The route to `remote`; its error as KernelError."""
    if version == 4:
        from kubenet_course.kernel.inet.route import ip_route_connect, ip_route_output

        look_up: Callable[[], Any] = partial(
            ip_route_connect if connect else ip_route_output, net, remote, local or 0, oif=device, mark=mark, tos=tos,
            protocol=IPPROTO_TCP, source_port=ports[0], destination_port=ports[1],
        )  # fmt: skip
    else:
        from kubenet_course.kernel.inet6.route import ip6_route_output

        look_up = partial(ip6_route_output, net, remote, local or 0, oif=device, mark=mark)
    try:
        return look_up()
    except KernelError as error:
        count_no_route(net, error, version)
        raise


def send_segment(
    net: NetNamespace, version: int, rt: Any, header: TcpHeader, payload: bytes, source: Any, *, ident: int = 0,
    ttl: int = 0, tos: int = 0, mark: int = 0, sk: Any = None, cause: SkBuff | None = None,
) -> bool:  # fmt: skip
    """Give a segment its IP header and send it; False where a rule of OUTPUT dropped it.

    `cause` is the packet that this one answers, for a trace.
    """
    net.count("TcpOutSegs")
    if version == 4:
        from kubenet_course.kernel.inet.ip_output import ip_build, ip_local_out

        df = not net.sysctl.get_int("net", "ipv4", "ip_no_pmtu_disc")
        skb = ip_build(
            net,
            rt,
            IPPROTO_TCP,
            header,
            payload,
            source=source,
            ttl=ttl,
            tos=tos,
            df=df,
            ident=ident,
            mark=mark,
            sk=sk,
        )
        if cause is not None and cause.trace is not None:
            cause.trace.caused(cause, skb)
        return ip_local_out(net, skb)
    from kubenet_course.kernel.inet6.output import ip6_build, ip6_local_out

    skb = ip6_build(net, rt, IPPROTO_TCP, header, payload, source=source, hop_limit=ttl, sk=sk, mark=mark)
    if cause is not None and cause.trace is not None:
        cause.trace.caused(cause, skb)
    return ip6_local_out(net, skb)


def queue_xmit(sk: TcpSocket, header: TcpHeader, payload: bytes) -> bool:
    """ip_queue_xmit(): by the socket's addresses; False where there is no way out now."""
    try:
        rt = route_output(
            sk.net, sk.version, sk.remote, sk.local, ports=(sk.local_port, sk.remote_port), device=sk.device,
            mark=sk.mark, tos=sk.tos,
        )  # fmt: skip
    except KernelError as failure:
        sk.soft_error = failure.errno
        return False
    ident = sk.ip_ident
    sk.ip_ident = (ident + 1) & 0xFFFF
    return send_segment(
        sk.net,
        sk.version,
        rt,
        header,
        payload,
        sk.local,
        ident=ident,
        ttl=sk.ttl,
        tos=sk.tos,
        mark=sk.mark,
        sk=sk,
    )


def send_reset(net: NetNamespace, skb: SkBuff, sk: Any = None) -> None:
    """tcp_v4_send_reset(): tell the sender of `skb` that nothing here matches it (RFC 9293, 3.10.7.1)."""
    ip, tcp = skb.network, skb.transport
    if tcp.flags & RST:
        return
    version = ip.destination.family
    if sk is None and version == 4 and getattr(skb.dst, "type", "local") != "local":
        return
    length = len(skb.payload) + (tcp.flags & FIN) + (tcp.flags >> 1 & 1)
    if tcp.flags & ACK:
        header = TcpHeader(tcp.destination_port, tcp.source_port, tcp.acknowledgement, 0, RST)
    else:
        header = TcpHeader(
            tcp.destination_port, tcp.source_port, 0, (tcp.sequence + length) & MASK, RST | ACK
        )
    mark = skb.mark if net.sysctl.get_int("net", "ipv4", "fwmark_reflect") else 0
    answer(net, skb, header, mark=mark)
    net.count("TcpOutRsts")


def answer(net: NetNamespace, skb: SkBuff, header: TcpHeader, *, mark: int = 0, tos: int = 0) -> None:
    """ip_send_unicast_reply(): back where `skb` came from, with no socket behind it."""
    ip = skb.network
    version = ip.destination.family
    device = skb.in_dev if version == 6 and ip.source.is_link_local else l3mdev_master(skb.in_dev)
    ports = (header.source_port, header.destination_port)
    try:
        rt = route_output(
            net, version, ip.source, ip.destination, ports=ports, mark=mark, tos=tos, device=device
        )
    except KernelError as failure:
        if failure.errno == errno.ENODEV:
            raise
        return
    send_segment(net, version, rt, header, b"", ip.destination, mark=mark, tos=tos, cause=skb)
