"""Fragments wait for each other before connection tracking, which needs their ports (nf_defrag_ipv4.c, nf_defrag_ipv6_hooks.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter import bridge
from kubenet_course.kernel.netfilter.bridge_flags import IN_BRIDGE
from kubenet_course.kernel.netfilter.hooks import NF_INET_PRE_ROUTING

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


def defrag4(net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None) -> bool:
    """ipv4_conntrack_defrag(): a whole packet goes on; a fragment is kept, and the last one sends the whole through anew."""
    if not skb.network[6] & 0x3FFF:
        return True
    trace = skb.trace
    whole = net.ipv4.fragments.collect(skb, f"conntrack-{hook}")
    if whole is None:
        return False
    whole.trace = trace
    whole.cb = {**(whole.cb or {}), "ignore_df": True}
    if not _to_its_bridge(net, hook, skb, whole):
        from kubenet_course.kernel.inet.ip_input import ip_rcv
        from kubenet_course.kernel.inet.ip_output import ip_local_out_finish

        (ip_rcv if hook == NF_INET_PRE_ROUTING else ip_local_out_finish)(net, whole)
    return False


def defrag6(net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None) -> bool:
    """ipv6_defrag(): the same for IPv6."""
    if not skb.network.extensions or skb.network.fragment is None:
        return True
    whole = net.ipv6.fragments.collect(skb, f"conntrack-{hook}")
    if whole is None:
        return False
    if not _to_its_bridge(net, hook, skb, whole):
        from kubenet_course.kernel.inet6.input import ipv6_rcv
        from kubenet_course.kernel.inet6.output import ip6_local_out_finish

        (ipv6_rcv if hook == NF_INET_PRE_ROUTING else ip6_local_out_finish)(net, whole)
    return False


def _to_its_bridge(net: NetNamespace, hook: int, last: SkBuff, whole: SkBuff) -> bool:
    """Where the last fragment was on its way through a bridge, the whole goes on there."""
    if hook != NF_INET_PRE_ROUTING or not last.nf_flags & IN_BRIDGE:
        return False
    whole.nf_flags = last.nf_flags
    bridge.resume(net, whole)
    return True
