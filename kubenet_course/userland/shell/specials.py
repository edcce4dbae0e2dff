"""Parameters that the shell computes: ``$?``, ``$RANDOM``, ``$SECONDS`` …"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland.shell.state import VERSION
from kubenet_course.userland.shell.unparse import unparse_line

if TYPE_CHECKING:
    from kubenet_course.userland.shell.lookup import Lookup


def _seconds(shell: Lookup) -> str:
    return str((shell.proc.loop.now - shell.state.started) // 1_000_000_000)


def _random(shell: Lookup) -> str:
    state = shell.state
    if state.random_seed is None:
        state.random_seed = shell.proc.system.host.random.getrandbits(31)
    state.random_seed = (16807 * (state.random_seed or 1)) % 2147483647
    return str((state.random_seed >> 16 ^ state.random_seed & 0xFFFF) & 0x7FFF)


def _epoch(shell: Lookup) -> int:
    return shell.proc.system.files.now()


SPECIALS = {
    "?": lambda shell: str(shell.state.status),
    "#": lambda shell: str(len(shell.state.positional)),
    "$": lambda shell: str(shell.state.main_pid),
    "!": lambda shell: None if shell.state.background is None else str(shell.state.background),
    "-": lambda shell: shell.state.flags(),
    "_": lambda shell: shell.state.last_argument,
    "BASH": lambda shell: "/usr/bin/bash",
    "BASH_COMMAND": lambda shell: unparse_line(shell.command),
    "BASHPID": lambda shell: str(shell.proc.vpid),
    "BASH_VERSION": lambda shell: VERSION,
    "BASH_SUBSHELL": lambda shell: str(shell.state.level),
    "EPOCHREALTIME": lambda shell: f"{_epoch(shell) / 1e9:.6f}",
    "EPOCHSECONDS": lambda shell: str(_epoch(shell) // 1_000_000_000),
    "EUID": lambda shell: "0",
    "SRANDOM": lambda shell: str(shell.proc.system.host.random.getrandbits(32)),
    "HOSTNAME": lambda shell: shell.proc.uts.hostname,
    "HOSTTYPE": lambda shell: "x86_64",
    "LINENO": lambda shell: str(shell.line),
    "MACHTYPE": lambda shell: "x86_64-pc-linux-gnu",
    "OSTYPE": lambda shell: "linux-gnu",
    "PPID": lambda shell: str(shell.proc.ppid),
    "RANDOM": _random,
    "SECONDS": _seconds,
    "SHELLOPTS": lambda shell: "braceexpand:hashall:interactive-comments",
    "UID": lambda shell: "0",
}


def function_names(shell: Lookup) -> list[str]:
    """``FUNCNAME``: innermost first; below them ``main`` of a script file."""
    stack = shell.state.call_stack[::-1]
    return [*stack, "main"] if stack and _in_file(shell) else stack


def sources(shell: Lookup) -> list[str]:
    """``BASH_SOURCE``: where each of them was defined."""
    return shell.origins[::-1] if _in_file(shell) else shell.origins[:0:-1]


def call_lines(shell: Lookup) -> list[str]:
    """``BASH_LINENO``: where each of them was called."""
    lines = [str(line) for line in shell.call_lines[::-1]]
    return [*lines, "0"] if _in_file(shell) else lines


def _in_file(shell: Lookup) -> bool:
    return shell.state.script


#: Arrays that the shell computes.
ARRAYS = {
    "BASH_LINENO": call_lines,
    "BASH_SOURCE": sources,
    "BASH_VERSINFO": lambda shell: ["5", "2", "15", "1", "release", "x86_64-pc-linux-gnu"],
    "FUNCNAME": function_names,
    "GROUPS": lambda shell: ["0"],
    "PIPESTATUS": lambda shell: shell.state.pipestatus_text(),
}
DYNAMIC = frozenset({"RANDOM", "SECONDS", "LINENO", "SRANDOM"})
