"""Exit statuses, and what the shell says of programs that died or did not start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.errno import EACCES, EISDIR, ELOOP, ENOENT, ENOEXEC, ENOTDIR
from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    pass


DEATHS = {
    1: "Hangup", 3: "Quit", 4: "Illegal instruction", 5: "Trace/breakpoint trap", 6: "Aborted",
        7: "Bus error",
    8: "Floating point exception", 9: "Killed", 10: "User defined signal 1", 11: "Segmentation fault",
    12: "User defined signal 2", 14: "Alarm clock", 15: "Terminated",
}  # fmt: skip


def exit_status(code: int) -> int:
    """A process' returncode as ``$?``."""
    return code if code >= 0 else 128 - code


def reason(error: KernelError) -> str:
    if error.errno == ENOEXEC:
        return "cannot execute binary file: Exec format error"
    if error.errno in (EACCES, EISDIR, ENOTDIR, ELOOP, ENOENT):
        return error.strerror
    return error.strerror
