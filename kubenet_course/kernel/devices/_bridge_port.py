"""A bridge's port and its settings (net/bridge/br_if.c, br_netlink.c: br_port_fill_attrs(), br_setport())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.devices.bridge import Bridge

STATES = ("disabled", "listening", "learning", "forwarding", "blocking")

#: On-or-off settings: attribute → whether a new port has it on.
SWITCHES = {
    "hairpin": False, "guard": False, "root_block": False, "fastleave": False, "learning": True, "flood": True,
    "mcast_flood": True, "bcast_flood": True, "mcast_to_unicast": False, "proxy_arp": False, "proxy_arp_wifi": False,
    "neigh_suppress": False, "vlan_tunnel": False, "isolated": False, "locked": False,
}  # fmt: skip



def bridge_id(priority: int, mac: int) -> str:
    """``8000.2:0:0:0:ff:1``."""
    return f"{priority:04x}." + ":".join(f"{byte:x}" for byte in int(mac).to_bytes(6, "big"))


class BridgePort:
    """A device that belongs to a bridge, with its per-port settings (``bridge -d link``)."""

    hairpin: bool
    guard: bool
    root_block: bool
    fastleave: bool
    learning: bool
    flood: bool
    mcast_flood: bool
    bcast_flood: bool
    mcast_to_unicast: bool
    proxy_arp: bool
    proxy_arp_wifi: bool
    neigh_suppress: bool
    vlan_tunnel: bool
    isolated: bool
    locked: bool

    def __init__(self, bridge: Bridge, dev: NetDevice, number: int):
        self.bridge = bridge
        self.dev = dev
        self.number = number
        self.state = "disabled"
        #: Whether the forwarding database may have entries of it that a flush takes.
        self.learned = False
        self.state_ends = 0
        self.cost = dev.path_cost
        self.cost_set = False
        self.priority = 32
        for name, on in SWITCHES.items():
            setattr(self, name, on)
        self.mcast_router = 1
        self.group_fwd_mask = 0
        self.vlans: dict[int, Any] = {}
        self.pvid = 0
        #: What it last said of itself as designated port: its identifier, and the bridge's priority.
        self.designated = (self.port_id, bridge.priority)

    def takes(self, came: BridgePort | None, vlan: int) -> bool:
        """should_deliver(): whether what came in at a port (None: from the machine itself) may leave here."""
        if self is came and not self.hairpin:
            return False
        if self.state != "forwarding":
            return False
        if came is not None and came.isolated and self.isolated:
            return False
        return not self.bridge.vlan_filtering or vlan in self.vlans

    @property
    def port_id(self) -> int:
        """br_make_port_id()."""
        return (self.priority << 10 | self.number) & 0xFFFF

    def change(self, said: dict[str, Any]) -> None:
        """br_setport(): `said` has the names of `info`, states as numbers."""
        for name, value in said.items():
            if name in SWITCHES:
                setattr(self, name, bool(value))
            elif name == "cost":
                if not 1 <= value <= 65535:
                    raise KernelError(errno.EINVAL)
                self.cost, self.cost_set = value, True
            elif name == "priority":
                if not 0 <= value <= 63:
                    raise KernelError(errno.ERANGE)
                was_own = self.designated == (self.port_id, self.bridge.priority)
                self.priority = value
                if was_own:
                    self.designated = (self.port_id, self.designated[1])
            elif name == "state":
                self.set_state(value)
            elif name == "fdb_flush":
                self.bridge.fdb_flush(self, everything=False)
            elif name == "group_fwd_mask":
                if value & 0x0007:
                    raise KernelError(errno.EINVAL)
                self.group_fwd_mask = value
            elif name == "mcast_router":
                self.mcast_router = value

    def set_state(self, number: int) -> None:
        """br_set_port_state(): by hand, where no spanning tree protocol decides."""
        if not 0 <= number < len(STATES):
            raise KernelError(errno.EINVAL)
        if self.bridge.stp:
            raise KernelError(errno.EBUSY)
        if not self.dev.up or number and not self.dev.carrier:
            raise KernelError(errno.ENETDOWN)
        # br_port_state_selection(): a port that blocks, with no spanning tree to wait for, forwards at once.
        self.state = "forwarding" if STATES[number] == "blocking" else STATES[number]
        self.bridge.update_carrier()

    def info(self) -> dict[str, Any]:
        """info_slave_data of ``ip -d -j link``, in order."""
        bridge = self.bridge
        own = bridge_id(self.designated[1], bridge.id_mac)
        now = bridge.net.loop.now
        left = max(0, self.state_ends - now) / SECOND
        switch = {name: getattr(self, name) for name in SWITCHES}
        return {
            "state": self.state, "priority": self.priority, "cost": self.cost,
            **{name: switch[name] for name in ("hairpin", "guard", "root_block", "fastleave", "learning", "flood")},
            "id": f"{self.port_id:#x}", "no": f"{self.number:#x}", "designated_port": self.designated[0], "designated_cost": 0,
            "bridge_id": own, "root_id": own, "hold_timer": 0.0, "message_age_timer": 0.0, "forward_delay_timer": left,
            "topology_change_ack": 0, "config_pending": 0, "proxy_arp": self.proxy_arp,
            "proxy_arp_wifi": self.proxy_arp_wifi, "multicast_router": self.mcast_router,
            **{name: switch[name] for name in ("mcast_flood", "bcast_flood", "mcast_to_unicast", "neigh_suppress")},
            "group_fwd_mask": f"{self.group_fwd_mask:#x}" if self.group_fwd_mask else "0",
            "group_fwd_mask_str": f"{self.group_fwd_mask:#x}", "vlan_tunnel": self.vlan_tunnel,
            "isolated": self.isolated, "locked": self.locked,
        }  # fmt: skip
