"""netstat's list of sockets (net-tools 2.10: tcp_do_one(), udp_do_one(), raw_do_one()).

`show(proc, flags)` is the part behind `netstat` without -r, -i, -g or -s. `flags` are its letters:
t u w x (which), a l (which states), n W p e o (how), 4 6 (family).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.resolver import getnameinfo
from kubenet_course.userland.services import service_table
from kubenet_course.userland.socket_table import SocketRecord, socket_records

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

STATES = {"CLOSE": ""}


async def show(proc: Process, flags: set[str]) -> int:
    """Print the tables asked for; the exit status."""
    kinds = [kind for letter, kind in (("t", "tcp"), ("u", "udp"), ("w", "raw")) if letter in flags]
    unix = "x" in flags or not kinds
    if not kinds and "x" not in flags:
        kinds = ["tcp", "udp", "raw"]
    if kinds:
        which = (
            "servers and established" if "a" in flags else "only servers" if "l" in flags else "w/o servers"
        )
        proc.print(f"Active Internet connections ({which})")
        _header(proc, flags)
        services = {} if "n" in flags else service_table(proc)
        records = socket_records(proc.net)
        for kind in kinds:
            for family in (4, 6):
                if flags & {"4", "6"} and str(family) not in flags:
                    continue
                for record in records:
                    if record.kind == kind and record.family == family and _shown(record, flags):
                        await _line(proc, flags, services, record)
    if unix and not flags & {"4", "6"}:
        which = (
            "servers and established" if "a" in flags else "only servers" if "l" in flags else "w/o servers"
        )
        proc.print(f"Active UNIX domain sockets ({which})")
        proc.print(
            "Proto RefCnt Flags       Type       State         I-Node  "
            + (" PID/Program name     Path" if "p" in flags else " Path")
        )
    return 0


def _shown(record: SocketRecord, flags: set[str]) -> bool:
    if "a" in flags:
        return True
    listening = record.state == "LISTEN" or (record.kind != "tcp" and record.state == "CLOSE")
    return listening if "l" in flags else not listening


def _header(proc: Process, flags: set[str]) -> None:
    line = "Proto Recv-Q Send-Q Local Address           Foreign Address         State      "
    if "e" in flags:
        line += " User       Inode     "
    if "p" in flags:
        line += " PID/Program name    "
    if "o" in flags:
        line += " Timer"
    proc.print(line)


async def _line(
    proc: Process, flags: set[str], services: dict[tuple[int, str], str], record: SocketRecord
) -> None:
    mapped = record.family == 6
    local = await _address(proc, flags, services, record, True)
    remote = await _address(proc, flags, services, record, False)
    state = STATES.get(record.state, record.state)
    if record.kind == "raw":
        state = str(7 if record.state == "CLOSE" else 1)
    name = record.kind + ("6" if mapped else "")
    # /proc/net/tcp says nothing of a listener's backlog, which `ss` shows in this place.
    waiting = 0 if record.state == "LISTEN" else record.send_queue
    line = f"{name:<4s}  {record.receive_queue:6d} {waiting:6d} {local:<23s} {remote:<23s} {state:<11s}"
    if "e" in flags:
        line += f" {'root' if 'n' not in flags else '0':<10s} {record.inode:<10d}"
    if "p" in flags:
        number = proc.files.pidns.number(record.owner)
        program = f"{number}/{record.owner.comm}" if record.owner is not None and number else "-"
        line += f" {program:<20s}"
    if "o" in flags:
        line += " " + _timer(record)
    proc.print(line)


async def _address(
    proc: Process, flags: set[str], services: dict[tuple[int, str], str], record: SocketRecord, local: bool
) -> str:
    address, port = (record.local, record.local_port) if local else (record.remote, record.remote_port)
    if address is None or address == 0:
        text = "0.0.0.0" if record.family == 4 else "::" if "n" in flags else "[::]"
    else:
        text = str(address)
        if record.family == 6 and address.family == 4:
            text = f"::ffff:{text}"
        if "n" not in flags:
            text = await getnameinfo(proc, address) or (f"[{text}]" if ":" in text else text)
    if record.kind == "raw":
        number = str(port) if local else "*"
    else:
        number = str(services.get((port, record.kind), port)) if port else "*"
    room = 23 - len(number) - 1
    if "W" not in flags and len(text) > room:
        text = text[: max(room, 0)]
    return f"{text}:{number}"


def _timer(record: SocketRecord) -> str:
    if record.timer is None:
        return "off (0.00/0/0)"
    name, ms, count = record.timer
    probes = count if name == "keepalive" else 0
    return f"{'probe' if name == 'persist' else name} ({ms / 1000:.2f}/{0 if name == 'keepalive' else count}/{probes})"
