"""A network namespace: its devices, addresses, routes, neighbours, sockets and rules.

Mirrors `struct net`. What a room needs of its own per namespace hangs here as an attribute made
in `NetNamespace.__init__`, so that two namespaces never share anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.inet.state import InetState
from kubenet_course.kernel.mib import IpMib
from kubenet_course.kernel.neighbour import NeighbourTable
from kubenet_course.kernel.sysctl import Sysctl

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.host import Host

IFNAMSIZ = 16


class NetNamespace:
    """`inode` is the number in ``net:[4026531840]``; `devices` is in order of ifindex."""

    def __init__(self, host: Host, inode: int):
        from kubenet_course.kernel.devices.loopback import Loopback
        from kubenet_course.kernel.inet6.state import Inet6State
        from kubenet_course.kernel.netfilter.hooks import Netfilter
        from kubenet_course.kernel.socket.state import SocketTables

        self.host = host
        self.loop = host.loop
        self.inode = inode
        self.devices: dict[str, NetDevice] = {}
        self.by_index: dict[int, NetDevice] = {}
        self.nsids: dict[NetNamespace, int] = {}
        self.taps: list[Any] = []
        self.sysctl = Sysctl(self)
        self.counters: dict[str, int] = {}
        self.mib4, self.mib6 = IpMib(), IpMib()
        self.netfilter = Netfilter(self)
        #: Hook functions by hook number, per family; an empty tuple costs one test per packet.
        self.nf4: list[tuple] = self.netfilter.hooks4
        self.nf6: list[tuple] = self.netfilter.hooks6
        self.ipv4 = InetState(self)
        self.ipv6 = Inet6State(self)
        self.arp = NeighbourTable(self, 4)
        self.nd = NeighbourTable(self, 6)
        self.sockets = SocketTables(self)
        self.rooms: dict[str, Any] = {}
        #: Called as (group, subject, deleted) after a change: `ip monitor` (rtnl_notify()).
        self.rtnl_listeners: list[Any] = []
        self.alive = True
        self._last_index = 0
        self.loopback = Loopback(self, "lo")
        self.add_device(self.loopback)

    # -- devices ----------------------------------------------------------------------------
    def add_device(self, dev: NetDevice, index: int = 0, *, tell: bool = True) -> None:
        """register_netdevice(): give it an index; KernelError(EEXIST) if its name is taken.

        `tell`: say so to listeners now (else its maker does, when it is complete).
        """
        if dev.name in self.devices:
            raise KernelError(errno.EEXIST)
        if index and index in self.by_index:
            index = 0
        if not index:
            # xa_alloc_cyclic(): the next after the last one given out here; one that was asked for does not count.
            index = self._last_index + 1
            while index in self.by_index:
                index += 1
            self._last_index = index
        in_order = not self.devices or index > next(reversed(self.devices.values())).ifindex
        dev.net = self
        dev.ifindex = index
        self.by_index[index] = dev
        self.devices[dev.name] = dev
        if not in_order:
            self._sort()
        self.sysctl.device_added(dev.name)
        self.ipv4.device_added(dev)
        self.ipv6.device_added(dev)
        dev.registered()
        if self.rtnl_listeners:
            self.rtnl_notify("netconf", (4, dev))
            self.rtnl_notify("netconf", (6, dev))
            if tell:
                self.rtnl_notify("link", dev)

    def remove_device(self, dev: NetDevice) -> None:
        """Take it out of the namespace (moved away or unregistered); it is down already."""
        self.ipv4.device_removed(dev)
        self.ipv6.device_removed(dev)
        if self.rtnl_listeners:
            self.rtnl_notify("netconf", (4, dev), True)
            self.rtnl_notify("netconf", (6, dev), True)
            self.rtnl_notify("link", dev, True)
        self.arp.flush_device(dev)
        self.nd.flush_device(dev)
        del self.devices[dev.name]
        del self.by_index[dev.ifindex]
        self.sysctl.device_removed(dev.name)

    def rename_device(self, dev: NetDevice, name: str) -> None:
        if name in self.devices:
            raise KernelError(errno.EEXIST)
        old = dev.name
        self.devices.pop(old)
        dev.name = name
        self.devices[name] = dev
        self._sort()
        if self.rtnl_listeners:
            self.rtnl_notify("link", dev)
        self.sysctl.device_renamed(old, name)
        self.ipv4.device_renamed(dev, old)
        self.ipv6.device_renamed(dev, old)

    def device(self, name: str) -> NetDevice:
        """By name; KernelError(ENODEV)."""
        try:
            return self.devices[name]
        except KeyError:
            raise KernelError(errno.ENODEV) from None

    def free_name(self, pattern: str) -> str:
        """dev_alloc_name(): ``veth%d`` with the lowest free number."""
        number = 0
        while pattern.replace("%d", str(number)) in self.devices:
            number += 1
        return pattern.replace("%d", str(number))

    def _sort(self) -> None:
        ordered = sorted(self.devices.values(), key=lambda dev: dev.ifindex)
        self.devices.clear()
        self.devices.update((dev.name, dev) for dev in ordered)

    # -- other namespaces -------------------------------------------------------------------
    def nsid_of(self, other: NetNamespace) -> int:
        """peernet2id_alloc(): this namespace's small number for another (link-netnsid)."""
        if other not in self.nsids:
            used = set(self.nsids.values())
            self.nsids[other] = next(number for number in range(len(used) + 1) if number not in used)
        return self.nsids[other]

    # -- notifications ----------------------------------------------------------------------
    def sysctl_changed(self, path: tuple[str, ...], value: str) -> None:
        """Something in /proc/sys/net was written; cached decisions are void."""
        self.ipv4.sysctl_changed(path)
        self.ipv6.sysctl_changed(path)

    def rtnl_notify(self, group: str, subject: Any, deleted: bool = False) -> None:
        """Tell who listens: group is link, address, route, neigh, rule, nexthop or netconf."""
        for listener in list(self.rtnl_listeners):
            listener(group, subject, deleted)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to an SNMP counter such as ``IpForwDatagrams`` (/proc/net/snmp)."""
        self.counters[name] = self.counters.get(name, 0) + amount

    def destroy(self) -> None:
        """cleanup_net(): the last reference is gone; virtual devices die with their peers."""
        self.alive = False
        for dev in list(self.devices.values()):
            if dev is not self.loopback:
                dev.unregister()
        self.sockets.close_all()
        for room in self.rooms.values():
            close = getattr(room, "close", None)
            if close is not None:
                close()
        self.host.netns_gone(self)

    def __repr__(self) -> str:
        return f"<NetNamespace net:[{self.inode}] of {self.host.hostname}>"
