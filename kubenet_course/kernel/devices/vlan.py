"""IEEE 802.1Q VLANs on top of a device (net/8021q/): ``eth0.10@eth0``.

What is sent leaves the lower device with a tag; what comes in there with this tag comes in here
without it. The carrier is the lower device's. Without loose binding the VLAN goes down and up with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._stack import cross_namespace, need_link, refuse_open, transfer_operstate
from kubenet_course.kernel.devices.base import NetDevice, netif_receive
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

FLAG_ORDER = ("REORDER_HDR", "GVRP", "LOOSE_BINDING", "MVRP", "BRIDGE_BINDING")
#: Bit 16 of `skb.vlan_tci` and of the keys of `vlan_devices`: the tag is an 802.1ad (service) tag.
SERVICE_TAG = 1 << 16


class Vlan(NetDevice):
    """`ingress_qos` maps the tag's priority to the packet's, `egress_qos` the other way."""

    kind = "vlan"
    min_mtu = 0

    def __init__(
        self, net: NetNamespace, name: str, lower: NetDevice, vid: int, mac: MacAddress | None = None
    ):
        super().__init__(net, name, mac if mac is not None else lower.mac)
        self.mac_set = mac is not None
        self.lower = lower
        self.vid = vid
        self.service = False
        self.settings = {"REORDER_HDR": True}
        self.ingress_qos: dict[int, int] = {}
        self.egress_qos: dict[int, int] = {}
        self.mtu = lower.mtu
        self.noarp = lower.noarp
        self.multicast = lower.multicast
        self.tso_max_size = lower.tso_max_size
        self.carrier = False
        self.lower_was_up = lower.up

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Vlan:
        """vlan_validate() and vlan_newlink()."""
        if not attrs:
            raise KernelError(errno.EINVAL, "8021q: VLAN properties not specified")
        vid = attrs.get("id")
        if vid is not None and not 0 <= vid < 4095:
            raise KernelError(errno.ERANGE, "8021q: Invalid VLAN id")
        if vid is None:
            raise KernelError(errno.EINVAL, "8021q: VLAN id not specified")
        lower = need_link(link, "8021q: link not specified")
        if lower.is_loopback:
            raise KernelError(errno.EOPNOTSUPP, "8021q: VLANs not supported on device")
        dev = cls(net, name, lower, vid, mac)
        dev.service = attrs.get("protocol") == "802.1ad"
        if lower.vlan_devices is not None and dev.key in lower.vlan_devices:
            raise KernelError(errno.EEXIST, "8021q: VLAN device already exists")
        dev.changelink(attrs)
        return dev

    @property
    def key(self) -> int:
        return self.vid | (SERVICE_TAG if self.service else 0)

    def registered(self) -> None:
        """register_vlan_dev()."""
        if self.lower.vlan_devices is None:
            self.lower.vlan_devices = {}
        if self.key in self.lower.vlan_devices:
            return
        self.lower.vlan_devices[self.key] = self
        self.lower.uppers.append(self)
        self.rfc2863_policy()
        transfer_operstate(self.lower, self)

    def changelink(self, attrs: dict[str, Any]) -> None:
        """vlan_changelink(): flags and priority maps; the identifier stays."""
        vid = attrs.get("id")
        if vid is not None and vid >= 4095:
            raise KernelError(errno.ERANGE, "8021q: Invalid VLAN id")
        self.settings.update(attrs.get("flags", {}))
        self.ingress_qos.update(attrs.get("ingress_qos", {}))
        for start, to in attrs.get("egress_qos", {}).items():
            self.egress_qos[start] = to

    def info(self) -> dict[str, Any]:
        data: dict[str, Any] = {"protocol": "802.1ad" if self.service else "802.1Q", "id": self.vid}
        data["flags"] = [word for word in FLAG_ORDER if self.settings.get(word)]
        for key, table in (("ingress_qos", self.ingress_qos), ("egress_qos", self.egress_qos)):
            if table:
                data[key] = [{"from": start, "to": to} for start, to in sorted(table.items())]
        return data

    def iflink(self) -> tuple[NetNamespace, int] | None:
        return self.lower.net, self.lower.ifindex

    def opened(self) -> None:
        """vlan_dev_open()."""
        if not self.lower.up and not self.settings.get("LOOSE_BINDING"):
            refuse_open(self, errno.ENETDOWN)

    def lower_changed(self, lower: NetDevice) -> None:
        """vlan_device_event(): NETDEV_UP, _DOWN and _CHANGE of the lower device."""
        loose = self.settings.get("LOOSE_BINDING")
        if not lower.up and not loose and self.up:
            self.set_down()
        elif lower.up and not loose and not self.up and not self.lower_was_up:
            self.set_up()
        self.lower_was_up = lower.up
        transfer_operstate(lower, self)

    def lower_mtu_changed(self, lower: NetDevice) -> None:
        if self.mtu > lower.mtu:
            super().set_mtu(lower.mtu)

    def set_mtu(self, mtu: int) -> None:
        """vlan_dev_change_mtu()."""
        if self.lower.mtu < mtu <= self.max_mtu:
            raise KernelError(errno.ERANGE)
        super().set_mtu(mtu)

    def unregistering(self) -> None:
        vlans = self.lower.vlan_devices
        if vlans is not None:
            vlans.pop(self.key, None)
        if self in self.lower.uppers:
            self.lower.uppers.remove(self)

    def xmit(self, skb: SkBuff) -> None:
        """vlan_dev_hard_start_xmit()."""
        self.count_tx(skb)
        if skb.vlan_tci is not None:
            skb.cb = {**(skb.cb or {}), "vlan_inner": (skb.vlan_tci, *(skb.cb or {}).get("vlan_inner", ()))}
        skb.vlan_tci = self.key | self.egress_qos.get(skb.priority, 0) << 13
        if self.lower.net is not self.net:
            cross_namespace(skb, self, self.lower)
        self.lower.queue_xmit(skb)

    def receive_tagged(self, skb: SkBuff) -> None:
        """vlan_do_receive(): the frame came in at the lower device with our tag."""
        assert skb.vlan_tci is not None
        skb.priority = self.ingress_qos.get(skb.vlan_tci >> 13 & 7, 0)
        inner = (skb.cb or {}).get("vlan_inner")
        if inner:
            assert skb.cb is not None
            skb.cb["vlan_inner"] = inner[1:]
        skb.vlan_tci = inner[0] if inner else None
        netif_receive(self, skb)
