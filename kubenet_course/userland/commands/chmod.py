"""chmod, chown, chgrp: change modes and owners."""

from __future__ import annotations

import stat

from kubenet_course.errors import KernelError
from kubenet_course.userland.files import Directory, Node, Symlink
from kubenet_course.userland.modes import ModeError, change_mode
from kubenet_course.userland.options import OptionError, letters, missing_operand, parse, value
from kubenet_course.userland.owners import group_number, user_number
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote, quoteaf

NAMES = ("chmod", "chown", "chgrp")
LONG = {
    "recursive": "R", "verbose": "v", "changes": "c", "silent": "f", "quiet": "f", "reference=": "reference",
    "no-dereference": "h", "dereference": "deref",
}  # fmt: skip


def _is_mode(text: str) -> bool:
    """A word like ``-x`` or ``-rw`` that is a mode, not an option."""
    return len(text) > 1 and text[0] == "-" and all(char in "rwxXstugo,=+-0123456789" for char in text[1:])


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    words = argv
    early: list[str] = []
    if program == "chmod":
        early = [word for word in argv[1:2] if _is_mode(word)]
        words = [argv[0], *argv[2:]] if early else argv
    try:
        options, names = parse(words, "Rvcfh", LONG, unsupported="HLP")
    except OptionError as error:
        return error.report(proc, argv[0])
    names = early + names
    flags = letters(options)
    reference = value(options, "reference")
    if reference is not None:
        try:
            like = proc.files.stat(reference, proc)
        except KernelError as error:
            proc.error(f"{argv[0]}: failed to get attributes of {quoteaf(reference)}: {error.strerror}")
            return 1
        names = [oct(stat.S_IMODE(like.mode))[2:] if program == "chmod" else f"{like.uid}:{like.gid}", *names]
    if len(names) < 2:
        return missing_operand(proc, argv[0], names[0] if names else None)
    if program == "chmod":
        return _chmod(proc, argv[0], names[0], names[1:], flags)
    return _chown(proc, argv[0], program, names[0], names[1:], flags)


def _walk(
    proc: Process, program: str, names: list[str], flags: set[str]
) -> tuple[list[tuple[str, Node]], int]:
    found: list[tuple[str, Node]] = []
    status = 0
    for name in names:
        try:
            node = proc.files.node(name, None, proc)
        except KernelError as error:
            if "f" not in flags:
                proc.error(f"{program}: cannot access {quoteaf(name)}: {error.strerror}")
            status = 1
            continue
        found.append((name, node))
        if "R" in flags and isinstance(node, Directory):
            for child in node.names(proc):
                path = f"{name.rstrip('/')}/{child}"
                if not isinstance(proc.files.node(path, None, proc, follow=False), Symlink):
                    below, bad = _walk(proc, program, [path], flags)
                    found += below
                    status |= bad
    return found, status


def _chmod(proc: Process, program: str, mode: str, names: list[str], flags: set[str]) -> int:
    try:
        change_mode(mode, 0, False, proc.umask)
    except ModeError:
        proc.error(f"{program}: invalid mode: {quote(mode)}")
        proc.error(f"Try '{program} --help' for more information.")
        return 1
    nodes, status = _walk(proc, program, names, flags)
    for name, node in nodes:
        old = node.mode
        node.mode = change_mode(mode, old, isinstance(node, Directory), proc.umask)
        before, after = (
            f"{value:04o} ({stat.filemode(node.kind | value)[1:]})" for value in (old, node.mode)
        )
        if old != node.mode and flags & {"v", "c"}:
            proc.print(f"mode of {quoteaf(name)} changed from {before} to {after}")
        elif "v" in flags:
            proc.print(f"mode of {quoteaf(name)} retained as {after}")
    return status


def _chown(proc: Process, program: str, kind: str, owner: str, names: list[str], flags: set[str]) -> int:
    user: int | None = None
    group: int | None = None
    if kind == "chgrp":
        group = group_number(proc, owner)
        if group is None:
            proc.error(f"{program}: invalid group: {quote(owner)}")
            return 1
    else:
        left, colon, right = owner.partition(":")
        if left:
            user = user_number(proc, left)
            if user is None:
                proc.error(f"{program}: invalid user: {quote(owner)}")
                return 1
        if right:
            group = group_number(proc, right)
            if group is None:
                proc.error(f"{program}: invalid group: {quote(owner)}")
                return 1
        elif colon and left:
            group = user
    nodes, status = _walk(proc, program, names, flags)
    for _, node in nodes:
        node.uid = node.uid if user is None else user
        node.gid = node.gid if group is None else group
    return status
