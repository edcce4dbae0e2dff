"""netstat -s: the counters of /proc/net/snmp, netstat and snmp6 in words (net-tools 2.10, statistics.c).

statistics.json has the words, by group and counter, each with its kind: a ``number`` is always shown, an ``optional``
one where it is not 0, one of the ``input`` or ``output`` histogram deeper and below that histogram's title. A counter
without words is shown by its name where it is not 0.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from kubenet_course.registry import text_of

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

#: Counters that are no statistics.
STATIC = frozenset({"DefaultTTL", "RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn"})
#: The groups in their order, with the letters that ask for them.
GROUPS = {
    "Ip": "w", "Icmp": "w", "IcmpMsg": "tuw", "Tcp": "t", "Udp": "u", "UdpLite": "tuw", "TcpExt": "t", "IpExt": "tuw",
    "MPTcpExt": "tuw",
}  # fmt: skip
GROUPS6 = {"Ip6": "w", "Icmp6": "w", "Udp6": "u", "UdpLite6": "tuw", "Tcp": "t"}
PLAIN, DEEP = 4, 8


@cache
def _words() -> dict[str, dict[str, tuple[str, str]]]:
    found: dict[str, dict[str, tuple[str, str]]] = json.loads(text_of("kubenet_course.userland.commands.netstat", "statistics.json"))
    return found


def show(proc: Process, letters: set[str]) -> int:
    """parsesnmp() or parsesnmp6(): what `letters` (t u w, or all; 6) ask for."""
    wanted = letters & set("tuw") or set("tuw")
    counters = _counters(proc)
    if "6" in letters:
        counters = {"Tcp": counters["Tcp"], **_counters6(proc)}
    indent = PLAIN
    for title, asked in (GROUPS6 if "6" in letters else GROUPS).items():
        if title not in counters or not wanted & set(asked):
            continue
        proc.print(f"{title}:")
        # The ICMP types follow the histograms, and stand as deep as those.
        lines, indent = _lines(title, counters[title], indent if title == "IcmpMsg" else PLAIN)
        for line in lines:
            proc.print(line)
    return 0


def _counters(proc: Process) -> dict[str, dict[str, int]]:
    """Both files: pairs of lines, names and numbers, under a title; the types of ICMP are there where there were any."""
    found: dict[str, dict[str, int]] = {}
    for path in ("/proc/net/snmp", "/proc/net/netstat"):
        lines = proc.files.read_text(path, proc).splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            title, _, rest = names.partition(":")
            values = [int(number) for number in numbers.split()[1:]]
            found[title] = dict(zip(rest.split(), values))
    return found


def _counters6(proc: Process) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {title: {} for title in GROUPS6 if title != "Tcp"}
    for line in proc.files.read_text("/proc/net/snmp6", proc).splitlines():
        name, number = line.split()
        title = next(title for title in found if name.startswith(title))
        found[title][name] = int(number)
    return found


def _lines(title: str, counters: dict[str, int], indent: int) -> tuple[list[str], int]:
    """The lines of one group, and how deep the last of them stands."""
    lines = []
    histogram = ""
    for name, value in counters.items():
        kind, words = _words().get(title, {}).get(name, ("", name + ": {}"))
        if name in STATIC:
            continue
        if kind in ("input", "output") and kind != histogram:
            lines.append(" " * indent + f"ICMP {kind} histogram:")
            histogram, indent = kind, DEEP
        elif kind in ("number", "optional"):
            histogram, indent = "", PLAIN
        if value or kind == "number":
            lines.append(" " * indent + words.format(value))
    return lines, indent
