"""IPv4 of one namespace: addresses, tables, rules, caches, and the protocols above.

This is where the rooms of IPv4 meet; the work is in `devinet.py` (addresses), `fib.py`,
`route.py` (look-up), `fib_semantics.py` (`ip route add`), `ip_input.py`, `ip_output.py`, `icmp.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from kubenet_course.kernel.devices.vrf import l3mdev_table
from kubenet_course.kernel.inet.fib import (
    LOCAL,
    RT_TABLE_DEFAULT,
    RT_TABLE_LOCAL,
    RT_TABLE_MAIN,
    FibRules,
    FibTable,
)
from kubenet_course.kernel.inet.nexthop import NexthopTable
from kubenet_course.kernel.inet.peer import InetPeers

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.inet.devinet import InetAddress
    from kubenet_course.kernel.inet.fib import FibRoute, NextHop
    from kubenet_course.kernel.netns import NetNamespace


class Forwarding(dict["NetDevice", bool]):
    """IN_DEV_FORWARD(): whether what comes in at a device may leave again; found out when first asked for."""

    def __init__(self, net: NetNamespace):
        super().__init__()
        self.net = net

    def __missing__(self, dev: NetDevice) -> bool:
        known = self[dev] = bool(self.net.sysctl.conf("ipv4", dev.name, "forwarding"))
        return known


class Arrival(NamedTuple):
    """What settings say about packets that come in at a device: IN_DEV_ROUTE_LOCALNET(), IN_DEV_RPFILTER(),
    IN_DEV_TX_REDIRECTS() by `all` or the device's own, IN_DEV_ACCEPT_LOCAL()."""

    route_localnet: bool
    rp_filter: int
    send_redirects: bool
    accept_local: bool


class Arrivals(dict["NetDevice", Arrival]):
    """By device, found out when first asked for."""

    def __init__(self, net: NetNamespace):
        super().__init__()
        self.net = net

    def __missing__(self, dev: NetDevice) -> Arrival:
        def either(key: str) -> int:
            return max(self.net.sysctl.conf("ipv4", "all", key), self.net.sysctl.conf("ipv4", dev.name, key))

        known = self[dev] = Arrival(
            bool(either("route_localnet")), either("rp_filter"), bool(either("send_redirects")), bool(either("accept_local"))
        )
        return known


class InetState:
    """`addresses[dev]` are a device's addresses in order; `locals` counts each local address."""

    def __init__(self, net: NetNamespace):
        from kubenet_course.kernel.inet import arp, fragment, ip_input

        self.net = net
        self.tables: dict[int, FibTable] = {
            number: FibTable(number, 32) for number in (RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT)
        }
        self.rules = FibRules(32)
        #: Somebody has added a route of type local (fib_has_custom_local_routes); stays so.
        self.custom_local_routes = False
        self.addresses: dict[NetDevice, list[InetAddress]] = {}
        self.locals: dict[int, int] = {}
        self.groups: dict[NetDevice, dict[int, int]] = {}
        self.input_cache: dict[tuple, Any] = {}
        self.output_cache: dict[tuple, Any] = {}
        self.forwarding = Forwarding(net)
        self.arrivals = Arrivals(net)
        self.exceptions: dict[int, Any] = {}
        self.peers = InetPeers()
        self.nexthops = NexthopTable(net)
        #: Held while an ICMP message of ours is on its way out (icmp_xmit_lock()).
        self.icmp_sending = False
        self.fragments = fragment.FragmentQueues(net, 4)
        self.next_id = net.host.random.getrandbits(16)
        #: Handlers of IP protocols by number, called as handler(net, skb); set by `protocols()`.
        self.protocols: dict[int, Any] = ip_input.default_protocols()
        #: A packet that came in, and an ARP packet: called with the skb.
        self.receive = partial(ip_input.ip_rcv, net)
        self.receive_arp = partial(arp.arp_rcv, net)

    # -- tables -----------------------------------------------------------------------------
    def table(self, number: int) -> FibTable:
        """The table, made where it is new (fib_new_table())."""
        if number not in self.tables:
            self.tables[number] = FibTable(number, 32)
        if number == RT_TABLE_LOCAL:
            self.tables[RT_TABLE_MAIN].created = True  # they share one trie until there are custom rules
        return self.tables[number]

    def lookup(
        self, number: int, address: int, *, oif: int = 0, scope: int = 0, tos: int = 0, ignore_linkdown: bool = False
    ) -> tuple[FibRoute, list[NextHop]] | None:
        """FibTable.lookup() in table `number`. Until there are rules of one's own, local and main are one trie
        (fib_trie_unmerge() comes with the first): the longer prefix wins, whichever of the two it is in."""
        table = self.tables.get(number)
        if table is None:
            return None
        found = table.lookup(address, oif=oif, scope=scope, tos=tos, ignore_linkdown=ignore_linkdown)
        if found is not None and number == RT_TABLE_LOCAL and found[0].prefix.prefixlen < 32 and not self.rules.custom:
            other = self.tables[RT_TABLE_MAIN].lookup(
                address, oif=oif, scope=scope, tos=tos, ignore_linkdown=ignore_linkdown
            )
            if other is not None and other[0].prefix.prefixlen > found[0].prefix.prefixlen:
                return other
        return found

    def flush_cache(self) -> None:
        """rt_cache_flush(): something changed that routes depend on."""
        self.input_cache.clear()
        self.output_cache.clear()
        self.forwarding.clear()
        self.arrivals.clear()

    def sysctl_changed(self, path: tuple[str, ...]) -> None:
        self.flush_cache()

    # -- addresses --------------------------------------------------------------------------
    def is_local(self, address: int, dev: NetDevice | None = None) -> bool:
        """inet_addr_type(): what table local says; an address whose route there was deleted is not this host's.

        `dev`: of the table of its VRF, where it is in one (inet_addr_type_dev_table()).
        """
        table = RT_TABLE_LOCAL
        if dev is not None and (dev.master is not None or dev.kind == "vrf"):
            table = l3mdev_table(dev) or RT_TABLE_LOCAL
        found = self.lookup(table, address)
        return found is not None and found[0].type == LOCAL

    def is_broadcast(self, address: int, dev: NetDevice) -> bool:
        """Whether `address` is a broadcast address on `dev`."""
        if address == 0xFFFFFFFF:
            return True
        return any(
            own.broadcast == address or (own.prefixlen < 31 and own.network.broadcast == address)
            for own in self.addresses.get(dev, ())
        )

    def device_addresses(self, dev: NetDevice) -> list[InetAddress]:
        return self.addresses.get(dev, [])

    def joined(self, dev: NetDevice, group: int) -> bool:
        return group == 0xE0000001 or group in self.groups.get(dev, {})

    # -- devices ----------------------------------------------------------------------------
    def device_added(self, dev: NetDevice) -> None:
        self.addresses[dev] = []
        self.groups[dev] = {}

    def device_removed(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet import devinet, fib_semantics

        while self.addresses.get(dev):
            devinet.address_remove(self.net, dev, self.addresses[dev][0])
        self.nexthops.device_gone(dev)
        fib_semantics.flush_device(self.net, dev, force=True)
        self.addresses.pop(dev, None)
        self.groups.pop(dev, None)
        self.flush_cache()

    def device_renamed(self, dev: NetDevice, old: str) -> None:
        """inetdev_changename(): the first address is labelled with the name, the others with it and what they had
        after a colon, or their number."""
        for number, address in enumerate(self.addresses.get(dev, ()), 1):
            _, colon, rest = address.label.partition(":")
            suffix = "" if number == 1 else f":{rest if colon else number}"
            address.label = dev.name[: 15 - len(suffix)] + suffix
        self.flush_cache()

    def mac_changed(self, dev: NetDevice) -> None:
        """NETDEV_CHANGEADDR: say so, where arp_notify is set."""
        if self.addresses.get(dev):
            from kubenet_course.kernel.inet import devinet

            devinet.announce(self.net, dev)

    def device_up(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet import devinet

        devinet.device_up(self.net, dev)

    def device_down(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet import fib_semantics

        self.nexthops.device_gone(dev)
        fib_semantics.flush_device(self.net, dev, force=False)
        self.flush_cache()

    def carrier_changed(self, dev: NetDevice) -> None:
        from kubenet_course.kernel.inet import fib_semantics

        if not dev.carrier:
            self.nexthops.device_gone(dev)
        fib_semantics.sync_linkdown(self.net, dev)
        self.flush_cache()

    def mtu_changed(self, dev: NetDevice) -> None:
        self.flush_cache()
