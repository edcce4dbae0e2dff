"""VLAN filtering of a bridge (net/bridge/br_vlan.c).

Not every kernel has it, and where a bridge does not filter it cannot be seen: so a bridge knows no VLANs
(`vlans_shown` False) until ``vlan_filtering 1`` is set or somebody names a VLAN for it or its ports; then it and
its ports are in the default VLAN 1, untagged, as with CONFIG_BRIDGE_VLAN_FILTERING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.kernel.devices._bridge_port import BridgePort
    from kubenet_course.kernel.devices.bridge import Bridge
    from kubenet_course.kernel.skbuff import SkBuff


class VlanFilter:
    """The part of a `Bridge` that sorts frames by VLAN."""

    vlan_filtering: bool
    vlan_default_pvid: int

    def vlan_init(self: Bridge) -> None:  # type: ignore[misc]
        """Begin to know VLANs: the bridge and its ports join the default one."""
        if self.vlans_shown:  # type: ignore[has-type]
            return
        self.vlans_shown = True
        if self.vlan_default_pvid:
            self.vlan_add(None, self.vlan_default_pvid, pvid=True, untagged=True)
            for port in self.ports.values():
                self.vlan_add(port, self.vlan_default_pvid, pvid=True, untagged=True)

    def vlan_add(  # type: ignore[misc]
        self: Bridge, port: BridgePort | None, vid: int, *, pvid: bool = False, untagged: bool = False
    ) -> None:
        """br_vlan_add() or nbp_vlan_add()."""
        self.vlan_init()
        if not 0 < vid < 4095:
            raise KernelError(errno.EINVAL)
        where: Any = port if port is not None else self
        where.vlans[vid] = {"untagged": untagged}
        if pvid:
            where.pvid = vid
        elif where.pvid == vid:
            where.pvid = 0
        mac = port.dev.mac if port is not None else self.mac
        if mac and (port is not None or self.id_mac or self.opened_once):
            self.fdb_add_local(mac, port)

    def vlan_delete(self: Bridge, port: BridgePort | None, vid: int) -> None:  # type: ignore[misc]
        """br_vlan_delete(): KernelError(ENOENT) where it is not in that VLAN."""
        self.vlan_init()
        where: Any = port if port is not None else self
        if vid not in where.vlans:
            raise KernelError(errno.ENOENT)
        del where.vlans[vid]
        if where.pvid == vid:
            where.pvid = 0
        for key in [k for k, e in self.fdb.items() if e.vlan == vid and e.port is port]:
            del self.fdb[key]

    # -- frames -----------------------------------------------------------------------------
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

    def local_vlan(self: Bridge, skb: SkBuff, vlan: int) -> bool:  # type: ignore[misc]
        entry = self.vlans.get(vlan)
        if entry is None:
            return False
        skb.vlan_tci = None if entry.get("untagged") else vlan
        return True
