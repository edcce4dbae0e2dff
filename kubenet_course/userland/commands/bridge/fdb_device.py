"""`bridge fdb` for devices that keep a forwarding database of their own: VXLAN (its remote endpoints)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vxlan import Remote, Vxlan
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import (
    Quit,
    Words,
    duparg2,
    get_addr,
    invarg,
    number,
    unsupported,
)
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice
    from kubenet_course.userland.commands.bridge.fdb import Line

WORDS = frozenset({"dst", "port", "vni", "via", "src_vni", "nhid"})


def has_own(dev: NetDevice) -> bool:
    """Whether the device answers for itself (ndo_fdb_dump)."""
    return isinstance(dev, Vxlan)


def lines(dev: NetDevice) -> Iterator[Line]:
    """vxlan_fdb_dump(): a line for each remote; the zero address first, then the newest."""
    from kubenet_course.userland.commands.bridge.fdb import Line

    if not isinstance(dev, Vxlan):
        return
    now = dev.net.loop.now
    newest_first = dev.fdb_entries()[::-1]
    entries = sorted(newest_first, key=lambda entry: bool(entry.mac))
    for entry in entries:
        for remote in entry.remotes:
            extra: list[tuple[str, str, Any]] = [("dst", "dst %s ", str(remote.ip))]
            if remote.port and remote.port != dev.port_number:
                extra.append(("port", "port %u ", remote.port))
            if remote.vni is not None and remote.vni != dev.vni:
                extra.append(("vni", "vni %u ", remote.vni))
            if remote.dev is not None:
                extra.append(("viaIf", "via %s ", remote.dev.name))
            flags = ["self"] + (["extern_learn"] if entry.extern_learn else [])
            used, updated = ((now - then) // SECOND for then in (entry.used, entry.updated))
            yield Line(entry.mac, dev, 0, entry.state, used, updated, flags, None, extra)


def parse(word: str, words: Words, session: Session, said: dict[str, Any]) -> None:
    """``dst ADDR``, ``port PORT``, ``vni VNI``, ``via DEV``."""
    text = words.value()
    if word == "dst":
        if "dst" in said:
            duparg2("dst", text)
        said["dst"] = get_addr(text, session.options.family if session.options.family in (4, 6) else 0)
    elif word == "port":
        port = number(text, 0, 0xFFFF)
        if port is None:
            invarg("invalid port\n", text)
        said["port"] = port
    elif word == "vni":
        vni = number(text, 0, 0xFFFFFF)
        if vni is None:
            invarg("invalid VNI\n", text)
        said["vni"] = vni
    elif word == "via":
        dev = session.find(text)
        if dev is None:
            raise Quit(255, f'Cannot find device "{text}"\n')
        said["via"] = dev
    else:
        unsupported(f"bridge fdb: {word}")


def change(dev: NetDevice, mac: MacAddress, state: str, said: dict[str, Any], verb: str) -> bool:
    """vxlan_fdb_add() and _delete(); False where the device has no database of its own."""
    if not isinstance(dev, Vxlan):
        return False
    remote = None
    if "dst" in said:
        remote = Remote(said["dst"], said.get("port", 0), said.get("vni"), said.get("via"))
    if verb == "del":
        dev.fdb_delete(mac, remote)
        return True
    if remote is None:
        raise KernelError(errno.EINVAL)
    dev.fdb_add(mac, remote, state, excl=verb == "add", append=verb == "append", replace=verb == "replace")
    return True
