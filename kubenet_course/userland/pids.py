"""PID namespaces (pid_namespaces(7)): each counts its processes from 1.

A process has a number in its own namespace and one in each namespace above. What it may signal, and what it
sees in /proc (of the namespace whose proc is mounted there), are those of its namespace and below. The first
process of a namespace is its init: it takes no signal from within that it has no handler for, and when it
ends, all others end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

#: PROC_PID_INIT_INO: the inode of the first namespace; others are counted on from here.
FIRST_INODE = 4026531836


class PidNamespace:
    """`members` are the processes by their number here; `init` is number 1."""

    def __init__(self, parent: PidNamespace | None = None, first: int = 1, inode: int = FIRST_INODE):
        self.parent = parent
        #: This one, its parent, and so on up to the first.
        self.ancestry: tuple[PidNamespace, ...] = (self, *(parent.ancestry if parent is not None else ()))
        self.members: dict[int, Process] = {}
        self.next = first
        self.inode = inode
        self.init: Process | None = None

    @property
    def ended(self) -> bool:
        """Its init is gone: no process can be made here any more."""
        return self.init is not None and self.init.returncode is not None

    def take(self, process: Process) -> int:
        """Give `process` the next number."""
        number = self.next
        self.next += 1
        self.members[number] = process
        if self.init is None:
            self.init = process
        return number

    def number(self, process: Process | None) -> int:
        """A process's number here (task_pid_nr_ns); 0 for one that is not seen from here."""
        return process.numbers.get(self, 0) if process is not None else 0

    def parent_number(self, process: Process) -> int:
        """The number of a process's parent here: 0 if that is outside, the init's for an orphan."""
        if process.pidns.init is process:
            parent = process.parent if process.pidns is not self else None
            return self.number(parent) if parent is not None and parent.returncode is None else 0
        if process.parent is not None and process.parent.returncode is None:
            return self.number(process.parent)
        return self.number(process.pidns.init)

    def sorted(self) -> list[Process]:
        """The processes seen from here, by their number."""
        return [self.members[number] for number in sorted(self.members)]

    def leave(self, process: Process) -> None:
        """A process of this namespace has ended; with init all others end."""
        for space in self.ancestry:
            space.members.pop(process.numbers.get(space, 0), None)
        if process is self.init and self.parent is not None:
            for other in self.sorted():
                other.kill(9)
