"""IPv6 of one namespace: addresses, tables, rules and the protocols above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet.fib import RT_TABLE_LOCAL, RT_TABLE_MAIN, FibRules, FibTable

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class Inet6State:
    def __init__(self, net: NetNamespace):
        self.net = net
        self.tables = {number: FibTable(number, 128) for number in (RT_TABLE_LOCAL, RT_TABLE_MAIN)}
        self.rules = FibRules(128)
        self.addresses: dict[NetDevice, list[Any]] = {}
        self.locals: dict[int, int] = {}

    def receive(self, skb: SkBuff) -> None:
        skb.drop("IPV6DISABLED", skb.in_dev)

    def is_local(self, address: int) -> bool:
        return address in self.locals or address == 1

    def sysctl_changed(self, path: tuple[str, ...]) -> None: ...

    def device_added(self, dev: NetDevice) -> None:
        self.addresses[dev] = []

    def device_removed(self, dev: NetDevice) -> None:
        self.addresses.pop(dev, None)

    def device_renamed(self, dev: NetDevice, old: str) -> None: ...

    def device_up(self, dev: NetDevice) -> None: ...

    def device_down(self, dev: NetDevice) -> None: ...

    def carrier_changed(self, dev: NetDevice) -> None: ...

    def mtu_changed(self, dev: NetDevice) -> None: ...

    def device_enslaved(self, dev: NetDevice) -> None: ...
