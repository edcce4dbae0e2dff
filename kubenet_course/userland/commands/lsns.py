"""lsns: the namespaces that processes are in (util-linux 2.38.1), read from /proc/PID/ns."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import NetnsFile
from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.owners import user_name

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

TYPES = ("mnt", "net", "ipc", "user", "pid", "uts", "cgroup", "time")
#: Each column: how `--help` describes it, and whether it is set to the right.
COLUMNS = {
    "NS": ("namespace identifier (inode number)", True),
    "TYPE": ("kind of namespace", False),
    "PATH": ("path to the namespace", False),
    "NPROCS": ("number of processes in the namespace", True),
    "PID": ("lowest PID in the namespace", True),
    "PPID": ("PPID of the PID", True),
    "COMMAND": ("command line of the PID", False),
    "UID": ("UID of the PID", True),
    "USER": ("username of the PID", False),
    "NETNSID": ("namespace ID as used by network subsystem", True),
    "NSFS": ("nsfs mountpoint (usually used network subsystem)", False),
    "PNS": ("parent namespace identifier (inode number)", True),
    "ONS": ("owner namespace identifier (inode number)", True),
}
NUMBERS = frozenset({"NS", "NPROCS", "PID", "PPID", "UID", "PNS", "ONS"})
LONG = {
    "json": "J", "list": "l", "noheadings": "n", "output=": "o", "output-all": "A", "task=": "p", "raw": "r",
    "notruncate": "u", "nowrap": "W", "type=": "t", "tree=": "T", "help": "h", "version": "V",
}  # fmt: skip
USAGE = """
Usage:
 lsns [options] [<namespace>]

List system namespaces.

Options:
 -J, --json             use JSON output format
 -l, --list             use list format output
 -n, --noheadings       don't print headings
 -o, --output <list>    define which output columns to use
     --output-all       output all columns
 -p, --task <pid>       print process namespaces
 -r, --raw              use the raw output format
 -u, --notruncate       don't truncate text in columns
 -W, --nowrap           don't use multi-line representation
 -t, --type <name>      namespace type (mnt, net, ipc, user, pid, uts, cgroup, time)
 -T, --tree <rel>       use tree format (parent, owner, or process)

 -h, --help             display this help
 -V, --version          display version

Available output columns:
"""
NSFS_FOLDERS = ("/run/netns", "/run/docker/netns")
BRANCH, LAST, GOES_ON = "├─", "└─", "│ "


@dataclass
class Task:
    """One process; `leads` is the row of the namespace of which it is the lowest."""

    pid: int
    ppid: int
    user: int
    command: str
    spaces: dict[str, int]
    leads: Row | None = None


@dataclass
class Row:
    """One namespace, and the cells of its row."""

    number: int
    kind: str
    tasks: list[Task]
    cells: dict[str, str] = field(default_factory=dict)
    below: list[Row] = field(default_factory=list)
    prefix: str = ""


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, operands = parse(argv, "Jlno:p:rWut:T:hV", LONG)
    except OptionError as error:
        return error.report(proc, "lsns")
    chosen = dict(options)
    if "h" in chosen:
        described = "".join(f" {name:>11}  {what}\n" for name, (what, _) in COLUMNS.items())
        proc.print(f"{USAGE}{described}\nFor more details see lsns(8).")
        return 0
    if "V" in chosen:
        proc.print("lsns from util-linux 2.38.1")
        return 0
    if "T" in chosen:
        proc.error("kubenet: lsns -T is not emulated")
        return 1
    kinds = [value for letter, value in options if letter == "t"]
    unknown = next((kind for kind in kinds if kind not in TYPES), None)
    if unknown is not None:
        proc.error(f"lsns: unknown namespace type: {unknown}")
        return 1
    tasks = _tasks(proc)
    if operands:
        return _members(proc, chosen, tasks, operands[0])
    names = _columns(chosen, kinds)
    wrong = next((name for name in names if name not in COLUMNS), None)
    if wrong is not None:
        proc.error(f"lsns: unknown column: {wrong}")
        return 1
    rows = _rows(tasks, kinds or list(TYPES))
    if "p" in chosen:
        task = next((task for task in tasks if str(task.pid) == chosen["p"]), None)
        own = set(task.spaces.values()) if task is not None else set()
        rows = [row for row in rows if row.number in own]
    for row in rows:
        row.cells = _cells(proc, row)
    _print(proc, chosen, rows, names)
    return 0


def _columns(chosen: dict[str, str], kinds: list[str]) -> list[str]:
    if "A" in chosen:
        return list(COLUMNS)
    names = ["NS", "TYPE", "NPROCS", "PID", "USER"]
    names += ["NETNSID", "NSFS", "COMMAND"] if "net" in kinds else ["COMMAND"]
    asked = chosen.get("o", "")
    if asked.startswith("+"):
        return names + asked[1:].upper().split(",")
    return asked.upper().split(",") if asked else names


# -- what there is --------------------------------------------------------------------------------
def _tasks(proc: Process) -> list[Task]:
    found = []
    for name in proc.files.listdir("/proc", proc):
        if not name.isdigit():
            continue
        try:
            status = dict(
                line.split(":", 1) for line in proc.files.read_text(f"/proc/{name}/status", proc).splitlines() if ":" in line
            )
            command = proc.files.read(f"/proc/{name}/cmdline", proc).decode().rstrip("\0").replace("\0", " ")
            spaces = {kind: _number(proc, f"/proc/{name}/ns/{kind}") for kind in TYPES}
        except KernelError:
            continue  # it has ended meanwhile
        command = command or f"[{status['Name'].strip()}]"
        found.append(Task(int(name), int(status["PPid"]), int(status["Uid"].split()[0]), command, spaces))
    return sorted(found, key=lambda task: task.pid)


def _number(proc: Process, path: str) -> int:
    """Of ``net:[4026531840]``."""
    return int(proc.files.readlink(path, proc).partition("[")[2].rstrip("]"))


def _rows(tasks: list[Task], kinds: list[str]) -> list[Row]:
    """The namespaces of these kinds by number; those whose lowest process is a child of another's hang below it."""
    rows: dict[int, Row] = {}
    for task in tasks:
        for kind in TYPES:
            if kind in kinds:
                rows.setdefault(task.spaces[kind], Row(task.spaces[kind], kind, [])).tasks.append(task)
    ordered = [rows[number] for number in sorted(rows)]
    for row in ordered:
        row.tasks[0].leads = row
    return ordered


def _cells(proc: Process, row: Row) -> dict[str, str]:
    first = row.tasks[0]
    network = row.kind == "net"
    return {
        "NS": str(row.number),
        "TYPE": row.kind,
        "PATH": f"/proc/{first.pid}/ns/{row.kind}",
        "NPROCS": str(len(row.tasks)),
        "PID": str(first.pid),
        "PPID": str(first.ppid),
        "COMMAND": first.command,
        "UID": str(first.user),
        "USER": user_name(proc, first.user),
        "NETNSID": _netnsid(proc, row) if network else "",
        "NSFS": "\n".join(_nsfs(proc, row.number)) if network else "",
        "PNS": "0",
        "ONS": str(first.spaces["user"]) if row.kind != "user" else "0",
    }


def _netnsid(proc: Process, row: Row) -> str:
    known = next((nsid for net, nsid in proc.net.nsids.items() if net.inode == row.number), None)
    return "unassigned" if known is None else str(known)


def _nsfs(proc: Process, number: int) -> list[str]:
    """Where it is mounted (ip netns, a container engine); a link to there is no mount."""
    found = []
    for folder in NSFS_FOLDERS:
        for name in proc.files.listdir(folder, proc) if proc.files.isdir(folder) else ():
            node = proc.files.node(f"{folder}/{name}", proc.cwd, proc, follow=False)
            if isinstance(node, NetnsFile) and node.net.inode == number:
                found.append(f"{folder}/{name}")
    return found


# -- printing -------------------------------------------------------------------------------------
def _members(proc: Process, chosen: dict[str, str], tasks: list[Task], wanted: str) -> int:
    """The processes of one namespace."""
    if not wanted.isdigit():
        proc.error(f"lsns: invalid namespace argument: '{wanted}'")
        return 1
    inside = [task for task in tasks if int(wanted) in task.spaces.values()]
    if not inside:
        proc.error(f"lsns: not found namespace: {wanted}")
        return 1
    rows = []
    for task in inside:
        row = Row(int(wanted), "", [task])
        row.cells = {
            "PID": str(task.pid), "PPID": str(task.ppid), "USER": user_name(proc, task.user), "COMMAND": task.command,
        }  # fmt: skip
        task.leads = row
        rows.append(row)
    _print(proc, chosen, rows, ["PID", "PPID", "USER", "COMMAND"])
    return 0


def _print(proc: Process, chosen: dict[str, str], rows: list[Row], names: list[str]) -> None:
    if "J" in chosen:
        proc.print(_as_json(rows, names))
        return
    if "r" in chosen:
        lines = [names, *([_escaped(row.cells[name]) for name in names] for row in rows)]
        for line in lines["n" in chosen :]:
            proc.print(" ".join(line))
        return
    if "l" not in chosen:
        rows = _as_tree(rows)
    table = [names]
    for row in rows:
        cells = [row.prefix + row.cells[name] if name == "COMMAND" else row.cells[name] for name in names]
        split = [cell.split("\n") if "W" not in chosen else [cell.replace("\n", ",")] for cell in cells]
        for part in range(max(map(len, split))):
            table.append([cell[part] if part < len(cell) else "" for cell in split])
    widths = [max(len(line[column]) for line in table) for column in range(len(names))]
    to_the_right = [COLUMNS[name][1] for name in names]
    for line in table["n" in chosen :]:
        cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(line, widths, to_the_right)]
        proc.print(" ".join([*cells[:-1], cells[-1] if to_the_right[-1] else line[-1]]))


def _escaped(text: str) -> str:
    return "".join(f"\\x{ord(char):02x}" if char <= " " or char == "\\" else char for char in text)


def _as_json(rows: list[Row], names: list[str]) -> str:
    """As libsmartcols writes it: three blanks a step, the next object right behind the last."""
    objects = []
    for row in rows:
        pairs = []
        for name in names:
            text = row.cells[name]
            value: Any = int(text) if name in NUMBERS else text or None
            pairs.append(f"         {json.dumps(name.lower())}: {json.dumps(value, ensure_ascii=False)}")
        objects.append("{\n" + ",\n".join(pairs) + "\n      }")
    return '{\n   "namespaces": [\n      ' + ",".join(objects) + "\n   ]\n}"


def _as_tree(rows: list[Row]) -> list[Row]:
    """A namespace below the one that the parent of its lowest process leads."""
    leaders = {row.tasks[0].pid: row.tasks[0] for row in rows}
    tops: list[Row] = []
    for row in rows:
        parent = leaders.get(row.tasks[0].ppid)
        above = parent.leads if parent is not None else None
        (tops if above is None or above is row else above.below).append(row)
    ordered: list[Row] = []

    def visit(row: Row, indent: str) -> None:
        ordered.append(row)
        for below in row.below:
            last = below is row.below[-1]
            below.prefix = indent + (LAST if last else BRANCH)
            visit(below, indent + ("  " if last else GOES_ON))

    for row in tops:
        visit(row, "")
    return ordered
