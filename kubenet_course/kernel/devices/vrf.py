"""Virtual routing and forwarding (drivers/net/vrf.c): a device that stands for a routing table of its own.

Devices that have it as their master look up their routes in its table: their connected and local
routes move there, and the rule ``1000: from all lookup [l3mdev-table]`` finds it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice, netif_rx
from kubenet_course.kernel.inet import fib
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.wire.addresses import MacAddress
from kubenet_course.wire.ethernet import ETH_P_IP, ETH_P_IPV6
from kubenet_course.wire.icmpv6 import Icmpv6Header

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace

L3MDEV_PREFERENCE = 1000


class L3mdevRule(fib.FibRule):
    """``lookup [l3mdev-table]``: the table of the VRF that the packet's device belongs to."""

    __slots__ = ("net",)
    net: NetNamespace
    l3mdev = True

    def matches(self, key: fib.FlowKey) -> bool:
        for name in (key.oif, key.iif):
            table = l3mdev_table(self.net.devices.get(name))
            if table:
                self.table = table
                return True
        return False


def l3mdev_table(dev: NetDevice | None) -> int:
    """l3mdev_fib_table(): the table of a VRF or of its member, else 0."""
    if isinstance(dev, Vrf):
        return dev.table
    return dev.master.table if dev is not None and isinstance(dev.master, Vrf) else 0


def l3mdev_master(dev: NetDevice | None) -> Vrf | None:
    """l3mdev_master_ifindex(): the VRF that a device is, or belongs to."""
    if isinstance(dev, Vrf):
        return dev
    return dev.master if dev is not None and isinstance(dev.master, Vrf) else None


def bound_fits(net: NetNamespace, bound: NetDevice | None, skb: SkBuff | None, accept: str) -> bool:
    """inet_bound_dev_eq(): may a socket bound to `bound` have the packet, by the device it came by or that one's VRF?

    `accept` is the sysctl of net.ipv4 that lets sockets that are bound to nothing have packets of a VRF.
    """
    dev = skb.in_dev if skb is not None else None
    if not isinstance(dev, Vrf):
        return bound is None or bound is dev
    member = skb.cb.get("sdif") if skb is not None and skb.cb else None
    if bound is None:
        return member is None or bool(net.sysctl.get_int("net", "ipv4", accept))
    return bound is dev or bound is member


class VrfPort:
    """A member, for ``ip -d link``."""

    def __init__(self, vrf: Vrf):
        self.vrf = vrf

    def info(self) -> dict[str, Any]:
        return {"table": self.vrf.table}

    def change(self, attrs: dict[str, Any]) -> None:
        if attrs:
            raise KernelError(errno.EOPNOTSUPP)


class Vrf(NetDevice):
    """A device that gives those below it a routing table of their own (drivers/net/vrf.c)."""

    kind = "vrf"
    default_mtu = 65575
    min_mtu = 1280
    max_mtu = 65575
    has_broadcast = False
    is_bond = True

    def __init__(self, net: NetNamespace, name: str, table: int, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.table = table
        self.noarp = True
        self.multicast = False
        self.members: list[NetDevice] = []

    @classmethod
    def newlink(
        cls,
        net: NetNamespace,
        name: str,
        attrs: dict[str, Any],
        link: NetDevice | None,
        mac: MacAddress | None,
    ) -> Vrf:
        """vrf_newlink()."""
        if "table" not in attrs:
            raise KernelError(errno.EINVAL, "VRF table id is missing")
        if not attrs["table"]:
            raise KernelError(errno.EINVAL, "Invalid VRF table id")
        return cls(net, name, attrs["table"], mac)

    def registered(self) -> None:
        """vrf_add_fib_rules(): with the first VRF the rule comes, and stays."""
        self.rfc2863_policy()
        for rules in (self.net.ipv4.rules, self.net.ipv6.rules):
            if not any(isinstance(rule, L3mdevRule) for rule in rules.rules):
                rule = L3mdevRule(L3MDEV_PREFERENCE, protocol=fib.RTPROT_KERNEL)
                rule.net = self.net
                rules.add(rule)
        self.net.ipv4.table(self.table)
        self.net.ipv4.flush_cache()

    def can_move(self) -> bool:
        return False

    def info(self) -> dict[str, Any]:
        return {"table": self.table}

    # -- members ----------------------------------------------------------------------------
    def add_port(self, dev: NetDevice) -> None:
        """do_vrf_add_slave() and cycle_netdev()."""
        if dev.is_loopback:
            raise KernelError(errno.EOPNOTSUPP, "Can not enslave loopback device to a VRF")
        if isinstance(dev, Vrf) or dev.net is not self.net:
            raise KernelError(
                errno.EINVAL, "Can not enslave an L3 master device to a VRF" if isinstance(dev, Vrf) else ""
            )
        if dev.master is not None:
            raise KernelError(errno.EBUSY)
        was_up = dev.up
        dev.set_down()
        move_local_routes(self.net, dev, lambda: setattr(dev, "master", self))
        dev.port = VrfPort(self)
        self.members.append(dev)
        if dev.rx_handler is None:
            dev.rx_handler = self.handle_frame
        self.net.ipv4.flush_cache()
        if was_up:
            dev.set_up()

    def release_port(self, dev: NetDevice) -> None:
        """do_vrf_del_slave()."""
        if dev not in self.members:
            raise KernelError(errno.EINVAL)
        self.members.remove(dev)
        was_up = dev.up
        dev.set_down()
        if dev.rx_handler == self.handle_frame:
            dev.rx_handler = None
        move_local_routes(self.net, dev, lambda: setattr(dev, "master", None))
        dev.port = None
        self.net.ipv4.flush_cache()
        if was_up:
            dev.set_up()

    def unregistering(self) -> None:
        for dev in list(self.members):
            self.release_port(dev)

    # -- packets ----------------------------------------------------------------------------
    def handle_frame(self, skb: SkBuff) -> SkBuff | None:
        """vrf_ip_rcv(), vrf_ip6_rcv(): IP packets of a member come in at the VRF device, neighbour discovery does not."""
        if skb.ethertype in (ETH_P_IP, ETH_P_IPV6) and not _is_ndisc(skb):
            if not self.up:
                skb.drop("DEV_READY", self)
                return None
            skb.cb = {**(skb.cb or {}), "sdif": skb.in_dev}
            skb.in_dev = self
            self.rx_packets += 1
            self.rx_bytes += skb.len
        return skb

    def xmit(self, skb: SkBuff) -> None:
        """vrf_xmit(): what is sent to the VRF device itself comes back in (its own addresses)."""
        self.count_tx(skb)
        netif_rx(self, skb)


def _is_ndisc(skb: SkBuff) -> bool:
    """ipv6_ndisc_frame(), and what is for a link-local address or group of a member."""
    transport = skb.transport
    return isinstance(transport, Icmpv6Header) and 133 <= transport.type <= 137


def move_local_routes(net: NetNamespace, dev: NetDevice, change: Any) -> None:
    """The routes that come with a device's addresses leave one table and enter the other with `change`."""
    from kubenet_course.kernel.inet import devinet

    addresses = net.ipv4.addresses.get(dev, [])
    for address in addresses:
        devinet._remove_routes(net, dev, address)
    change()
    for address in addresses:
        devinet._add_routes(net, dev, address)
