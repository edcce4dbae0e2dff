"""Rules on a device's way in, before any protocol sees the frame, and on its way out (nf_ingress(), nf_hook_egress()).

A device without such chains has None in `nf_ingress` and `nf_egress`, and that is all it costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netfilter.hooks import HookFunction
    from kubenet_course.kernel.netfilter.tables import Base
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class Ingress:
    """The chains of one device, by priority."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, HookFunction]] = []

    def passes(self, skb: SkBuff, dev: NetDevice) -> bool:
        return all(function(dev.net, INGRESS, skb, dev, None) for _, function in self.entries)


class Egress(Ingress):
    """On the way out the frame's 14 bytes of Ethernet are part of it."""

    def passes(self, skb: SkBuff, dev: NetDevice) -> bool:
        skb.len += ETHERNET
        for _, function in self.entries:
            if not function(dev.net, EGRESS, skb, None, dev):
                return False
        skb.len -= ETHERNET
        return True


INGRESS, EGRESS, ETHERNET = 0, 1, 14
SIDES = {INGRESS: ("nf_ingress", Ingress), EGRESS: ("nf_egress", Egress)}


def hook_in(net: NetNamespace, base: Base, function: HookFunction, hook: int) -> None:
    """nft_netdev_register_hooks()."""
    attribute, kind = SIDES[hook]
    for name in (base.device or "").split(","):
        dev = net.devices.get(name)
        if dev is None:
            continue
        chains = getattr(dev, attribute)
        if chains is None:
            chains = kind()
            setattr(dev, attribute, chains)
        chains.entries.insert(0, (base.priority, function))
        chains.entries.sort(key=lambda entry: entry[0])


def hook_out(net: NetNamespace, function: HookFunction) -> None:
    for dev in net.devices.values():
        for attribute, _ in SIDES.values():
            chains = getattr(dev, attribute)
            if chains is None:
                continue
            chains.entries = [entry for entry in chains.entries if entry[1] is not function]
            if not chains.entries:
                setattr(dev, attribute, None)
