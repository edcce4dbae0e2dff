"""User and group names, from /etc/passwd and /etc/group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


def _table(proc: Process, path: str) -> list[list[str]]:
    try:
        text = proc.files.read_text(path, proc)
    except KernelError:
        return []
    return [line.split(":") for line in text.splitlines() if line.count(":") >= 2]


def _name(proc: Process, path: str, number: int) -> str:
    if number == 0:
        return "root"
    return next((row[0] for row in _table(proc, path) if row[2] == str(number)), str(number))


def _number(proc: Process, path: str, name: str) -> int | None:
    found = next((row[2] for row in _table(proc, path) if row[0] == name), name)
    return int(found) if found.isascii() and found.isdecimal() else None


def user_name(proc: Process, uid: int) -> str:
    return _name(proc, "/etc/passwd", uid)


def group_name(proc: Process, gid: int) -> str:
    return _name(proc, "/etc/group", gid)


def known_user(proc: Process, name: str) -> bool:
    """Whether /etc/passwd has the name."""
    return any(row[0] == name for row in _table(proc, "/etc/passwd"))


def home_directory(proc: Process, name: str) -> str | None:
    """A user's home, or None for an unknown user."""
    return next((row[5] for row in _table(proc, "/etc/passwd") if row[0] == name and len(row) > 5), None)


def user_group(proc: Process, name: str) -> int:
    """The gid of a user's line in /etc/passwd, 0 where there is none."""
    for row in _table(proc, "/etc/passwd"):
        if row[0] == name and len(row) > 3 and row[3].isdecimal():
            return int(row[3])
    return 0


def user_number(proc: Process, name: str) -> int | None:
    """The uid of a name or number; None for an unknown name."""
    return _number(proc, "/etc/passwd", name)


def group_number(proc: Process, name: str) -> int | None:
    return _number(proc, "/etc/group", name)
