"""`ovs-vsctl` 3.1: the switch's configuration (utilities/ovs-vsctl.c, lib/db-ctl-base.c).

Commands are chained with ``--`` and take effect together when all of them are good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.kernel.ovs.switch import OvsBridge, OvsPort, Switch
from kubenet_course.userland.commands._ovs import OvsError, check_count, find_bridge, run, the_switch
from kubenet_course.userland.commands._ovs_database import Database, quoted

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("ovs-vsctl",)
LOGS = "/var/log/openvswitch"
GLOBAL = ("--no-wait", "--oneline", "--no-syslog", "--dry-run", "--columns")


class Run(Database):
    """One invocation: `output` of its commands, and the ports to bring up at the end."""

    def __init__(self, proc: Process):
        self.proc = proc
        self.room: Switch = the_switch(proc)
        self.output: list[str] = []
        self.exit = 0

    # -- finding ----------------------------------------------------------------------------
    def bridge(self, name: str) -> OvsBridge:
        return find_bridge(self.room, name, f"no bridge named {name}")

    def port(self, name: str) -> OvsPort:
        """A port that is not a bridge's own."""
        port = self.room.find_port(name)
        if port is None or name in self.room.bridges:
            raise OvsError(f"no port named {name}")
        return port

    def in_the_way(self, what: str, name: str) -> None:
        """check_conflicts()."""
        message = f"cannot create a {what} named {name} because a"
        if name in self.room.bridges:
            raise OvsError(f"{message} bridge named {name} already exists")
        port = self.room.find_port(name)
        if port is not None:
            raise OvsError(f"{message} port named {name} already exists on bridge {port.bridge.name}")

    # -- commands ---------------------------------------------------------------------------
    def add_br(self, options: set[str], words: list[str]) -> None:
        if len(words) == 2:
            raise OvsError("'add-br' command takes exactly 1 or 3 arguments")
        if len(words) == 3:
            raise OvsError("kubenet: ovs-vsctl fake bridges are not emulated")
        name = words[0]
        if "--may-exist" in options and name in self.room.bridges:
            return
        self.in_the_way("bridge", name)
        self.room.add_bridge(name)

    def del_br(self, options: set[str], words: list[str]) -> None:
        if "--if-exists" in options and words[0] not in self.room.bridges:
            return
        self.room.delete_bridge(self.bridge(words[0]))

    def list_br(self, options: set[str], words: list[str]) -> None:
        self.output += sorted(self.room.bridges)

    def br_exists(self, options: set[str], words: list[str]) -> None:
        if words[0] not in self.room.bridges:
            raise OvsError("", 2)

    def add_port(self, options: set[str], words: list[str]) -> None:
        bridge_name, name, *settings = words
        existing = self.room.find_port(name)
        if "--may-exist" in options and existing is not None and name not in self.room.bridges:
            if existing.bridge.name != bridge_name:
                raise OvsError(f'"{name}" but {name} is actually attached to bridge {existing.bridge.name}')
            return
        self.in_the_way("port", name)
        port = self.room.add_port(self.bridge(bridge_name), name)
        for setting in settings:
            self._set_column("port", port, setting)

    def del_port(self, options: set[str], words: list[str]) -> None:
        name = words[-1]
        bridge = self.bridge(words[0]) if len(words) == 2 else None
        port = self.room.find_port(name)
        if port is None or name in self.room.bridges:
            if "--if-exists" in options:
                return
            if bridge is not None:
                raise OvsError(f"no port named {name}")
            raise OvsError(f"no port named {name}")
        if bridge is not None and port.bridge is not bridge:
            if "--if-exists" in options:
                return
            raise OvsError(f"bridge {bridge.name} does not have a port {name}")
        self.room.delete_port(port)

    def list_ports(self, options: set[str], words: list[str]) -> None:
        self.output += sorted(name for name in self.bridge(words[0]).ports if name != words[0])

    def port_to_br(self, options: set[str], words: list[str]) -> None:
        self.output.append(self.port(words[0]).bridge.name)

    def iface_to_br(self, options: set[str], words: list[str]) -> None:
        port = self.room.find_port(words[0])
        if port is None or words[0] in self.room.bridges:
            raise OvsError(f"no interface named {words[0]}")
        self.output.append(port.bridge.name)

    def br_to_vlan(self, options: set[str], words: list[str]) -> None:
        self.bridge(words[0])
        self.output.append("0")

    def br_to_parent(self, options: set[str], words: list[str]) -> None:
        self.output.append(self.bridge(words[0]).name)

    def init(self, options: set[str], words: list[str]) -> None:
        """Initialize the database: it is."""

    def set_fail_mode(self, options: set[str], words: list[str]) -> None:
        if words[1] not in ("standalone", "secure"):
            raise OvsError('fail-mode must be "standalone" or "secure"')
        self.bridge(words[0]).set_fail_mode(words[1])

    def get_fail_mode(self, options: set[str], words: list[str]) -> None:
        mode = self.bridge(words[0]).fail_mode
        if mode:
            self.output.append(mode)

    def del_fail_mode(self, options: set[str], words: list[str]) -> None:
        self.bridge(words[0]).set_fail_mode("")

    def show(self, options: set[str], words: list[str]) -> None:
        self.output.append(self.room.uuid)
        for bridge in self.room.bridges.values():
            self.output.append(f"    Bridge {quoted(bridge.name)}")
            if bridge.fail_mode:
                self.output.append(f"        fail_mode: {bridge.fail_mode}")
            if bridge.datapath_type:
                self.output.append(f"        datapath_type: {bridge.datapath_type}")
            for port in bridge.ports.values():
                self.output += _show_port(port)


def _show_port(port: OvsPort) -> list[str]:
    lines = [f"        Port {quoted(port.name)}"]
    if port.tag is not None:
        lines.append(f"            tag: {port.tag}")
    if port.trunks:
        lines.append(f"            trunks: [{', '.join(map(str, port.trunks))}]")
    lines.append(f"            Interface {quoted(port.name)}")
    if port.kind:
        lines.append(f"                type: {quoted(port.kind)}")
    if port.options:
        pairs = ", ".join(f"{key}={quoted(value)}" for key, value in sorted(port.options.items()))
        lines.append(f"                options: {{{pairs}}}")
    error = port.error
    if port.kind == "patch" and not error and port.peer is None:
        error = f"No usable peer '{port.options.get('peer', '')}' exists in 'system' datapath."
    if error:
        lines.append(f'                error: "{error}"')
    return lines


#: name → (least and most arguments, method, options).
COMMANDS: dict[str, tuple[int, int, Callable[[Run, set[str], list[str]], None], tuple[str, ...]]] = {
    "init": (0, 0, Run.init, ()),
    "show": (0, 0, Run.show, ()),
    "add-br": (1, 3, Run.add_br, ("--may-exist",)),
    "del-br": (1, 1, Run.del_br, ("--if-exists",)),
    "list-br": (0, 0, Run.list_br, ("--real", "--fake")),
    "br-exists": (1, 1, Run.br_exists, ()),
    "br-to-vlan": (1, 1, Run.br_to_vlan, ()),
    "br-to-parent": (1, 1, Run.br_to_parent, ()),
    "list-ports": (1, 1, Run.list_ports, ()),
    "add-port": (2, 10**6, Run.add_port, ("--may-exist",)),
    "del-port": (1, 2, Run.del_port, ("--if-exists", "--with-iface")),
    "port-to-br": (1, 1, Run.port_to_br, ()),
    "list-ifaces": (1, 1, Run.list_ports, ()),
    "iface-to-br": (1, 1, Run.iface_to_br, ()),
    "set-fail-mode": (2, 2, Run.set_fail_mode, ()),
    "get-fail-mode": (1, 1, Run.get_fail_mode, ()),
    "del-fail-mode": (1, 1, Run.del_fail_mode, ()),
    "set": (3, 10**6, Run.set_, ("--if-exists",)),
    "get": (2, 10**6, Run.get, ("--if-exists", "--id")),
    "clear": (3, 10**6, Run.clear, ("--if-exists",)),
    "remove": (4, 10**6, Run.remove, ("--if-exists",)),
}
UNSUPPORTED = (
    "list", "find", "create", "destroy", "add", "wait-until", "comment", "emer-reset", "add-bond",
    "set-controller",
    "get-controller", "del-controller", "br-set-external-id", "br-get-external-id", "get-manager",
    "set-manager",
    "del-manager", "get-ssl", "set-ssl", "del-ssl", "add-bond-iface", "del-bond-iface", "get-aa-mapping",
)  # fmt: skip


async def main(proc: Process, argv: list[str]) -> int:
    return run(proc, "ovs-vsctl", lambda: _main(proc, argv[1:]))


def _main(proc: Process, words: list[str]) -> int:
    while words and words[0].startswith("-") and words[0] != "--":
        word = words[0]
        if word == "-":
            raise OvsError("missing command name (use --help for help)")
        if word in ("--version", "-V"):
            proc.print("ovs-vsctl (Open vSwitch) 3.1.0\nDB Schema 8.3.1")
            return 0
        if word in ("--may-exist", "--if-exists", "--id", "--real", "--fake", "--with-iface"):
            break
        if (
            word.startswith(("--timeout", "-t", "--db", "--verbose", "-v"))
            or word.partition("=")[0] in GLOBAL
        ):
            words = words[2:] if word in ("--timeout", "-t", "--db") else words[1:]
            continue
        if word in ("--help", "-h"):
            raise OvsError("kubenet: ovs-vsctl --help is not emulated")
        raise OvsError(
            f"unrecognized option '{word}'" if word.startswith("--") else f"invalid option -- '{word[1]}'"
        )
    groups: list[list[str]] = [[]]
    for word in words:
        if word == "--":
            groups.append([])
        else:
            groups[-1].append(word)
    groups = [group for group in groups if group]
    if not groups:
        raise OvsError("missing command name (use --help for help)")
    return _transaction(proc, [_command(group) for group in groups])


def _command(words: list[str]) -> tuple[str, set[str], list[str]]:
    options: set[str] = set()
    while words and words[0].startswith("--"):
        options.add(words[0])
        words = words[1:]
    if not words:
        raise OvsError("missing command name (use --help for help)")
    name, *arguments = words
    if name in UNSUPPORTED:
        raise OvsError(f"kubenet: ovs-vsctl {name} is not emulated")
    if name not in COMMANDS:
        raise OvsError(f"unknown command '{name}'; use --help for help")
    low, high, _, allowed = COMMANDS[name]
    for option in sorted(options):
        if option.partition("=")[0] not in allowed:
            raise OvsError(f"'{name}' command has no '{option}' option")
    check_count(name, arguments, low, high)
    return name, options, arguments


def _transaction(proc: Process, commands: list[tuple[str, set[str], list[str]]]) -> int:
    """All commands, then what vswitchd makes of it: new ports are opened."""
    state = Run(proc)
    status = 0
    try:
        for name, options, arguments in commands:
            COMMANDS[name][2](state, options, arguments)
    except OvsError as failure:
        _undo(state)
        if failure.message:
            raise
        status = failure.status
    if state.output:
        proc.print("\n".join(state.output))
    failed: list[OvsPort] = []
    for bridge in state.room.bridges.values():
        for port in bridge.ports.values():
            if port.number < 0 and not port.error:
                port.attach()
                if port.error:
                    failed.append(port)
    for port in failed:
        proc.error(
            f"ovs-vsctl: Error detected while setting up '{port.name}': {port.error}.  "
            "See ovs-vswitchd log for details."
        )
    if failed:
        proc.error(f'ovs-vsctl: The default log directory is "{LOGS}".')
    return status


def _undo(state: Run) -> None:
    """A command of the chain was bad: ports that it would have made are not."""
    for bridge in state.room.bridges.values():
        for port in [port for port in bridge.ports.values() if port.number < 0 and not port.error]:
            del bridge.ports[port.name]
