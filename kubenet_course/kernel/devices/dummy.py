"""A device that swallows what is sent to it (drivers/net/dummy.c): a place for addresses,
as kube-ipvs0 is."""

from __future__ import annotations

from kubenet_course.kernel.devices._plain import PlainDevice
from kubenet_course.kernel.skbuff import SkBuff


class Dummy(PlainDevice):
    """Its carrier is always on, its operational state UNKNOWN; it does no ARP."""

    kind = "dummy"

    def xmit(self, skb: SkBuff) -> None:
        """dummy_xmit()."""
        self.count_tx(skb)
        skb.consume(self)
