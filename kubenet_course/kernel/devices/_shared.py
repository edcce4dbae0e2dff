"""One packet for many: an ARP question that a bridge floods over cables is shared by those who get it.

The kernel hands one packet to several takers, and copies it for one who would change it (skb_get(),
skb_share_check()). ARP changes nothing about a frame, so the hosts at the other ends of plain cables look at the
same one, in turn: on a switch with many hosts, copies would be most of the work. Who does more with frames (a tap,
a filter, another bridge) gets one of its own; so does everybody while a ledger looks on, and a journey's packets
are not shared at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.devices.base import netif_receive
from kubenet_course.kernel.devices.veth import Veth
from kubenet_course.kernel.skbuff import PACKET_BROADCAST
from kubenet_course.wire.ethernet import ETH_P_ARP

if TYPE_CHECKING:
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


def xmit_shared(dev: NetDevice, skb: SkBuff) -> bool:
    """dev_queue_xmit() and veth_xmit() of a shared packet; False where `dev` is no plain cable to another namespace."""
    if dev.__class__ is not Veth:
        return False
    peer, net = dev.peer, dev.net
    if peer is None or not peer.up or not dev.up or dev.delay or dev.qdisc is not None or dev.taps or net.taps or peer.net is net:
        return False
    dev.tx_packets += 1
    dev.tx_bytes += skb.len + 14
    net.loop._soon.append((receive_shared, (peer, skb)))
    return True


def receive_shared(dev: NetDevice, skb: SkBuff) -> None:
    """netif_receive() of a packet that others look at as well."""
    net = dev.net
    if (
        dev.rx_handler is not None or dev.taps or net.taps or dev.ingress is not None or dev.nf_ingress is not None
        or net.netfilter.arp_hooks is not None or not dev.up or skb.ledger is not None or skb.eth[0] != dev.broadcast  # type: ignore[index]
    ):  # fmt: skip
        netif_receive(dev, skb.clone(net.loop))
        return
    dev.rx_packets += 1
    dev.rx_bytes += skb.len + 14
    skb.dev = skb.in_dev = dev
    net.ipv4.receive_arp(skb)
