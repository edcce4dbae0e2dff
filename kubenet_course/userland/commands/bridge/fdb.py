"""``bridge fdb``: forwarding databases, of bridges (``master``) and of devices themselves (``self``) (bridge/fdb.c)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.bridge import Bridge, BridgePort, FdbEntry
from kubenet_course.kernel.devices.vxlan import Vxlan
from kubenet_course.kernel.multicast import link_groups
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.bridge import fdb_device
from kubenet_course.userland.commands.ip.printer import IFNAME, MAC, Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, duparg2, invarg, matches, number
from kubenet_course.wire.addresses import MacAddress

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice


@dataclass
class Line:
    """One entry as `bridge fdb` shows it. `extra`: (key, form, value) of what a tunnel adds."""

    mac: MacAddress
    dev: NetDevice
    vlan: int = 0
    state: str = ""
    used: int | None = None
    updated: int | None = None
    flags: list[str] = field(default_factory=list)
    master: str | None = None
    extra: list[tuple[str, str, Any]] = field(default_factory=list)


VERBS = {
    "add": {"create": True, "excl": True, "replace": False},
    "append": {"create": True, "excl": False, "replace": False},
    "replace": {"create": True, "excl": False, "replace": True},
}


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _show(words, session)
    word = words.take()
    for verb in VERBS:
        if matches(word, verb):
            return _modify(words, session, verb)
    if matches(word, "delete"):
        return _modify(words, session, "del")
    if matches(word, "get"):
        return _get(words, session)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return _show(words, session)
    if matches(word, "flush"):
        return _flush(words, session)
    if matches(word, "help"):
        session.usage("bridge fdb")
    raise Quit(255, f'Command "{word}" is unknown, try "bridge fdb help".\n')


# -- what there is -------------------------------------------------------------------------------
def own_lines(dev: NetDevice) -> Iterator[Line]:
    """ndo_dflt_fdb_dump(): addresses that the device itself takes besides its own."""
    if fdb_device.has_own(dev):
        yield from fdb_device.lines(dev)
        return
    for mac in dev.unicast_macs:
        yield Line(mac, dev, state="permanent", flags=["self"])
    for mac, _ in link_groups(dev):
        yield Line(mac, dev, state="permanent", flags=["self"])


def bridge_lines(bridge: Bridge, port: BridgePort | None) -> Iterator[Line]:
    """br_fdb_dump() for one port, or for the bridge itself."""
    for entry in reversed(bridge.fdb_entries()):
        if entry.port is port:
            yield line_of(bridge, entry)


def line_of(bridge: Bridge, entry: FdbEntry) -> Line:
    now = bridge.net.loop.now
    flags = ["extern_learn"] if entry.extern_learn else []
    flags += ["sticky"] if entry.sticky else []
    return Line(
        entry.mac, entry.port.dev if entry.port is not None else bridge, entry.vlan, entry.state,
        (now - entry.used) // SECOND, (now - entry.updated) // SECOND, flags, bridge.name,
    )  # fmt: skip


def all_lines(session: Session, bridge: NetDevice | None = None, only: NetDevice | None = None) -> Iterator[Line]:
    """rtnl_fdb_dump(): by device; a port's entries in its bridge, then its own."""
    for dev in session.net.devices.values():
        if only is not None and dev is not only:
            continue
        master = dev.master if isinstance(dev.master, Bridge) else None
        if bridge is not None and dev is not bridge and master is not bridge:
            continue
        if master is not None:
            yield from bridge_lines(master, dev.port)
        yield from own_lines(dev)
        if isinstance(dev, Bridge):
            yield from bridge_lines(dev, None)


# -- showing -------------------------------------------------------------------------------------
def _show(words: Words, session: Session) -> int:
    """The selectors; words that are none are passed over, as the original does."""
    bridge: NetDevice | None = None
    only: NetDevice | None = None
    vlan = 0
    state: str | None = None
    dynamic = False
    while words.more:
        word = words.take()
        if word in ("brport", "dev"):
            text = words.value()
            only = session.find(text)
            if only is None:
                raise Quit(255, f'Cannot find device "{text}"\n')
        elif word == "br":
            text = words.value()
            bridge = session.find(text)
            if bridge is None:
                raise Quit(255, f'Cannot find bridge device "{text}"\n')
        elif word == "vlan":
            vlan = c_number(words.value(), 10) or 0
        elif word == "state":
            state = _state_word(words.value())
        elif word == "dynamic":
            dynamic = True
        elif matches(word, "help"):
            session.usage("bridge fdb")
    with session.output() as out:
        for line in all_lines(session, bridge, only):
            if (vlan and line.vlan != vlan) or (dynamic and line.state == "permanent"):
                continue
            if state not in (None, "all") and state != line.state:
                continue
            print_line(line, out, session, hide_dev=only is not None)
    return 0


def _state_word(text: str) -> str:
    if matches(text, "permanent") or text == "local":
        return "permanent"
    if matches(text, "static") or text == "temp":
        return "static"
    if matches(text, "stale"):
        return "stale"
    if matches(text, "reachable") or text == "dynamic":
        return ""
    if text == "all":
        return "all"
    value = number(text, 0, 255)
    if value is None:
        invarg("invalid state", text)
    return {0x80: "permanent", 0x40: "static", 0x04: "stale", 0x02: ""}.get(value, "none")


def print_line(line: Line, out: Printer, session: Session, hide_dev: bool = False) -> None:
    """print_fdb()."""
    out.open_object()
    out.color(MAC, "mac", "%s ", line.mac)
    if not hide_dev:
        out.fp("dev ")
        out.color(IFNAME, "ifname", "%s ", line.dev.name)
    for key, form, value in line.extra:
        out.any(key, form, value)
    if line.vlan:
        out.any("vlan", "vlan %u ", line.vlan)
    if session.options.stats and line.used is not None:
        out.any("used", "used %u/", line.used)
        out.any("updated", "%u ", line.updated)
    out.open_array("flags")
    for word in line.flags:
        out.any(None, "%s ", word)
    out.close()
    if line.master is not None:
        out.any("master", "master %s ", line.master)
    if out.json:
        out.js("state", line.state)
    else:
        out.fp(line.state)
    out.fp("\n")
    out.close()


# -- changing ------------------------------------------------------------------------------------
@dataclass
class _Said:
    mac: str | None = None
    dev: str | None = None
    vlan: int = 0
    state: str = "permanent"
    self: bool = False
    master: bool = False
    sticky: bool = False
    extern_learn: bool = False
    dynamic: bool = False
    tunnel: dict[str, Any] = field(default_factory=dict)


def _parse(words: Words, session: Session) -> _Said:
    said = _Said()
    while words.more:
        word = words.take()
        if word == "dev":
            said.dev = words.value()
        elif word in fdb_device.WORDS:
            fdb_device.parse(word, words, session, said.tunnel)
        elif word == "self":
            said.self = True
        elif matches(word, "master"):
            said.master = True
        elif matches(word, "router"):
            said.tunnel["router"] = True
        elif matches(word, "local") or matches(word, "permanent"):
            said.state = "permanent"
        elif matches(word, "temp") or matches(word, "static"):
            said.state = "static"
        elif matches(word, "dynamic"):
            said.state = ""
        elif word == "vlan":
            said.vlan = c_number(words.value(), 10) or 0
        elif matches(word, "use"):
            continue
        elif matches(word, "extern_learn"):
            said.extern_learn = True
        elif matches(word, "sticky"):
            said.sticky = True
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                session.usage("bridge fdb")
            if said.mac is not None:
                duparg2("to", word)
            said.mac = word
    return said


def parse_mac(text: str) -> MacAddress:
    try:
        return MacAddress.parse(text)
    except ValueError:
        raise Quit(255, f"Invalid mac address {text}\n") from None


def _modify(words: Words, session: Session, verb: str) -> int:
    said = _parse(words, session)
    if said.dev is None or said.mac is None:
        raise Quit(255, "Device and address are required arguments.\n")
    mac = parse_mac(said.mac)
    dev = session.find(said.dev)
    if dev is None:
        raise Quit(255, f'Cannot find device "{said.dev}"\n')
    if dev.is_loopback or dev.link_type != "ether":
        raise KernelError(errno.EINVAL, f"FDB {'delete' if verb == 'del' else 'add'} only supported for Ethernet devices")
    if said.vlan and not 0 < said.vlan < 4095:
        raise KernelError(errno.EINVAL, "Invalid vlan id")
    use_self = said.self or not said.master
    if said.master:
        if not isinstance(dev.port, BridgePort):
            if not said.self:
                raise KernelError(errno.EOPNOTSUPP)
        else:
            _in_bridge(dev.port.bridge, dev.port, mac, said, verb)
    if use_self:
        if isinstance(dev, Bridge):
            _in_bridge(dev, None, mac, said, verb)
        else:
            _in_device(dev, mac, said, verb)
    return 0


def _in_bridge(bridge: Bridge, port: BridgePort | None, mac: MacAddress, said: _Said, verb: str) -> None:
    if said.vlan:
        bridge.vlan_init()
    if verb == "del":
        bridge.fdb_delete(mac, port, said.vlan)
        return
    bridge.fdb_change(
        mac, port, said.vlan, state=said.state, sticky=said.sticky, extern_learn=said.extern_learn, **VERBS[verb]
    )


def _in_device(dev: NetDevice, mac: MacAddress, said: _Said, verb: str) -> None:
    """The device's own way (a VXLAN), or ndo_dflt_fdb_add() and _del()."""
    if fdb_device.change(dev, mac, said.state, said.tunnel, verb):
        return
    if said.state != "permanent" and verb != "del":
        raise KernelError(errno.EINVAL, "default FDB implementation only supports local addresses")
    if said.vlan:
        raise KernelError(errno.EINVAL, "vlans aren't supported yet for dev_uc|mc_add()")
    attribute = "static_groups" if mac.is_multicast else "unicast_macs"
    own = getattr(dev, attribute)
    if verb == "del":
        if mac not in own:
            raise KernelError(errno.ENOENT)
        setattr(dev, attribute, tuple(other for other in own if other != mac))
    elif mac in own:
        if VERBS[verb]["excl"]:
            raise KernelError(errno.EEXIST)
    else:
        if mac == 0:
            raise KernelError(errno.EINVAL)
        setattr(dev, attribute, (*own, mac))


def _flush(words: Words, session: Session) -> int:
    """br_fdb_delete_bulk(): by default everything, also what is local."""
    name: str | None = None
    port_name: str | None = None
    vlan = 0
    of_master = False
    wanted: dict[str, bool] = {}
    while words.more:
        word = words.take()
        bare = word.removeprefix("no")
        if word == "dev":
            name = words.value()
        elif word == "brport":
            port_name = words.value()
        elif word == "vlan":
            vlan = c_number(words.value(), 10) or 0
        elif bare in ("permanent", "static", "dynamic", "extern_learn", "sticky", "added_by_user", "offloaded"):
            wanted[bare] = bare == word
        elif word == "master":
            of_master = True
        elif word != "self":
            if matches(word, "help"):
                session.usage("bridge fdb")
            raise Quit(255, f'Error: argument "{word}" is wrong: unknown\n')
    if name is None:
        raise Quit(255, "Device is a required argument.\n")
    bridge = session.find(name)
    if bridge is None:
        raise Quit(255, f'Cannot find bridge device "{name}"\n')
    port = session.find(port_name) if port_name is not None else None
    if port_name is not None and port is None:
        raise Quit(255, f'Cannot find port device "{port_name}"\n')
    if of_master and isinstance(bridge.master, Bridge):
        bridge, port = bridge.master, bridge
    if isinstance(bridge, Vxlan):
        bridge.fdb_flush(wanted)
        return 0
    if not isinstance(bridge, Bridge):
        raise KernelError(errno.EOPNOTSUPP, "")
    for key, entry in list(bridge.fdb.items()):
        facts = {
            "permanent": entry.local, "static": entry.static and not entry.local, "dynamic": not entry.static,
            "extern_learn": entry.extern_learn, "sticky": entry.sticky, "added_by_user": entry.by_user,
            "offloaded": False,
        }  # fmt: skip
        if port is not None and (entry.port is None or entry.port.dev is not port):
            continue
        if (not vlan or entry.vlan == vlan) and all(facts[word] == on for word, on in wanted.items()):
            del bridge.fdb[key]
    return 0


def _get(words: Words, session: Session) -> int:
    """fdb_get()."""
    mac: str | None = None
    dev: NetDevice | None = None
    bridge: NetDevice | None = None
    vlan = 0
    use_self = False
    while words.more:
        word = words.take()
        if word in ("brport", "dev", "br"):
            text = words.value()
            found = session.find(text)
            if found is None:
                raise Quit(255, f'Cannot find {"bridge " if word == "br" else ""}device "{text}"\n')
            if word == "br":
                bridge = found
            else:
                dev = found
        elif word == "vlan":
            vlan = c_number(words.value(), 10) or 0
        elif word == "self":
            use_self = True
        elif matches(word, "master") or matches(word, "dynamic"):
            continue
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                session.usage("bridge fdb")
            if mac is not None:
                duparg2("to", word)
            mac = word
    if mac is None or (dev is None and bridge is None):
        raise Quit(255, "Device or master and address are required arguments.\n")
    address = parse_mac(mac)
    line = _find(address, dev, bridge, vlan, use_self)
    if line is None:
        raise Quit(254, "Error: Fdb entry not found.\n")
    with session.output() as out:
        print_line(line, out, session)
    return 0


def _find(mac: MacAddress, dev: NetDevice | None, bridge: NetDevice | None, vlan: int, use_self: bool) -> Line | None:
    if dev is not None and use_self:
        return next((line for line in own_lines(dev) if line.mac == mac), None)
    where = bridge if bridge is not None else dev.master if dev is not None else None
    if not isinstance(where, Bridge):
        return None
    entry = where.fdb_find(mac, vlan)
    return line_of(where, entry) if entry is not None else None
