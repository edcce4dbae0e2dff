"""Transcripts: what a person would see on the machines of a lab, as text.

    # lab: two-networks          header: the lab (a scenario), then anything as comments
    # real: no, needs netem      (only if the real kernel cannot be the judge; says why)
    A$ ip route add 10.0.0.0/8 via 172.16.0.1
    Error: Nexthop has invalid gateway.
    [2]

A line `MACHINE$ …` is a statement (with the lines it needs to be complete), what follows is its standard
output and then its standard error, and `[N]` its status if that is not 0. Blank lines at the end of a
step mean nothing. `## …` is a comment anywhere. All statements of a machine share one shell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kubenet_course.kernel.skbuff import Ledger
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.scenarios import find_topology
from kubenet_course.lab.statements import is_complete
from kubenet_course.sim.loop import SECOND
from tests.support.normalise import normalise

FOLDER = Path(__file__).parent.parent / "transcripts"
#: After so long on the virtual clock every neighbour that was asked for has been given up, every fragment too.
PATIENCE = 100 * SECOND
_STATUS = re.compile(r"^\[(\d+)\]$")


@contextmanager
def no_packet_lost(lab: Lab) -> Iterator[None]:
    """On the emulated kernel: every packet of the block ends, once (each was consumed, or dropped for a reason)."""
    loop = getattr(lab.backend, "loop", None)
    if loop is None:
        yield
        return
    ledger = loop.skb_ledger = Ledger()
    yield
    loop.run_for(PATIENCE)
    assert not ledger.twice, f"ended twice: {ledger.twice[:3]}"
    assert not ledger.lost(), f"lost: {ledger.lost()[:3]}"


@dataclass
class Step:
    """One statement and what it printed."""

    machine: str
    command: str
    output: str = ""
    status: int = 0

    def normalised(self) -> str:
        text = normalise(self.output, self.command).rstrip("\n")
        return f"{self.machine}$ {self.command}\n{text}\n[{self.status}]"

    def __str__(self) -> str:
        output = self.output if self.output.endswith("\n") or not self.output else self.output + "\n"
        return f"{self.machine}$ {self.command}\n{output}" + (f"[{self.status}]\n" if self.status else "")


@dataclass
class Transcript:
    """A file: `header` are its comment lines, `settings` those of the form `# name: value`."""

    name: str
    header: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    @property
    def lab(self) -> str:
        return self.settings.get("lab", "single")

    @property
    def why_not_real(self) -> str:
        """Why the real kernel here is no judge, "" if it is."""
        value = self.settings.get("real", "yes")
        return value.removeprefix("no").lstrip(", ") or "no" if value.startswith("no") else ""

    def run(self, backend: str) -> Iterator[Step]:
        """The same statements on a fresh lab, one by one."""
        with Lab.load(self.lab, backend=backend) as lab, no_packet_lost(lab):
            for step in self.steps:
                done = lab.run(step.machine, step.command, session="main")
                yield Step(step.machine, step.command, done.output, done.returncode)

    def differences(self, backend: str) -> list[str]:
        """What a run on `backend` prints otherwise than the file says, step by step."""
        found = []
        for expected, got in zip(self.steps, self.run(backend)):
            if expected.normalised() != got.normalised():
                found.append(f"expected:\n{expected.normalised()}\n{backend}:\n{got.normalised()}\n")
        return found

    def __str__(self) -> str:
        return "".join([*(line + "\n" for line in self.header), *map(str, self.steps)])


def parse(text: str, name: str = "") -> Transcript:
    """Read a transcript; statements without outputs are fine (that is what one records from)."""
    found = Transcript(name)
    machines: set[str] = set()
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if line.startswith("##") or (not found.steps and not line.strip()):
            if not found.steps:
                found.header.append(line)
            continue
        if line.startswith("#") and not found.steps:
            found.header.append(line)
            key, colon, value = line.lstrip("# ").partition(":")
            if colon and key.isidentifier():
                found.settings[key] = value.strip()
            continue
        if not machines:
            machines = {node.name for node in find_topology(found.lab)}
        machine, prompt, command = line.partition("$ ")
        if prompt and machine in machines:
            while (
                not is_complete(command) and at < len(lines) and lines[at].partition("$ ")[0] not in machines
            ):
                command += "\n" + lines[at]
                at += 1
            found.steps.append(Step(machine, command))
        elif not found.steps:
            raise ValueError(f"{name}: line {at}: {line!r} is no statement on one of {sorted(machines)}")
        else:
            _take_output(found.steps[-1], line)
    for step in found.steps:
        step.output = step.output.rstrip("\n") + "\n" if step.output.strip("\n") else ""
    return found


def _take_output(step: Step, line: str) -> None:
    status = _STATUS.match(line)
    if status:
        step.status = int(status[1])
    else:
        step.output += line + "\n"


def load(path: Path) -> Transcript:
    return parse(path.read_text(encoding="utf-8"), path.name)


def all_transcripts() -> list[Path]:
    return sorted(FOLDER.glob("**/*.txt"))
