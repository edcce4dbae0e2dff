"""``bridge link``: a bridge's ports and their settings (bridge/link.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.bridge import BridgePort
from kubenet_course.userland.commands.ip.kinds._options import on_or_off
from kubenet_course.userland.commands.ip.link_show import print_flags
from kubenet_course.userland.commands.ip.printer import IFNAME, Printer
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, c_number, duparg, matches, unsupported

if TYPE_CHECKING:
    from kubenet_course.kernel.devices.base import NetDevice

STATES = ("disabled", "listening", "learning", "forwarding", "blocking")
#: Words of ``bridge -d link`` in order.
DETAILS = ("hairpin", "guard", "root_block", "fastleave", "learning", "flood", "mcast_flood", "bcast_flood",
           "mcast_router", "mcast_to_unicast", "neigh_suppress", "vlan_tunnel", "isolated", "locked")  # fmt: skip
SWITCHES = frozenset(DETAILS) - {"mcast_router"}


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _show(words, session)
    word = words.take()
    if matches(word, "set") or matches(word, "change"):
        return _set(words, session)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return _show(words, session)
    if matches(word, "help"):
        session.usage("bridge link")
    raise Quit(255, f'Command "{word}" is unknown, try "bridge link help".\n')


def _show(words: Words, session: Session) -> int:
    chosen: NetDevice | None = None
    name: str | None = None
    while words.more:
        if words.take() == "dev":
            text = words.value()
            if name is not None:
                duparg("dev", text)
            name = text
    if name is not None:
        chosen = session.find(name)
        if chosen is None:
            raise Quit(255, f'Cannot find device "{name}"\n')
    with session.output() as out:
        for dev in session.net.devices.values():
            if isinstance(dev.port, BridgePort) and (chosen is None or dev is chosen):
                _print(dev, dev.port, out, session)
    return 0


def _print(dev: NetDevice, port: BridgePort, out: Printer, session: Session) -> None:
    """print_linkinfo() of bridge/link.c: the device below is looked up in this namespace, whatever it belongs to."""
    out.open_object()
    out.any("ifindex", "%d: ", dev.ifindex)
    lower = dev.iflink()
    down = False
    suffix = ""
    if lower is not None and lower[1] != dev.ifindex:
        found = session.net.by_index.get(lower[1])
        suffix = found.name if found is not None else f"if{lower[1]}"
        down = found is not None and not found.up
        out.js("link", suffix)
    if out.json:
        out.js("ifname", dev.name)
    else:
        out.color(IFNAME, "ifname", "%s: ", f"{dev.name}@{suffix}" if suffix else dev.name)
    flags = [word for word in dev.flags if word != "M-DOWN"]
    print_flags(flags + (["M-DOWN"] if down else []), out)
    out.any("mtu", "mtu %u ", dev.mtu)
    out.any("master", "master %s ", port.bridge.name)
    out.any("state", "state %s ", port.state)
    out.any("priority", "priority %d ", port.priority)
    out.any("cost", "cost %d ", port.cost)
    if session.options.details:
        out.nl()
        out.fp("    ")
        for name in DETAILS:
            value = getattr(port, name)
            out.any(name, f"{name} %s ", value if out.json or name == "mcast_router" else "on" if value else "off")
    out.fp("\n")
    out.close()


def _set(words: Words, session: Session) -> int:
    name: str | None = None
    said: dict[str, Any] = {}
    itself = False
    while words.more:
        word = words.take()
        if word == "dev":
            name = words.value()
        elif word in SWITCHES:
            said[word] = on_or_off(word, words.value(), 234)
        elif word in ("cost", "priority"):
            said[word] = _atoi(words.value()) & (0xFFFFFFFF if word == "cost" else 0xFFFF)
        elif word == "state":
            said["state"] = _state(words.value())
        elif word == "mcast_router":
            said["mcast_router"] = _atoi(words.value()) & 0xFF
        elif word == "learning_sync":
            on_or_off(word, words.value(), 234)  # the kernel keeps it for hardware alone
        elif word == "hwmode":
            if words.value() not in ("vepa", "veb"):
                raise Quit(255, "Mode argument must be \"vepa\" or \"veb\".\n")
            itself = True
        elif word == "nobackup_port":
            continue  # there never is one
        elif word == "backup_port":
            unsupported(f"bridge link set: {word}")
        elif word == "self":
            itself = True
        elif word != "master":
            session.usage("bridge link")
    if name is None:
        raise Quit(255, "Device is a required argument.\n")
    dev = session.find(name)
    if dev is None:
        raise Quit(255, f'Cannot find bridge device "{name}"\n')
    port = dev.port
    if not isinstance(port, BridgePort) or itself:
        raise KernelError(errno.EOPNOTSUPP)
    order = sorted(said, key=lambda key: key in ("cost", "priority", "state"))
    port.change({key: said[key] for key in order if not (key == "cost" and not said[key])})
    return 0


def _atoi(text: str) -> int:
    value = c_number(text, 10)
    return value if value is not None else 0


def _state(text: str) -> int:
    """By number, or by name in any case."""
    value = c_number(text, 10)
    if value is not None:
        return value
    if text.lower() in STATES:
        return STATES.index(text.lower())
    raise Quit(255, "Error: invalid STP port state\n")
