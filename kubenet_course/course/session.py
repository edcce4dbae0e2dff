"""What a learner is working on: the exercise or fault at hand, its lab, and the hints taken.

One `CourseSession` a notebook. It knows nothing of Jupyter; the magics call it and show what it
returns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kubenet_course.course.exercise import Exercise, Verdict
from kubenet_course.course.fault import Fault
from kubenet_course.errors import LabError
from kubenet_course.lab.lab import Lab
from kubenet_course.registry import discover


def exercises() -> dict[str, Exercise]:
    """Every exercise by name."""
    return {name: module.EXERCISE for name, module in sorted(discover("kubenet_course.course.exercises").items())}


def faults() -> dict[str, Fault]:
    """Every fault by name."""
    return {name: module.FAULT for name, module in sorted(discover("kubenet_course.course.faults").items())}


@dataclass
class CourseSession:
    """`name` is the current exercise's or fault's, "" before the first one."""

    backend: str = "emulated"
    name: str = ""
    current: Exercise | Fault | None = None
    lab: Lab | None = None
    hints_given: dict[str, int] = field(default_factory=dict)
    #: The hint that fitted what was wrong when one was asked for last, 0 before.
    fitting: int = 0
    solved: set[str] = field(default_factory=set)
    solution_shown: set[str] = field(default_factory=set)

    def begin(self, name: str) -> Lab:
        """Start an exercise or fault on a fresh lab; LabError where there is none of that name."""
        known: dict[str, Any] = {**exercises(), **faults()}
        if name not in known:
            raise LabError(f"there is no exercise named {name!r}; there are: {', '.join(known)}")
        self.name = name
        self.current = known[name]
        self.hints_given[name] = self.fitting = 0
        self.lab = known[name].start(self.backend)
        return self.lab

    def describe(self) -> str:
        """The task, in words."""
        current = self._current()
        kind = "Find and mend" if isinstance(current, Fault) else "Exercise"
        return f"{kind}: {current.title}\n{current.task}\nMachines: {', '.join(self._lab().machines)}"

    def check(self) -> Verdict:
        """Judge the lab as it is now."""
        verdict = self._current().judge(self._lab())
        if verdict.passed:
            self.solved.add(self.name)
        return verdict

    def hint(self) -> str:
        """The hint that fits what is wrong now; asked again while that is so, the next one."""
        current = self._current()
        verdict = current.judge(self._lab())
        if verdict.passed:
            return "It is solved already: no hint needed."
        if verdict.hint != self.fitting:
            number = verdict.hint
        else:
            number = min(self.hints_given[self.name] + 1, len(current.hints))
        self.fitting = verdict.hint
        self.hints_given[self.name] = number
        return f"Hint {number} of {len(current.hints)}: {current.hints[number - 1]}"

    def solve(self) -> str:
        """Run the reference solution on a lab brought back to its start, and say what was run."""
        current = self._current()
        lab = self._lab()
        lab.reset()
        if self.name not in self.solved:
            self.solution_shown.add(self.name)
        lines = []
        for machine, command in current.solution:
            done = lab.run(machine, command)
            lines.append(f"{machine}$ {command}")
            if done.output:
                lines.append(done.output.rstrip("\n"))
        explanation = getattr(current, "explanation", "")
        return "\n".join([*lines, *([explanation] if explanation else [])])

    def _current(self) -> Exercise | Fault:
        if self.current is None:
            raise LabError("no exercise has been started; %exercise NAME starts one")
        return self.current

    def _lab(self) -> Lab:
        if self.lab is None:
            raise LabError("no exercise has been started; %exercise NAME starts one")
        return self.lab
