"""Open vSwitch's own devices (net/openvswitch/vport-internal_dev.c): ``ovs-system``, each bridge's,
and internal ports.

They are made and deleted with `ovs-vsctl`, never with ``ip link``. What a program sends out of one comes in
at the
bridge's port of that name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class OvsSlave:
    """A port of the datapath, for ``ip -d link``: it has no settings there."""

    def info(self) -> dict[str, Any]:
        return {}

    def change(self, attrs: dict[str, Any]) -> None:
        raise KernelError(95)


class OvsInternal(NetDevice):
    """`port` is its port on a bridge, None for ``ovs-system``."""

    kind = "openvswitch"

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.bridge_port: Any = None
        self.promiscuity = 1

    def release_port(self, dev: NetDevice) -> None:
        """A device leaves the datapath (it is deleted or moved away)."""
        dev.master = None
        dev.port = None
        dev.rx_handler = None
        dev.promiscuity -= 1
        owner = getattr(dev, "ovs_port", None)
        if owner is not None:
            owner.device_gone()

    def xmit(self, skb: SkBuff) -> None:
        """internal_dev_xmit()."""
        self.count_tx(skb)
        if self.bridge_port is None:
            skb.drop("DEV_READY", self)
            return
        skb.dst = None
        self.bridge_port.bridge.receive(self.bridge_port, skb)
