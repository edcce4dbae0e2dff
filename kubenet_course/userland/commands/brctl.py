"""brctl: Linux bridges as bridge-utils 1.7 shows and changes them (superseded by `ip link` and `bridge`)."""

from __future__ import annotations

import re
from collections.abc import Callable

from kubenet_course import errno
from kubenet_course.errors import KernelError
from kubenet_course.kernel import rtnetlink
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.devices.bridge import Bridge, BridgePort
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.process import Process

IFNAMSIZ = 16
#: Command → (how many arguments, what `brctl` says of them).
COMMANDS: dict[str, tuple[int, str]] = {
    "addbr": (1, "<bridge>\t\tadd bridge"),
    "delbr": (1, "<bridge>\t\tdelete bridge"),
    "addif": (2, "<bridge> <device>\tadd interface to bridge"),
    "delif": (2, "<bridge> <device>\tdelete interface from bridge"),
    "hairpin": (3, "<bridge> <port> {on|off}\tturn hairpin on/off"),
    "setageing": (2, "<bridge> <time>\t\tset ageing time"),
    "setbridgeprio": (2, "<bridge> <prio>\t\tset bridge priority"),
    "setfd": (2, "<bridge> <time>\t\tset bridge forward delay"),
    "sethello": (2, "<bridge> <time>\t\tset hello time"),
    "setmaxage": (2, "<bridge> <time>\t\tset max message age"),
    "setpathcost": (3, "<bridge> <port> <cost>\tset path cost"),
    "setportprio": (3, "<bridge> <port> <prio>\tset port priority"),
    "show": (0, "[ <bridge> ]\t\tshow a list of bridges"),
    "showmacs": (1, "<bridge>\t\tshow a list of mac addrs"),
    "showstp": (1, "<bridge>\t\tshow bridge stp info"),
    "stp": (2, "<bridge> {on|off}\tturn stp on/off"),
}


class Failed(Exception):
    """One line for standard error, status 1."""


def usage() -> str:
    return "Usage: brctl [commands]\ncommands:\n" + "\n".join(
        f"\t{name:<10}\t{text}" for name, (_, text) in COMMANDS.items()
    )


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    if not words:
        proc.print(usage())
        return 1
    if words[0] in ("-V", "--version"):
        proc.print("bridge-utils, 1.7")
        return 0
    if words[0] in ("-h", "--help"):
        proc.print(usage())
        return 0
    if words[0].startswith("-"):
        letter = words[0][1:2]
        said = f"unrecognized option '{words[0]}'" if letter == "-" else f"invalid option -- '{letter}'"
        proc.error(f"brctl: {said}\nUnknown option '?'")
        proc.print(usage())
        return 1
    name, *arguments = words
    if name not in COMMANDS:
        proc.error(f"never heard of command [{name}]")
        proc.print(usage())
        return 1
    count, text = COMMANDS[name]
    if len(arguments) < count:
        proc.error(f"Incorrect number of arguments for command\nUsage: brctl {name} {text}")
        return 1
    try:
        ACTIONS[name](proc, arguments)
    except Failed as failed:
        proc.error(str(failed))
        return 1
    return 0


# -- finding -----------------------------------------------------------------------------------
def _bridge(proc: Process, name: str, what: str = "") -> Bridge:
    """The bridge; Failed in the words of `what` (an ioctl's perror), else "does not exist"."""
    dev = proc.net.devices.get(name)
    if dev is None:
        raise Failed(f"{what}: No such device" if what else f"bridge {name} does not exist!")
    if not isinstance(dev, Bridge):
        raise Failed(f"{what}: Operation not supported" if what else f"device {name} is not a bridge!")
    return dev


def _device(proc: Process, name: str) -> NetDevice:
    dev = proc.net.devices.get(name)
    if dev is None:
        raise Failed(f"interface {name} does not exist!")
    return dev


def _port(proc: Process, bridge: Bridge, name: str, what: str) -> BridgePort:
    dev = proc.net.devices.get(name)
    if dev is None:
        raise Failed(f"{what}: No such device")
    if dev not in bridge.ports:
        raise Failed(f"{what}: No such file or directory")
    return bridge.ports[dev]


def _seconds(text: str, what: str) -> int:
    """strtod(): seconds with a fraction, in ns."""
    if not re.fullmatch(r"\d+(\.\d*)?|\.\d+", text):
        raise Failed(f"bad {what} value")
    return round(float(text) * SECOND)


def _number(text: str, what: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise Failed(f"bad {what}") from None


# -- changing ----------------------------------------------------------------------------------
def _addbr(proc: Process, words: list[str]) -> None:
    name = words[0][: IFNAMSIZ - 1]
    if name in proc.net.devices:
        raise Failed(f"device {words[0]} already exists; can't create bridge with the same name")
    try:
        rtnetlink.check_name(name)
    except KernelError as error:
        raise Failed(f"add bridge failed: {error.strerror}") from None
    proc.net.add_device(Bridge(proc.net, name))


def _delbr(proc: Process, words: list[str]) -> None:
    dev = proc.net.devices.get(words[0])
    if dev is None:
        raise Failed(f"bridge {words[0]} doesn't exist; can't delete it")
    if not isinstance(dev, Bridge):
        raise Failed(f"can't delete bridge {words[0]}: {KernelError(errno.EPERM).strerror}")
    if dev.up:
        raise Failed(f"bridge {words[0]} is still up; can't delete it")
    dev.unregister()


def _addif(proc: Process, words: list[str]) -> None:
    name, *ports = words
    for port in ports:
        dev = _device(proc, port)
        bridge = proc.net.devices.get(name)
        if not isinstance(bridge, Bridge):
            raise Failed(
                f"bridge {name} does not exist!"
                if bridge is None
                else f"can't add {port} to bridge {name}: Operation not supported"
            )
        try:
            bridge.add_port(dev)
        except KernelError as error:
            if error.errno == errno.EBUSY:
                raise Failed(
                    f"device {port} is already a member of a bridge; can't add it to bridge {name}."
                ) from None
            if error.errno == errno.ELOOP:
                raise Failed(
                    f"device {port} is a bridge device itself; can't add a bridge device to a bridge device."
                ) from None
            raise Failed(f"can't add {port} to bridge {name}: {error.strerror}") from None


def _delif(proc: Process, words: list[str]) -> None:
    name, *ports = words
    for port in ports:
        dev = _device(proc, port)
        bridge = proc.net.devices.get(name)
        if bridge is None:
            raise Failed(f"bridge {name} does not exist!")
        if not isinstance(bridge, Bridge) or dev not in bridge.ports:
            raise Failed(f"device {port} is not a port of {name}")
        bridge.release_port(dev)


def _switch(text: str) -> bool:
    if text not in ("on", "yes", "1", "off", "no", "0"):
        raise Failed("expect on/off for argument")
    return text in ("on", "yes", "1")


def _hairpin(proc: Process, words: list[str]) -> None:
    on = _switch(words[2])
    bridge = proc.net.devices.get(words[0])
    dev = proc.net.devices.get(words[1])
    if dev is None:
        raise Failed(f"interface {words[1]} does not exist!")
    if not isinstance(bridge, Bridge):
        raise Failed(f"bridge {words[0]} does not exist!")
    if dev not in bridge.ports:
        raise Failed(f"can't set {words[1]} to hairpin on bridge {words[0]}: No such file or directory")
    bridge.ports[dev].hairpin = on


def _stp(proc: Process, words: list[str]) -> None:
    on = _switch(words[1])
    _bridge(proc, words[0], "set stp status failed").set_stp(on)


def _timer(attribute: str, what: str, failure: str) -> Callable[[Process, list[str]], None]:
    def action(proc: Process, words: list[str]) -> None:
        value = _seconds(words[1], what)
        bridge = _bridge(proc, words[0], f"{failure} failed")
        try:
            bridge.changelink({attribute: value * 100 // SECOND})
        except KernelError as error:
            raise Failed(f"{failure} failed: {error.strerror}") from None

    return action


def _setbridgeprio(proc: Process, words: list[str]) -> None:
    value = _number(words[1], "priority")
    _bridge(proc, words[0], "set bridge priority failed").changelink({"priority": value & 0xFFFF})


def _setportprio(proc: Process, words: list[str]) -> None:
    value = _number(words[2], "path priority")
    bridge = _bridge(proc, words[0], "set port priority failed")
    port = _port(proc, bridge, words[1], "set port priority failed")
    if not 0 <= value < 64:
        raise Failed("set port priority failed: Numerical result out of range")
    port.change({"priority": value})


def _setpathcost(proc: Process, words: list[str]) -> None:
    value = _number(words[2], "path cost value")
    bridge = _bridge(proc, words[0], "set path cost failed")
    port = _port(proc, bridge, words[1], "set path cost failed")
    if not 1 <= value <= 65535:
        raise Failed("set path cost failed: Numerical result out of range")
    port.change({"cost": value})


# -- looking -----------------------------------------------------------------------------------
def _identity(bridge: Bridge) -> str:
    """The bridge id: priority and MAC; zero while no port or address has given it one."""
    return f"{bridge.priority:04x}.{int(bridge.id_mac):012x}"


def _show(proc: Process, words: list[str]) -> None:
    every = [dev.name for dev in proc.net.devices.values() if isinstance(dev, Bridge)]
    titled = False
    for name in words or every:
        bridge = _bridge(proc, name)
        if not titled:
            proc.print("bridge name\tbridge id\t\tSTP enabled\tinterfaces")
            titled = True
        names = sorted(port.name for port in bridge.ports)
        first = names[0] if names else ""
        proc.print(f"{bridge.name}\t\t{_identity(bridge)}\t{'yes' if bridge.stp else 'no'}\t\t{first}")
        for name in names[1:]:
            proc.print(f"\t\t\t\t\t\t\t{name}")


def _showmacs(proc: Process, words: list[str]) -> None:
    bridge = _bridge(proc, words[0], "read of forward table failed")
    now = proc.loop.now
    proc.print("port no\tmac addr\t\tis local?\tageing timer")
    entries = {
        (int(entry.mac), entry.port.number): entry for entry in bridge.fdb_entries() if entry.port is not None
    }
    for (mac, number), entry in sorted(entries.items()):
        del mac
        age = 0.0 if entry.static else (now - entry.updated) / SECOND
        proc.print(f"{number:3}\t{entry.mac}\t{'yes' if entry.local else 'no'}\t\t{age:7.2f}")


def _showstp(proc: Process, words: list[str]) -> None:
    bridge = _bridge(proc, words[0])
    identity = _identity(bridge)

    def time(value: float) -> str:
        return f"{value / SECOND:7.2f}"

    proc.print(bridge.name)
    proc.print(f" bridge id\t\t{identity}")
    proc.print(f" designated root\t{identity}")
    proc.print(f" root port\t\t{0:4}\t\t\tpath cost\t\t{0:4}")
    proc.print(f" max age\t\t{time(bridge.max_age)}\t\t\tbridge max age\t\t{time(bridge.max_age)}")
    proc.print(f" hello time\t\t{time(bridge.hello_time)}\t\t\tbridge hello time\t{time(bridge.hello_time)}")
    proc.print(
        f" forward delay\t\t{time(bridge.forward_delay)}\t\t\tbridge forward delay\t{time(bridge.forward_delay)}"
    )
    proc.print(f" ageing time\t\t{time(bridge.ageing_time)}")
    proc.print(f" hello timer\t\t{time(0)}\t\t\ttcn timer\t\t{time(0)}")
    proc.print(f" topology change timer\t{time(0)}\t\t\tgc timer\t\t{bridge.gc_left():7.2f}")
    proc.print(" flags\t\t\t\n\n")
    for port in sorted(bridge.ports.values(), key=lambda port: port.dev.name):
        number, own = f"{port.port_id:04x}", f"{port.designated[1]:04x}.{int(bridge.id_mac):012x}"
        left = max(0, port.state_ends - proc.loop.now)
        proc.print(f"{port.dev.name} ({port.number})")
        proc.print(f" port id\t\t{number}\t\t\tstate\t\t{port.state:>15}")
        proc.print(f" designated root\t{own}\tpath cost\t\t{port.cost:4}")
        proc.print(f" designated bridge\t{own}\tmessage age timer\t{time(0)}")
        proc.print(f" designated port\t{port.designated[0]:04x}\t\t\tforward delay timer\t{time(left)}")
        proc.print(f" designated cost\t{0:4}\t\t\thold timer\t\t{time(0)}")
        proc.print(" flags\t\t\t" + ("\n hairpin mode\t\t   1" if port.hairpin else "") + "\n")


ACTIONS: dict[str, Callable[[Process, list[str]], None]] = {
    "addbr": _addbr,
    "delbr": _delbr,
    "addif": _addif,
    "delif": _delif,
    "hairpin": _hairpin,
    "stp": _stp,
    "setageing": _timer("ageing_time", "ageing time", "set ageing time"),
    "setfd": _timer("forward_delay", "forward delay", "set forward delay"),
    "sethello": _timer("hello_time", "hello timer", "set hello timer"),
    "setmaxage": _timer("max_age", "max age", "set max age"),
    "setbridgeprio": _setbridgeprio,
    "setportprio": _setportprio,
    "setpathcost": _setpathcost,
    "show": _show,
    "showmacs": _showmacs,
    "showstp": _showstp,
}
