"""ls: list files (coreutils 9.1, output not to a terminal: one name a line)."""

from __future__ import annotations

import re
import stat as _stat
import time
from typing import NamedTuple

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import CharDevice, Directory, Node, Stat, Symlink
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.owners import group_name, user_name
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quoteaf
from kubenet_course.userland.sizes import human

LONG = {
    "all": "a", "almost-all": "A", "directory": "d", "recursive": "R", "human-readable": "h", "inode": "i",
    "reverse": "r", "size": "s", "classify=?": "F", "no-group": "G", "numeric-uid-gid": "n",
    "color=?": "color",
    "full-time": "full-time", "time-style=": "time-style", "group-directories-first": "dirs-first",
    "si": "si",
    "sort=": "sort", "file-type": "file-type", "indicator-style=": "indicator", "quote-name": "Q",
    "dereference": "L", "format=": "format", "time=": "time", "escape": "b", "literal": "N", "ignore=": "I",
    "ignore-backups": "B", "width=": "w", "hide=": "hide",
}  # fmt: skip
HALF_YEAR = 31556952 // 2


class Entry(NamedTuple):
    """One name with its node; `target` is where a link leads, None if nowhere."""

    name: str
    path: str
    node: Node
    stat: Stat
    target: Node | None


class _Lister:
    def __init__(self, proc: Process, name: str, flags: set[str], ignore: list[str]):
        self.proc = proc
        self.program = name
        self.flags = flags
        self.ignore = ignore
        self.status = 0
        self.printed = False

    # -- finding ----------------------------------------------------------------------------
    def entry(self, name: str, path: str, follow: bool) -> Entry | None:
        files, proc = self.proc.files, self.proc
        try:
            node = files.node(path, None, proc, follow=follow)
        except KernelError as error:
            if follow and files.islink(path, proc):
                return self.entry(name, path, False)
            self.proc.error(f"{self.program}: cannot access {quoteaf(path)}: {error.strerror}")
            return None
        target = None
        if isinstance(node, Symlink):
            try:
                target = files.node(path, None, proc)
            except KernelError:
                target = None
        return Entry(name, path, node, files.stat_node(node, proc), target)

    def children(self, path: str) -> list[Entry]:
        names = self.proc.files.listdir(path, self.proc)
        if not self.flags & {"a", "A"}:
            names = [name for name in names if not name.startswith(".")]
        if "B" in self.flags:
            names = [name for name in names if not name.endswith("~")]
        if self.ignore:
            from kubenet_course.userland.files.pattern import matches

            names = [name for name in names if not any(matches(name, pattern) for pattern in self.ignore)]
        if "a" in self.flags:
            names = [".", "..", *names]
        found = [self.entry(name, f"{path.rstrip('/')}/{name}", "L" in self.flags) for name in names]
        return self.sort([one for one in found if one is not None])

    def sort(self, entries: list[Entry]) -> list[Entry]:
        flags = self.flags
        if "U" in flags or "f" in flags:
            return entries
        entries = sorted(entries, key=lambda one: one.name.encode("utf-8", "surrogateescape"))
        if "S" in flags:
            entries.sort(key=lambda one: -one.stat.size)
        elif "t" in flags:
            entries.sort(key=lambda one: -one.stat.mtime)
        elif "X" in flags:
            entries.sort(key=lambda one: one.name.rpartition(".")[2] if "." in one.name else "")
        elif "v" in flags:
            from kubenet_course.userland.versions import version_key

            entries.sort(key=lambda one: version_key(one.name))
        if "r" in flags:
            entries.reverse()
        if "dirs-first" in flags:
            entries.sort(key=lambda one: not isinstance(one.target or one.node, Directory))
        return entries

    # -- showing ----------------------------------------------------------------------------
    def show(self, entries: list[Entry], total: bool) -> None:
        flags, out = self.flags, self.proc.print
        if total and (flags & {"l", "s"}):
            blocks = sum(_blocks(one.stat) for one in entries)
            out(f"total {human(blocks * 1024) if 'h' in flags else blocks}")
        if "l" in flags:
            self._long(entries)
        elif "m" in flags:
            if entries:
                out(", ".join(self._name(one) for one in entries))
        elif flags & {"C", "x"} and not flags & {"i", "s"}:
            for line in columns([self._name(one) for one in entries], "x" in flags):
                out(line)
        else:
            width = max((len(str(one.stat.ino)) for one in entries), default=0)
            blocks_width = max((len(self._block(one)) for one in entries), default=0)
            for one in entries:
                head = f"{one.stat.ino:>{width}} " if "i" in flags else ""
                head += f"{self._block(one):>{blocks_width}} " if "s" in flags else ""
                out(head + self._name(one))
        self.printed = self.printed or bool(entries) or total

    def _block(self, one: Entry) -> str:
        blocks = _blocks(one.stat)
        return human(blocks * 1024) if "h" in self.flags else str(blocks)

    def _long(self, entries: list[Entry]) -> None:
        rows = [self._row(one) for one in entries]
        widths = [max(len(row[at]) for row in rows) for at in range(8)] if rows else []
        for row, one in zip(rows, entries, strict=True):
            cells = []
            for at, cell in enumerate(row):
                if cell or widths[at]:
                    left = at in (4, 5)
                    cells.append(cell.ljust(widths[at]) if left else cell.rjust(widths[at]))
            link = ""
            if isinstance(one.node, Symlink):
                link = f" -> {one.node.readlink(self.proc)}"
                if "F" in self.flags and one.target is not None:
                    link += _mark(one.target, True)
            name = self._name(one, not link)
            self.proc.print(f"{' '.join(cells)} {name}{link}")

    def _row(self, one: Entry) -> list[str]:
        """inode, blocks, mode, links, owner, group, size, date."""
        flags, stat = self.flags, one.stat
        numeric = "n" in flags
        owner = "" if "g" in flags else str(stat.uid) if numeric else user_name(self.proc, stat.uid)
        group = "" if flags & {"o", "G"} else str(stat.gid) if numeric else group_name(self.proc, stat.gid)
        if isinstance(one.node, CharDevice):
            size = "{}, {:>3}".format(*one.node.device)
        elif "h" in flags:
            size = human(stat.size)
        elif "si" in flags:
            size = human(stat.size, 1000)
        else:
            size = str(stat.size)
        return [
            str(stat.ino) if "i" in flags else "",
            self._block(one) if "s" in flags else "",
            _stat.filemode(stat.mode),
            str(stat.nlink),
            owner,
            group,
            size,
            self._date(stat.mtime),
        ]

    def _date(self, mtime: int) -> str:
        seconds = mtime // 1_000_000_000
        when = time.gmtime(seconds)
        if "full-time" in self.flags:
            return time.strftime("%Y-%m-%d %H:%M:%S", when) + f".{mtime % 1_000_000_000:09d} +0000"
        if "long-iso" in self.flags:
            return time.strftime("%Y-%m-%d %H:%M", when)
        if "iso" in self.flags:
            return time.strftime("%m-%d %H:%M", when)
        now = self.proc.system.files.now() // 1_000_000_000
        if now - HALF_YEAR < seconds <= now:
            return time.strftime("%b ", when) + f"{when.tm_mday:>2} " + time.strftime("%H:%M", when)
        return time.strftime("%b ", when) + f"{when.tm_mday:>2}  {when.tm_year}"

    def _name(self, one: Entry, mark: bool = True) -> str:
        name = one.name
        if "Q" in self.flags:
            name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        elif "b" in self.flags:
            name = re.sub(r"([ \\])", r"\\\1", name).replace("\n", "\\n").replace("\t", "\\t")
        if mark and self.flags & {"F", "p", "file-type"}:
            name += (
                _mark(one.node, "F" in self.flags)
                if "p" not in self.flags
                else ("/" if isinstance(one.node, Directory) else "")
            )
        return name

    def directory(self, path: str, title: bool) -> None:
        try:
            entries = self.children(path)
        except KernelError as error:
            self.proc.error(f"{self.program}: cannot open directory {quoteaf(path)}: {error.strerror}")
            self.status = max(self.status, 1)
            return
        if title:
            self.proc.print(f"{chr(10) if self.printed else ''}{path}:")
            self.printed = True
        self.show(entries, True)
        if "R" in self.flags:
            for one in entries:
                if isinstance(one.node, Directory) and one.name not in (".", ".."):
                    self.directory(f"{path.rstrip('/')}/{one.name}" if path != "/" else f"/{one.name}", True)


def columns(names: list[str], across: bool, width: int = 80) -> list[str]:
    """Names in as many columns as fit, down or across; two blanks between columns."""
    for count in range(min(len(names), width // 3), 0, -1):
        rows = -(-len(names) // count)
        if across:
            table = [names[at : at + count] for at in range(0, len(names), count)]
        else:
            count = -(-len(names) // rows)
            table = [names[at::rows] for at in range(rows)]
        widths = [max((len(row[at]) for row in table if at < len(row)), default=0) + 2 for at in range(count)]
        if sum(widths) - 2 < width or count == 1:
            return [
                "".join(cell.ljust(widths[at]) if at < len(row) - 1 else cell for at, cell in enumerate(row))
                for row in table
            ]
    return names


def _blocks(stat: Stat) -> int:
    """Kilobytes on disk."""
    if _stat.S_ISLNK(stat.mode) or stat.size == 0:
        return 0
    return (stat.size + 4095) // 4096 * 4


def _mark(node: Node, executables: bool) -> str:
    if isinstance(node, Directory):
        return "/"
    if isinstance(node, Symlink):
        return "@"
    if executables and node.kind == _stat.S_IFREG and node.mode & 0o111:
        return "*"
    return ""


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "aAbBdfFgGhiI:klLmnNopqQrRsStuUvw:xX1cHCZ", LONG, unsupported="DT")
    except OptionError as error:
        return error.report(proc, argv[0], 2)
    flags = letters(options)
    if flags & {"g", "n", "o", "full-time"} or value(options, "format") in ("long", "verbose"):
        flags.add("l")
    for name, text in options:
        if name == "time-style":
            flags.add(text.lstrip("+"))
        if name == "sort" and text in ("size", "time", "none", "extension", "version"):
            flags.add({"size": "S", "time": "t", "none": "U", "extension": "X", "version": "v"}[text])
    for name, _ in options:
        if name in ("1", "x", "C", "m", "l"):
            if name != "1" or "l" not in flags:
                flags -= {"1", "x", "C", "m", "l"}
            flags.add(name)
    if "f" in flags:
        flags.add("a")
    lister = _Lister(proc, argv[0], flags, [text for name, text in options if name in ("I", "hide")])
    follow = "d" not in flags and "l" not in flags and "F" not in flags
    files: list[Entry] = []
    directories: list[Entry] = []
    for name in names or ["."]:
        slash = name.endswith("/")
        one = lister.entry(name, name, follow or slash or bool(flags & {"L", "H"}))
        if one is None:
            lister.status = 2
        elif "d" not in flags and isinstance(
            one.target if "H" in flags and one.target else one.node, Directory
        ):
            directories.append(one)
        else:
            files.append(one)
    if files:
        lister.show(lister.sort(files), False)
    for one in lister.sort(directories):
        lister.directory(one.path, len(names) > 1 or "R" in flags)
    return lister.status
