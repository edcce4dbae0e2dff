"""Several devices that share one lower device and its MAC address,
told apart by IP address (drivers/net/ipvlan/).

    l2     ARP and broadcasts pass; the devices are hosts on the lower device's link
    l3     no ARP and no broadcasts: what they send is routed in the lower device's namespace (default)
    l3s    as l3, and what comes in also passes that namespace's INPUT chain

and, for packets between them: `bridge` (direct), `private` (never), `vepa` (by way of a switch outside).
Mode and flag belong to the lower device: the last setting counts for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import cross_namespace, need_link, transfer_operstate
from kubenet_course.kernel.devices.base import NetDevice, netif_receive, netif_rx
from kubenet_course.kernel.netfilter.hooks import NF_INET_LOCAL_IN, nf_hook
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.ethernet import ETH_P_IP
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

NEIGHBOUR_SOLICITATION = 135


class IpvlanPort:
    """struct ipvl_port: the lower device's side."""

    def __init__(self, dev: NetDevice):
        self.dev = dev
        self.mode = "l3"
        self.flag = "bridge"
        self.slaves: list[Ipvlan] = []
        dev.rx_handler = self.handle_frame

    @classmethod
    def of(cls, dev: NetDevice) -> IpvlanPort | None:
        owner = getattr(dev.rx_handler, "__self__", None)
        return owner if isinstance(owner, cls) else None

    def set_mode(self, mode: str) -> None:
        """ipvlan_set_port_mode(): in the l3 modes its devices do no ARP."""
        if mode != self.mode:
            for slave in self.slaves:
                slave.noarp = mode != "l2"
            self.dev.net.arp.flush_device(self.dev, keep_permanent=True)
        self.mode = mode

    # -- addresses --------------------------------------------------------------------------
    def owner(self, address: int, family: int) -> Ipvlan | None:
        """ipvlan_ht_addr_lookup(): the device (that is up) with this address."""
        for slave in self.slaves:
            if slave.up and slave.has_address(address, family):
                return slave
        return None

    def lookup(self, skb: SkBuff, use_destination: bool) -> Ipvlan | None:
        """ipvlan_addr_lookup(): by what the packet (or ARP, or neighbour solicitation) is about."""
        network = skb.network
        if isinstance(network, Ipv4Header):
            return self.owner(network.destination if use_destination else network.source, 4)
        if isinstance(network, Ipv6Header):
            transport = skb.transport
            if (
                isinstance(transport, Icmpv6Header)
                and transport.type == NEIGHBOUR_SOLICITATION
                and use_destination
            ):
                return self.owner(int.from_bytes(bytes(skb.payload[:16]), "big"), 6)
            return self.owner(network.destination if use_destination else network.source, 6)
        if isinstance(network, ArpHeader):
            return self.owner(network.target_ip if use_destination else network.sender_ip, 4)
        return None

    # -- packets ----------------------------------------------------------------------------
    def handle_frame(self, skb: SkBuff) -> SkBuff | None:
        """ipvlan_handle_frame()."""
        assert skb.eth is not None
        if self.mode == "l2" and skb.eth.destination >> 40 & 1:
            if skb.eth.source != self.dev.mac or self.lookup(skb, False) is None:
                self.multicast(skb, None)
            return skb
        slave = self.lookup(skb, True)
        if slave is None:
            return skb
        if self.mode == "l3s" and isinstance(skb.network, Ipv4Header):
            net = self.dev.net
            if net.nf4[NF_INET_LOCAL_IN] and not nf_hook(net, 4, NF_INET_LOCAL_IN, skb, self.dev, None):
                return None
        self.deliver(slave, skb)
        return None

    def deliver(self, slave: Ipvlan, skb: SkBuff) -> None:
        """ipvlan_rcv_frame()."""
        assert skb.eth is not None
        cross_namespace(skb, self.dev, slave)
        if not skb.eth.destination >> 40 & 1:
            skb.eth = skb.eth._replace(destination=slave.mac)
        netif_receive(slave, skb)

    def multicast(self, skb: SkBuff, sender: Ipvlan | None) -> None:
        """ipvlan_process_multicast(): a copy to every device but the sender."""
        for slave in self.slaves:
            if slave is not sender and slave.up:
                twin = skb.clone(slave.net.loop)
                cross_namespace(twin, self.dev, slave)
                netif_rx(slave, twin)

    def release(self, slave: Ipvlan) -> None:
        self.slaves.remove(slave)
        if not self.slaves:
            self.dev.rx_handler = None


class Ipvlan(NetDevice):
    """A device on a lower one, sharing its MAC address: addresses decide who gets a packet (drivers/net/ipvlan/)."""

    kind = "ipvlan"

    def __init__(self, net: NetNamespace, name: str, lower: NetDevice):
        super().__init__(net, name, lower.mac)
        self.mac_set = False
        self.lower = lower
        self.port_: IpvlanPort | None = None
        self.mtu = lower.mtu
        self.tso_max_size = lower.tso_max_size
        self.carrier = lower.carrier
        self.wanted: dict[str, Any] = {}

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Ipvlan:
        """ipvlan_link_new()."""
        lower = need_link(link)
        if isinstance(lower, Ipvlan):
            lower = lower.lower
        if lower.is_loopback or lower.link_type != "ether":
            raise KernelError(errno.EINVAL)
        if IpvlanPort.of(lower) is None and lower.rx_handler is not None:
            raise KernelError(errno.EBUSY)
        dev = cls(net, name, lower)
        dev.wanted = attrs
        return dev

    def registered(self) -> None:
        if self.port_ is not None:
            return
        self.port_ = IpvlanPort.of(self.lower) or IpvlanPort(self.lower)
        self.port_.flag = self.wanted.get("flag", self.port_.flag)
        self.port_.set_mode(self.wanted.get("mode", "l3"))
        self.port_.slaves.append(self)
        self.lower.uppers.append(self)
        transfer_operstate(self.lower, self)

    def changelink(self, attrs: dict[str, Any]) -> None:
        """ipvlan_nl_changelink()."""
        assert self.port_ is not None
        if "mode" in attrs:
            self.port_.set_mode(attrs["mode"])
        if "flag" in attrs:
            self.port_.flag = attrs["flag"]

    def info(self) -> dict[str, Any]:
        assert self.port_ is not None
        return {"mode": self.port_.mode, self.port_.flag: True}

    def iflink(self) -> tuple[NetNamespace, int] | None:
        return self.lower.net, self.lower.ifindex

    def has_address(self, address: int, family: int) -> bool:
        if family == 4:
            return any(own.local == address for own in self.net.ipv4.addresses.get(self, ()))
        return any(
            getattr(own, "address", None) == address or getattr(own, "local", None) == address
            for own in self.net.ipv6.addresses.get(self, ())
        )

    def validate_address(self, address: int, family: int) -> None:
        """ipvlan_addr4_validator_event(): one address, one device."""
        if self.port_ is not None and any(
            s.has_address(address, family) for s in self.port_.slaves if s is not self
        ):
            raise KernelError(errno.EADDRINUSE, "Address already assigned to an ipvlan device")

    def opened(self) -> None:
        """ipvlan_open()."""
        assert self.port_ is not None
        self.noarp = self.port_.mode != "l2"

    def lower_changed(self, lower: NetDevice) -> None:
        transfer_operstate(lower, self)

    def lower_mtu_changed(self, lower: NetDevice) -> None:
        """ipvlan_adjust_mtu()."""
        super().set_mtu(lower.mtu)

    def lower_mac_changed(self, lower: NetDevice) -> None:
        self.mac = lower.mac
        self.mac_changed()

    def unregistering(self) -> None:
        if self.port_ is not None:
            self.port_.release(self)
        if self in self.lower.uppers:
            self.lower.uppers.remove(self)

    def xmit(self, skb: SkBuff) -> None:
        """ipvlan_queue_xmit()."""
        assert self.port_ is not None
        self.count_tx(skb)
        if self.port_.mode == "l2":
            self._xmit_l2(skb, self.port_)
        else:
            self._xmit_l3(skb, self.port_)

    def _xmit_l2(self, skb: SkBuff, port: IpvlanPort) -> None:
        """ipvlan_xmit_mode_l2()."""
        assert skb.eth is not None
        destination = skb.eth.destination
        if port.flag != "vepa" and destination == skb.eth.source:
            slave = port.lookup(skb, True)
            if slave is None:
                cross_namespace(skb, self, self.lower)
                netif_rx(self.lower, skb)
            elif port.flag == "private":
                skb.drop("NOT_SPECIFIED", self)
            else:
                port.deliver(slave, skb)
            return
        if destination >> 40 & 1:
            port.multicast(skb, self)
        cross_namespace(skb, self, self.lower)
        self.lower.queue_xmit(skb)

    def _xmit_l3(self, skb: SkBuff, port: IpvlanPort) -> None:
        """ipvlan_xmit_mode_l3() and ipvlan_process_outbound()."""
        slave = port.lookup(skb, True) if port.flag != "vepa" else None
        if slave is not None:
            if port.flag == "private":
                skb.drop("NOT_SPECIFIED", self)
            else:
                port.deliver(slave, skb)
            return
        destination = getattr(skb.network, "destination", None)
        if skb.ethertype != ETH_P_IP or destination is None or destination.is_multicast:
            if destination is not None and destination.family == 6 and not destination.is_multicast:
                self._out6(skb)
                return
            skb.drop("UNHANDLED_PROTO", self)
            return
        from kubenet_course.kernel.inet.ip_output import ip_local_out
        from kubenet_course.kernel.inet.route import ip_route_output

        network = skb.network
        cross_namespace(skb, self, self.lower)
        try:
            rt = ip_route_output(
                self.lower.net, destination, network.source, oif=self.lower, mark=skb.mark, tos=network.tos, any_source=True
            )
        except KernelError:
            skb.drop("IP_OUTNOROUTES", self)
            return
        skb.eth = None
        skb.dst = rt
        skb.in_dev = None
        ip_local_out(self.lower.net, skb)

    def _out6(self, skb: SkBuff) -> None:
        """ipvlan_process_v6_outbound()."""
        from kubenet_course.kernel.inet6.output import ip6_local_out
        from kubenet_course.kernel.inet6.route import ip6_route_output

        network = skb.network
        cross_namespace(skb, self, self.lower)
        try:
            rt = ip6_route_output(
                self.lower.net, network.destination, network.source, oif=self.lower, mark=skb.mark
            )
        except KernelError:
            skb.drop("IP_OUTNOROUTES", self)
            return
        skb.eth = None
        skb.dst = rt
        skb.in_dev = None
        ip6_local_out(self.lower.net, skb)
