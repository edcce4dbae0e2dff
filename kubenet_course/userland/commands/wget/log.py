"""What wget says: on standard error, or in the file of -o and -a; -q and -nv (src/log.c)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.daemons.web import wall_seconds

if TYPE_CHECKING:
    from kubenet_course.userland.commands.wget.options import Settings
    from kubenet_course.userland.process import Process


class Log:
    """The lines of one run; a log file that cannot be written gives way to standard error."""

    def __init__(self, proc: Process, settings: Settings):
        self.proc = proc
        self.quiet = "q" in settings.flags
        self.brief = "nv" in settings.flags
        self.path = settings.values.get("o") or settings.values.get("a")
        if "o" in settings.flags:
            self.write("", fresh=True)

    def write(self, text: str, fresh: bool = False) -> None:
        """Always said; `fresh` empties the log file."""
        if self.path is None:
            self.proc.stderr.write(text.encode("utf-8", "surrogateescape"))
            return
        try:
            self.proc.files.write(
                self.path,
                text.encode("utf-8", "surrogateescape"),
                self.proc,
                append=not fresh,
                cwd=self.proc.cwd,
            )
        except KernelError:
            self.path = None

    def say(self, text: str) -> None:
        """A line of the normal log."""
        if not self.quiet and not self.brief:
            self.write(text)

    def insist(self, text: str) -> None:
        """What -nv still says."""
        if not self.quiet:
            self.write(text)

    def now(self) -> str:
        """The wall clock, as it stands before most lines."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(wall_seconds(self.proc)))
