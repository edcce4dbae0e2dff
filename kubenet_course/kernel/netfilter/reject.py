"""Answers to packets that a rule refuses (nf_reject_ipv4.c, nf_reject_ipv6.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.conntrack_entry import nf_ct_attach
from kubenet_course.wire.tcp import ACK, FIN, RST, SYN, TcpHeader

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.tables import HookState
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


def reject4(net: NetNamespace, skb: SkBuff, state: HookState, code: int) -> None:
    """nf_send_unreach()."""
    if skb.network.is_fragment:
        return  # a part alone has no right checksum, so that it is not answered
    from kubenet_course.kernel.inet.icmp import icmp_send

    icmp_send(net, skb, 3, code)


def reject6(net: NetNamespace, skb: SkBuff, state: HookState, code: int) -> None:
    """nf_send_unreach6()."""
    if skb.network.is_fragment:
        return  # a part alone has no right checksum, so that it is not answered
    from kubenet_course.kernel.inet6.icmp import icmpv6_send

    icmpv6_send(net, skb, 1, code)


def reset(net: NetNamespace, skb: SkBuff, state: HookState) -> None:
    """nf_send_reset(): a TCP reset in the name of the destination; none about a reset."""
    header = skb.transport
    if not isinstance(header, TcpHeader) or header.flags & RST:
        return
    if header.flags & ACK:
        answer = TcpHeader(header.destination_port, header.source_port, header.acknowledgement, 0, RST)
    else:
        after = header.sequence + bool(header.flags & SYN) + bool(header.flags & FIN) + len(skb.payload)
        answer = TcpHeader(header.destination_port, header.source_port, 0, after & 0xFFFFFFFF, RST | ACK)
    ip = skb.network
    try:
        new = _build4(net, ip, answer) if state.family == 4 else _build6(net, ip, answer)
    except KernelError:
        return
    nf_ct_attach(new, skb)
    if skb.trace is not None:
        skb.trace.caused(skb, new)
    if state.family == 4:
        from kubenet_course.kernel.inet.ip_output import ip_local_out

        ip_local_out(net, new)
    else:
        from kubenet_course.kernel.inet6.output import ip6_local_out

        ip6_local_out(net, new)


def _build4(net: NetNamespace, ip: Any, answer: TcpHeader) -> SkBuff:
    from kubenet_course.kernel.inet.ip_output import ip_build
    from kubenet_course.kernel.inet.route import ip_route_output

    rt = ip_route_output(net, ip.source, ip.destination, protocol=6, any_source=True)  # ip_route_me_harder()
    return ip_build(net, rt, 6, answer, b"", source=ip.destination, df=True, ident=0)


def _build6(net: NetNamespace, ip: Any, answer: TcpHeader) -> SkBuff:
    from kubenet_course.kernel.inet6.output import ip6_build
    from kubenet_course.kernel.inet6.route import ip6_route_output

    rt = ip6_route_output(net, ip.source, ip.destination if net.ipv6.is_local(ip.destination) else 0)
    return ip6_build(net, rt, 6, answer, b"", source=ip.destination, flow_label=0)
