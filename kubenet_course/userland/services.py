"""/etc/services: names of ports, as getservbyname(3) and getservbyport(3) give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


def _entries(proc: Process) -> list[tuple[list[str], int, str]]:
    try:
        text = proc.files.read("/etc/services", proc).decode("utf-8", "replace")
    except KernelError:
        return []
    found = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        number, slash, protocol = words[1].partition("/")
        if slash and number.isascii() and number.isdigit():
            found.append(([words[0], *words[2:]], int(number), protocol))
    return found


def service_port(proc: Process, name: str, protocol: str) -> int | None:
    """The port of a service by name or alias; None where there is none."""
    for names, number, kind in _entries(proc):
        if kind == protocol and name in names:
            return number
    return None


def service_name(proc: Process, port: int, protocol: str) -> str | None:
    for names, number, kind in _entries(proc):
        if kind == protocol and number == port:
            return names[0]
    return None


def service_table(proc: Process) -> dict[tuple[int, str], str]:
    """Every name by (port, protocol), for programs that name many ports."""
    table: dict[tuple[int, str], str] = {}
    for names, number, kind in _entries(proc):
        table.setdefault((number, kind), names[0])
    return table
