"""Rules on a device's way in, before any protocol sees the frame (nf_ingress(), net/core/dev.c).

A device without such a chain has None in `nf_ingress`, and that is all it costs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netfilter.hooks import HookFunction
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class Ingress:
    """The chains of one device, by priority."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, HookFunction]] = []

    def passes(self, skb: SkBuff, dev: NetDevice) -> bool:
        return all(function(dev.net, 0, skb, dev, None) for _, function in self.entries)


def hook_in(net: NetNamespace, names: list[str], priority: int, function: HookFunction) -> None:
    """nft_netdev_register_hooks()."""
    for name in names:
        dev = net.devices.get(name)
        if dev is None:
            continue
        if dev.nf_ingress is None:
            dev.nf_ingress = Ingress()
        dev.nf_ingress.entries.insert(0, (priority, function))
        dev.nf_ingress.entries.sort(key=lambda entry: entry[0])


def hook_out(net: NetNamespace, function: HookFunction) -> None:
    for dev in net.devices.values():
        if dev.nf_ingress is not None:
            dev.nf_ingress.entries = [entry for entry in dev.nf_ingress.entries if entry[1] is not function]
            if not dev.nf_ingress.entries:
                dev.nf_ingress = None
