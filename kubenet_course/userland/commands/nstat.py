"""`nstat`: what the kernel has counted since the last time one asked (iproute2 6.1, misc/nstat.c).

What was last seen is kept in /tmp/.nstat.uUID (or where NSTAT_HISTORY says), a line a counter.
"""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.getopt import Getopt
from kubenet_course.userland.options import OptionError
from kubenet_course.userland.owners import user_number

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

VERSION = "nstat utility, iproute2-6.1.0"
USAGE = """Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        ignore history
   -d, --scan=SECS     sample every statistics every SECS
   -j, --json          format output in JSON
   -n, --nooutput      do history only
   -p, --pretty        pretty print
   -r, --reset         reset history
   -s, --noupdate      don't update history
   -t, --interval=SECS report average over the last SECS
   -V, --version       output version information
   -z, --zeros         show entries with zero activity
"""
LONG = {
    "help": "h", "ignore": "a", "scan=": "d", "nooutput": "n", "json": "j", "reset": "r", "noupdate": "s", "pretty": "p",
    "interval=": "t", "version": "V", "zeros": "z",
}  # fmt: skip
USAGE_ERROR = 255
#: Settings and limits that stand among the counters (useless_numbers).
NO_COUNTERS = frozenset(
    ("IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab")
)
HEAD = "#kernel"


@dataclass
class Options:
    letters: set[str] = field(default_factory=set)
    patterns: list[str] = field(default_factory=list)


async def main(proc: Process, argv: list[str]) -> int:
    options = Options()
    try:
        for letter, value in (words := Getopt(argv, "h?vVzrnasd:t:jp", LONG)):
            if letter in "vV":
                proc.print(VERSION)
                return 0
            if letter in "h?":
                proc.error(USAGE, end="")
                return USAGE_ERROR
            if letter == "d":
                proc.error("kubenet: nstat -d (a daemon that samples) is not emulated")
                return 1
            if letter == "t" and not _seconds(value):
                proc.error("nstat: invalid time constant divisor")
                return USAGE_ERROR
            options.letters.add(letter)
    except OptionError as wrong:
        proc.error(f"nstat: {wrong}\n{USAGE}", end="")
        return USAGE_ERROR
    options.patterns = words.operands
    return _report(proc, options)


def _seconds(text: str) -> bool:
    """sscanf("%d") that leaves a positive number."""
    digits = text.strip()
    return digits[:1].isdigit() and int("".join(c for c in digits if c.isdigit()) or "0") > 0


def _report(proc: Process, options: Options) -> int:
    path = proc.env.get("NSTAT_HISTORY") or f"/tmp/.nstat.u{user_number(proc, proc.user) or 0}"
    now = _counters(proc)
    old = {} if options.letters & {"a", "r"} else _history(proc, path)
    if "n" not in options.letters:
        _print(proc, options, now, old)
    try:
        if "s" not in options.letters:
            kept = {name: value for name, value in now.items() if value or "z" in options.letters}
            lines = [HEAD, *(f"{name:<32}{value:<16}{0.0:6.1f}" for name, value in kept.items())]
            proc.files.write(path, ("\n".join(lines) + "\n").encode(), proc)
        elif "r" in options.letters:
            proc.files.write(path, b"", proc)
    except KernelError as error:
        proc.error(f"nstat: open history file: {error.strerror}")
        return USAGE_ERROR
    return 0


def _print(proc: Process, options: Options, now: dict[str, int], old: dict[str, int]) -> None:
    shown: dict[str, int] = {}
    lines = [HEAD]
    for name, value in now.items():
        before = old.get(name, 0)
        overflow = " (overflow)" if value < before else ""
        since = max(value - before, 0)
        if not since and "z" not in options.letters or not _wanted(name, options.patterns):
            continue
        shown[name] = since
        lines.append(f"{name:<32}{since:<16}{0.0:6.1f}{overflow}")
    if "j" in options.letters:
        pretty = "p" in options.letters
        proc.print(json.dumps({"kernel": shown}, indent=4 if pretty else None, separators=None if pretty else (",", ":")))
    else:
        proc.print("\n".join(lines))


def _wanted(name: str, patterns: list[str]) -> bool:
    """fnmatch(3) with FNM_CASEFOLD against any of them."""
    return not patterns or any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def _counters(proc: Process) -> dict[str, int]:
    """The three files, in the order in which nstat shows them."""
    found: dict[str, int] = {}
    for name in ("snmp", "snmp6", "netstat"):
        lines = proc.files.read_text(f"/proc/net/{name}", proc).splitlines()
        if name == "snmp6":
            found.update((line.split()[0], int(line.split()[1])) for line in lines)
            continue
        for words, numbers in zip(lines[::2], lines[1::2]):
            group, _, names = words.partition(":")
            found.update((group + word, int(number)) for word, number in zip(names.split(), numbers.split()[1:]))
    return {name: value for name, value in found.items() if name not in NO_COUNTERS}


def _history(proc: Process, path: str) -> dict[str, int]:
    """What was seen the last time; nothing where there was no last time."""
    if not proc.files.exists(path, proc):
        return {}
    rows = (line.split() for line in proc.files.read_text(path, proc).splitlines() if not line.startswith("#"))
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
