"""What was done to a lab, in order: the one thing, besides its topology, that a lab's state follows from.

A record with `replayed` False is a consequence (a command that kube-proxy, a plugin or the kubelet
ran): it is there to be read, and comes about again by itself when the others are replayed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.lab.machine import Completed


@dataclass(frozen=True)
class Record:
    """One action on one machine: `action` is run, write or spawn; `arguments` are its keywords."""

    machine: str
    action: str
    subject: str | tuple[str, ...]
    arguments: tuple[tuple[str, Any], ...] = ()
    result: Completed | None = dataclasses.field(default=None, compare=False)
    origin: str = ""
    replayed: bool = True

    @property
    def command(self) -> str:
        """As it would be typed (or, for a file, what happened to it)."""
        import shlex

        text = self.subject if isinstance(self.subject, str) else shlex.join(self.subject)
        return text if self.action in ("run", "spawn") else f"({self.action} {text})"

    def __str__(self) -> str:
        status = f" [{self.result.returncode}]" if self.result is not None and self.result.returncode else ""
        return f"{self.machine}$ {self.command}{status}" + (f"  # by {self.origin}" if self.origin else "")


@dataclass(frozen=True)
class Checkpoint:
    """A name for a place in the history: after its first `position` records."""

    name: str
    position: int

    def __str__(self) -> str:
        return self.name


class History(Sequence[Record]):
    """The records so far, what was undone (for redo), and the checkpoints."""

    def __init__(self, records: Sequence[Record] = ()):
        self.records: list[Record] = list(records)
        self.undone: list[list[Record]] = []
        self.checkpoints: dict[str, Checkpoint] = {}

    def __getitem__(self, index: Any) -> Any:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def add(self, record: Record) -> None:
        """Append; doing something new makes what was undone unreachable."""
        self.records.append(record)
        if record.replayed:
            self.undone.clear()

    def position_of(self, to: Checkpoint | str) -> int:
        name = str(to)
        if name not in self.checkpoints:
            known = ", ".join(self.checkpoints) or "none"
            raise LabError(f"there is no checkpoint {name!r}; there are: {known}")
        return self.checkpoints[name].position

    def before(self, steps: int) -> int:
        """The position before the last `steps` learner's actions."""
        position = len(self.records)
        for _ in range(steps):
            position -= 1
            while position >= 0 and not self.records[position].replayed:
                position -= 1
            if position < 0:
                raise LabError("there is nothing left to undo")
        return position

    def cut(self, position: int) -> list[Record]:
        """Forget everything from `position` on; what was taken away."""
        taken = self.records[position:]
        del self.records[position:]
        for name, checkpoint in list(self.checkpoints.items()):
            if checkpoint.position > position:
                del self.checkpoints[name]
        return taken

    def __repr__(self) -> str:
        return (
            "\n".join(f"{number:3} {record}" for number, record in enumerate(self.records, 1))
            or "(nothing yet)"
        )
