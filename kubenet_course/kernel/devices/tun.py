"""TUN and TAP devices (drivers/net/tun.c): network devices whose wire is a program's file descriptor.

``ip tuntap add`` makes them persistent; until a program attaches they have no carrier, and what is
sent is dropped. `attach(function)` gives them one: it is called with every packet sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice, netif_rx
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import ZERO_MAC, MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class Tun(NetDevice):
    """`mode` is tun (IP packets) or tap (Ethernet frames)."""

    kind = "tun"
    default_qdisc = "pfifo_fast"

    def __init__(self, net: NetNamespace, name: str, mode: str, flags: dict[str, Any] | None = None):
        super().__init__(net, name, ZERO_MAC if mode == "tun" else None)
        self.mode = mode
        self.options: dict[str, Any] = flags or {}
        self.carrier = False
        self.reader: Callable[[SkBuff], object] | None = None
        if mode == "tun":
            self.noarp = True
            self.pointopoint = True
            self.qlen = 500
            self.link_type = "none"  # type: ignore[misc]
        else:
            self.max_mtu = 65521  # type: ignore[misc]
        if self.options.get("multi_queue"):
            self.num_tx_queues = self.num_rx_queues = 256

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Tun:
        """tun_validate()."""
        raise KernelError(errno.EOPNOTSUPP, "tun/tap creation via rtnetlink is not supported.")

    def registered(self) -> None:
        """Without a program the carrier was never on."""

    @property
    def flags(self) -> list[str]:
        """A device without carrier that was never told of one still says so when it is up."""
        words = super().flags
        if self.up and not self.carrier and "NO-CARRIER" not in words:
            words.insert(0, "NO-CARRIER")
        return words

    @property
    def operstate(self) -> str:
        return super().operstate if self.carrier else "DOWN"

    def info(self) -> dict[str, Any]:
        options = self.options
        data: dict[str, Any] = {
            "type": self.mode,
            "pi": options.get("pi", False),
            "vnet_hdr": options.get("vnet_hdr", False),
        }
        data["multi_queue"] = options.get("multi_queue", False)
        if options.get("multi_queue"):
            data["numqueues"] = data["numdisabled"] = 0
        data["persist"] = True
        for key in ("user", "group"):
            if key in options:
                data[key] = options[key]
        return data

    def attach(self, reader: Callable[[SkBuff], object] | None) -> None:
        """A program opens the device, or closes it (None)."""
        self.reader = reader
        self.set_carrier(reader is not None)

    def xmit(self, skb: SkBuff) -> None:
        """tun_net_xmit(): to the program, which must end the packet; dropped where there is none."""
        if self.reader is None:
            self.tx_dropped += 1
            skb.drop("DEV_READY", self)
            return
        self.tx_packets += 1
        self.tx_bytes += skb.len + (14 if self.mode == "tap" else 0)
        self.reader(skb)

    def write(self, skb: SkBuff) -> None:
        """The program writes a packet: it comes in here (tun_get_user())."""
        netif_rx(self, skb)
