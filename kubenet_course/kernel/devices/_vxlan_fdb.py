"""The forwarding database of a vxlan device: which MAC address is behind which remote (vxlan_core.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.sim.loop import SECOND
from kubenet_course.wire.addresses import IpAddress, MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.kernel.skbuff import SkBuff


class Remote:
    """struct vxlan_rdst: where frames are sent; 0 and None mean the device's own setting."""

    __slots__ = ("ip", "port", "vni", "dev")

    def __init__(self, ip: IpAddress, port: int = 0, vni: int | None = None, dev: NetDevice | None = None):
        self.ip = ip
        self.port = port
        self.vni = vni
        self.dev = dev

    def same(self, other: Remote) -> bool:
        return (self.ip, self.port, self.vni, self.dev) == (other.ip, other.port, other.vni, other.dev)


class VxlanFdb:
    """One entry: `permanent` and `static` ones never age; times are ns of the virtual clock."""

    __slots__ = ("mac", "remotes", "state", "used", "updated", "extern_learn", "router")

    def __init__(self, mac: MacAddress, remote: Remote, state: str, now: int):
        self.mac = mac
        self.remotes = [remote]
        self.state = state
        self.used = self.updated = now
        self.extern_learn = False
        self.router = False


class ForwardingDatabase:
    """What `Vxlan` does with its `fdb`, by MAC address."""

    net: NetNamespace
    fdb: dict[int, VxlanFdb]
    ageing: int
    limit: int

    @property
    def family(self) -> int:
        raise NotImplementedError

    def fdb_find(self, mac: int) -> VxlanFdb | None:
        """__vxlan_find_mac(), less what has aged out (vxlan_cleanup())."""
        entry = self.fdb.get(mac)
        if entry is None:
            return None
        if entry.state == "" and self.ageing and entry.used + self.ageing * SECOND <= self.net.loop.now:
            del self.fdb[mac]
            return None
        return entry

    def fdb_entries(self) -> list[VxlanFdb]:
        """Every entry that has not aged out."""
        return [entry for mac in list(self.fdb) if (entry := self.fdb_find(mac)) is not None]

    def fdb_add(
        self, mac: MacAddress, remote: Remote, state: str = "permanent", *, excl: bool = True,
        append: bool = False,        create: bool = True, replace: bool = False, extern_learn: bool = False,
    ) -> None:  # fmt: skip
        """vxlan_fdb_update(): `add` excl, `append` for group and zero addresses,
        `replace` the whole entry."""
        if remote.ip.family != self.family:
            raise KernelError(errno.EAFNOSUPPORT)
        now = self.net.loop.now
        entry = self.fdb_find(mac)
        if entry is None:
            if not create:
                raise KernelError(errno.ENOENT)
            if replace and (mac.is_multicast or mac == 0):
                raise KernelError(errno.EOPNOTSUPP)
            if self.limit and len(self.fdb) >= self.limit:
                raise KernelError(errno.ENOSPC)
            entry = self.fdb[mac] = VxlanFdb(mac, remote, state, now)
            entry.extern_learn = extern_learn
            return
        if excl and not append:
            raise KernelError(errno.EEXIST)
        entry.state, entry.updated = state, now
        if replace:
            if mac.is_multicast or mac == 0:
                raise KernelError(errno.EOPNOTSUPP, "Cannot replace non-unicast fdb entries")
            entry.remotes = [remote]
        elif append and (mac.is_multicast or mac == 0):  # one address has one place
            if not any(old.same(remote) for old in entry.remotes):
                entry.remotes.append(remote)

    def fdb_delete(self, mac: MacAddress, remote: Remote | None = None) -> None:
        """__vxlan_fdb_delete(): one remote, or with none named the entry; ENOENT."""
        entry = self.fdb_find(mac)
        if entry is None:
            raise KernelError(errno.ENOENT)
        if remote is not None:
            found = next((old for old in entry.remotes if old.same(remote)), None)
            if found is None:
                # The kernel goes on and deletes the entry where it has only one remote.
                if len(entry.remotes) == 1:
                    return
                raise KernelError(errno.ENOENT)
            if len(entry.remotes) > 1:
                entry.remotes.remove(found)
                return
        del self.fdb[mac]

    def fdb_flush(self, wanted: dict[str, bool]) -> None:
        """vxlan_fdb_delete_bulk(): every entry that is as `wanted` says (permanent, static, dynamic, extern_learn)."""
        for mac, entry in list(self.fdb.items()):
            facts = {
                "permanent": entry.state == "permanent", "static": entry.state == "static", "dynamic": entry.state == "",
                "extern_learn": entry.extern_learn,
            }  # fmt: skip
            if all(facts.get(name, False) == on for name, on in wanted.items()):
                del self.fdb[mac]

    def learn(self, source: IpAddress, mac: MacAddress, skb: SkBuff) -> bool:
        """vxlan_snoop(): where this MAC is now; True where the frame must be dropped."""
        now = self.net.loop.now
        entry = self.fdb_find(mac)
        if entry is None:
            if not self.limit or len(self.fdb) < self.limit:
                self.fdb[mac] = VxlanFdb(mac, Remote(source), "", now)
                if skb.trace is not None:
                    skb.trace.fdb(skb, self, mac, self)
            return False
        entry.used = now
        if entry.remotes[0].ip == source:
            return False
        if entry.state:
            return True
        entry.remotes[0].ip = source
        entry.updated = now
        return False
