"""The Linux bridge: an Ethernet switch made of software (net/bridge/).

    frame in at a port → learn source → known unicast: that port
                                      → to the bridge's own MAC: the bridge device (local input)
                                      → broadcast, multicast, unknown: flood, and local input

The forwarding database ages entries after 300 s. STP is off by default: ports forward at once.
VLAN filtering lives in `bridge_vlan.py`, bridge netfilter in `netfilter/bridge.py`.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice, netif_receive
from kubenet_course.kernel.skbuff import PACKET_HOST, SkBuff
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace


class FdbEntry:
    """Where a MAC address is: `port` is None for the bridge itself."""

    __slots__ = ("mac", "port", "vlan", "local", "static", "updated", "used", "sticky", "extern_learn")

    def __init__(self, mac: MacAddress, port: BridgePort | None, vlan: int, now: int):
        self.mac = mac
        self.port = port
        self.vlan = vlan
        self.local = False
        self.static = False
        self.updated = now
        self.used = now
        self.sticky = False
        self.extern_learn = False


class BridgePort:
    """A device that belongs to a bridge, with its per-port settings (``bridge -d link``)."""

    def __init__(self, bridge: Bridge, dev: NetDevice, number: int):
        self.bridge = bridge
        self.dev = dev
        self.number = number
        self.state = "disabled"
        self.cost = 2
        self.priority = 32
        self.hairpin = False
        self.guard = False
        self.root_block = False
        self.fastleave = False
        self.learning = True
        self.flood = True
        self.mcast_flood = True
        self.bcast_flood = True
        self.isolated = False
        self.neigh_suppress = False
        self.proxy_arp = False
        self.vlans: dict[int, Any] = {}
        self.pvid = 0


class Bridge(NetDevice):
    """The bridge device; `ports` in the order they joined."""

    kind = "bridge"

    def __init__(self, net: NetNamespace, name: str, mac: MacAddress | None = None):
        super().__init__(net, name, mac)
        self.carrier = False
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
        self.pvid = 1
        self.mtu_set = False
        self.created = net.loop.now
        self._add_local(self.mac, None)

    # -- ports ------------------------------------------------------------------------------
    def add_port(self, dev: NetDevice) -> None:
        """br_add_if(): errors ELOOP (a bridge, or lo → EINVAL), EBUSY (it has a master)."""
        if dev.is_loopback or dev.net is not self.net:
            raise KernelError(errno.EINVAL)
        if isinstance(dev, Bridge):
            raise KernelError(errno.ELOOP, "Can not enslave a bridge to a bridge")
        if dev.master is not None or dev.rx_handler is not None:
            raise KernelError(errno.EBUSY)
        used = {port.number for port in self.ports.values()}
        number = next(n for n in range(1, len(used) + 2) if n not in used)
        port = BridgePort(self, dev, number)
        self.ports[dev] = port
        dev.master = self
        dev.port = port
        dev.rx_handler = self._handle_frame
        dev.promiscuity += 1
        self._port_vlan_init(port)
        self._add_local(dev.mac, port)
        self._recalculate()
        self.port_changed(dev)
        self.net.ipv6.device_enslaved(dev)

    def release_port(self, dev: NetDevice) -> None:
        """br_del_if()."""
        port = self.ports.pop(dev, None)
        if port is None:
            raise KernelError(errno.EINVAL)
        dev.master = None
        dev.port = None
        dev.rx_handler = None
        dev.promiscuity -= 1
        for key in [key for key, entry in self.fdb.items() if entry.port is port]:
            del self.fdb[key]
        self._recalculate()
        self._update_carrier()

    def _port_vlan_init(self, port: BridgePort) -> None:
        """nbp_vlan_init(): a port joins the default VLAN, untagged."""
        if self.vlan_default_pvid:
            port.vlans[self.vlan_default_pvid] = {"untagged": True}
            port.pvid = self.vlan_default_pvid

    def port_changed(self, dev: NetDevice) -> None:
        """A port went up, down or changed its carrier: its state, and ours, follow."""
        port = self.ports.get(dev)
        if port is None:
            return
        if not (dev.up and dev.carrier and self.up):
            port.state = "disabled"
            self._flush(port)
        elif port.state == "disabled":
            port.state = "forwarding" if not self.stp else "listening"
            if self.stp:
                self.net.loop.call_later(self.forward_delay, self._stp_advance, port)
        self._update_carrier()

    def _stp_advance(self, port: BridgePort) -> None:
        following = {"listening": "learning", "learning": "forwarding"}.get(port.state)
        if following is None:
            return
        port.state = following
        if following == "learning":
            self.net.loop.call_later(self.forward_delay, self._stp_advance, port)
        self._update_carrier()

    def port_mac_changed(self, dev: NetDevice) -> None:
        port = self.ports[dev]
        for key in [k for k, e in self.fdb.items() if e.local and e.port is port]:
            del self.fdb[key]
        self._add_local(dev.mac, port)
        self._recalculate()

    def port_mtu_changed(self, dev: NetDevice) -> None:
        self._recalculate()

    def _recalculate(self) -> None:
        """br_stp_recalculate_bridge_id() and br_mtu_auto_adjust()."""
        if not self.mac_set:
            macs = [dev.mac for dev in self.ports]
            if macs and min(macs) != self.mac:
                self._set_own_mac(min(macs))
        if not self.mtu_set and self.ports:
            mtu = min(dev.mtu for dev in self.ports)
            if mtu != self.mtu:
                self.mtu = mtu
                self.net.ipv4.mtu_changed(self)
                self.net.ipv6.mtu_changed(self)

    def set_mac(self, mac: MacAddress) -> None:
        super().set_mac(mac)
        self._set_own_mac(mac)

    def _set_own_mac(self, mac: MacAddress) -> None:
        for key in [k for k, e in self.fdb.items() if e.local and e.port is None]:
            del self.fdb[key]
        self.mac = mac
        self._add_local(mac, None)
        self.net.arp.mac_changed(self)
        self.net.nd.mac_changed(self)

    def set_mtu(self, mtu: int) -> None:
        super().set_mtu(mtu)
        self.mtu_set = True

    def opened(self) -> None:
        for dev in self.ports:
            self.port_changed(dev)
        self._update_carrier()

    def stopped(self) -> None:
        for port in self.ports.values():
            port.state = "disabled"
        self.carrier = False

    def _update_carrier(self) -> None:
        if not self.up:
            return
        self.set_carrier(any(port.state == "forwarding" for port in self.ports.values()))

    def unregistering(self) -> None:
        for dev in list(self.ports):
            self.release_port(dev)
        for upper in list(self.uppers):
            upper.unregister()

    # -- forwarding database ----------------------------------------------------------------
    def _add_local(self, mac: MacAddress, port: BridgePort | None) -> None:
        vlans = [0] + ([self.vlan_default_pvid] if self.vlan_default_pvid else [])
        for vlan in vlans:
            if (mac, vlan) in self.fdb and self.fdb[(mac, vlan)].local:
                continue
            entry = FdbEntry(mac, port, vlan, self.net.loop.now)
            entry.local = entry.static = True
            self.fdb[(mac, vlan)] = entry

    def fdb_find(self, mac: int, vlan: int = 0) -> FdbEntry | None:
        """The entry, or None where there is none or its age is up."""
        entry = self.fdb.get((mac, vlan))
        if entry is not None and not entry.static and self._expired(entry):
            del self.fdb[(mac, vlan)]
            return None
        return entry

    def fdb_entries(self) -> list[FdbEntry]:
        """Entries that have not aged out."""
        return [entry for key in list(self.fdb) if (entry := self.fdb_find(*key)) is not None]

    def _expired(self, entry: FdbEntry) -> bool:
        return not entry.extern_learn and entry.updated + self.ageing_time <= self.net.loop.now

    def _learn(self, mac: MacAddress, port: BridgePort, vlan: int, skb: SkBuff) -> None:
        """br_fdb_update()."""
        now = self.net.loop.now
        entry = self.fdb.get((mac, vlan))
        if entry is None:
            self.fdb[(mac, vlan)] = FdbEntry(mac, port, vlan, now)
            if skb.trace is not None:
                skb.trace.fdb(skb, self, mac, port.dev)
        elif not entry.local:
            entry.updated = now
            if entry.port is not port and not entry.sticky:
                entry.port = port
                entry.static = False
                if skb.trace is not None:
                    skb.trace.fdb(skb, self, mac, port.dev)

    def _flush(self, port: BridgePort) -> None:
        for key in [k for k, e in self.fdb.items() if e.port is port and not e.static]:
            del self.fdb[key]

    # -- frames -----------------------------------------------------------------------------
    def _handle_frame(self, skb: SkBuff) -> SkBuff | None:
        """br_handle_frame(): the rx_handler of every port."""
        assert skb.dev is not None and skb.eth is not None
        port: BridgePort = skb.dev.port
        source, destination = skb.eth.source, skb.eth.destination
        if source.is_multicast or source == 0:
            skb.drop("MAC_INVALID_SOURCE", skb.dev)
            return None
        if destination & 0xFFFFFFFFFFF0 == 0x0180C2000000 and not self.stp_passes(destination):
            skb.drop("NOT_SPECIFIED", skb.dev)
            return None
        if port.state != "forwarding":
            if port.state == "learning" and port.learning:
                self._learn(source, port, 0, skb)
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
            self._learn(source, port, vlan, skb)
        skb.physin = skb.dev
        hook = self.net.netfilter.bridge_prerouting
        if hook is not None and hook(self, port, skb, vlan):
            return None
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
            if self._may_send(entry.port, port, vlan):
                self._to_port(skb, entry.port, vlan)
            else:
                skb.drop("NO_TX_TARGET", self)
        else:
            self._flood(skb, port, vlan)

    def _may_send(self, to: BridgePort, came: BridgePort | None, vlan: int) -> bool:
        """should_deliver()."""
        if to is came and not to.hairpin:
            return False
        if to.state != "forwarding":
            return False
        if came is not None and came.isolated and to.isolated:
            return False
        return not self.vlan_filtering or vlan in to.vlans

    def _flood(self, skb: SkBuff, came: BridgePort | None, vlan: int) -> None:
        """br_flood(): a copy to every port that may have it; consumes `skb`."""
        assert skb.eth is not None
        destination = skb.eth.destination
        group = destination >> 40 & 1
        targets = []
        for port in self.ports.values():
            allowed = port.flood if not group else (port.bcast_flood if destination == self.broadcast else port.mcast_flood)
            if allowed and self._may_send(port, came, vlan):
                targets.append(port)
        if skb.trace is not None:
            skb.trace.bridge(skb, self, "flood", [port.dev for port in targets])
        if not targets:
            if group:
                skb.consume(self)
            else:
                skb.drop("NO_TX_TARGET", self)
            return
        for port in targets[:-1]:
            self._to_port(skb.clone(self.net.loop), port, vlan)
        self._to_port(skb, targets[-1], vlan)

    def _to_port(self, skb: SkBuff, port: BridgePort, vlan: int) -> None:
        """__br_forward() and br_forward_finish()."""
        if self.vlan_filtering:
            self.egress_vlan(skb, port, vlan)
        hook = self.net.netfilter.bridge_forward
        if hook is not None and skb.physin is not None and hook(self, port, skb):
            return
        self.send_to_port(skb, port)

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
        if skb.trace is not None:
            skb.trace.bridge(skb, self, "up", ())
        netif_receive(self, skb)

    def xmit(self, skb: SkBuff) -> None:
        """br_dev_xmit(): the machine itself sends over its bridge."""
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
        if entry is not None and entry.port is not None:
            if skb.trace is not None:
                skb.trace.bridge(skb, self, "forward", (entry.port.dev,))
            if self._may_send(entry.port, None, vlan):
                self._to_port(skb, entry.port, vlan)
            else:
                skb.drop("NO_TX_TARGET", self)
        else:
            self._flood(skb, None, vlan)

    # -- VLAN filtering (bridge_vlan.py) ----------------------------------------------------
    def ingress_vlan(self, port: BridgePort, skb: SkBuff) -> int | None:
        """__allowed_ingress(): the frame's VLAN, or None where the port does not carry it."""
        vlan = (skb.vlan_tci & 0xFFF) if skb.vlan_tci is not None else 0
        if not vlan:
            vlan = port.pvid
        if not vlan or vlan not in port.vlans:
            return None
        return vlan

    def egress_vlan(self, skb: SkBuff, port: BridgePort, vlan: int) -> None:
        """br_handle_vlan(): tagged, or untagged where the port's entry says so."""
        entry = port.vlans.get(vlan)
        skb.vlan_tci = None if entry is not None and entry.get("untagged") else vlan

    def local_vlan(self, skb: SkBuff, vlan: int) -> bool:
        entry = self.vlans.get(vlan)
        if entry is None:
            return False
        skb.vlan_tci = None if entry.get("untagged") else vlan
        return True
