"""ps: list processes (procps-ng 4.0.2's layouts; not on a terminal)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kubenet_course.sim.loop import EPOCH, SECOND
from kubenet_course.userland.files.procfs import MEMORY
from kubenet_course.userland.owners import user_number
from kubenet_course.userland.process import Process

RSS, VSZ = 3560, 7012


class PsError(Exception):
    """The command line is wrong."""


def start_time(process: Process) -> int:
    """Seconds since 1970."""
    return (EPOCH + process.started) // SECOND


def elapsed(process: Process) -> int:
    """Seconds since it was started."""
    return (process.system.loop.now - process.started) // SECOND


def _etime(process: Process) -> str:
    seconds = elapsed(process)
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    text = f"{rest // 60:02d}:{rest % 60:02d}"
    if days:
        return f"{days}-{hours:02d}:{text}"
    return f"{hours:02d}:{text}" if hours else text


def _start(process: Process) -> str:
    """``22:26`` today, ``Nov23`` this year, else the year."""
    now = process.system.files.now() // SECOND
    when = start_time(process)
    moment = time.gmtime(when)
    if now - when < 86400 and time.gmtime(now).tm_yday == moment.tm_yday:
        return time.strftime("%H:%M", moment)
    if time.gmtime(now).tm_year == moment.tm_year or now - when < 86400 * 300:
        return time.strftime("%b%d", moment)
    return str(moment.tm_year)


def _args(process: Process) -> str:
    text = " ".join(process.argv) or f"[{process.comm}]"
    return "".join(char if char >= " " and char != "\x7f" else "?" for char in text)


@dataclass
class _Ps:
    proc: Process
    threads: set[str] = field(default_factory=set)

    def number(self, process: Process) -> int:
        """As /proc shows it here."""
        return self.proc.files.pidns.number(process)

    def parent(self, process: Process) -> int:
        return self.proc.files.pidns.parent_number(process)

    def state(self, process: Process, long: bool = True) -> str:
        running = process is self.proc
        letter = "R" if running else "T" if process.stopped else "S"
        if not long:
            return letter
        if process.pid == 1:
            return "Ss"
        leader = process.parent is None or process.parent.pid == 1 or self.parent(process) == 1
        return letter + ("s" if leader else "")


Column = tuple[str, bool, int, Callable[[_Ps, Process], str]]


def _memory(ps: _Ps, process: Process) -> str:
    return f"{RSS * 100 / MEMORY['MemTotal']:.1f}"


#: Columns as wide as the largest process number can be.
PIDS = ("pid", "ppid", "pgid", "sid", "tid")
#: name: (header, right aligned, width, value)
COLUMNS: dict[str, Column] = {
    "pid": ("PID", True, 5, lambda ps, p: str(ps.number(p))),
    "ppid": ("PPID", True, 5, lambda ps, p: str(ps.parent(p))),
    "pgid": ("PGID", True, 5, lambda ps, p: str(ps.number(p))),
    "sid": ("SID", True, 5, lambda ps, p: str(ps.number(p))),
    "tid": ("TID", True, 5, lambda ps, p: str(ps.number(p))),
    "uid": ("UID", True, 5, lambda ps, p: "0"),
    "user": ("USER", False, 8, lambda ps, p: p.user),
    "group": ("GROUP", False, 8, lambda ps, p: p.user),
    "UID": ("UID", False, 8, lambda ps, p: p.user),
    "comm": ("COMMAND", False, 15, lambda ps, p: p.comm),
    "CMD": ("CMD", False, 15, lambda ps, p: p.comm),
    "args": ("COMMAND", False, 27, lambda ps, p: _args(p)),
    "cmd": ("CMD", False, 27, lambda ps, p: _args(p)),
    "stat": ("STAT", False, 4, lambda ps, p: ps.state(p)),
    "state": ("S", False, 1, lambda ps, p: ps.state(p, False)),
    "time": ("TIME", True, 8, lambda ps, p: "00:00:00"),
    "TIME": ("TIME", True, 6, lambda ps, p: "0:00"),
    "etime": ("ELAPSED", True, 11, lambda ps, p: _etime(p)),
    "etimes": ("ELAPSED", True, 7, lambda ps, p: str(elapsed(p))),
    "tty": ("TT", False, 8, lambda ps, p: "?"),
    "TTY": ("TTY", False, 8, lambda ps, p: "?"),
    "pcpu": ("%CPU", True, 4, lambda ps, p: "0.0"),
    "pmem": ("%MEM", True, 4, _memory),
    "rss": ("RSS", True, 5, lambda ps, p: str(RSS)),
    "vsz": ("VSZ", True, 6, lambda ps, p: str(VSZ)),
    "sz": ("SZ", True, 5, lambda ps, p: str(VSZ // 4)),
    "stime": ("STIME", False, 5, lambda ps, p: _start(p)),
    "START": ("START", False, 5, lambda ps, p: _start(p)),
    "start": ("STARTED", True, 8, lambda ps, p: time.strftime("%H:%M:%S", time.gmtime(start_time(p)))),
    "lstart": (
        "STARTED",
        True,
        24,
        lambda ps, p: time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(start_time(p))),
    ),
    "ni": ("NI", True, 3, lambda ps, p: "0"),
    "pri": ("PRI", True, 3, lambda ps, p: "19"),
    "nlwp": ("NLWP", True, 4, lambda ps, p: "1"),
    "c": ("C", True, 2, lambda ps, p: "0"),
    "wchan": ("WCHAN", False, 6, lambda ps, p: "-"),
    "psr": ("PSR", True, 3, lambda ps, p: "0"),
    "netns": ("NETNS", True, 10, lambda ps, p: str(p.net.inode)),
}
ALIASES = {
    "command": "args", "ucmd": "comm", "ucomm": "comm", "euser": "user", "uname": "user", "ruser": "user",
    "%cpu": "pcpu", "%mem": "pmem", "tt": "tty", "tname": "tty", "start_time": "stime", "cputime": "time",
    "s": "state", "rssize": "rss", "rsz": "rss", "vsize": "vsz", "nice": "ni", "lwp": "tid", "spid": "tid",
    "pgrp": "pgid", "sess": "sid", "session": "sid", "thcount": "nlwp", "euid": "uid", "bsdstart": "START",
    "egroup": "group", "pmem": "pmem",
}  # fmt: skip
LAYOUTS = {
    "": ("pid", "TTY", "time", "CMD"),
    "f": ("UID", "pid", "ppid", "c", "stime", "TTY", "time", "cmd"),
    "F": ("UID", "pid", "ppid", "c", "sz", "rss", "psr", "stime", "TTY", "time", "cmd"),
    "u": ("user", "pid", "pcpu", "pmem", "vsz", "rss", "TTY", "stat", "START", "TIME", "args"),
    "x": ("pid", "TTY", "stat", "TIME", "args"),
    "l": ("state", "uid", "pid", "ppid", "c", "pri", "ni", "sz", "wchan", "TTY", "time", "CMD"),
    "j": ("pid", "pgid", "sid", "TTY", "time", "CMD"),
}
USAGE = """
Usage:
 ps [options]

 Try 'ps --help <simple|list|output|threads|misc|all>'
  or 'ps --help <s|l|o|t|m|a>'
 for additional help text.

For more details see ps(1)."""


@dataclass
class _Request:
    layout: str = ""
    columns: list[tuple[str, str | None, int | None]] = field(default_factory=list)
    everything: bool = False
    bsd: bool = False
    pids: set[int] | None = None
    ppids: set[int] | None = None
    names: set[str] | None = None
    users: set[str] | None = None
    headers: bool = True
    forest: bool = False
    sort: list[str] = field(default_factory=list)


def _numbers(text: str) -> set[int]:
    words = re.split(r"[ ,\t]+", text.strip())
    if not all(word.isdecimal() and word.isascii() for word in words):
        raise PsError("process ID list syntax error")
    return {int(word[:9]) for word in words}


def _format(request: _Request, text: str) -> None:
    for piece in re.findall(r"[^ ,=]+(?:=(?=,)|=.*)?", text.strip()) if text.strip() else [""]:
        spec, equals, header = piece.partition("=")
        name, _, width = spec.partition(":")
        known = ALIASES.get(name, name)
        if known not in COLUMNS or (known != known.lower() and known == name):
            raise PsError(f'unknown user-defined format specifier "{name}"')
        header_text: str | None = header if equals else {"args": "COMMAND"}.get(known)
        if name == "%cpu":
            header_text = header if equals else None
        request.columns.append((known, header_text, int(width[:4]) if width.isdecimal() else None))


def _parse(words: list[str]) -> _Request:
    request = _Request()
    words = list(words)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            _long(request, word[2:], words)
        elif word.startswith("-"):
            _unix(request, word[1:], words)
        else:
            _bsd(request, word, words)
    return request


def _need(rest: str, words: list[str], what: str) -> str:
    if rest:
        return rest
    if not words:
        raise PsError(what)
    return words.pop(0)


def _long(request: _Request, name: str, words: list[str]) -> None:
    name, equals, value = name.partition("=")
    if name in ("no-headers", "no-heading", "noheader", "no-header"):
        request.headers = False
    elif name in ("headers", "cols", "columns", "width", "lines", "rows"):
        if name != "headers" and not equals and words:
            words.pop(0)
    elif name == "forest":
        request.forest = True
    elif name == "sort":
        request.sort = (
            value if equals else _need("", words, "long sort specification must follow '--sort'")
        ).split(",")
    elif name in ("pid", "ppid", "format", "user", "User"):
        value = value if equals else _need("", words, "option requires an argument")
        _select(request, {"pid": "p", "ppid": "P", "format": "o", "user": "u", "User": "u"}[name], value)
    elif name == "deselect":
        raise PsError("kubenet: ps: --deselect is not emulated")
    else:
        raise PsError("unknown gnu long option")


def _select(request: _Request, letter: str, value: str) -> None:
    if letter == "p":
        request.pids = (request.pids or set()) | _numbers(value)
    elif letter == "P":
        request.ppids = (request.ppids or set()) | _numbers(value)
    elif letter == "C":
        request.names = (request.names or set()) | {name[:15] for name in re.split("[ ,]+", value)}
    elif letter == "u":
        request.users = (request.users or set()) | set(re.split("[ ,]+", value))
    elif letter == "o":
        _format(request, value)


def _unix(request: _Request, letters: str, words: list[str]) -> None:
    if letters in ("aux", "auxw", "auxww", "axu", "ax", "auxf", "axf"):
        _bsd(request, letters, words)
        return
    at = 0
    while at < len(letters):
        letter, rest = letters[at], letters[at + 1 :]
        at += 1
        if letter in "eA":
            request.everything = True
        elif letter in "fFlj":
            request.layout = letter
        elif letter == "H":
            request.forest = True
        elif letter in "oOpCuUq":
            what = {"o": "format specification must follow -o", "p": "list of process IDs must follow -p",
                    "C": "list of command names must follow -C",
                    "u": "list of users must follow -u"}  # fmt: skip
            kind = {"U": "u", "q": "p", "O": "o"}.get(letter, letter)
            _select(request, kind, _need(rest, words, what.get(letter, "missing argument")))
            return
        elif letter in "adNLTwyMcm":
            request.everything = request.everything or letter in "ad"
        else:
            raise PsError("unsupported SysV option")


def _bsd(request: _Request, letters: str, words: list[str]) -> None:
    if re.fullmatch(r"[\d,]+", letters):
        _select(request, "p", letters)
        request.bsd = True
        request.layout = request.layout or "x"
        return
    request.bsd = True
    seen = set()
    at = 0
    while at < len(letters):
        letter, rest = letters[at], letters[at + 1 :]
        at += 1
        seen.add(letter)
        if letter in "uljv":
            request.layout = letter if letter in LAYOUTS else "x"
        elif letter == "f":
            request.forest = True
        elif letter == "h":
            request.headers = False
        elif letter in "op":
            what = (
                "format specification must follow o" if letter == "o" else "list of process IDs must follow p"
            )
            _select(request, letter, _need(rest, words, what))
            break
        elif letter not in "axwreTgcnS":
            raise PsError("unsupported option (BSD syntax)")
    if not request.layout:
        request.layout = "x"
    if "a" in seen or "x" in seen:
        request.everything = request.everything or {"a", "x"} <= seen or "x" in seen


def _chosen(ps: _Ps, request: _Request) -> list[Process]:
    processes = ps.proc.files.pidns.sorted()
    selective = (request.pids, request.ppids, request.names, request.users)
    if any(one is not None for one in selective):
        users = request.users or set()
        uids = {user_number(ps.proc, name) for name in users}
        if None in uids:
            raise PsError("user name does not exist")
        return [
            one for one in processes
            if ps.number(one) in (request.pids or ()) or ps.parent(one) in (request.ppids or ())
            or one.comm in (request.names or ()) or user_number(ps.proc, one.user) in uids
        ]  # fmt: skip
    if request.everything:
        return processes
    if request.bsd:
        return []
    return processes


def _sorted(processes: list[Process], keys: list[str], ps: _Ps) -> list[Process]:
    for key in reversed(keys):
        name = ALIASES.get(key.lstrip("+-"), key.lstrip("+-"))
        if name not in COLUMNS:
            raise PsError("unknown sort specifier")
        value = COLUMNS[name][3]

        def order(process: Process, value: Callable = value) -> tuple:
            text = value(ps, process)
            return (0, float(text), "") if re.fullmatch(r"[\d.]+", text) else (1, 0.0, text)

        processes = sorted(processes, key=order, reverse=key.startswith("-"))
    return processes


def _forest(ps: _Ps, processes: list[Process]) -> list[tuple[Process, str]]:
    """Processes below their parents, with the art before the command."""
    present = {ps.number(one) for one in processes}
    out: list[tuple[Process, str]] = []

    def walk(one: Process, prefix: str, art: str) -> None:
        out.append((one, prefix + art))
        children = [
            child
            for child in processes
            if ps.parent(child) == ps.number(one) and child is not one and ps.number(one) != 1
        ]
        below = prefix + ("    " if art == " \\_ " and last_of.get(ps.number(one)) else " |  " if art else "")
        for at, child in enumerate(children):
            last_of[ps.number(child)] = at == len(children) - 1
            walk(child, below, " \\_ ")

    last_of: dict[int, bool] = {}
    for one in processes:
        if ps.parent(one) not in present or ps.parent(one) in (ps.number(one), 1):
            walk(one, "", "")
    return out


async def main(proc: Process, argv: list[str]) -> int:
    # Looking takes a moment, so the whole pipeline that ps is part of is there to be seen.
    await proc.sleep(0.002)
    ps = _Ps(proc)
    try:
        request = _parse(argv[1:])
        processes = _sorted(_chosen(ps, request), request.sort, ps)
    except PsError as error:
        if str(error).startswith("kubenet:"):
            proc.error(str(error))
        else:
            proc.error(f"error: {error}\n{USAGE}")
        return 1
    columns = request.columns or [(name, None, None) for name in LAYOUTS[request.layout]]
    rows = _forest(ps, processes) if request.forest else [(one, "") for one in processes]
    cells = [[_cell(ps, one, name, art) for name, _, _ in columns] for one, art in rows]
    heads = [COLUMNS[name][0] if head is None else head for name, head, _ in columns]
    digits = max(5, len(proc.files.read_text("/proc/sys/kernel/pid_max", proc).strip()))  # get_pid_digits()
    widths = [
        max(width or (digits if name in PIDS else COLUMNS[name][2]), len(head))
        for (name, _, width), head in zip(columns, heads, strict=True)
    ]
    if request.headers and any(heads):
        proc.print(_line(heads, columns, widths))
    for row in cells:
        proc.print(_line(row, columns, widths))
    if not processes and (request.pids is not None or request.names is not None):
        return 1
    return int(not processes and not request.everything and not request.bsd)


def _cell(ps: _Ps, process: Process, name: str, art: str) -> str:
    text = COLUMNS[name][3](ps, process)
    return art + text if name in ("args", "cmd", "comm", "CMD") else text


def _line(cells: list[str], columns: list[tuple[str, str | None, int | None]], widths: list[int]) -> str:
    out = []
    last = len(cells) - 1
    for at, (cell, (name, _, _), width) in enumerate(zip(cells, columns, widths, strict=True)):
        if COLUMNS[name][1]:
            out.append(cell.rjust(width))
        elif at == last:
            out.append(cell)
        else:
            out.append(cell[:width].ljust(width))
    return " ".join(out)
