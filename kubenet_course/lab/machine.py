"""What every machine of a lab can do, on either kernel; the seam of the whole program.

Docker, CNI, the kubelet, views and widgets ask a machine by these few methods and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Completed(NamedTuple):
    """What a command printed and how it ended: 0 is success, 128+N means ended by signal N."""

    stdout: str
    stderr: str
    returncode: int

    @property
    def output(self) -> str:
        """Everything it printed, errors last."""
        return self.stdout + self.stderr


class Running(Protocol):
    """A program that was started and goes on by itself."""

    pid: int

    def poll(self) -> int | None:
        """Its exit status, or None while it runs."""

    def output(self) -> tuple[str, str]:
        """Standard output and standard error so far."""

    def terminate(self, signum: int = 15) -> None:
        """Send it a signal; nothing happens if it has ended."""


class Machine(Protocol):
    """One machine of a lab. Paths are whole paths in the machine's own file tree."""

    name: str

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        session: str | None = None,
    ) -> Completed:
        """Run a command to its end.

        A string is a script for bash (`bash -c`), a sequence is a program with its arguments.
        `env` is added to the machine's own environment. After `timeout` seconds (of the machine's
        clock; None: the lab's limit) it gets SIGINT, as from Ctrl-C, and later SIGKILL; what it
        printed is kept. Commands of the same `session` share a shell: its directory, variables,
        functions and background jobs.
        """

    def spawn(self, argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None) -> Running:
        """Start a program and do not wait for it."""

    def read(self, path: str) -> str:
        """A file's text. OSError (FileNotFoundError, …) as open() would raise."""

    def read_bytes(self, path: str) -> bytes:
        """A file's bytes."""

    def write(self, path: str, content: str | bytes, mode: int | None = None, append: bool = False) -> None:
        """Make or replace a file, with its folders."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
