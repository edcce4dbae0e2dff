"""stat: what a file's inode says."""

from __future__ import annotations

import re
import stat as _stat
import time
from functools import partial

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import CharDevice, NetnsFile, Node, Symlink
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse, value
from kubenet_course.userland.owners import group_name, user_name
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quoteaf

LONG = {
    "dereference": "L",
    "format=": "c",
    "printf=": "printf",
    "terse": "t",
    "file-system": "f",
    "cached=": "cached",
}
KINDS = {
    _stat.S_IFREG: "regular file", _stat.S_IFDIR: "directory", _stat.S_IFLNK: "symbolic link",
    _stat.S_IFCHR: "character special file",
}  # fmt: skip
DEFAULT = """  File: %N
  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F
Device: %Hd,%Ld\tInode: %-11i Links: %h
Access: (%04a/%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)
Access: %x
Modify: %y
Change: %z
 Birth: %w
"""


def kind_of(node: Node, proc: Process) -> str:
    if node.kind == _stat.S_IFREG and not node.size(proc):
        return "regular empty file"
    return KINDS.get(node.kind, "regular file")


def _moment(when: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when // 10**9)) + f".{when % 10**9:09d} +0000"


def _field(proc: Process, name: str, node: Node, letter: str) -> str:
    size = node.size(proc)
    shown = quoteaf(name) if letter == "N" else name
    if letter == "N" and isinstance(node, Symlink):
        shown = f"{quoteaf(name)} -> {quoteaf(node.readlink(proc))}"
    elif letter == "N":
        shown = name
    device = node.device if isinstance(node, CharDevice) else (0, 0)
    values = {
        "a": f"{node.mode:o}", "A": _stat.filemode(node.kind | node.mode), "b": str((size
        + 4095) // 4096 * 8),
        "B": "512", "d": "65025", "D": "fe01", "Hd": "254", "Ld": "1", "f": f"{node.kind | node.mode:x}",
        "F": kind_of(node, proc), "g": str(node.gid), "G": group_name(proc, node.gid), "h": str(node.nlink),
        "i": str(node.ino), "m": "/", "n": name, "N": shown, "o": "4096", "s": str(size),
        "t": f"{device[0]:x}",
        "T": f"{device[1]:x}", "u": str(node.uid), "U": user_name(proc, node.uid), "w": "-", "W": "0",
        "%": "%", "C": "?",
    }  # fmt: skip
    for letters_ in ("xX", "yY", "zZ"):
        values[letters_[0]] = _moment(node.mtime)
        values[letters_[1]] = str(node.mtime // 10**9)
    return values.get(letter, "?")


def _format(proc: Process, name: str, node: Node, form: str) -> str:
    def one(match: re.Match[str]) -> str:
        flags, width, letter = match[1], match[2], match[3]
        text = _field(proc, name, node, letter)
        size = int(width[:6] or 0)
        if "-" in flags:
            return text.ljust(size)
        return text.rjust(size, "0" if "0" in flags else " ")

    return re.sub(r"%([-0 +#']*)(\d*)([HL]?[a-zA-Z%])", one, form)


#: Kinds of file systems: magic number (statfs(2)) and name.
_NSFS, _PROC, _SYSFS, _EXT4 = (0x6E736673, "nsfs"), (0x9FA0, "proc"), (0x62656572, "sysfs"), (0xEF53, "ext2/ext3")


def _file_systems(proc: Process, command: str, names: list[str], form: str | None) -> int:
    """stat -f with a format of %n, %t and %T."""
    if form is None or set(re.findall(r"%(.)", form)) - set("ntT%"):
        proc.error(f"kubenet: {command}: option -f is emulated with -c of %n, %t and %T only")
        return 1
    status = 0
    for name in names:
        try:
            node = proc.files.node(name, None, proc)
        except KernelError as error:
            proc.error(f"{command}: cannot read file system information for {quoteaf(name)}: {error.strerror}")
            status = 1
            continue
        real = proc.files.resolve(name, None, proc) + "/"
        magic, kind = (
            _NSFS if isinstance(node, NetnsFile)
            else _PROC if real.startswith("/proc/")
            else _SYSFS if real.startswith("/sys/")
            else _EXT4
        )  # fmt: skip
        values = {"n": name, "t": f"{magic:x}", "T": kind, "%": "%"}
        proc.print(re.sub("%(.)", partial(_looked_up, values), form), end="")
    return status


def _looked_up(values: dict[str, str], match: re.Match[str]) -> str:
    return values[match[1]]


async def main(proc: Process, argv: list[str]) -> int:
    try:
        options, names = parse(argv, "Lc:tf", LONG)
    except OptionError as error:
        return error.report(proc, argv[0])
    if not names:
        return missing_operand(proc, argv[0])
    flags = letters(options)
    form, end = DEFAULT, ""
    if "t" in flags:
        form, end = "%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o", "\n"
    if value(options, "c") is not None:
        form, end = value(options, "c") or "", "\n"
    if value(options, "printf") is not None:
        form = (value(options, "printf") or "").encode("utf-8", "surrogateescape").decode("unicode_escape", "replace")
    if "f" in flags:
        return _file_systems(proc, argv[0], names, None if form is DEFAULT else form + end)
    status = 0
    for name in names:
        try:
            node = proc.files.node(name, None, proc, follow="L" in flags)
        except KernelError as error:
            proc.error(f"{argv[0]}: cannot statx {quoteaf(name)}: {error.strerror}")
            status = 1
            continue
        text = _format(proc, name, node, form)
        if isinstance(node, CharDevice) and form is DEFAULT:
            text = text.replace(
                f"Links: {node.nlink}\n",
                f"Links: {node.nlink}     Device type: {node.device[0]},{node.device[1]}\n",
            )
        proc.print(text, end=end)
    return status
