"""Several Ethernet devices with MAC addresses of their own on one lower device (drivers/net/macvlan.c).

    private    no packet from one macvlan to another of the same lower device
    vepa       they reach each other only by way of a switch outside that sends packets back (default)
    bridge     they reach each other directly
    passthru   one macvlan alone, with the lower device's own address
    source     only packets from listed source addresses come in

The host itself (the lower device) and its macvlans never reach each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import cross_namespace, need_link, refuse_open, transfer_operstate
from kubenet_course.kernel.devices.base import NetDevice, netif_receive, netif_rx
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

MODES = ("private", "vepa", "bridge", "passthru", "source")
#: Kinds that filter several addresses themselves (IFF_UNICAST_FLT).
UNICAST_FILTERS = ("macvlan", "ipvlan", "vlan")


class MacvlanPort:
    """struct macvlan_port: the lower device's side; its rx_handler."""

    def __init__(self, dev: NetDevice):
        self.dev = dev
        self.vlans: list[Macvlan] = []
        self.promiscuous = False
        dev.rx_handler = self.handle_frame

    @classmethod
    def of(cls, dev: NetDevice) -> MacvlanPort | None:
        owner = getattr(dev.rx_handler, "__self__", None)
        return owner if isinstance(owner, cls) else None

    @property
    def passthru(self) -> bool:
        return any(vlan.mode == "passthru" for vlan in self.vlans)

    def lookup(self, mac: int) -> Macvlan | None:
        """macvlan_hash_lookup(): only devices that are up are in the hash."""
        for vlan in self.vlans:
            if vlan.mac == mac and vlan.up:
                return vlan
        return None

    def handle_frame(self, skb: SkBuff) -> SkBuff | None:
        """macvlan_handle_frame()."""
        assert skb.eth is not None
        destination, source = skb.eth.destination, skb.eth.source
        if destination >> 40 & 1:
            sender = self.lookup(source)
            if sender is not None and sender.mode not in ("vepa", "bridge"):
                skb.consume(self.dev)
                return None
            if sender is None:
                self.broadcast(skb, None, ("private", "vepa", "passthru", "bridge"))
            elif sender.mode == "vepa":
                self.broadcast(skb, sender, ("vepa", "bridge"))
            else:
                self.broadcast(skb, sender, ("vepa",))
            return skb
        vlan = self.vlans[0] if self.passthru and self.vlans else self.lookup(destination)
        if vlan is None or vlan.mode == "source":
            return skb
        if not vlan.up:
            skb.drop("DEV_READY", vlan)
            return None
        cross_namespace(skb, self.dev, vlan)
        netif_receive(vlan, skb)
        return None

    def broadcast(self, skb: SkBuff, sender: Macvlan | None, modes: tuple[str, ...]) -> None:
        """macvlan_broadcast(): a copy to every macvlan of these modes."""
        for vlan in self.vlans:
            if vlan is not sender and vlan.mode in modes and vlan.up:
                twin = skb.clone(vlan.net.loop)
                cross_namespace(twin, self.dev, vlan)
                netif_rx(vlan, twin)

    def filter_addresses(self) -> None:
        """__dev_set_rx_mode(): a device that cannot filter several addresses is promiscuous while it has them."""
        if self.dev.kind in UNICAST_FILTERS:
            return
        wanted = any(vlan.up and vlan.mode != "passthru" for vlan in self.vlans)
        self.dev.promiscuity += wanted - self.promiscuous
        self.promiscuous = wanted

    def release(self, vlan: Macvlan) -> None:
        self.vlans.remove(vlan)
        self.filter_addresses()
        if not self.vlans:
            self.dev.rx_handler = None


class Macvlan(NetDevice):
    """A device on a lower one with a MAC address of its own (drivers/net/macvlan.c)."""

    kind = "macvlan"
    can_proto_down = True

    def __init__(
        self, net: NetNamespace, name: str, lower: NetDevice, mode: str, mac: MacAddress | None = None
    ):
        super().__init__(net, name, mac)
        self.lower = lower
        self.mode = mode
        self.promisc_off = False
        self.port_: MacvlanPort | None = None
        self.mtu = lower.mtu
        self.max_mtu = lower.max_mtu  # type: ignore[misc]
        self.tso_max_size = lower.tso_max_size
        self.carrier = lower.carrier
        if mode == "passthru":
            self.mac = lower.mac

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Macvlan:
        """macvlan_common_newlink()."""
        lower = need_link(link)
        if isinstance(lower, Macvlan):
            lower = lower.lower
        mode = attrs.get("mode", "vepa")
        if lower.is_loopback or lower.link_type != "ether":
            raise KernelError(errno.EINVAL)
        port = MacvlanPort.of(lower)
        if port is None and lower.rx_handler is not None:
            raise KernelError(errno.EBUSY)
        if port is not None and (port.passthru or mode == "passthru"):
            raise KernelError(errno.EINVAL)
        dev = cls(net, name, lower, mode, mac)
        dev.promisc_off = attrs.get("nopromisc", False)
        return dev

    def registered(self) -> None:
        if self.port_ is not None:
            return
        self.port_ = MacvlanPort.of(self.lower) or MacvlanPort(self.lower)
        self.port_.vlans.append(self)
        self.lower.uppers.append(self)
        if self.mode == "passthru" and not self.promisc_off:
            self.lower.promiscuity += 1
        transfer_operstate(self.lower, self)
        self.rfc2863_policy()

    def changelink(self, attrs: dict[str, Any]) -> None:
        """macvlan_changelink(): any mode but passthru, either way."""
        mode = attrs.get("mode", self.mode)
        if mode != self.mode and "passthru" in (mode, self.mode):
            raise KernelError(errno.EINVAL)
        self.mode = mode

    def info(self) -> dict[str, Any]:
        data: dict[str, Any] = {"mode": self.mode}
        if self.promisc_off:
            data["nopromisc"] = True
        data["bcqueuelen"] = data["usedbcqueuelen"] = 1000
        return data

    def iflink(self) -> tuple[NetNamespace, int] | None:
        return self.lower.net, self.lower.ifindex

    def opened(self) -> None:
        """macvlan_open(): refuses an address that is in use on the same lower device."""
        assert self.port_ is not None
        busy = self.lower.mac == self.mac or any(
            vlan is not self and vlan.up and vlan.mac == self.mac for vlan in self.port_.vlans
        )
        if busy and self.mode != "passthru":
            refuse_open(self, errno.EADDRINUSE)
            return
        self.port_.filter_addresses()

    def stopped(self) -> None:
        """macvlan_stop()."""
        if self.port_ is not None:
            self.port_.filter_addresses()

    def lower_changed(self, lower: NetDevice) -> None:
        transfer_operstate(lower, self)

    def lower_mtu_changed(self, lower: NetDevice) -> None:
        if self.mtu > lower.mtu:
            super().set_mtu(lower.mtu)

    def set_mtu(self, mtu: int) -> None:
        """macvlan_change_mtu()."""
        if self.lower.mtu < mtu <= self.max_mtu:
            raise KernelError(errno.EINVAL)
        super().set_mtu(mtu)

    def set_mac(self, mac: MacAddress) -> None:
        """macvlan_set_mac_address()."""
        if self.up and self.port_ is not None and self.mode != "passthru":
            if mac == self.lower.mac or any(
                v is not self and v.up and v.mac == mac for v in self.port_.vlans
            ):
                raise KernelError(errno.EADDRINUSE)
        super().set_mac(mac)

    def unregistering(self) -> None:
        if self.port_ is not None:
            self.port_.release(self)
        if self in self.lower.uppers:
            self.lower.uppers.remove(self)
        if self.mode == "passthru" and not self.promisc_off:
            self.lower.promiscuity -= 1

    def xmit(self, skb: SkBuff) -> None:
        """macvlan_queue_xmit()."""
        assert skb.eth is not None and self.port_ is not None
        self.count_tx(skb)
        if self.mode == "bridge":
            destination = skb.eth.destination
            if destination >> 40 & 1:
                self.port_.broadcast(skb, self, ("bridge",))
            else:
                other = self.port_.lookup(destination)
                if other is not None and other.mode == "bridge":
                    cross_namespace(skb, self, self.lower)
                    netif_rx(self.lower, skb)
                    return
        cross_namespace(skb, self, self.lower)
        self.lower.queue_xmit(skb)
