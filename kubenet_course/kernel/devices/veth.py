"""A virtual cable: a pair of Ethernet devices, what enters one leaves the other (drivers/net/veth.c).

The carrier is on at both ends when both are up. Moving a packet to the other end drops its
route, its conntrack entry and, between namespaces, its mark (skb_scrub_packet()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.devices.base import NetDevice, netif_receive
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Veth(NetDevice):
    """`delay` is a property of the cable, in ns each way (0 within one machine)."""

    kind = "veth"

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.carrier = False
        self.peer: Veth | None = None
        self.delay = 0

    @classmethod
    def pair(
        cls,
        net: NetNamespace,
        name: str,
        peer_net: NetNamespace,
        peer_name: str,
        mac: MacAddress | None = None,
        peer_mac: MacAddress | None = None,
    ) -> tuple[Veth, Veth]:
        """Make both ends (the peer is registered first, as veth_newlink() does)."""
        peer = cls(peer_net, peer_name, peer_mac)
        peer_net.add_device(peer)
        own = cls(net, name, mac)
        try:
            net.add_device(own)
        except Exception:
            peer_net.remove_device(peer)
            raise
        own.peer, peer.peer = peer, own
        return own, peer

    def opened(self) -> None:
        self._update_carrier()

    def stopped(self) -> None:
        peer = self.peer
        self.carrier = False
        if peer is not None:
            peer.set_carrier(False)

    def _update_carrier(self) -> None:
        peer = self.peer
        if peer is not None and peer.up:
            self.carrier = True
            peer.set_carrier(True)
        else:
            self.carrier = False

    def unregistering(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.peer = None
            peer.unregister()

    def iflink(self) -> tuple[NetNamespace, int] | None:
        return (self.peer.net, self.peer.ifindex) if self.peer is not None else None

    def xmit(self, skb: SkBuff) -> None:
        """veth_xmit() and __dev_forward_skb()."""
        peer = self.peer
        if peer is None or not peer.up:
            self.tx_dropped += 1
            skb.drop("NO_CARRIER", self)
            return
        self.tx_packets += 1
        self.tx_bytes += skb.len + 14
        skb.dst = None
        skb.nfct = None
        if peer.net is not self.net:
            skb.mark = 0
            skb.sk = None
        skb.dev = peer
        loop = self.net.loop
        if self.delay:
            loop.call_later(self.delay, netif_receive, peer, skb)
        else:
            loop._soon.append((netif_receive, (peer, skb)))
