"""conntrack 1.4.7: list, filter, delete, make and watch tracked connections."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from kubenet_course.kernel.netfilter.conntrack import Conntrack, conntrack
from kubenet_course.kernel.netfilter.conntrack_entry import (
    IPS_DST_NAT,
    IPS_SRC_NAT,
    UNTRACKED,
    ConntrackEntry,
    invert,
)
from kubenet_course.kernel.netfilter.conntrack_tcp import NAMES as STATES
from kubenet_course.kernel.netfilter.conntrack_tcp import TcpState
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.commands.conntrack import show
from kubenet_course.userland.commands.conntrack.options import Bad, Failure, Request, parse

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

PROGRAM = "conntrack v1.4.7 (conntrack-tools)"


async def main(proc: Process, argv: list[str]) -> int:
    try:
        request = parse(proc, argv[1:])
        if request.command in ("", "h"):
            from kubenet_course.userland.commands.conntrack._help import TEXT

            proc.print(TEXT, end="")
            return 0
        if request.command == "E":
            return await events(proc, request)
        return run(proc, request)
    except Bad as bad:
        proc.error(f"{PROGRAM}: {bad}")
        proc.error("Try `conntrack -h' or 'conntrack --help' for more information.")
        return 2
    except Failure as failure:
        proc.error(f"{PROGRAM}: Operation failed: {failure}")
        return 1


def run(proc: Process, request: Request) -> int:
    command = request.command
    if command == "V":
        proc.print(PROGRAM)
        return 0
    room = conntrack(proc.net)
    if request.table == "expect":
        return expectations(proc, command)
    if command == "L":
        return list_entries(proc, room, request)
    if command == "C":
        proc.print(len(room))
    elif command == "S":
        words = ("found", "invalid", "insert", "insert_failed", "drop", "early_drop", "error")
        text = " ".join(f"{word}={room.stats[word] if word in ('invalid', 'insert_failed', 'drop') else 0}" for word in words)
        proc.print(f"cpu=0   \t{text} search_restart=0 clash_resolve=0 chaintoolong=0 ")
    elif command == "F":
        for ct in list(room.entries()):
            room.remove(ct)
        proc.error(f"{PROGRAM}: connection tracking table has been emptied.")
    elif command == "G":
        return get(proc, room, request)
    elif command == "D":
        return delete(proc, room, request)
    elif command == "U":
        return update(proc, room, request)
    elif command == "I":
        create(room, request)
        proc.error(f"{PROGRAM}: 1 flow entries have been created.")
    return 0


def expectations(proc: Process, command: str) -> int:
    """No helper runs here, so nothing is ever expected."""
    if command == "L":
        proc.error(f"{PROGRAM}: 0 expectations have been shown.")
    elif command == "C":
        proc.print("0")
    elif command == "F":
        proc.error(f"{PROGRAM}: expectation table has been emptied.")
    return 0


def list_entries(proc: Process, room: Conntrack, request: Request) -> int:
    now = proc.loop.now
    chosen = [ct for ct in room.entries() if request.matches(ct)] if request.table == "conntrack" else []
    if "xml" in request.output:
        proc.print('<?xml version="1.0" encoding="utf-8"?>\n<conntrack>')
    for ct in chosen:
        proc.print(show.xml(ct, now) if "xml" in request.output else show.line(ct, now, request.output))
        if request.zero and ct.counters is not None:
            ct.counters = [[0, 0], [0, 0]]
    if "xml" in request.output:
        proc.print("</conntrack>")
    proc.error(f"{PROGRAM}: {len(chosen)} flow entries have been shown.")
    return 0


def get(proc: Process, room: Conntrack, request: Request) -> int:
    found = room.find(request.family, request.tuple(), request.zone or 0)
    if found is None:
        raise Failure("such conntrack doesn't exist")
    proc.print(show.line(found[0], proc.loop.now, request.output, use=2))
    proc.error(f"{PROGRAM}: 1 flow entries have been shown.")
    return 0


def delete(proc: Process, room: Conntrack, request: Request) -> int:
    chosen = [ct for ct in room.entries() if request.matches(ct)]
    for ct in chosen:
        proc.print(show.line(ct, proc.loop.now, request.output))
        room.remove(ct, "DELETED")
    proc.error(f"{PROGRAM}: {len(chosen)} flow entries have been deleted.")
    return 0 if chosen else 1


def update(proc: Process, room: Conntrack, request: Request) -> int:
    chosen = [ct for ct in room.entries() if request.matches(ct, updating=True)]
    for ct in chosen:
        if ct.status & (IPS_SRC_NAT | IPS_DST_NAT):
            # ctnetlink_change_conntrack(): the tool sends the translation along, and that may not change.
            proc.error("Operation failed: Operation not supported")
            raise Failure("Operation not supported")
        if request.mark is not None:
            value, mask = request.mark
            ct.mark = ct.mark & ~mask & 0xFFFFFFFF | value & mask
        if request.timeout is not None:
            ct.expires = proc.loop.now + request.timeout * SECOND
        proc.print(show.line(ct, proc.loop.now, request.output, use=2))
        room.notify("UPDATE", ct)
    proc.error(f"{PROGRAM}: {len(chosen)} flow entries have been updated.")
    return 0 if chosen else 1


def create(room: Conntrack, request: Request) -> None:
    """-I: an entry from what the command line says; what is not said is the mirror image."""
    if request.timeout is None:
        raise Bad("You need to supply the `--timeout' option for this command")
    tup = request.tuple()
    reply = invert(request.family, tup)
    if reply is None:
        raise Failure("Invalid argument")
    ct = ConntrackEntry(request.family, tup, request.reply_tuple(reply), request.zone or 0)
    if tup[2] == 6:
        if request.state is None:
            raise Bad("You need to supply the `--state' option for this command")
        ct.tcp = TcpState()
        ct.tcp.state = STATES.index(request.state)
    ct.timeout = request.timeout * SECOND
    ct.status |= request.status
    ct.mark = request.mark[0] if request.mark is not None else 0
    ct.ident = room.new_ident()
    if not room.insert(ct):
        raise Failure("Such conntrack exists, try -U to update")
    room.notify("CREATED", ct)


async def events(proc: Process, request: Request) -> int:
    """-E: a line for each event until a signal comes."""
    room = conntrack(proc.net)
    shown = 0

    def told(event: str, ct: ConntrackEntry) -> None:
        nonlocal shown
        kind = {"NEW": "NEW", "CREATED": "NEW", "UPDATE": "UPDATE"}.get(event, "DESTROY")
        if kind not in request.events or not request.matches(ct) or ct is UNTRACKED:
            return
        shown += 1
        stamp = ""
        if "timestamp" in request.output:
            now = proc.system.host.wall_clock()
            stamp = f"[{now // SECOND}.{now % SECOND // 1000:<8}]\t"
        text = show.line(ct, proc.loop.now, request.output, event=event != "DELETED", timeout=event != "EXPIRED")
        if event == "DELETED":
            text = text[: text.index(" mark=")] + f" [USERSPACE] portid={proc.vpid}"
        if event == "CREATED":
            text += f"{'' if ' mark=' in text else f' mark={ct.mark}'} [USERSPACE] portid={proc.vpid}"
        proc.print(f"{stamp}{'[' + kind + ']':>9} {text}")

    finished = proc.loop.future()
    for signum in (signal.SIGINT, signal.SIGTERM):
        proc.handlers[signum] = lambda: finished.set_result(None)
    room.listeners.append(told)
    proc.loop.call_later(SECOND, room.watch_expiry)
    try:
        await finished
    finally:
        room.listeners.remove(told)
    proc.error(f"{PROGRAM}: {shown} flow events have been shown.")
    return 0


