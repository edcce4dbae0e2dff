"""``bridge vlan``: which VLANs the ports of a bridge carry (bridge/vlan.c)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.bridge import Bridge, BridgePort
from kubenet_course.userland.commands.ip.printer import IFNAME, Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, matches, unsupported

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

HEADER = "port              vlan-id  \n"


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _show(words, session)
    word = words.take()
    if matches(word, "add"):
        return _modify(words, session, delete=False)
    if matches(word, "delete"):
        return _modify(words, session, delete=True)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return _show(words, session)
    if matches(word, "tunnelshow") or matches(word, "global") or matches(word, "set"):
        unsupported(f"bridge vlan {word}")
    if matches(word, "help"):
        session.usage("bridge vlan")
    raise Quit(255, f'Command "{word}" is unknown, try "bridge vlan help".\n')


def _range(text: str) -> tuple[int, int]:
    """``10`` or ``10-20``."""
    low, dash, high = text.partition("-")
    first = c_number(low, 10) or 0
    last = (c_number(high, 10) or 0) if dash else first
    if dash and last >= 4096:
        raise Quit(255, f'Invalid VLAN range "{low}-{high}"\n')
    if not 0 <= first < 4096:
        raise Quit(255, f'Invalid VLAN ID "{text}"\n')
    if dash and first >= last:
        raise Quit(255, f'Invalid VLAN range "{low}-{high}"\n')
    return first, last


def _modify(words: Words, session: Session, delete: bool) -> int:
    name: str | None = None
    vids: tuple[int, int] | None = None
    pvid = untagged = use_self = use_master = False
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif word == "vid":
            vids = _range(words.value())
        elif word == "self":
            use_self = True
        elif word == "master":
            use_master = True
        elif word == "pvid":
            pvid = True
        elif word == "untagged":
            untagged = True
        elif word == "tunnel_info":
            unsupported("bridge vlan: tunnel_info")
        elif matches(word, "help"):
            session.usage("bridge vlan")
    if name is None or vids is None:
        raise Quit(255, "Device and VLAN ID are required arguments.\n")
    dev = session.find(name)
    if dev is None:
        raise Quit(255, f'Cannot find bridge device "{name}"\n')
    if pvid and vids[1] > vids[0]:
        raise Quit(255, "pvid cannot be configured for a vlan range\n")
    bridge, port = _target(dev, use_self and not use_master)
    if not all(0 < vid < 4095 for vid in vids):
        raise KernelError(errno.EINVAL, "bridge: Vlan id is invalid")
    for vid in range(vids[0], vids[1] + 1):
        if delete:
            try:
                bridge.vlan_delete(port, vid)
            except KernelError:
                continue
        else:
            bridge.vlan_add(port, vid, pvid=pvid, untagged=untagged)
    return 0


def _target(dev: NetDevice, use_self: bool) -> tuple[Bridge, BridgePort | None]:
    """The bridge itself with ``self``, else the port."""
    if isinstance(dev, Bridge):
        if not use_self:
            raise KernelError(errno.EOPNOTSUPP)
        return dev, None
    if not isinstance(dev.port, BridgePort) or use_self:
        raise KernelError(errno.EOPNOTSUPP)
    return dev.port.bridge, dev.port


def _show(words: Words, session: Session) -> int:
    only: NetDevice | None = None
    wanted = 0
    if session.options.stats:
        unsupported("bridge -s vlan: counters by VLAN")
    while words.more:
        word = words.take()
        if word == "dev":
            text = words.value()
            only = session.find(text)
            if only is None:
                raise Quit(255, f'Cannot find device "{text}"\n')
        elif word == "vid":
            text = words.value()
            value = c_number(text, 10)
            if value is None:
                raise Quit(255, f'Invalid VLAN ID "{text}"\n')
            wanted = value
        elif matches(word, "help"):
            session.usage("bridge vlan")
    with session.output() as out:
        out.fp(HEADER)
        for dev in session.net.devices.values():
            where: Any = dev if isinstance(dev, Bridge) else dev.port
            if not isinstance(where, (Bridge, BridgePort)) or (only is not None and dev is not only):
                continue
            ranges = [span for span in _ranges(where, session) if not wanted or span[0] <= wanted <= span[1]]
            if ranges:
                _print(dev, ranges, where.pvid, out, bool(session.options.details))
    return 0


def _ranges(where: Any, session: Session) -> Iterator[tuple[int, int, bool]]:
    """(first, last, untagged); single ones, but with ``-c`` neighbours that are alike come together."""
    found: list[tuple[int, int, bool]] = []
    for vid in sorted(where.vlans):
        untagged = bool(where.vlans[vid].get("untagged"))
        last = found[-1] if found else None
        if (
            session.options.compress
            and last is not None
            and last[1] == vid - 1
            and last[2] == untagged
            and where.pvid not in (vid, last[1])
        ):
            found[-1] = (last[0], vid, untagged)
        else:
            found.append((vid, vid, untagged))
    return iter(found)


def _print(dev: NetDevice, ranges: list[tuple[int, int, bool]], pvid: int, out: Printer, details: bool) -> None:
    out.open_object()
    out.color(IFNAME, "ifname", "%-17s ", dev.name)
    out.open_array("vlans")
    for number, (first, last, untagged) in enumerate(ranges):
        out.open_object()
        out.fp("" if number == 0 else " " * 18)
        out.any("vlan", "%u", first)
        if last != first:
            out.any("vlanEnd", "-%u", last)
        if first == pvid or untagged:
            out.open_array("flags")
            if first == pvid:
                out.any(None, " PVID", "PVID")
            if untagged:
                out.any(None, " Egress Untagged", "Egress Untagged")
            out.close()
        out.fp("\n")
        if details:
            out.fp(" " * 20)
            out.any("state", "state %s ", "forwarding")
            out.any("mcast_router", "mcast_router %u ", 1)
            out.fp("\n")
        out.close()
    out.close()
    out.close()
