"""A fault: one thing in a lab that is broken, for the learner to find and mend.

One file in `faults/` a piece, which defines `FAULT = Fault(…)`. `symptom` is all the learner is told.
The same file says how a sound lab behaves (`check`), what shows the cause, and one mend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubenet_course.course.exercise import Command, Verdict, prepared
from kubenet_course.course.expect import Expect
from kubenet_course.lab.lab import Lab


@dataclass(frozen=True)
class Fault:
    """`setup` makes the sound lab, `breakage` breaks it; `clues` are graded hints.

    `proof` is the (machine, command) whose output shows the cause; `mend` is one repair.
    """

    title: str
    lab: str
    symptom: str
    breakage: Sequence[Command]
    check: Callable[[Expect], object]
    clues: Sequence[str]
    proof: Command
    mend: Sequence[Command]
    setup: Sequence[Command] = ()
    explanation: str = ""

    def start(self, backend: str = "emulated") -> Lab:
        """A fresh lab, broken. What was done to break it is not in the lab's history."""
        return prepared(self.lab, (*self.setup, *self.breakage), backend)

    # What an exercise has, so that %check, %hint and %solve serve both.
    @property
    def task(self) -> str:
        return self.symptom

    @property
    def hints(self) -> Sequence[str]:
        return self.clues

    @property
    def solution(self) -> Sequence[Command]:
        return self.mend

    def judge(self, lab: Lab) -> Verdict:
        expect = Expect(lab)
        self.check(expect)
        return Verdict(self, tuple(expect.findings))  # type: ignore[arg-type]
