"""Bridge netfilter: iptables sees what a bridge only switches (net/bridge/br_netfilter_hooks.c).

With net.bridge.bridge-nf-call-iptables (and -ip6tables) at 1, an IP frame that passes a bridge
goes through the same hooks as a routed packet, the bridge being both its way in and out:

    port in → PRE_ROUTING (in br0) → the bridge decides ┬→ FORWARD (br0 → br0) → POST_ROUTING → port out
                                                        └→ up to the host (PRE_ROUTING is not run again)

`skb.physin` and `skb.physout` are the ports (-m physdev). A destination rewritten in PRE_ROUTING is
looked up: a host on the same bridge gets the frame by its MAC, any other the packet by routing.
Nothing of this is in a bridge's way while the namespace has no rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.bridge_flags import BRIDGE_DNAT, BRIDGED, IN_BRIDGE, PREROUTED
from kubenet_course.kernel.netfilter.hooks import (
    NF_INET_FORWARD,
    NF_INET_LOCAL_OUT,
    NF_INET_POST_ROUTING,
    NF_INET_PRE_ROUTING,
    link_hook,
    nf_hook,
)
from kubenet_course.kernel.skbuff import PACKET_HOST, PACKET_OTHERHOST, SkBuff
from kubenet_course.wire.ethernet import ETH_P_IP, ETH_P_IPV6
from kubenet_course.wire.ipv4 import IP_MF

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.devices.bridge import Bridge, BridgePort
    from kubenet_course.kernel.netns import NetNamespace

PRI_FIRST = -(2**31)


def _family(bridge: Bridge, skb: SkBuff) -> int:
    """4 or 6 where iptables wants to see the frame, else 0."""
    sysctl = bridge.net.sysctl
    if skb.vlan_tci:
        return 0
    if skb.ethertype == ETH_P_IP and skb.network is not None:
        wanted = bridge.nf_call_iptables or sysctl.get_int("net", "bridge", "bridge-nf-call-iptables")
        return 4 if wanted else 0
    if skb.ethertype == ETH_P_IPV6 and skb.network is not None:
        wanted = bridge.nf_call_ip6tables or sysctl.get_int("net", "bridge", "bridge-nf-call-ip6tables")
        return 6 if wanted else 0
    return 0


def bridge_prerouting(bridge: Bridge, port: BridgePort, skb: SkBuff, vlan: int) -> bool:
    """br_nf_pre_routing(): True where a rule took the packet or it went another way."""
    family = _family(bridge, skb)
    if not family:
        return False
    net = bridge.net
    _expect_sabotage(net, family)
    skb.nf_flags |= IN_BRIDGE
    skb.physin = port.dev
    destination = skb.network[1]
    own_dev, own_type = skb.in_dev, skb.pkt_type
    skb.in_dev = skb.dev = bridge
    skb.pkt_type = PACKET_HOST if own_type == PACKET_OTHERHOST else own_type
    if not nf_hook(net, family, NF_INET_PRE_ROUTING, skb, bridge, None):
        return True
    skb.pkt_type = own_type
    skb.nf_flags |= PREROUTED
    skb.dev = own_dev
    if skb.network[1] != destination:
        return _rewritten(bridge, skb, vlan, family)
    skb.in_dev = own_dev
    return False


def _rewritten(bridge: Bridge, skb: SkBuff, vlan: int, family: int) -> bool:
    """br_nf_pre_routing_finish(): the destination is another; bridge or route the packet to it."""
    net = bridge.net
    assert skb.eth is not None
    skb.dst = None
    if family == 4:
        from kubenet_course.kernel.inet.route import ip_route_input

        rt: Any = ip_route_input(net, skb)
    else:
        from kubenet_course.kernel.inet6.route import ip6_route_input

        rt = ip6_route_input(net, skb)
    if rt is None:
        return True
    if rt.dev is bridge and rt.forward:
        neigh = rt.neighbour()
        skb.nf_flags |= BRIDGE_DNAT
        if neigh.eth is None:
            neigh.output(skb)
        else:
            skb.eth = skb.eth._replace(destination=neigh.mac)
            bridge_resolved(bridge, skb, vlan)
        return True
    skb.eth = skb.eth._replace(destination=bridge.mac)
    skb.pkt_type = PACKET_HOST
    skb.in_dev = skb.dev
    bridge.pass_up(skb, vlan)
    return True


def bridge_resolved(bridge: Bridge, skb: SkBuff, vlan: int = 0) -> None:
    """br_nf_pre_routing_finish_bridge(): the rewritten destination's MAC is known; bridge to it."""
    skb.nf_flags &= ~BRIDGE_DNAT
    skb.dst = None
    port_dev = skb.physin
    if port_dev is None or port_dev.port is None:
        skb.drop("NOT_SPECIFIED", bridge)
        return
    skb.in_dev = skb.dev = port_dev
    bridge.forward_or_deliver(skb, port_dev.port, vlan)


def resume(net: NetNamespace, whole: SkBuff) -> None:
    """A packet put together again by conntrack goes on over its bridge."""
    port_dev = whole.physin
    if port_dev is None or port_dev.port is None:
        whole.drop("NOT_SPECIFIED", net)
        return
    port: BridgePort = port_dev.port
    whole.in_dev = whole.dev = port_dev
    bridge = port.bridge
    if not bridge_prerouting(bridge, port, whole, 0):
        bridge.forward_or_deliver(whole, port, 0)


def bridge_forward(bridge: Bridge, port: BridgePort, skb: SkBuff) -> bool:
    """br_nf_forward_ip() and br_nf_post_routing(), then the frame leaves; False: not ours."""
    if not skb.nf_flags & IN_BRIDGE:
        return False
    net = bridge.net
    if skb.vlan_tci:
        return False
    family = 4 if skb.ethertype == ETH_P_IP else 6
    skb.physout = port.dev
    skb.nf_flags |= BRIDGED
    if skb.pkt_type == PACKET_OTHERHOST:
        skb.pkt_type = PACKET_HOST
    if not nf_hook(net, family, NF_INET_FORWARD, skb, bridge, bridge):
        return True
    if not nf_hook(net, family, NF_INET_POST_ROUTING, skb, None, bridge):
        return True
    if skb.len > port.dev.mtu and family == 4 and "frag_max_size" in (skb.cb or {}):
        _split(bridge, port, skb)
        return True
    bridge.send_to_port(skb, port)
    return True


def _split(bridge: Bridge, port: BridgePort, skb: SkBuff) -> None:
    """br_nf_dev_queue_xmit(): what conntrack put together leaves in pieces again."""
    ip: Any = skb.network
    mtu = min(port.dev.mtu, (skb.cb or {})["frag_max_size"])
    body = skb.network_bytes()[ip.header_length :]
    room = (mtu - ip.header_length) & ~7
    starts = range(0, len(body), room)
    for start in starts:
        piece = body[start : start + room]
        flags = ip.flags_offset & 0x4000 | start // 8 | (IP_MF if start != starts[-1] else 0)
        header = ip._replace(total_length=ip.header_length + len(piece), flags_offset=flags)
        part = SkBuff(bridge.net.loop, header, None, piece, length=header.total_length, mark=skb.mark)
        part.eth = skb.eth
        part.physin, part.physout, part.nf_flags = skb.physin, skb.physout, skb.nf_flags
        part.in_dev, part.dev, part.trace = skb.in_dev, skb.dev, skb.trace
        bridge.send_to_port(part, port)
    skb.consume(bridge)


def _expect_sabotage(net: NetNamespace, family: int) -> None:
    """The hook that keeps PRE_ROUTING from running twice is there once a bridge has needed it."""
    if not net.rooms.setdefault(f"bridge_netfilter{family}", False):
        net.rooms[f"bridge_netfilter{family}"] = True
        net.netfilter.register(family, NF_INET_PRE_ROUTING, PRI_FIRST, ip_sabotage_in)


def ip_sabotage_in(
    net: NetNamespace, hook: int, skb: SkBuff, indev: NetDevice | None, outdev: NetDevice | None
) -> bool:
    """A packet that came up from a bridge has been through PRE_ROUTING already."""
    if not skb.nf_flags & PREROUTED:
        return True
    skb.nf_flags &= ~PREROUTED
    if skb.ethertype == ETH_P_IP:
        from kubenet_course.kernel.inet.ip_input import ip_rcv_finish

        ip_rcv_finish(net, skb)
    else:
        from kubenet_course.kernel.inet6.input import ip6_rcv_finish

        ip6_rcv_finish(net, skb)
    return False


def bridged(hooks: list[tuple], net: NetNamespace, skb: SkBuff, out: NetDevice) -> bool:
    """The hooks of family bridge on the way out of a port: of the machine's own frame, or from port to port."""
    came = skb.physin
    if not link_hook(hooks, net, NF_INET_LOCAL_OUT if came is None else NF_INET_FORWARD, skb, came, out):
        return False
    return link_hook(hooks, net, NF_INET_POST_ROUTING, skb, None, out)
