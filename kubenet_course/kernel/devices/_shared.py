"""One packet for many: an ARP question that a bridge floods over cables is shared by those who get it.

The kernel hands one packet to several takers, and copies it for one who would change it (skb_get(),
skb_share_check()). ARP changes nothing about a frame, so the hosts at the other ends of plain cables look at the
same one, in turn: on a switch with many hosts, copies would be most of the work. Who does more with frames (a tap,
a filter, another bridge) gets one of its own; so does everybody while a ledger looks on, and a journey's packets
are not shared at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.devices.base import netif_receive
from kubenet_course.kernel.devices.veth import Veth
from kubenet_course.kernel.inet.arp import NOT_ASKED_FOR, RECEIVE_TIME
from kubenet_course.kernel.neighbour import HEARD
from kubenet_course.kernel.skbuff import PACKET_BROADCAST
from kubenet_course.wire.arp import ARP_REQUEST
from kubenet_course.wire.ethernet import ETH_P_ARP

if TYPE_CHECKING:
    from kubenet_course.kernel.devices._bridge_port import BridgePort
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.skbuff import SkBuff


def shared(skb: SkBuff) -> SkBuff | None:
    """The packet as it comes out of a cable's other end, for all to look at; None where each needs its own."""
    if skb.ethertype != ETH_P_ARP or skb.trace is not None or skb.vlan_tci is not None:
        return None
    twin = skb.clone(skb.dev.net.loop)  # type: ignore[union-attr]
    twin.dst = twin.nfct = twin.physin = twin.physout = twin.sk = None
    twin.nf_flags = twin.mark = 0
    twin.pkt_type = PACKET_BROADCAST
    return twin


def xmit_shared(ports: list[BridgePort], skb: SkBuff, own: Callable[[BridgePort], None]) -> None:
    """dev_queue_xmit() and veth_xmit() of a shared packet; `own` sends a port one that is no plain cable to another namespace.

    Those who get the frame one after the other get it in one event.
    """
    net = skb.dev.net  # type: ignore[union-attr]
    soon, size, tapped = net.loop._soon, skb.len, bool(net.taps)
    takers: list[NetDevice] = []
    for port in ports:
        dev: Any = port.dev
        if (
            dev.__class__ is not Veth or (peer := dev.peer) is None or not peer.up or not dev.up or size > dev.mtu or tapped
            or dev.taps or dev.qdisc is not None or dev.nf_egress is not None or dev.delay or peer.net is net
        ):  # fmt: skip
            if takers:
                soon.append((receive_shared, (takers, skb)))
                takers = []
            own(port)
            continue
        dev.tx_packets += 1
        dev.tx_bytes += size + 14
        takers.append(peer)
    if takers:
        soon.append((receive_shared, (takers, skb)))


def receive_shared(takers: list[NetDevice], skb: SkBuff) -> None:
    """netif_receive() and arp_rcv() of a packet that others look at as well, by each in turn."""
    size, arp = skb.len + 14, skb.network
    operation, mac, sender, _, target = arp
    loop, alone = takers[0].net.loop, skb.ledger is not None
    group = skb.eth[0]  # type: ignore[index]
    # A question that others ask each other is of no account to who does not know the one who asks, or as what he says.
    ordinary = operation == ARP_REQUEST and sender != 0 and target != sender and target >> 24 not in NOT_ASKED_FOR
    for dev in takers:
        net = dev.net
        if (
            alone or dev.rx_handler is not None or dev.taps or net.taps or dev.ingress is not None or dev.nf_ingress is not None
            or net.netfilter.arp_hooks is not None or not dev.up or group != dev.broadcast
        ):  # fmt: skip
            netif_receive(dev, skb.clone(loop))
            continue
        dev.rx_packets += 1
        dev.rx_bytes += size
        ipv4 = net.ipv4
        if ordinary and target not in ipv4.locals and not ipv4.forwarding[dev] and dev in ipv4.addresses and not dev.noarp:
            entry = net.arp.entries.get((sender, dev))
            if not dev.pointopoint and (
                entry is None or entry.mac == mac and entry.state in HEARD and not entry.queue
            ):
                loop.now += RECEIVE_TIME
                continue
        skb.dev = skb.in_dev = dev
        ipv4.receive_arp(skb)
