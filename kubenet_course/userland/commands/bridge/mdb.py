"""``bridge mdb``: multicast groups behind a bridge's ports (bridge/mdb.c; net/bridge/br_mdb.c).

Groups that are added by hand are kept and listed. What hosts report (IGMP, MLD) is not snooped, so none come by themselves;
and as a bridge without a querier floods every group, frames go the same ways with and without an entry.
"""

from __future__ import annotations

from typing import Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices._bridge_mdb import MdbEntry
from kubenet_course.kernel.devices.bridge import Bridge
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.ip.printer import Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, parse_addr, unsupported
from kubenet_course.wire.addresses import IpAddress, MacAddress

#: How long an entry that is not permanent stays (multicast_membership_interval).
MEMBERSHIP = 260 * SECOND


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "show"
    if matches(word, "add"):
        return _modify(words, session, adding=True)
    if matches(word, "delete"):
        return _modify(words, session, adding=False)
    if matches(word, "help"):
        session.usage("bridge mdb")
    if not (matches(word, "show") or matches(word, "lst") or matches(word, "list")):
        raise Quit(255, f'Command "{word}" is unknown, try "bridge mdb help".\n')
    return _show(words, session)


# -- changing --------------------------------------------------------------------------------------
def _modify(words: Words, session: Session, *, adding: bool) -> int:
    """mdb_modify()."""
    names: dict[str, str] = {}
    permanent = False
    while words.more:
        word = words.take()
        if word in ("dev", "port", "grp", "src", "vid"):
            names[word] = words.value()
        elif word in ("permanent", "temp"):
            permanent = word == "permanent"
        elif word == "help":
            session.usage("bridge mdb")
    if not {"dev", "port", "grp"} <= names.keys():
        raise Quit(255, "Device, group address and port name are required arguments.\n")
    dev, port = session.find(names["dev"]), session.find(names["port"])
    for name, found in ((names["dev"], dev), (names["port"], port)):
        if found is None:
            raise Quit(255, f'Cannot find device "{name}"\n')
    group = _group(names["grp"])
    source = parse_addr(names["src"]) if "src" in names else None
    if "src" in names and source is None:
        raise Quit(255, f'Invalid source address "{names["src"]}"\n')
    if "vid" in names:
        unsupported("bridge mdb: vid")
    _refuse_group(group)
    if not isinstance(dev, Bridge):
        raise KernelError(errno.EOPNOTSUPP, "Device does not support MDB operations")
    if not dev.up:
        raise KernelError(errno.EINVAL, "bridge: Bridge device is not running")
    if port is dev and permanent:
        raise KernelError(errno.EINVAL, "bridge: Flags are not allowed for host groups")
    if port is not dev and port not in dev.ports:
        raise KernelError(errno.EINVAL, "bridge: Net device is not a bridge port")
    assert port is not None
    _expire(dev)
    known = [entry for entry in dev.mdb if (entry.dev, entry.group, entry.source) == (port, group, source)]
    if adding:
        if known:
            star = "(S, G)" if source is not None else "(*, G)"
            text = "Group is already joined by host" if port is dev else f"{star} group is already joined by port"
            raise KernelError(errno.EEXIST, f"bridge: {text}")
        dev.mdb.insert(0, MdbEntry(port, group, permanent, dev.net.loop.now + MEMBERSHIP, source))
        return 0
    if not known:
        raise KernelError(errno.EINVAL)
    dev.mdb.remove(known[0])
    return 0


def _group(text: str) -> IpAddress | MacAddress:
    address = parse_addr(text)
    if address is not None:
        return address
    try:
        return MacAddress.parse(text)
    except ValueError:
        raise Quit(255, f'Invalid address "{text}"\n') from None


def _refuse_group(group: IpAddress | MacAddress) -> None:
    """is_valid_mdb_entry()."""
    if isinstance(group, MacAddress):
        if not group.is_multicast:
            raise KernelError(errno.EINVAL, "L2 entry group is not multicast")
        return
    if group.family == 4:
        if group and not group.is_multicast:
            raise KernelError(errno.EINVAL, "IPv4 entry group address is not multicast or 0.0.0.0")
        if group >> 8 == 0xE00000:
            raise KernelError(errno.EINVAL, "IPv4 entry group address is local multicast")
    elif group == 0xFF02 << 112 | 1:
        raise KernelError(errno.EINVAL, "IPv6 entry group address is link-local all nodes")


def _expire(bridge: Bridge) -> None:
    """The timers of entries that are not permanent, and what a bridge that went down forgets."""
    now = bridge.net.loop.now
    bridge.mdb = [entry for entry in bridge.mdb if entry.permanent or entry.expires > now]


# -- showing ---------------------------------------------------------------------------------------
def _show(words: Words, session: Session) -> int:
    only: Any = None
    vid = False
    while words.more:
        word = words.take()
        if word == "dev":
            text = words.value()
            only = session.find(text)
            if only is None:
                raise Quit(255, f'Cannot find device "{text}"\n')
        elif word == "vid":
            words.value()
            vid = True
    with session.output() as out:
        out.open_object()
        out.open_array("mdb")
        for dev in session.net.devices.values():
            if isinstance(dev, Bridge) and (only is None or dev is only) and not vid:
                _expire(dev)
                for entry in dev.mdb:
                    _print(dev, entry, out, session)
        out.close()
        out.open_object("router")
        out.close()
        out.close()
    return 0


def _print(bridge: Bridge, entry: MdbEntry, out: Printer, session: Session) -> None:
    """print_mdb_entry()."""
    out.open_object()
    out.js("index", bridge.ifindex)
    out.any("dev", "dev %s", bridge.name)
    out.any("port", " port %s", entry.dev.name)
    out.any("grp", " grp %s", str(entry.group))
    if entry.source is not None:
        out.any("src", " src %s", str(entry.source))
    out.any("state", " %s", "permanent" if entry.permanent else "temp")
    if session.options.details and entry.dev is not bridge:
        out.any("protocol", " proto %s ", "static")
    out.open_array("flags")
    out.close()
    if session.options.stats:
        left = 0 if entry.permanent or entry.dev is bridge else entry.expires - bridge.net.loop.now
        hundredths = left * 100 // SECOND
        out.any("timer", " %s", f"{hundredths // 100:4d}.{hundredths % 100:02d}")
    out.fp("\n")
    out.close()
