"""The loopback device, `lo` (drivers/net/loopback.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.devices.base import NetDevice, netif_rx
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import ZERO_MAC

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Loopback(NetDevice):
    """Whatever is sent comes in again, its route kept (no second look-up)."""

    default_mtu = 65536
    max_mtu = 0
    min_mtu = 0
    is_loopback = True
    link_type = "loopback"
    tso_max_size = 524280

    def __init__(self, net: NetNamespace, name: str):
        super().__init__(net, name, ZERO_MAC)
        self.broadcast = ZERO_MAC

    def can_move(self) -> bool:
        return False

    def xmit(self, skb: SkBuff) -> None:
        self.count_tx(skb)
        netif_rx(self, skb)
