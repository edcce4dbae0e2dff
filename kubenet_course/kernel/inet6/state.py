"""IPv6 of one namespace: addresses, groups, tables, rules, caches, and the protocols above.

This is where the rooms of IPv6 meet; the work is in `addrconf.py` (addresses, duplicate address
detection), `interface.py` (devices), `ra.py` (routers), `mcast.py` (groups), `ndisc.py` (neighbour
discovery), `route.py` (look-up), `fib_semantics.py` (`ip -6 route add`), `input.py`, `output.py`, `icmp.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.inet.fib import RT_TABLE_LOCAL, RT_TABLE_MAIN, FibRules, FibTable
from kubenet_course.kernel.inet.peer import InetPeers
from kubenet_course.kernel.inet6.addrlabel import AddressLabels

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet6.addrconf import Inet6Address
    from kubenet_course.kernel.inet6.device import Inet6Device
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class Inet6State:
    """`addresses[dev]` are a device's addresses in the order of `ip -6 addr`; `locals` counts each
    address that is this host's for good (not tentative), `anycasts` those of anycast groups;
    `devices[dev]` is the rest of what IPv6 keeps per device (struct inet6_dev)."""

    def __init__(self, net: NetNamespace):
        from kubenet_course.kernel.inet6 import fragment, input

        self.net = net
        self.tables: dict[int, FibTable] = {
            number: FibTable(number, 128) for number in (RT_TABLE_LOCAL, RT_TABLE_MAIN)
        }
        self.rules = FibRules(128)
        self.addresses: dict[NetDevice, list[Inet6Address]] = {}
        self.devices: dict[NetDevice, Inet6Device] = {}
        self.locals: dict[int, int] = {}
        self.anycasts: dict[int, int] = {}
        self.input_cache: dict[tuple, Any] = {}
        self.output_cache: dict[tuple, Any] = {}
        #: Routes that ask for a source were added (CONFIG_IPV6_SUBTREES).
        self.subtrees = False
        self.exceptions: dict[int, Any] = {}
        self.labels = AddressLabels()
        self.peers = InetPeers()
        #: Held while an ICMP message of ours is on its way out (icmp_xmit_lock()).
        self.icmp_sending = False
        #: net.ipv6.conf.all.forwarding: the one that lets packets through.
        self.forwarding = bool(net.sysctl.conf("ipv6", "all", "forwarding"))
        self.fragments = fragment.FragmentQueues6(net)
        self.next_fragment_id = net.host.random.getrandbits(32)
        #: Handlers of upper protocols by number, called as handler(net, skb).
        self.protocols: dict[int, Any] = input.default_protocols()
        self._ipv6_rcv = input.ipv6_rcv

    # -- packets ----------------------------------------------------------------------------
    def receive(self, skb: SkBuff) -> None:
        self._ipv6_rcv(self.net, skb)

    # -- tables -----------------------------------------------------------------------------
    def table(self, number: int) -> FibTable:
        """The table, made where it is new (fib6_new_table())."""
        if number not in self.tables:
            self.tables[number] = FibTable(number, 128)
        return self.tables[number]

    def flush_cache(self) -> None:
        """Something changed that routing decisions depend on."""
        self.input_cache.clear()
        self.output_cache.clear()

    def sysctl_changed(self, path: tuple[str, ...]) -> None:
        self.flush_cache()
        if path[1] == "ipv6" and path[2] == "conf":
            from kubenet_course.kernel.inet6 import interface

            interface.sysctl_changed(self.net, path[3], path[4])

    # -- addresses --------------------------------------------------------------------------
    def is_local(self, address: int, dev: NetDevice | None = None) -> bool:
        return address in self.locals

    def device_addresses(self, dev: NetDevice) -> list[Inet6Address]:
        return self.addresses.get(dev, [])

    def joined(self, dev: NetDevice, group: int) -> bool:
        """ipv6_chk_mcast_addr()."""
        state = self.devices.get(dev)
        return state is not None and group in state.groups

    # -- devices ----------------------------------------------------------------------------
    def device_added(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet6 import interface

        interface.device_added(self.net, dev)

    def device_removed(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet6 import fib_semantics, interface

        interface.device_down(self.net, dev, unregister=True)
        fib_semantics.flush_device(self.net, dev, unregister=True)
        self.addresses.pop(dev, None)
        self.devices.pop(dev, None)
        self.flush_cache()

    def device_renamed(self, dev: NetDevice, old: str) -> None:
        self.flush_cache()

    def device_up(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet6 import interface

        interface.device_up(self.net, dev)

    def device_down(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet6 import interface

        interface.device_down(self.net, dev)

    def carrier_changed(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet6 import interface

        interface.carrier_changed(self.net, dev)

    def mtu_changed(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet6 import interface

        interface.mtu_changed(self.net, dev)

    def device_enslaved(self, dev: NetDevice) -> None:
        """NETDEV_CHANGEUPPER: only a VRF would matter here."""
