"""The OpenFlow actions that rewrite a packet."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.ipv4 import Ipv4Header


def change(skb: SkBuff, action: str, value: Any) -> None:
    """The actions that rewrite a packet."""
    eth, network, transport = skb.eth, skb.network, skb.transport
    if action == "mod_dl_src" and eth is not None:
        skb.eth = eth._replace(source=value)
    elif action == "mod_dl_dst" and eth is not None:
        skb.eth = eth._replace(destination=value)
    elif action == "mod_vlan_vid":
        skb.vlan_tci = (skb.vlan_tci or 0) & 0xF000 | value
    elif action == "push_vlan":
        skb.vlan_tci = skb.vlan_tci or 0
    elif action == "strip_vlan":
        skb.vlan_tci = None
    elif action in ("mod_tp_src", "mod_tp_dst") and hasattr(transport, "source_port"):
        skb.transport = transport._replace(
            **{"source_port" if action == "mod_tp_src" else "destination_port": value}
        )
    elif isinstance(network, Ipv4Header):
        if action == "mod_nw_src":
            skb.network = network._replace(source=value)
        elif action == "mod_nw_dst":
            skb.network = network._replace(destination=value)
        elif action == "mod_nw_tos":
            skb.network = network._replace(tos=network.tos & 3 | value & 0xFC)
        elif action == "mod_nw_ttl":
            skb.network = network._replace(ttl=value)
