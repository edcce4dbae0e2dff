"""What dummy_setup() and ifb_dev_setup() have in common: a device without a link, that needs nothing but a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class PlainDevice(NetDevice):
    """It does no ARP and takes no multicast (IFF_NOARP, ~IFF_MULTICAST), and has frames of any size."""

    min_mtu = 0
    max_mtu = 0
    noarp = True
    multicast = False

    @classmethod
    def newlink(
        cls, net: NetNamespace, name: str, attrs: dict[str, Any], link: NetDevice | None, mac: MacAddress | None
    ) -> Self:
        return cls(net, name, mac)
