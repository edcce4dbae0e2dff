"""Sending a copy of a packet to another host (nf_dup_ipv4.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.netfilter.conntrack_entry import IP_CT_UNTRACKED, UNTRACKED

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.tables import HookState
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff

#: skb.nf_flags: a copy is never copied again.
IS_COPY = 16


def duplicate(net: NetNamespace, skb: SkBuff, state: HookState, gateway: Any, oif: str | None) -> None:
    """nf_dup_ipv4(): out by the route to `gateway`, with the packet's own addresses."""
    if skb.nf_flags & IS_COPY or state.family != 4:
        return
    from kubenet_course.kernel.inet.ip_output import ip_output
    from kubenet_course.kernel.inet.route import Rtable, ip_route_output

    dev = net.devices.get(oif) if oif is not None else None
    if oif is not None and dev is None:
        return
    try:
        way = ip_route_output(net, gateway, oif=dev)
    except KernelError:
        return
    twin = skb.clone(net.loop)
    twin.nfct, twin.ctinfo = UNTRACKED, IP_CT_UNTRACKED
    twin.nf_flags |= IS_COPY
    rt = Rtable(net, "unicast", way.dev, skb.network.destination)
    rt.gateway = way.gateway if way.gateway is not None else gateway
    rt.source = way.source
    twin.dst = rt
    if state.hook in (0, 1):
        twin.network = twin.network._replace(ttl=max(1, twin.network.ttl - 1))
    ip_output(net, twin, rt)
