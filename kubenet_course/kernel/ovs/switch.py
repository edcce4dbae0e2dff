"""The switch: bridges, their ports, and a packet's way through them (vswitchd/bridge.c,
ofproto/ofproto-dpif-xlate.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.base import NetDevice, netif_rx
from kubenet_course.kernel.devices.openvswitch import OvsInternal, OvsSlave
from kubenet_course.kernel.ovs import match
from kubenet_course.kernel.ovs.flows import Flow
from kubenet_course.kernel.ovs.rewrite import change
from kubenet_course.kernel.ovs.tunnels import Tunnels
from kubenet_course.kernel.skbuff import SkBuff
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import MacAddress
from kubenet_course.wire.vxlan import VXLAN_PORT

if TYPE_CHECKING:
    from kubenet_course.kernel.host import Host
    from kubenet_course.kernel.netns import NetNamespace

MAC_AGE = 300 * SECOND
RESUBMIT_LIMIT = 64
LOCAL = 0xFFFE
VXLAN_DEVICE = f"vxlan_sys_{VXLAN_PORT}"


class OvsPort:
    """One port with its one interface. `kind` is "", internal, vxlan or patch; `options` the interface's."""

    def __init__(self, bridge: OvsBridge, name: str):
        self.bridge = bridge
        self.name = name
        self.kind = ""
        self.options: dict[str, str] = {}
        self.tag: int | None = None
        self.trunks: list[int] = []
        self.vlan_mode = ""
        self.other: dict[str, Any] = {}
        self.number = -1
        self.device: NetDevice | None = None
        self.error = ""
        self.uuid = bridge.switch.new_uuid()
        self.rx = [0, 0]
        self.tx = [0, 0]

    @property
    def net(self) -> NetNamespace:
        return self.bridge.switch.net

    def attach(self) -> None:
        """iface_create(): open the device; `error` says why that failed."""
        net, switch = self.net, self.bridge.switch
        self.error = ""
        if self.kind == "internal":
            made = OvsInternal(net, self.name, self.bridge.mac if self.number == LOCAL else None)
            net.add_device(made)
            made.bridge_port = self
            self.device = made
        elif self.kind == "patch":
            pass
        elif self.kind == "vxlan":
            self.device = switch.vxlan_device()
        elif self.kind:
            self.error = (
                f"could not create network device {self.name} (Address family not supported by protocol)"
            )
            return
        else:
            dev = net.devices.get(self.name)
            if dev is None:
                self.error = f"could not open network device {self.name} (No such device)"
                return
            if dev.master is not None or dev.rx_handler is not None or dev.is_loopback:
                reason = "Invalid argument" if dev.is_loopback else "Device or resource busy"
                self.error = f"could not add network device {self.name} to ofproto ({reason})"
                return
            switch.take(dev, self._received)
            dev.ovs_port = self  # type: ignore[attr-defined]
            self.device = dev
        if self.number < 0:
            self.number = self.bridge.free_number()

    def _received(self, skb: SkBuff) -> SkBuff | None:
        """netdev_frame_hook()."""
        self.bridge.receive(self, skb)
        return None

    def detach(self) -> None:
        dev, self.device = self.device, None
        if dev is None:
            return
        if self.kind == "internal":
            dev.unregister()
        elif self.kind == "vxlan":
            self.bridge.switch.vxlan_done()
        elif dev.master is not None:
            dev.ovs_port = None  # type: ignore[attr-defined]
            dev.master.release_port(dev)  # type: ignore[attr-defined]

    def device_gone(self) -> None:
        """The device was deleted or moved to another namespace."""
        self.device = None
        self.number = -1
        self.error = f"could not open network device {self.name} (No such device)"

    @property
    def peer(self) -> OvsPort | None:
        """The other end of a patch port."""
        found = self.bridge.switch.find_port(self.options.get("peer", ""))
        return (
            found
            if found is not None and found.kind == "patch" and found.options.get("peer") == self.name
            else None
        )

    @property
    def mode(self) -> str:
        return self.vlan_mode or ("access" if self.tag is not None else "trunk")

    def input_vlan(self, skb: SkBuff) -> int | None:
        """input_vid_to_vlan(): the frame's VLAN, None where the port does not take it."""
        vid = skb.vlan_tci & 0xFFF if skb.vlan_tci is not None else 0
        mode = self.mode
        if mode == "access":
            return None if vid else self.tag or 0
        if mode.startswith("native") and not vid:
            vid = self.tag or 0
        return vid if self.carries(vid) else None

    def carries(self, vlan: int) -> bool:
        """ofbundle_includes_vlan()."""
        if self.mode == "access":
            return vlan == (self.tag or 0)
        if self.mode.startswith("native") and vlan == (self.tag or 0):
            return True
        return not self.trunks or vlan in self.trunks

    def output_tag(self, vlan: int) -> int | None:
        """The tag that a frame of this VLAN leaves with."""
        if not vlan or self.mode == "access":
            return None
        if self.mode == "native-untagged" and vlan == self.tag:
            return None
        return vlan

    def send(self, skb: SkBuff) -> None:
        """Out of this port."""
        self.tx[0] += 1
        self.tx[1] += skb.len + 14
        if self.kind == "patch":
            peer = self.peer
            if peer is None:
                skb.drop("NO_TX_TARGET", self.bridge.device)
            else:
                peer.bridge.receive(peer, skb)
        elif self.device is None:
            skb.drop("NO_TX_TARGET", self.bridge.device)
        elif self.kind == "internal":
            if self.device.up:
                netif_rx(self.device, skb)
            else:
                skb.drop("DEV_READY", self.device)
        elif self.kind == "vxlan":
            self.bridge.switch.encapsulate(self, skb)
        elif skb.len > self.device.mtu:
            skb.drop("PKT_TOO_BIG", self.device)
        else:
            self.device.queue_xmit(skb)


class OvsBridge:
    """One bridge: `ports` by name, `flows` its OpenFlow rules, `fdb` (vlan, MAC) → [port, time]."""

    def __init__(self, switch: Switch, name: str):
        self.switch = switch
        self.name = name
        self.uuid = switch.new_uuid()
        self.mac = switch.host.random_mac()
        self.fail_mode = ""
        self.datapath_type = ""
        self.other: dict[str, Any] = {}
        self.ports: dict[str, OvsPort] = {}
        self.flows: list[Flow] = []
        self.fdb: dict[tuple[int, int], list[Any]] = {}
        self.standalone_flow()
        local = OvsPort(self, name)
        local.kind, local.number = "internal", LOCAL
        self.ports[name] = local

    def standalone_flow(self) -> None:
        """Without a controller a bridge is a learning switch (unless fail_mode is secure)."""
        normal = Flow(self.switch.host.loop.now)
        normal.priority = 0
        normal.actions = [("output", match.RESERVED_PORTS["normal"])]
        self.flows.append(normal)

    def set_fail_mode(self, mode: str) -> None:
        """connmgr_set_fail_mode(): a change of mode flushes the rules."""
        secure = self.fail_mode == "secure"
        self.fail_mode = mode
        if secure == (mode == "secure"):
            return
        self.flows = []
        if mode != "secure":
            self.standalone_flow()

    @property
    def device(self) -> NetDevice | None:
        return self.ports[self.name].device

    def free_number(self) -> int:
        used = {port.number for port in self.ports.values()}
        return next(number for number in range(1, 65280) if number not in used)

    def port_numbers(self) -> dict[str, int]:
        return {port.name: port.number for port in self.ports.values() if port.number >= 0}

    def by_number(self, number: int) -> OvsPort | None:
        return next((port for port in self.ports.values() if port.number == number), None)

    def live_flows(self) -> list[Flow]:
        """Flows that have not timed out, the highest priority first."""
        now = self.switch.host.loop.now
        self.flows = [flow for flow in self.flows if not flow.expired(now)]
        return self.flows

    def lookup(self, table: int, port: int, skb: SkBuff) -> Flow | None:
        best: Flow | None = None
        for flow in self.live_flows():
            if flow.table != table or (best is not None and flow.priority <= best.priority):
                continue
            if match.matches(flow.fields, port, skb):
                best = flow
        return best

    # -- packets ----------------------------------------------------------------------------
    def receive(self, port: OvsPort, skb: SkBuff) -> None:
        """A frame has come in at a port: through table 0."""
        port.rx[0] += 1
        port.rx[1] += skb.len + 14
        count = (skb.cb or {}).get("ovs_depth", 0) + 1
        if count > RESUBMIT_LIMIT:
            skb.drop("RECURSION_LIMIT", self.device)
            return
        skb.cb = {**(skb.cb or {}), "ovs_depth": count}
        skb.dst = None
        sent = [False]
        self._table(0, port, port.number, skb, sent, 0)
        if sent[0]:
            skb.consume(self.device)
        else:
            skb.drop("NO_TX_TARGET", self.device)

    def _table(
        self, table: int, port: OvsPort, number: int, skb: SkBuff, sent: list[bool], depth: int
    ) -> None:
        flow = self.lookup(table, number, skb)
        if flow is None or depth > RESUBMIT_LIMIT:
            return
        flow.packets += 1
        flow.bytes += skb.len + 14
        flow.used = self.switch.host.loop.now
        for name, value in flow.actions:
            if name == "output":
                self._output(value, port, skb, sent)
            elif name == "resubmit":
                other, next_table = value
                self._table(next_table, port, number if other is None else other, skb, sent, depth + 1)
            else:
                change(skb, name, value)

    def _output(self, number: int, port: OvsPort, skb: SkBuff, sent: list[bool]) -> None:
        name = match.PORT_NAMES.get(number, "")
        if name == "NORMAL":
            self._normal(port, skb, sent)
            return
        if name in ("FLOOD", "ALL"):
            targets = [other for other in self.ports.values() if other is not port and other.number >= 0]
        elif name == "IN_PORT":
            targets = [port]
        else:
            found = self.by_number(number)
            targets = [found] if found is not None and found is not port else []
        for target in targets:
            sent[0] = True
            target.send(self._copy(skb))

    def _copy(self, skb: SkBuff) -> SkBuff:
        return skb.clone(self.switch.host.loop)

    def _normal(self, port: OvsPort, skb: SkBuff, sent: list[bool]) -> None:
        """xlate_normal(): a learning switch with VLANs."""
        assert skb.eth is not None
        vlan = port.input_vlan(skb)
        if vlan is None:
            return
        now = self.switch.host.loop.now
        source, destination = skb.eth.source, skb.eth.destination
        if not source >> 40 & 1:
            if (vlan, source) not in self.fdb and skb.trace is not None and port.device is not None:
                skb.trace.fdb(skb, self.device, source, port.device)
            self.fdb[(vlan, source)] = [port, now]
        known = None if destination >> 40 & 1 else self.fdb_find(vlan, destination)
        targets = [known] if known is not None else list(self.ports.values())
        for target in targets:
            if target is port or target.number < 0 or not target.carries(vlan):
                continue
            twin = self._copy(skb)
            twin.vlan_tci = target.output_tag(vlan)
            sent[0] = True
            target.send(twin)

    def fdb_find(self, vlan: int, mac: int) -> OvsPort | None:
        entry = self.fdb.get((vlan, mac))
        if entry is None:
            return None
        if entry[1] + MAC_AGE <= self.switch.host.loop.now or entry[0].name not in self.ports:
            del self.fdb[(vlan, mac)]
            return None
        return entry[0]

    def fdb_entries(self) -> list[tuple[OvsPort, int, MacAddress, int]]:
        """(port, vlan, MAC, age in seconds)."""
        now = self.switch.host.loop.now
        found = []
        for (vlan, mac), (port, when) in list(self.fdb.items()):
            if self.fdb_find(vlan, mac) is not None:
                found.append((port, vlan, MacAddress(mac), (now - when) // SECOND))
        return found

    def forget(self, port: OvsPort) -> None:
        for key in [key for key, entry in self.fdb.items() if entry[0] is port]:
            del self.fdb[key]


class Switch(Tunnels):
    """ovs-vswitchd and its database on one machine."""

    def __init__(self, host: Host):
        self.host = host
        self.net = host.init_net
        self.bridges: dict[str, OvsBridge] = {}
        self.uuid = self.new_uuid()
        self.system: OvsInternal | None = None
        self.slave = OvsSlave()

    def new_uuid(self) -> str:
        digits = f"{self.host.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    # -- bridges and ports ------------------------------------------------------------------
    def add_bridge(self, name: str) -> OvsBridge:
        if self.system is None:
            self.system = OvsInternal(self.net, "ovs-system")
            self.net.add_device(self.system)
        bridge = self.bridges[name] = OvsBridge(self, name)
        try:
            bridge.ports[name].attach()
        except KernelError as failure:
            bridge.ports[name].error = f"could not add network device {name} to ofproto ({failure.strerror})"
        return bridge

    def delete_bridge(self, bridge: OvsBridge) -> None:
        for port in list(bridge.ports.values()):
            port.detach()
        del self.bridges[bridge.name]
        if not self.bridges and self.system is not None:
            self.system.unregister()
            self.system = None

    def add_port(self, bridge: OvsBridge, name: str) -> OvsPort:
        port = bridge.ports[name] = OvsPort(bridge, name)
        return port

    def delete_port(self, port: OvsPort) -> None:
        port.bridge.forget(port)
        port.detach()
        del port.bridge.ports[port.name]

    def find_port(self, name: str) -> OvsPort | None:
        return next((bridge.ports[name] for bridge in self.bridges.values() if name in bridge.ports), None)

    def take(self, dev: NetDevice, handler: Any) -> None:
        """ovs_netdev_link()."""
        dev.master = self.system
        dev.port = self.slave
        dev.rx_handler = handler
        dev.promiscuity += 1


def switch(host: Host) -> Switch:
    """The machine's switch, started at first use."""
    room = host.init_net.rooms
    if "ovs" not in room:
        room["ovs"] = Switch(host)
        host.modules.setdefault("openvswitch", None)
    found: Switch = room["ovs"]
    return found
