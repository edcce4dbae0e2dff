"""`ovs-appctl` 3.1: questions to the running ovs-vswitchd (utilities/ovs-appctl.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.kernel.ovs.switch import LOCAL, Switch
from kubenet_course.userland.commands._ovs import OvsError, run, the_switch

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("ovs-appctl",)
REFUSED = "ovs-appctl: ovs-vswitchd: server returned an error"


async def main(proc: Process, argv: list[str]) -> int:
    return run(proc, "ovs-appctl", lambda: _main(proc, argv[1:]))


def _main(proc: Process, words: list[str]) -> int:
    while words and words[0].startswith("-"):
        if words[0] in ("-V", "--version"):
            proc.print("ovs-appctl (Open vSwitch) 3.1.0")
            return 0
        words = words[2:] if words[0] in ("-t", "--target", "-T", "--timeout") else words[1:]
    if not words:
        raise OvsError("at least one non-option argument is required (use --help for help)")
    command, *arguments = words
    room = the_switch(proc)
    if command == "fdb/show":
        return _fdb_show(proc, room, arguments)
    if command == "fdb/flush":
        return _fdb_flush(proc, room, arguments)
    if command == "bridge/dump-flows":
        return _dump_flows(proc, room, arguments)
    if command == "version":
        proc.print("ovs-vswitchd (Open vSwitch) 3.1.0")
        return 0
    if "/" in command or command in ("list-commands", "exit"):
        raise OvsError(f"kubenet: ovs-appctl {command} is not emulated")
    proc.error(
        f'"{command}" is not a valid command (use "list-commands" to see a list of valid commands)\n{REFUSED}'
    )
    return 2


def _bridge(proc: Process, room: Switch, arguments: list[str], command: str, message: str) -> bool:
    if not arguments:
        proc.error(f'"{command}" command requires at least 1 arguments\n{REFUSED}')
        return False
    if arguments[0] not in room.bridges:
        proc.error(f"{message}\n{REFUSED}")
        return False
    return True


def _fdb_show(proc: Process, room: Switch, arguments: list[str]) -> int:
    if not _bridge(proc, room, arguments, "fdb/show", "no such bridge"):
        return 2
    proc.print(" port  VLAN  MAC                Age")
    for port, vlan, mac, age in room.bridges[arguments[0]].fdb_entries():
        label = "LOCAL" if port.number == LOCAL else str(port.number)
        proc.print(f"{label:>5}  {vlan:>4}  {mac}  {age:>3}")
    return 0


def _fdb_flush(proc: Process, room: Switch, arguments: list[str]) -> int:
    for name in arguments or list(room.bridges):
        if name not in room.bridges:
            proc.error(f"no such bridge\n{REFUSED}")
            return 2
        room.bridges[name].fdb.clear()
    proc.print("table successfully flushed")
    return 0


def _dump_flows(proc: Process, room: Switch, arguments: list[str]) -> int:
    """The bridge's rules, then those that every bridge has in its hidden table."""
    if not _bridge(proc, room, arguments, "bridge/dump-flows", "Unknown bridge"):
        return 2
    bridge = room.bridges[arguments[0]]
    now = proc.loop.now
    from kubenet_course.kernel.ovs import match
    from kubenet_course.kernel.ovs.flows import actions_text

    for flow in sorted(bridge.live_flows(), key=lambda each: (each.table, -each.priority)):
        table = f"table_id={flow.table}, " if flow.table else ""
        described = match.describe(flow.fields)
        proc.print(
            f"{table}duration={(now - flow.created) // 10**9}s, n_packets={flow.packets}, "
            f"n_bytes={flow.bytes}, "
            f"priority={flow.priority}{',' + described if described else ''},"
            f"actions={actions_text(flow.actions)}"
        )
    for rule in ("priority=2,recirc_id=0,actions=drop", "priority=0,reg0=0x1,actions=controller(reason=)",
                 "priority=0,reg0=0x2,actions=drop", "priority=0,reg0=0x3,actions=drop"):  # fmt: skip
        proc.print(f"table_id=254, duration={now // 10**9}s, n_packets=0, n_bytes=0, {rule}")
    return 0
