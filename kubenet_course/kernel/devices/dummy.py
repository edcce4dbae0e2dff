"""A device that swallows what is sent to it (drivers/net/dummy.c): a place for addresses,
as kube-ipvs0 is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Dummy(NetDevice):
    """Its carrier is always on, its operational state UNKNOWN; it does no ARP."""

    kind = "dummy"
    min_mtu = 0
    max_mtu = 0

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.noarp = True
        self.multicast = False

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Dummy:
        return cls(net, name, mac)

    def xmit(self, skb: SkBuff) -> None:
        """dummy_xmit()."""
        self.count_tx(skb)
        skb.consume(self)
