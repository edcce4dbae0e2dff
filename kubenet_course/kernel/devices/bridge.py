"""The Linux bridge: an Ethernet switch made of software (net/bridge/).

    frame in at a port → learn source → known unicast: that port
                                      → to the bridge's own MAC: the bridge device (local input)
                                      → broadcast, multicast, unknown: flood, and local input

The forwarding database ages entries after 300 s. STP is off by default: ports forward at once.
The forwarding database lives in `_bridge_fdb.py`, ports' settings in `_bridge_port.py`, VLAN filtering in
`_bridge_vlan.py`, the bridge's own settings in `_bridge_options.py`, bridge netfilter in `netfilter/bridge.py`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices import _bridge_options
from kubenet_course.kernel.devices._bridge_fdb import FdbEntry, ForwardingDatabase
from kubenet_course.kernel.devices._bridge_port import BridgePort
from kubenet_course.kernel.devices._bridge_vlan import VlanFilter
from kubenet_course.kernel.devices._shared import shared, xmit_shared
from kubenet_course.kernel.devices.base import NetDevice, netif_receive
from kubenet_course.kernel.netfilter.bridge import bridge_resolved, bridged
from kubenet_course.kernel.netfilter.bridge_flags import BRIDGE_DNAT
from kubenet_course.kernel.netfilter.hooks import link_hook
from kubenet_course.kernel.skbuff import PACKET_HOST, SkBuff
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices._bridge_mdb import MdbEntry
    from kubenet_course.kernel.netns import NetNamespace

__all__ = ["Bridge", "BridgePort", "FdbEntry"]

STATE, MAC, MTU = attrgetter("state"), attrgetter("mac"), attrgetter("mtu")


class Bridge(NetDevice, ForwardingDatabase, VlanFilter):
    """The bridge device; `ports` in the order they joined."""

    kind = "bridge"

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.mdb: list[MdbEntry] = []  # added by hand (`bridge mdb add`), the newest first
        self.ports: dict[NetDevice, BridgePort] = {}
        self.fdb: dict[tuple[int, int], FdbEntry] = {}
        self.ageing_time = 300 * SECOND
        self.forward_delay = 15 * SECOND
        self.hello_time = 2 * SECOND
        self.max_age = 20 * SECOND
        self.priority = 32768
        self.stp = False
        self.vlan_filtering = False
        self.vlan_default_pvid = 1
        self.mcast_snooping = True
        self.nf_call_iptables = False
        self.nf_call_ip6tables = False
        self.nf_call_arptables = False
        self.group_fwd_mask = 0
        self.vlans: dict[int, Any] = {}  # type: ignore[assignment]
        self.pvid = 0
        self.vlans_shown = False
        self.kept = dict(_bridge_options.KEPT)
        self.mtu_set = False
        #: The address part of the bridge's identifier: none until it has a port or was given an address.
        self.id_mac = MacAddress(0)
        self.opened_once = False
        self.had_ports = False
        self.highest_port = 0
        self.gc_started: int | None = None
        #: br_port_state_selection() has run: only a forwarding port gives carrier from then on.
        self.selected = False
        if mac is not None:
            self.id_mac = mac
            self.selected, self.carrier = True, False
            self.fdb_add_local(mac, None)

    @classmethod
    def newlink(
        cls, net: NetNamespace, name: str, attrs: dict[str, Any], link: NetDevice | None, mac: MacAddress | None
    ) -> Bridge:
        """br_dev_newlink()."""
        bridge = cls(net, name, mac)
        bridge.changelink(attrs)
        return bridge

    def changelink(self, attrs: dict[str, Any]) -> None:
        _bridge_options.change(self, attrs)

    def info(self) -> dict[str, Any]:
        return _bridge_options.info(self)

    def can_move(self) -> bool:
        return False

    # -- ports ------------------------------------------------------------------------------
    def add_port(self, dev: NetDevice) -> None:
        """br_add_if(): EINVAL for what is no Ethernet, ELOOP for a bridge, EBUSY for what has a master."""
        if dev.is_loopback or dev.net is not self.net or dev.link_type != "ether" or not dev.mac:
            raise KernelError(errno.EINVAL)
        if isinstance(dev, Bridge):
            raise KernelError(errno.ELOOP, "Can not enslave a bridge to a bridge")
        if dev.master is not None or dev.rx_handler is not None:
            raise KernelError(errno.EBUSY)
        if dev.dont_bridge:
            raise KernelError(errno.EOPNOTSUPP, "Device does not allow enslaving to a bridge")
        number = len(self.ports) + 1
        if self.highest_port != number - 1:  # else all up to the highest are taken
            used = {port.number for port in self.ports.values()}
            number = next(n for n in range(1, len(used) + 2) if n not in used)
        self.highest_port = max(self.highest_port, number)
        port = BridgePort(self, dev, number)
        self.ports[dev] = port
        self.had_ports = self.selected = True
        dev.master = self
        dev.port = port
        dev.rx_handler = self._handle_frame
        dev.promiscuity += 1
        dev.allmulti += 1
        if self.vlans_shown and self.vlan_default_pvid:
            self.vlan_add(port, self.vlan_default_pvid, pvid=True, untagged=True)
        self.fdb_add_local(dev.mac, port)
        self._recalculate()
        self.port_changed(dev)
        if self.up:
            # Before its first port is counted a bridge has lost its carrier for a moment.
            self.rfc2863_policy()
        self.net.ipv6.device_enslaved(dev)

    def release_port(self, dev: NetDevice) -> None:
        """br_del_if()."""
        port = self.ports.pop(dev, None)
        if port is None:
            raise KernelError(errno.EINVAL)
        self.mdb = [entry for entry in self.mdb if entry.dev is not dev]
        dev.master = None
        dev.port = None
        dev.rx_handler = None
        dev.promiscuity -= 1
        dev.allmulti -= 1
        port.state = "disabled"
        self.fdb_flush(port, everything=True)
        self._recalculate()
        self.update_carrier()

    def port_changed(self, dev: NetDevice) -> None:
        """A port went up, down or changed its carrier: its state, and ours, follow."""
        port = self.ports.get(dev)
        if port is None:
            return
        if not (dev.up and dev.carrier and self.up):
            port.state = "disabled"
            self.fdb_flush(port, everything=False)
        elif port.state == "disabled":
            self._enable(port)
        self.update_carrier()

    def _enable(self, port: BridgePort) -> None:
        """br_stp_enable_port(): with the spanning tree protocol it listens and learns first."""
        port.designated = (port.port_id, self.priority)
        port.state_ends = self.net.loop.now + self.forward_delay
        if not self.stp or not self.forward_delay:
            port.state = "forwarding"
            return
        port.state = "listening"
        self.net.loop.call_later(self.forward_delay, self._stp_advance, port)

    def _stp_advance(self, port: BridgePort) -> None:
        """br_forward_delay_timer_expired()."""
        following = {"listening": "learning", "learning": "forwarding"}.get(port.state)
        if following is None or port.state_ends > self.net.loop.now:
            return
        port.state = following
        if following == "learning":
            port.state_ends = self.net.loop.now + self.forward_delay
            self.net.loop.call_later(self.forward_delay, self._stp_advance, port)
        self.update_carrier()

    def set_stp(self, on: bool) -> None:
        """br_stp_set_enabled(): ports that forward already go on; br_port_state_selection() counts them."""
        if on == self.stp:
            return
        self.stp = on
        if on:
            # br_stp_start(): the protocol's limits hold from now on.
            self.forward_delay = min(max(self.forward_delay, 2 * SECOND), 30 * SECOND)
            self.select()

    def port_mac_changed(self, dev: NetDevice) -> None:
        """br_fdb_changeaddr()."""
        port = self.ports[dev]
        for old in {e.mac for e in self.fdb.values() if e.local and not e.by_user and e.port is port}:
            if old != dev.mac:
                self.fdb_delete_local(old, port)
        self.fdb_add_local(dev.mac, port)
        self._recalculate()

    def port_mtu_changed(self, dev: NetDevice) -> None:
        self._recalculate()

    def _recalculate(self) -> None:
        """br_stp_recalculate_bridge_id() and br_mtu_auto_adjust(): the lowest address and the lowest MTU."""
        if not self.mac_set:
            lowest = min(map(MAC, self.ports), default=MacAddress(0))
            if lowest != self.id_mac:
                self._set_own_mac(lowest)
        if not self.mtu_set:
            mtu = min(map(MTU, self.ports), default=1500)
            if mtu != self.mtu:
                self.mtu = mtu
                self.net.ipv4.mtu_changed(self)
                self.net.ipv6.mtu_changed(self)

    @property
    def tso_max_size(self) -> int:  # type: ignore[override]
        """br_set_gso_limits(): the least of the ports', once there was one."""
        if not self.had_ports:
            return 65536
        return min((dev.tso_max_size for dev in self.ports), default=524280)

    def set_mac(self, mac: MacAddress) -> None:
        super().set_mac(mac)
        self._set_own_mac(mac)

    def _set_own_mac(self, mac: MacAddress) -> None:
        """br_stp_change_bridge_id() and br_fdb_change_mac_address()."""
        old = {e.mac for e in self.fdb.values() if e.local and e.port is None and not e.by_user}
        self.id_mac = self.mac = mac
        for address in old - {mac}:
            self.fdb_delete_local(address, None)
        if mac:
            self.fdb_add_local(mac, None)
        self.net.arp.mac_changed(self)
        self.net.nd.mac_changed(self)
        self.select()

    def begin_mtu(self, mtu: int) -> None:
        """It holds until there are ports."""
        super().set_mtu(mtu)

    def set_mtu(self, mtu: int) -> None:
        """br_change_mtu(): from now on the ports' MTU does not matter."""
        changed = mtu != self.mtu
        super().set_mtu(mtu)
        self.mtu_set = self.mtu_set or changed

    def opened(self) -> None:
        """br_dev_open()."""
        if not self.opened_once and not self.id_mac:
            self.fdb_add_local(self.mac, None)
        self.opened_once = True
        self.gc_started = self.net.loop.now + SECOND // 10
        for dev in self.ports:
            self.port_changed(dev)
        self.update_carrier()

    def stopped(self) -> None:
        """br_dev_stop()."""
        for port in self.ports.values():
            port.state = "disabled"
            self.fdb_flush(port, everything=False)
        self.gc_started = None

    def update_carrier(self) -> None:
        """br_port_state_selection(): carrier while a port forwards; a bridge for which it never ran keeps its own."""
        if self.selected:
            self.set_carrier(self.up and "forwarding" in map(STATE, self.ports.values()))

    def select(self) -> None:
        """br_port_state_selection(), after a change of what the bridge is: address, priority, ports, protocol."""
        self.selected = True
        self.update_carrier()

    def unregistering(self) -> None:
        for dev in list(self.ports):
            self.release_port(dev)
        for upper in list(self.uppers):
            upper.unregister()

    # -- frames -----------------------------------------------------------------------------
    def _handle_frame(self, skb: SkBuff) -> SkBuff | None:
        """br_handle_frame(): the rx_handler of every port."""
        assert skb.dev is not None and skb.eth is not None
        port: BridgePort = skb.dev.port
        destination, source, _ = skb.eth
        if source >> 40 & 1 or source == 0:
            skb.drop("MAC_INVALID_SOURCE", skb.dev)
            return None
        if destination & 0xFFFFFFFFFFF0 == 0x0180C2000000 and not self.stp_passes(destination):
            skb.drop("NOT_SPECIFIED", skb.dev)
            return None
        if port.state != "forwarding":
            if port.state == "learning" and port.learning:
                self.fdb_learn(source, port, 0, skb)
            skb.drop("BRIDGE_INGRESS_STP_STATE", skb.dev)
            return None
        vlan = 0
        if self.vlan_filtering:
            allowed = self.ingress_vlan(port, skb)
            if allowed is None:
                skb.drop("VLAN_FILTER", skb.dev)
                return None
            vlan = allowed
        if port.learning:
            self.fdb_learn(source, port, vlan, skb)
        skb.pkt_type = PACKET_HOST if destination == self.mac else skb.pkt_type  # whatever the port's own address is
        skb.physin = skb.dev
        netfilter = self.net.netfilter
        hooks = netfilter.bridge_hooks
        if hooks is not None and not link_hook(hooks, self.net, 0, skb, skb.dev, None):
            return None
        hook = netfilter.bridge_prerouting
        if hook is None or not hook(self, port, skb, vlan):
            self.forward_or_deliver(skb, port, vlan)
        return None

    def stp_passes(self, destination: int) -> bool:
        """Link-local groups (01:80:c2:00:00:0X) pass only where group_fwd_mask says so."""
        low = destination & 0xF
        return low == 0 and not self.stp or bool(self.group_fwd_mask >> low & 1)

    def forward_or_deliver(self, skb: SkBuff, port: BridgePort | None, vlan: int) -> None:
        """br_handle_frame_finish()."""
        assert skb.eth is not None
        destination = skb.eth.destination
        if destination >> 40 & 1:
            self._flood(skb.clone(self.net.loop), port, vlan)
            self.pass_up(skb, vlan)
            return
        entry = self.fdb_find(destination, vlan)
        if entry is not None and entry.local:
            skb.pkt_type = PACKET_HOST
            self.pass_up(skb, vlan)
        elif entry is not None and entry.port is not None:
            entry.used = self.net.loop.now
            if skb.trace is not None:
                skb.trace.bridge(skb, self, "forward", (entry.port.dev,))
            if entry.port.takes(port, vlan):
                self._to_port(skb, entry.port, vlan)
            else:
                skb.drop("NO_TX_TARGET", self)
        else:
            self._flood(skb, port, vlan)

    def _flood(self, skb: SkBuff, came: BridgePort | None, vlan: int) -> None:
        """br_flood(): a copy to every port that may have it; consumes `skb`."""
        assert skb.eth is not None
        destination = skb.eth.destination
        group = destination >> 40 & 1
        kind = "flood" if not group else "bcast_flood" if destination == self.broadcast else "mcast_flood"
        anyway = bool(group) and came is None  # what the machine itself sends to groups reaches every port
        netfilter = self.net.netfilter
        # Whether takes() and _to_port() have little to ask.
        plain = not self.vlan_filtering and netfilter.bridge_forward is netfilter.bridge_hooks is None
        ports = self.ports.values() if anyway else filter(attrgetter(kind), self.ports.values())
        if plain and came is not None and not came.isolated:
            targets = [port for port in ports if port.state == "forwarding" and (port is not came or port.hairpin)]
        else:
            targets = [port for port in ports if port.takes(came, vlan)]
        if skb.trace is not None:
            skb.trace.bridge(skb, self, "flood", [port.dev for port in targets])
        if not targets:
            if group:
                skb.consume(self)
            else:
                skb.drop("NO_TX_TARGET", self)
            return
        loop = self.net.loop
        last = targets.pop()
        for_all = shared(skb) if plain and group and targets else None
        if for_all is not None:
            xmit_shared(targets, for_all, lambda port: self._to_port(skb.clone(loop), port, vlan))
            for_all.consume(self)
        else:
            for port in targets:
                self._to_port(skb.clone(loop), port, vlan)
        self._to_port(skb, last, vlan)

    def _to_port(self, skb: SkBuff, port: BridgePort, vlan: int) -> None:
        """__br_forward() and br_forward_finish()."""
        if self.vlan_filtering:
            self.egress_vlan(skb, port, vlan)
        netfilter, dev = self.net.netfilter, port.dev
        hooks = netfilter.bridge_hooks
        if hooks is not None and not bridged(hooks, self.net, skb, dev):
            return
        hook = netfilter.bridge_forward
        if hook is not None and skb.physin is not None and hook(self, port, skb):
            return
        if skb.len <= dev.mtu:
            dev.queue_xmit(skb)
        else:
            skb.drop("PKT_TOO_BIG", dev)

    def send_to_port(self, skb: SkBuff, port: BridgePort) -> None:
        """br_dev_queue_push_xmit()."""
        if skb.len > port.dev.mtu:
            skb.drop("PKT_TOO_BIG", port.dev)
            return
        port.dev.queue_xmit(skb)

    def pass_up(self, skb: SkBuff, vlan: int) -> None:
        """br_pass_frame_up(): the frame comes in at the bridge device itself."""
        if not self.up:
            skb.drop("DEV_READY", self)
            return
        if self.vlan_filtering and not self.local_vlan(skb, vlan):
            skb.drop("VLAN_FILTER", self)
            return
        skb.physin = skb.dev
        hooks = self.net.netfilter.bridge_hooks
        if hooks is not None and not link_hook(hooks, self.net, 1, skb, skb.dev, None):
            return
        if skb.trace is not None:
            skb.trace.bridge(skb, self, "up", ())
        netif_receive(self, skb)

    def xmit(self, skb: SkBuff) -> None:
        """br_dev_xmit(): the machine itself sends over its bridge."""
        if skb.nf_flags & BRIDGE_DNAT:
            bridge_resolved(self, skb)
            return
        self.count_tx(skb)
        skb.physin = None
        vlan = 0
        if self.vlan_filtering:
            vlan = (skb.vlan_tci & 0xFFF) if skb.vlan_tci else self.pvid
            if vlan not in self.vlans:
                skb.drop("VLAN_FILTER", self)
                return
        assert skb.eth is not None
        destination = skb.eth.destination
        entry = None if destination >> 40 & 1 else self.fdb_find(destination, vlan)
        if entry is not None and entry.port is None:
            skb.drop("NO_TX_TARGET", self)  # br_forward() to the bridge itself: nowhere
        elif entry is not None and entry.port is not None:
            if skb.trace is not None:
                skb.trace.bridge(skb, self, "forward", (entry.port.dev,))
            if entry.port.takes(None, vlan):
                self._to_port(skb, entry.port, vlan)
            else:
                skb.drop("NO_TX_TARGET", self)
        else:
            self._flood(skb, None, vlan)
