"""A machine as a lab gives it: what is done there becomes part of the lab's history."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kubenet_course.lab.history import Record
from kubenet_course.lab.interrupts import Interrupted
from kubenet_course.lab.machine import Completed, Machine, Running

if TYPE_CHECKING:
    from kubenet_course.lab.lab import Lab

T = TypeVar("T")


class LabMachine:
    """A machine of a lab: `machine.Machine`, keeping the history; and a few names Mininet's users know."""

    def __init__(self, lab: Lab, name: str, origin: str = ""):
        self.lab = lab
        self.name = name
        self.origin = origin

    @property
    def _real(self) -> Machine:
        return self.lab.backend.machines[self.name]

    def run(
        self,
        command: str | Sequence[str],
        *,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
        session: str | None = None,
    ) -> Completed:
        """See `machine.Machine.run`. Ctrl-C ends the command: KeyboardInterrupt, and the lab goes on."""
        options = {"stdin": stdin, "env": dict(env) if env else None, "timeout": timeout, "session": session}
        try:
            result = self._real.run(command, stdin=stdin, env=env, timeout=timeout, session=session)
        except Interrupted as stop:  # replayed, it is interrupted after as long
            self._record("run", command, {**options, "timeout": stop.seconds}, stop.result)
            raise
        self._record("run", command, options, result)
        return result

    def spawn(self, argv: Sequence[str], *, stdin: str = "", env: Mapping[str, str] | None = None) -> Running:
        running = self._real.spawn(argv, stdin=stdin, env=env)
        self._record("spawn", argv, {"stdin": stdin, "env": dict(env) if env else None})
        return running

    def read(self, path: str) -> str:
        return self._named(self._real.read, path)

    def read_bytes(self, path: str) -> bytes:
        return self._named(self._real.read_bytes, path)

    def _named(self, read: Callable[[str], T], path: str) -> T:
        """What `read` gives; an OSError from there names the machine and the file."""
        try:
            return read(path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, f"{self.name}:{path}") from None

    def write(self, path: str, content: str | bytes, mode: int | None = None, append: bool = False) -> None:
        self._real.write(path, content, mode, append)
        self._record("write", path, {"content": content, "mode": mode, "append": append})

    def exists(self, path: str) -> bool:
        return self._real.exists(path)

    def _record(
        self,
        action: str,
        subject: str | Sequence[str],
        options: dict[str, Any],
        result: Completed | None = None,
    ) -> None:
        given = tuple((key, value) for key, value in options.items() if value not in (None, "", False))
        if action == "write":
            given = (("content", options["content"]), *(item for item in given if item[0] != "content"))
        what = subject if isinstance(subject, str) else tuple(subject)
        self.lab.history.add(Record(self.name, action, what, given, result, self.origin, not self.origin))
        self.lab.changed()

    # -- as Mininet's users know it ---------------------------------------------------------
    def cmd(self, *words: Any, **_: Any) -> str:
        """Run a command in this machine's shell session; what it printed, errors included."""
        parts = words[0] if len(words) == 1 and isinstance(words[0], (list, tuple)) else words
        return self.run(" ".join(str(part) for part in parts), session="cmd").output

    def cmdPrint(self, *words: Any) -> str:  # noqa: N802 — Mininet's name
        """`cmd`, and print the output."""
        output = self.cmd(*words)
        print(output, end="")
        return output

    def defaultIntf(self) -> str | None:  # noqa: N802
        """The name of its first interface."""
        interfaces = self.lab.spec.node(self.name).interfaces
        return interfaces[0].name if interfaces else None

    def IP(self, intf: str | None = None) -> str | None:  # noqa: N802
        """Its IPv4 address now, of its first interface or of `intf`."""
        return self._ask_ip(intf, ["-4", "-o", "addr", "show"], r"\binet (\d+\.\d+\.\d+\.\d+)")

    def MAC(self, intf: str | None = None) -> str | None:  # noqa: N802
        """Its MAC address now, of its first interface or of `intf`."""
        return self._ask_ip(intf, ["-o", "link", "show"], r"link/ether ([0-9a-f:]{17})")

    def _ask_ip(self, intf: str | None, words: list[str], pattern: str) -> str | None:
        device = intf or self.defaultIntf()
        if device is None:
            return None
        match = re.search(pattern, self.lab.query(self.name, ["ip", *words, "dev", device]).stdout)
        return match[1] if match else None

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<machine {self.name} of lab {self.lab.name}>"


class UnrecordedMachine:
    """A machine as a node's `setup` sees it: what it does belongs to the building, not to the history."""

    def __init__(self, machine: Machine):
        self.machine = machine
        self.name = machine.name

    def cmd(self, *words: Any, **_: Any) -> str:
        return self.machine.run(" ".join(str(word) for word in words)).output
