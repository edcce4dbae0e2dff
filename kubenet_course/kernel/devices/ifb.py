"""The intermediate functional block (drivers/net/ifb.c): a queue that ingress packets can be led through.

``tc filter … action mirred egress redirect dev ifb0`` sends a packet here; after this device's queueing
discipline it goes on where it was taken from: into the stack, or out of its device.
"""

from __future__ import annotations

from kubenet_course.kernel.devices._plain import PlainDevice
from kubenet_course.kernel.devices.base import receive_core
from kubenet_course.kernel.skbuff import SkBuff


class Ifb(PlainDevice):
    """What comes in by redirection goes on from where it was taken; anything else ends here."""

    kind = "ifb"
    qlen = 32
    tso_max_size = 524280
    default_qdisc = "pfifo_fast"

    def xmit(self, skb: SkBuff) -> None:
        """ifb_xmit() and ifb_ri_tasklet(); what was not redirected here is dropped."""
        origin = (skb.cb or {}).get("redirected")
        self.rx_packets += 1
        self.rx_bytes += skb.len + 14
        if origin is None:
            self.rx_dropped += 1
            skb.drop("NOT_SPECIFIED", self)
            return
        assert skb.cb is not None
        dev, ingress = origin
        del skb.cb["redirected"]
        self.tx_packets += 1
        self.tx_bytes += skb.len + 14
        skb.cb["tc_skip_classify"] = True
        if ingress:
            receive_core(dev, skb)
        else:
            dev.queue_xmit(skb)
