"""The forwarding database of a bridge: which port a MAC address is behind (net/bridge/br_fdb.c).

Entries are listed newest first. An entry is learned (ages), static (``static``: does not age), or local
(``permanent``: the bridge's own, or its ports').
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices._bridge_port import BridgePort
    from kubenet_course.kernel.devices.bridge import Bridge
    from kubenet_course.kernel.skbuff import SkBuff


class FdbEntry:
    """Where a MAC address is: `port` is None for the bridge itself."""

    __slots__ = ("mac", "port", "vlan", "local", "static", "updated", "used", "sticky", "extern_learn", "by_user")

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
        self.by_user = False

    @property
    def state(self) -> str:
        """The word that `bridge fdb` ends the line with."""
        return "permanent" if self.local else "static" if self.static else ""


class ForwardingDatabase:
    """The part of a `Bridge` that keeps `fdb`, by (address, VLAN)."""

    fdb: dict[tuple[int, int], FdbEntry]
    ageing_time: int

    # -- looking up -------------------------------------------------------------------------
    def fdb_find(self: Bridge, mac: int, vlan: int = 0) -> FdbEntry | None:  # type: ignore[misc]
        """The entry, or None where there is none or its age is up."""
        entry = self.fdb.get((mac, vlan))
        if (
            entry is not None
            and not entry.static
            and entry.updated + self.ageing_time <= self.net.loop.now
            and not entry.extern_learn
        ):
            del self.fdb[(mac, vlan)]
            return None
        return entry

    def fdb_entries(self: Bridge) -> list[FdbEntry]:  # type: ignore[misc]
        """Entries that have not aged out, oldest first."""
        return [entry for key in list(self.fdb) if (entry := self.fdb_find(*key)) is not None]

    # -- local entries ----------------------------------------------------------------------
    def fdb_add_local(self: Bridge, mac: MacAddress, port: BridgePort | None) -> None:  # type: ignore[misc]
        """fdb_add_local(): an address of the bridge or of a port, in each VLAN of its own."""
        for vlan in [0, *(port.vlans if port is not None else self.vlans)]:
            old = self.fdb.get((mac, vlan))
            if old is not None and old.local:
                continue
            self.fdb.pop((mac, vlan), None)
            entry = FdbEntry(mac, port, vlan, self.net.loop.now)
            entry.local = entry.static = True
            self.fdb[(mac, vlan)] = entry

    def fdb_delete_local(self: Bridge, mac: MacAddress, port: BridgePort | None) -> None:  # type: ignore[misc]
        """fdb_delete_local(): the entry passes to another port with that address, or to the bridge, else goes."""
        for key in [k for k, e in self.fdb.items() if e.local and not e.by_user and e.port is port and e.mac == mac]:
            self._fdb_bequeath(key)

    def _fdb_bequeath(self: Bridge, key: tuple[int, int]) -> None:  # type: ignore[misc]
        entry = self.fdb[key]
        heir = next((p for dev, p in self.ports.items() if dev.mac == entry.mac and p is not entry.port), None)
        if heir is not None:
            entry.port, entry.by_user = heir, False
        elif entry.port is not None and self.mac == entry.mac and self.id_mac:
            entry.port, entry.by_user = None, False
        else:
            del self.fdb[key]

    # -- learning ---------------------------------------------------------------------------
    def fdb_learn(self: Bridge, mac: MacAddress, port: BridgePort, vlan: int, skb: SkBuff) -> None:  # type: ignore[misc]
        """br_fdb_update()."""
        if not self.ageing_time:
            return
        entry = self.fdb.get((mac, vlan))
        now = self.net.loop.now
        if entry is None:
            self.fdb[(mac, vlan)] = FdbEntry(mac, port, vlan, now)
            port.learned = True
            if skb.trace is not None:
                skb.trace.fdb(skb, self, mac, port.dev)
        elif not entry.local:
            entry.updated = now
            if entry.port is not port and not entry.sticky:
                entry.port = port
                port.learned = True
                entry.extern_learn = False
                if skb.trace is not None:
                    skb.trace.fdb(skb, self, mac, port.dev)

    def fdb_flush(self: Bridge, port: BridgePort | None, *, everything: bool) -> None:  # type: ignore[misc]
        """br_fdb_delete_by_port(), and br_fdb_flush() where `everything` takes the static and local ones too."""
        if port is not None and not everything and not port.learned:
            return
        for key in [k for k, e in self.fdb.items() if port is None or e.port is port]:
            entry = self.fdb[key]
            if everything and entry.local and port is not None:
                self._fdb_bequeath(key)
            elif everything or not (entry.static or entry.extern_learn):
                del self.fdb[key]

    # -- by hand ----------------------------------------------------------------------------
    def fdb_change(  # type: ignore[misc]
        self: Bridge, mac: MacAddress, port: BridgePort | None, vlan: int, *, state: str, create: bool, excl: bool,
        replace: bool, sticky: bool = False, extern_learn: bool = False,
    ) -> None:  # fmt: skip
        """br_fdb_add(): `state` is permanent, static or "" (dynamic)."""
        if mac == 0:
            raise KernelError(errno.EINVAL)
        for number in self._fdb_vlans(port, vlan):
            self._fdb_set(mac, port, number, state, create, excl, replace, sticky, extern_learn)

    def _fdb_vlans(self: Bridge, port: BridgePort | None, vlan: int) -> list[int]:  # type: ignore[misc]
        """With a VLAN that one; without, the untagged one and each that the port is in."""
        own = port.vlans if port is not None else self.vlans
        if vlan:
            if vlan not in own:
                raise KernelError(errno.EINVAL)
            return [vlan]
        return [0, *own]

    def _fdb_set(  # type: ignore[misc]
        self: Bridge, mac: MacAddress, port: BridgePort | None, vlan: int, state: str, create: bool, excl: bool,
        replace: bool, sticky: bool, extern_learn: bool,
    ) -> None:  # fmt: skip
        """fdb_add_entry() and br_fdb_external_learn_add()."""
        if port is not None and port.state not in ("learning", "forwarding") and state == "" and not extern_learn:
            raise KernelError(errno.EPERM)
        if sticky and state == "permanent":
            raise KernelError(errno.EINVAL)
        if port is None and state != "permanent":
            raise KernelError(errno.EINVAL)
        now = self.net.loop.now
        entry = self.fdb.get((mac, vlan))
        if port is not None:
            port.learned = True
        if extern_learn:
            if entry is None:
                entry = self.fdb[(mac, vlan)] = FdbEntry(mac, port, vlan, now)
            entry.port = port
            entry.extern_learn = True
            entry.by_user = True
            return
        if entry is None:
            if not create:
                raise KernelError(errno.ENOENT)
            entry = self.fdb[(mac, vlan)] = FdbEntry(mac, port, vlan, now)
        else:
            if excl:
                raise KernelError(errno.EEXIST)
            if entry.port is not port:
                entry.port = port
        entry.local = state == "permanent"
        entry.static = state != ""
        entry.sticky = sticky
        entry.by_user = True
        entry.used = entry.updated = now

    def fdb_delete(self: Bridge, mac: MacAddress, port: BridgePort | None, vlan: int) -> None:  # type: ignore[misc]
        """br_fdb_delete(): KernelError(ENOENT) where no entry went."""
        found = False
        for number in self._fdb_vlans(port, vlan):
            entry = self.fdb.get((mac, number))
            if entry is not None and entry.port is port:
                del self.fdb[(mac, number)]
                found = True
        if not found:
            raise KernelError(errno.ENOENT)

    def gc_left(self: Bridge) -> float:  # type: ignore[misc]
        """Seconds to the next br_fdb_cleanup(), which looks again when the next entry may be too old."""
        now = self.net.loop.now
        if self.gc_started is None:
            return 0.0
        due = self.gc_started
        while due <= now:
            ends = [e.updated + self.ageing_time for e in self.fdb.values() if not e.static and e.updated <= due]
            later = [end for end in ends if end > due]
            due = max(min([due + self.ageing_time, *later]), due + SECOND // 100)
        return (due - now) / SECOND
