"""A virtual cable: a pair of Ethernet devices, what enters one leaves the other (drivers/net/veth.c).

The carrier is on at both ends when both are up. Moving a packet to the other end drops its
route, its conntrack entry and, between namespaces, its mark (skb_scrub_packet()).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice, netif_receive
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.rtnetlink import LinkRequest


class Veth(NetDevice):
    """`delay` is a property of the cable, in ns each way (0 within one machine)."""

    kind = "veth"
    num_tx_queues = num_rx_queues = 2
    tso_max_size = 524280
    path_cost = 2

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.carrier = False
        self.carrier_changes = 1
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
        join(own, peer)
        return own, peer

    @classmethod
    def validate(cls, wanted: LinkRequest) -> None:
        """veth_validate(), for both ends, before the names are looked at."""
        from kubenet_course.kernel.rtnetlink import check_address

        for end in (wanted, (wanted.kind_data or {}).get("peer")):
            if end is not None:
                check_address(end)
                if end.mtu is not None and not cls.min_mtu <= end.mtu <= cls.max_mtu:
                    raise KernelError(errno.EINVAL)

    @classmethod
    def newlink(
        cls, net: NetNamespace, name: str, attrs: dict[str, Any], link: NetDevice | None, mac: MacAddress | None
    ) -> Veth:
        """veth_newlink(): `attrs["peer"]` is the LinkRequest for the other end, which is registered first."""
        from kubenet_course.kernel import rtnetlink

        wanted = attrs.get("peer") or rtnetlink.LinkRequest()
        peer_net = wanted.net or net
        peer_name = wanted.name or peer_net.free_name("veth%d")
        if wanted.name is not None:
            rtnetlink.check_name(peer_name)
        if rtnetlink.taken(peer_net, peer_name):
            raise KernelError(errno.EEXIST)
        index = attrs.get("index", 0)
        # The other end gets the index that it asks for only where this one asks too.
        peer_index = wanted.index if index else 0
        if peer_index in peer_net.by_index or index and (index == peer_index and net is peer_net):
            raise KernelError(errno.EBUSY)
        peer = cls(peer_net, peer_name, MacAddress.decode(wanted.mac) if wanted.mac is not None else None)
        peer_net.add_device(peer, peer_index)
        if name in net.devices:
            # ``ip link add type veth`` leaves both names to the kernel: the peer took the first.
            automatic = name.startswith("veth") and name[4:].isdigit() and wanted.name is None
            if not automatic:
                peer_net.remove_device(peer)
                raise KernelError(errno.EEXIST)
            name = net.free_name("veth%d")
        own = cls(net, name, mac)
        try:
            rtnetlink.configure(peer, wanted)
            if wanted.flags.get("UP"):
                # veth_open(): there is no other end yet.
                raise KernelError(errno.ENOTCONN)
            net.add_device(own, index, tell=False)
        except KernelError:
            peer.unregister()
            raise
        join(own, peer)
        net.rtnl_notify("link", own)
        return own

    def opened(self) -> None:
        """veth_open(): with both ends up there is a carrier."""
        peer = self.peer
        if peer is not None and peer.up:
            self._own_carrier(True)

    def stopped(self) -> None:
        """veth_close()."""
        self._own_carrier(False)

    def linkwatch(self) -> None:
        if self.carrier and self.net.rtnl_listeners:
            self.net.rtnl_notify("link", self)
        if self.peer is not None:
            self.peer.set_carrier(self.up and self.peer.up)
            if not self.up:
                self.rfc2863_policy()

    def _own_carrier(self, on: bool) -> None:
        """Inside our own opening and closing: what follows from those says the rest."""
        if self.carrier != on:
            self.carrier = on
            self.carrier_changes += 1
            self.rfc2863_policy()

    def registered(self) -> None:
        """The state is taken when both ends are there."""

    def change_net(self, net: NetNamespace, name: str | None = None) -> None:
        """The other end learns of the lost carrier when this one is gone already."""
        peer = self.peer
        had_carrier = peer is not None and peer.carrier
        super().change_net(net, name)
        if peer is not None and had_carrier and not peer.carrier:
            peer.rfc2863_policy()

    def moved(self, old: NetNamespace) -> None:
        """The other end's namespace now has a number for ours, and the other way round."""
        if self.peer is not None and self.peer.net is not self.net:
            self.net.nsid_of(self.peer.net)
            self.peer.net.nsid_of(self.net)

    def unregistering(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            peer.peer = None
            peer.unregister()

    def iflink(self) -> tuple[NetNamespace, int] | None:
        return (self.peer.net, self.peer.ifindex) if self.peer is not None else (self.net, 0)

    def xmit(self, skb: SkBuff) -> None:
        """veth_xmit() and __dev_forward_skb()."""
        peer, size, net = self.peer, skb.len, self.net
        if peer is None or not peer.up:
            self.tx_dropped += 1
            skb.drop("NO_CARRIER", self)
            return
        if size > peer.mtu + 4:  # is_skb_forwardable(): the other end's MTU, with room for a VLAN tag
            self.tx_dropped += 1
            skb.drop("PKT_TOO_BIG", peer)
            return
        self.tx_packets += 1
        self.tx_bytes += size + 14
        skb.dst = skb.nfct = skb.physin = skb.physout = None
        skb.nf_flags = 0
        if peer.net is not net:
            skb.mark = 0
            skb.sk = None
        skb.dev = peer
        if self.delay:
            net.loop.call_later(self.delay, netif_receive, peer, skb)
        else:
            net.loop._soon.append((netif_receive, (peer, skb)))


def join(own: Veth, peer: Veth) -> None:
    """Plug the cable in at both ends, neither of which is up."""
    own.peer, peer.peer = peer, own
    peer.rfc2863_policy()
    own.rfc2863_policy()
    if own.net is not peer.net:
        peer.net.nsid_of(own.net)
        own.net.nsid_of(peer.net)
