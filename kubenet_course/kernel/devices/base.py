"""What every network device is and does (struct net_device, net/core/dev.c).

A device kind is one file in this folder with a subclass of `NetDevice`:

    kind            the word in ``ip link add … type KIND``, or None where it cannot be made so
    newlink(net, name, attrs, link, mac)   a class method: make it in `net`, not yet registered (`new_link` of
                    kernel/rtnetlink.py does that); `attrs` are what `parse` of userland/commands/ip/kinds/KIND.py
                    returned, `link` the device after ``link``, `mac` None for a random one; raises KernelError
    registered()    it has its index now
    changelink(attrs)   ``ip link set DEV type KIND …``
    xmit(skb)       a frame leaves (ndo_start_xmit)
    info()          the kind's data for ``ip -d link``, with the keys and in the order of ``ip -d -j``

A frame comes in through `netif_receive(dev, skb)`:

    packet sockets and tcpdump → rx_handler (bridge, macvlan, …) → ip_rcv / arp_rcv / ipv6_rcv

Length: what all kinds share, and a frame's way in and out, in one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.skbuff import (
    PACKET_BROADCAST,
    PACKET_HOST,
    PACKET_MULTICAST,
    PACKET_OTHERHOST,
    PACKET_OUTGOING,
    SkBuff,
)
from kubenet_course.wire.addresses import BROADCAST_MAC, MacAddress
from kubenet_course.wire.ethernet import ETH_P_ARP, ETH_P_IP, ETH_P_IPV6

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class NetDevice:
    """One interface. Counters are as in `ip -s link`: bytes count the Ethernet header."""

    kind: ClassVar[str | None] = None
    default_mtu: ClassVar[int] = 1500
    min_mtu: ClassVar[int] = 68
    max_mtu: ClassVar[int] = 65535
    qlen = 1000
    default_qdisc: ClassVar[str] = "noqueue"
    is_loopback: ClassVar[bool] = False
    #: What `ip -d link` tells of queues and offloads.
    num_tx_queues = 1
    num_rx_queues = 1
    tso_max_size = 65536
    gso_max_size = 65536
    gso_max_segs = 65535
    gro_max_size = 65536
    noarp = False
    pointopoint = False
    #: Whether `link/…` shows ``brd``; flag words of its own.
    has_broadcast = True
    link_type: ClassVar[str] = "ether"
    #: What a spanning tree counts for it (from its speed), and whether bridges may not have it.
    path_cost: ClassVar[int] = 100
    dont_bridge: ClassVar[bool] = False
    header_length = 14

    # What most devices never change lives here: a device with few attributes of its own is smaller and quicker to reach.
    mac_set = False
    perm_mac: MacAddress | None = None
    promiscuity = allmulti = 0
    promisc_user = allmulti_user = False
    multicast = True
    dynamic = notrailers = proto_down = can_proto_down = False
    linkmode = "DEFAULT"
    addrgenmode = "eui64"
    vlan_devices: dict[int, NetDevice] | None = None
    #: Link-layer groups added by hand (``ip maddr add``).
    static_groups: tuple[MacAddress, ...] = ()
    #: Further unicast addresses that the device takes (``bridge fdb add … self``).
    unicast_macs: tuple[MacAddress, ...] = ()
    alias = ""
    altnames: tuple[str, ...] = ()
    group = 0
    rx_dropped = rx_errors = rx_multicast = 0
    tx_dropped = tx_errors = 0
    collisions = tx_carrier_errors = 0

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        self.net = net
        self.name = name
        self.ifindex = 0
        if mac is not None:
            self.mac_set = True
        self.mac = mac if mac is not None else net.host.random_mac()
        self.broadcast = BROADCAST_MAC
        self.mtu = self.default_mtu
        self.up = False
        self.carrier = True
        self.stored_operstate = "UNKNOWN"
        #: A queueing discipline has been attached: it was up once in this namespace (dev_activate()).
        self.activated = False
        self.master: NetDevice | None = None
        self.port: Any = None
        self.rx_handler: Callable[[SkBuff], SkBuff | None] | None = None
        self.uppers: list[NetDevice] = []
        self.qdisc: Any = None
        self.ingress: Any = None
        self.nf_ingress: Any = None
        self.nf_egress: Any = None
        self.taps: list[Any] = []
        self.carrier_changes = 0
        self.rx_packets = self.rx_bytes = 0
        self.tx_packets = self.tx_bytes = 0

    # -- what a kind overrides --------------------------------------------------------------
    def xmit(self, skb: SkBuff) -> None:
        """ndo_start_xmit(): send the frame `skb` (its `eth` is set) out of this device."""
        raise NotImplementedError

    def opened(self) -> None:
        """ndo_open(): it has just been set up."""

    def stopped(self) -> None:
        """ndo_stop(): it has just been set down."""

    def unregistering(self) -> None:
        """ndo_uninit(): free what the kind holds; it is down."""

    def moved(self, old: NetNamespace) -> None:
        """It has moved from the namespace `old` to `self.net`."""

    def iflink(self) -> tuple[NetNamespace, int] | None:
        """The lower or peer device as (namespace, ifindex): the part after @ in `ip link`."""
        return None

    def info(self) -> dict[str, Any]:
        """The kind's own settings, in iproute2's JSON words."""
        return {}

    def can_move(self) -> bool:
        """False for NETIF_F_NETNS_LOCAL devices (lo)."""
        return True

    @property
    def ll_address(self) -> str:
        """The link-layer address as `ip link` writes it (a tunnel has an IP address here)."""
        return str(self.mac)

    @property
    def ll_broadcast(self) -> str:
        return str(self.broadcast)

    # -- state ------------------------------------------------------------------------------
    @property
    def running(self) -> bool:
        return self.up and self.carrier

    @property
    def operstate(self) -> str:
        """RFC 2863 state as `ip link` names it: DOWN while the device is not up."""
        return self.stored_operstate if self.up else "DOWN"

    def rfc2863_policy(self) -> None:
        """net/core/link_watch.c: default_operstate(), taken when the carrier changes and kept until it changes again.

        Without carrier it is LOWERLAYERDOWN where the peer or lower device is in the same namespace and has none.
        """
        if self.carrier:
            self.stored_operstate = "UP"
            return
        self.stored_operstate = "DOWN"
        link = self.iflink()
        if link is not None and link[1] != self.ifindex:  # the number alone, whatever its namespace
            lower = self.net.by_index.get(link[1])
            if lower is not None and not lower.carrier:
                self.stored_operstate = "LOWERLAYERDOWN"

    @property
    def qdisc_name(self) -> str:
        """The root queueing discipline: noop until the device was up once in this namespace."""
        if self.qdisc is not None:
            return str(self.qdisc.kind)
        return self.default_qdisc if self.activated else "noop"

    @property
    def flags(self) -> list[str]:
        """Flag words in the order `ip link` prints them."""
        words = []
        if self.up and self.stored_operstate not in ("UP", "UNKNOWN"):
            words.append("NO-CARRIER")
        words += ["LOOPBACK"] if self.is_loopback else []
        words += ["BROADCAST"] if self.has_broadcast and not self.is_loopback and not self.pointopoint else []
        words += ["POINTOPOINT"] if self.pointopoint else []
        words += ["MULTICAST"] if self.multicast and not self.is_loopback else []
        words += ["NOARP"] if self.noarp else []
        words += ["ALLMULTI"] if self.allmulti_user else []
        words += ["PROMISC"] if self.promisc_user else []
        words += ["MASTER"] if getattr(self, "is_bond", False) else []
        words += ["DYNAMIC"] if self.dynamic else []
        words += ["NOTRAILERS"] if self.notrailers else []
        if self.up:
            words.append("UP")
            if self.carrier:
                words.append("LOWER_UP")
        link = self.iflink()
        if link is not None and link[0] is self.net:
            lower = self.net.by_index.get(link[1])
            if lower is not None and not lower.up:
                words.append("M-DOWN")
        return words

    def registered(self) -> None:
        """register_netdevice() is done: the index is known (linkwatch_init_dev())."""
        if not self.carrier:
            self.rfc2863_policy()

    def set_up(self) -> None:
        """dev_open(); nothing happens where it is up already."""
        if self.up:
            return
        self.up = True
        self.activated = True
        before = self.stored_operstate
        self.opened()
        if self.net.rtnl_listeners:
            # rtmsg_ifinfo() in dev_open(): the state follows later, with linkwatch.
            after, self.stored_operstate = self.stored_operstate, before
            self.net.rtnl_notify("link", self)
            self.stored_operstate = after
        self.net.ipv4.device_up(self)
        self.net.ipv6.device_up(self)
        self._notify_uppers()
        self.linkwatch()

    def set_down(self) -> None:
        """dev_close(): routes and neighbours of the device go."""
        if not self.up:
            return
        self.up = False
        self.stopped()
        if self.net.rtnl_listeners:
            self.net.rtnl_notify("link", self)
        self.net.netfilter.device_down(self)
        self.net.ipv4.device_down(self)
        self.net.ipv6.device_down(self)
        self.net.arp.flush_device(self)
        self.net.nd.flush_device(self)
        self._notify_uppers()
        self.linkwatch()

    def linkwatch(self) -> None:
        """linkwatch_event(): what other devices learn of this one's carrier, when its own opening or closing is over."""

    def set_carrier(self, on: bool) -> None:
        """netif_carrier_on() / _off(), and what follows from it."""
        if self.carrier == on:
            return
        self.carrier = on
        self.carrier_changes += 1
        self.rfc2863_policy()
        if not self.up:
            return
        if self.net.rtnl_listeners:
            self.net.rtnl_notify("link", self)
        self.net.ipv4.carrier_changed(self)
        self.net.ipv6.carrier_changed(self)
        if not on and self.net.sysctl.conf("ipv4", self.name, "arp_evict_nocarrier"):
            self.net.arp.flush_device(self, keep_permanent=True)
        if not on:
            self.net.nd.flush_device(self, keep_permanent=True)
        self._notify_uppers()

    def _notify_uppers(self) -> None:
        """NETDEV_UP, _DOWN and _CHANGE for devices on top of this one."""
        if self.master is not None:
            changed = getattr(self.master, "port_changed", None)
            if changed is not None:
                changed(self)
        for upper in list(self.uppers):
            upper.lower_changed(self)

    def lower_changed(self, lower: NetDevice) -> None:
        """A device below went up, down or lost carrier: stacked kinds copy its carrier."""
        self.set_carrier(lower.up and lower.carrier)

    def lower_mtu_changed(self, lower: NetDevice) -> None:
        """NETDEV_CHANGEMTU of a device below."""

    def lower_mac_changed(self, lower: NetDevice) -> None:
        """NETDEV_CHANGEADDR of a device below."""

    # -- settings ---------------------------------------------------------------------------
    def set_mac(self, mac: MacAddress) -> None:
        """dev_set_mac_address(): KernelError(EADDRNOTAVAIL) for a new address that is a group's or zero."""
        if mac != self.mac and (mac.is_multicast or mac == 0):
            raise KernelError(errno.EADDRNOTAVAIL)
        self.mac = mac
        self.mac_set = True
        self.mac_changed()

    def mac_changed(self) -> None:
        self.net.arp.mac_changed(self)
        self.net.nd.mac_changed(self)
        self.net.ipv4.mac_changed(self)
        for upper in list(self.uppers):
            upper.lower_mac_changed(self)
        if self.master is not None:
            changed = getattr(self.master, "port_mac_changed", None)
            if changed is not None:
                changed(self)

    def begin_mtu(self, mtu: int) -> None:
        """The MTU that a new device was asked to have."""
        self.set_mtu(mtu)

    def set_mtu(self, mtu: int) -> None:
        """dev_set_mtu(): KernelError(EINVAL) with the kernel's sentence where it does not fit."""
        if mtu < self.min_mtu:
            raise KernelError(errno.EINVAL, "mtu less than device minimum")
        if self.max_mtu and mtu > self.max_mtu:
            raise KernelError(errno.EINVAL, "mtu greater than device maximum")
        if mtu == self.mtu:
            return
        self.mtu = mtu
        self.net.ipv4.mtu_changed(self)
        self.net.ipv6.mtu_changed(self)
        for upper in list(self.uppers):
            upper.lower_mtu_changed(self)
        if self.master is not None:
            changed = getattr(self.master, "port_mtu_changed", None)
            if changed is not None:
                changed(self)

    def change_net(self, net: NetNamespace, name: str | None = None) -> None:
        """__dev_change_net_namespace(): down, out, in; the index is kept where it is free."""
        if net is self.net and name is None:
            return
        wanted = name or self.name
        if wanted in net.devices:
            raise KernelError(errno.EEXIST)
        self.set_down()
        self.activated = False
        if self.master is not None:
            self.master.release_port(self)  # type: ignore[attr-defined]
        old = self.net
        old.remove_device(self)
        self.name = wanted
        net.add_device(self, self.ifindex)
        self.moved(old)

    def unregister(self) -> None:
        """unregister_netdevice(): gone for good, with the devices on top of it."""
        if self.net.by_index.get(self.ifindex) is not self:
            return
        for upper in list(self.uppers):
            upper.unregister()
        self.set_down()
        if self.master is not None:
            self.master.release_port(self)  # type: ignore[attr-defined]
        self.unregistering()
        self.net.remove_device(self)

    # -- packets ----------------------------------------------------------------------------
    def queue_xmit(self, skb: SkBuff) -> None:
        """dev_queue_xmit(): rules on the way out, taps, then the queueing discipline or the device itself."""
        skb.dev = self
        if skb.trace is not None:
            skb.trace.xmit(skb, self)
        if not self.up:
            self.tx_dropped += 1
            skb.drop("DEV_READY", self)
            return
        if self.nf_egress is not None and not self.nf_egress.passes(skb, self):
            return
        if self.taps or self.net.taps:
            deliver_taps(self, skb, PACKET_OUTGOING)
        if self.qdisc is not None:
            self.qdisc.enqueue(skb)
            return
        self.xmit(skb)

    def count_tx(self, skb: SkBuff) -> None:
        self.tx_packets += 1
        self.tx_bytes += skb.len + 14

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.ifindex}: {self.name}>"


def deliver_taps(dev: NetDevice, skb: SkBuff, pkt_type: int) -> None:
    """Show the frame to packet sockets (dev_queue_xmit_nit(), and ptype_all on input)."""
    for tap in (*dev.taps, *dev.net.taps):
        tap.packet(dev, skb, pkt_type)


def netif_rx(dev: NetDevice, skb: SkBuff) -> None:
    """A frame has arrived at `dev`: hand it to the softirq."""
    skb.dev = dev
    dev.net.loop._soon.append((netif_receive, (dev, skb)))


def netif_receive(dev: NetDevice, skb: SkBuff) -> None:
    """__netif_receive_skb_core(): taps, vlan, rx_handler, protocol."""
    if not dev.up:
        dev.rx_dropped += 1
        skb.drop("DEV_READY", dev)
        return
    dev.rx_packets += 1
    dev.rx_bytes += skb.len + 14
    eth = skb.eth
    if eth is not None:
        destination = eth[0]
        if destination == dev.mac:
            skb.pkt_type = PACKET_HOST
        elif not destination >> 40 & 1:
            skb.pkt_type = PACKET_OTHERHOST
        elif destination == dev.broadcast:
            skb.pkt_type = PACKET_BROADCAST
        else:
            skb.pkt_type = PACKET_MULTICAST
            dev.rx_multicast += 1
    skb.in_dev = dev
    if skb.trace is not None:
        skb.trace.receive(skb, dev)
    if dev.taps or dev.net.taps:
        deliver_taps(dev, skb, skb.pkt_type)
    receive_core(dev, skb)


def receive_core(dev: NetDevice, skb: SkBuff) -> None:
    """The part of __netif_receive_skb_core() after the taps; also for re-entry (another_round)."""
    skb.dev = dev
    if dev.ingress is not None and not dev.ingress.ingress(skb):
        return
    if dev.nf_ingress is not None and not dev.nf_ingress.passes(skb, dev):
        return
    tag = skb.vlan_tci
    if tag is not None and dev.vlan_devices is not None:
        vlan = dev.vlan_devices.get(tag & 0x10FFF)
        if vlan is not None:
            vlan.receive_tagged(skb)  # type: ignore[attr-defined]
            return
    if dev.rx_handler is not None:
        passed = dev.rx_handler(skb)
        if passed is None:
            return
        skb = passed
        tag = skb.vlan_tci
    if tag is not None and tag & 0xFFF:
        skb.drop("OTHERHOST", dev)
        return
    ethertype = skb.ethertype
    if ethertype == ETH_P_IP:
        dev.net.ipv4.receive(skb)
    elif ethertype == ETH_P_ARP:
        dev.net.ipv4.receive_arp(skb)
    elif ethertype == ETH_P_IPV6:
        dev.net.ipv6.receive(skb)
    else:
        dev.rx_dropped += 1
        skb.drop("UNHANDLED_PROTO", dev)
