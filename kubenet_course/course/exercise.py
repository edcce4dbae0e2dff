"""An exercise: a task on a lab, a check, graded hints, a solution, and the usual wrong answers.

One file in `exercises/` a piece, which defines `EXERCISE = Exercise(…)`. Its name is the file's.
Tests hold for each: untouched it fails with a reason, its solution and other right answers pass, and each
wrong answer fails with the hint that fits it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from kubenet_course.course.expect import Expect, Finding
from kubenet_course.errors import LabError
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.scenarios import find_topology

Command = tuple[str, str]


@dataclass(frozen=True)
class Wrong:
    """A wrong answer learners often give, and the number of the hint it must lead to."""

    commands: Sequence[Command]
    hint: int
    why: str = ""


@dataclass(frozen=True)
class Exercise:
    """`lab` names the scenario; `setup` are (machine, command) pairs run before the learner starts.

    `solution` is the one that is shown, `others` are right answers that look different and must pass as well.
    """

    title: str
    lab: str
    task: str
    check: Callable[[Expect], object]
    hints: Sequence[str]
    solution: Sequence[Command]
    others: Sequence[Sequence[Command]] = ()
    wrong: Sequence[Wrong] = ()
    setup: Sequence[Command] = ()
    minutes: int = 5

    def start(self, backend: str = "emulated") -> Lab:
        """A fresh lab in the exercise's starting state, which is also what reset goes back to."""
        return prepared(self.lab, self.setup, backend)

    def judge(self, lab: Lab) -> Verdict:
        """Look at the lab; nothing in it is changed, and nothing is added to its history."""
        expect = Expect(lab)
        self.check(expect)
        return Verdict(self, tuple(expect.findings))


@dataclass(frozen=True)
class Verdict:
    """What a check found. `repr` is what a learner reads."""

    exercise: Exercise
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def passed(self) -> bool:
        return bool(self.findings) and all(finding.ok for finding in self.findings)

    @property
    def hint(self) -> int:
        """The number of the hint that fits the first thing that is wrong; 0 when all is well."""
        for finding in self.findings:
            if not finding.ok:
                return finding.hint or 1
        return 0

    def __repr__(self) -> str:
        lines = [str(finding) for finding in self.findings]
        if self.passed:
            lines.append("Solved.")
        else:
            missing = sum(not finding.ok for finding in self.findings)
            lines.append(f"Not yet: {missing} of {len(self.findings)} to go. %hint gives a hint.")
        return "\n".join(lines)


def prepared(scenario: str, commands: Sequence[Command], backend: str) -> Lab:
    """The scenario's lab with more commands run at its start: part of the spec, not of the history."""
    topology = find_topology(scenario)
    for machine, command in commands:
        node = topology.node(machine)
        topology = topology.replace_node(replace(node, commands=(*node.commands, command)))
    return Lab(topology, backend=backend)


def apply(lab: Lab, commands: Sequence[Command]) -> None:
    """Run (machine, command) pairs; LabError where one fails, with what it said."""
    for machine, command in commands:
        done = lab.run(machine, command)
        if done.returncode:
            raise LabError(f"on {machine}: {command!r} ended with {done.returncode}: {done.output.strip()}")
