"""A bridge's settings as netlink has them: ``ip link … type bridge …`` (net/bridge/br_netlink.c).

Times are in hundredths of a second. What only matters to the IGMP and MLD querier, which is not emulated, is kept
and shown but has no effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._bridge_port import bridge_id
from kubenet_course.sim.loop import SECOND

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.bridge import Bridge

JIFFY = SECOND // 100

#: Settings that are only kept, with their defaults, by their names in JSON.
KEPT = {
    "no_linklocal_learn": 0, "mcast_vlan_snooping": 0, "mcast_router": 1, "mcast_query_use_ifaddr": 0,
    "mcast_querier": 0, "mcast_hash_elasticity": 16, "mcast_hash_max": 4096, "mcast_last_member_cnt": 2,
    "mcast_startup_query_cnt": 2, "mcast_last_member_intvl": 100, "mcast_membership_intvl": 26000,
    "mcast_querier_intvl": 25500, "mcast_query_intvl": 12500, "mcast_query_response_intvl": 1000,
    "mcast_startup_query_intvl": 3124, "mcast_stats_enabled": 0, "mcast_igmp_version": 2, "mcast_mld_version": 1,
}  # fmt: skip


def info(bridge: Bridge) -> dict[str, Any]:
    """br_fill_info(), in the order in which iproute2 prints it."""
    own = bridge_id(bridge.priority, bridge.id_mac)
    kept = bridge.kept
    shown: dict[str, Any] = {
        "forward_delay": bridge.forward_delay // JIFFY,
        "hello_time": bridge.hello_time // JIFFY,
        "max_age": bridge.max_age // JIFFY,
        "ageing_time": bridge.ageing_time // JIFFY,
        "stp_state": int(bridge.stp),
        "priority": bridge.priority,
        "vlan_filtering": int(bridge.vlan_filtering),
    }
    if bridge.vlans_shown:
        shown["vlan_protocol"] = "802.1Q"
    shown |= {
        "bridge_id": own, "root_id": own, "root_port": 0, "root_path_cost": 0, "topology_change": 0,
        "topology_change_detected": 0, "hello_timer": 0.0, "tcn_timer": 0.0, "topology_change_timer": 0.0,
        "gc_timer": bridge.gc_left(),
    }  # fmt: skip
    if bridge.vlans_shown:
        shown |= {"vlan_default_pvid": bridge.vlan_default_pvid, "vlan_stats_enabled": 0, "vlan_stats_per_port": 0}
    shown |= {
        "group_fwd_mask": f"{bridge.group_fwd_mask:#x}" if bridge.group_fwd_mask else "0",
        "group_addr": "01:80:c2:00:00:00",
        "mcast_snooping": int(bridge.mcast_snooping),
        **kept,
        "nf_call_iptables": int(bridge.nf_call_iptables),
        "nf_call_ip6tables": int(bridge.nf_call_ip6tables),
        "nf_call_arptables": int(bridge.nf_call_arptables),
    }
    return shown


def change(bridge: Bridge, said: dict[str, Any]) -> None:
    """br_changelink(): in the kernel's order; KernelError where a value is out of range."""
    for name in ORDER:
        if name in said:
            ORDER[name](bridge, said[name])
    for name in KEPT:
        if name in said:
            bridge.kept[name] = said[name]


def _forward_delay(bridge: Bridge, value: int) -> None:
    if bridge.stp and not 200 <= value <= 3000:
        raise KernelError(errno.ERANGE)
    bridge.forward_delay = value * JIFFY


def _hello_time(bridge: Bridge, value: int) -> None:
    if not 100 <= value <= 1000:
        raise KernelError(errno.ERANGE)
    bridge.hello_time = value * JIFFY


def _max_age(bridge: Bridge, value: int) -> None:
    if not 600 <= value <= 4000:
        raise KernelError(errno.ERANGE)
    bridge.max_age = value * JIFFY


def _ageing_time(bridge: Bridge, value: int) -> None:
    bridge.ageing_time = value * JIFFY
    bridge.gc_started = bridge.net.loop.now


def _stp_state(bridge: Bridge, value: int) -> None:
    bridge.set_stp(bool(value))


def _priority(bridge: Bridge, value: int) -> None:
    """br_stp_set_bridge_priority(): ports in use say so, the others when they are used again."""
    old, bridge.priority = bridge.priority, value
    for port in bridge.ports.values():
        if port.state != "disabled" and port.designated == (port.port_id, old):
            port.designated = (port.port_id, value)
    bridge.select()


def _vlan_filtering(bridge: Bridge, value: int) -> None:
    if value or bridge.vlan_filtering:
        bridge.vlan_init()
    bridge.vlan_filtering = bool(value)


def _group_fwd_mask(bridge: Bridge, value: int) -> None:
    if value & 0x0007:
        raise KernelError(errno.EINVAL)
    bridge.group_fwd_mask = value


def _fdb_flush(bridge: Bridge, value: int) -> None:
    bridge.fdb_flush(None, everything=False)


def _default_pvid(bridge: Bridge, value: int) -> None:
    """__br_vlan_set_default_pvid(): whoever still has the old one as it came gets the new one instead."""
    if value >= 4095:
        raise KernelError(errno.EINVAL)
    bridge.vlan_init()
    old, bridge.vlan_default_pvid = bridge.vlan_default_pvid, value
    for port in (None, *bridge.ports.values()):
        where: Any = port if port is not None else bridge
        untouched = not old or (where.pvid == old and where.vlans.get(old, {}).get("untagged"))
        if not untouched or value in where.vlans:
            continue
        if value:
            bridge.vlan_add(port, value, pvid=True, untagged=True)
        if old:
            bridge.vlan_delete(port, old)


def _switch(name: str) -> Any:
    def set_it(bridge: Bridge, value: int) -> None:
        setattr(bridge, name, bool(value))

    return set_it


ORDER: dict[str, Any] = {
    "forward_delay": _forward_delay,
    "hello_time": _hello_time,
    "max_age": _max_age,
    "ageing_time": _ageing_time,
    "stp_state": _stp_state,
    "priority": _priority,
    "vlan_filtering": _vlan_filtering,
    "vlan_default_pvid": _default_pvid,
    "group_fwd_mask": _group_fwd_mask,
    "fdb_flush": _fdb_flush,
    "mcast_snooping": _switch("mcast_snooping"),
    "nf_call_iptables": _switch("nf_call_iptables"),
    "nf_call_ip6tables": _switch("nf_call_ip6tables"),
    "nf_call_arptables": _switch("nf_call_arptables"),
}
