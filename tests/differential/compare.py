"""Run a script on both kernels, compare every step, shrink what disagrees."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kubenet_course.lab.lab import Lab
from kubenet_course.sim.loop import SECOND
from tests.differential.grammar import Family
from tests.support.normalise import normalise

Step = tuple[str, str]
#: So many runs in a row must differ, each on a fresh pair. In a real step milliseconds pass before its effect is there (its
#: programs start, a device goes), in an emulated one none: what a timer does just then may come before it or after. So the
#: later runs leave that many seconds more, or less, between two emulated steps.
LATE = (0, 0.02, 0.05, -0.02)


@dataclass(frozen=True)
class Answer:
    """What one step gave, after normalising."""

    stdout: str
    stderr: str
    returncode: int

    def __str__(self) -> str:
        return f"{self.stdout}{self.stderr}[{self.returncode}]"


@dataclass(frozen=True)
class Disagreement:
    """The first step at which the two kernels differ, with the script up to it."""

    family: str
    seed: int
    script: Sequence[Step]
    emulated: Answer
    real: Answer

    def __str__(self) -> str:
        lines = [f"--- {self.family} seed {self.seed}: {len(self.script)} steps"]
        lines += [f"{machine}$ {command}" for machine, command in self.script]
        lines += ["··· emulated", str(self.emulated), "··· real", str(self.real)]
        return "\n".join(lines)


def answers(lab_name: str, script: Sequence[Step], backend: str) -> list[Answer]:
    """Each step's normalised answer on a fresh lab."""
    return [answer for answer, _ in paced(lab_name, script, backend)]


def paced(
    lab_name: str, script: Sequence[Step], backend: str, starts: Sequence[float] = (), expected: Sequence[Answer] = ()
) -> list[tuple[Answer, float]]:
    """Each step's normalised answer on a fresh lab, and when it began, in seconds since the lab was there.

    `starts`: begin no step earlier than that (the emulated kernel's clock stands still between commands, a real one's
    does not: what is limited by the second, or given up after three, must not see less time pass). `expected`: end
    with the first other answer.
    """
    found = []
    with Lab.load(lab_name, backend=backend) as lab:
        clock = _clock(lab)
        began = clock()
        for number, (machine, command) in enumerate(script):
            wait = starts[number] - (clock() - began) if starts else 0
            if wait > 0:
                lab.run(machine, f"sleep {wait:.6f}")
            start = clock() - began
            done = lab.run(machine, command)
            answer = Answer(_timeless(done.stdout, command), _timeless(done.stderr, command), done.returncode)
            found.append((answer, start))
            if expected and answer != expected[number]:
                break
    return found


def _clock(lab: Lab) -> Callable[[], float]:
    """The seconds that this lab's machines live by."""
    if lab.backend_name != "emulated":
        return time.monotonic
    loop = lab.backend.loop  # type: ignore[attr-defined]
    return lambda: loop.now / SECOND


def _timeless(text: str, command: str) -> str:
    """Normalised; of a ping that waits a second only, whether the neighbour was given up just in time
    (after three seconds, counted from an earlier command) is left out."""
    text = normalise(text, command)
    if "ping" in command and "-W 1" in command:
        unreachable = r"Destination Host Unreachable|Destination unreachable: Address unreachable"
        text = re.sub(rf"^From \S+ icmp_seq=\d+ ({unreachable})\n", "", text, flags=re.M)
        text = re.sub(r", \+\d+ errors", "", text)
    if command.startswith("traceroute"):
        # Whether the own neighbour was given up just before, or just after, all probes were lost.
        head, *hops = text.splitlines(keepends=True) or [""]
        text = head + "(nobody)\n" if hops and all(re.search(r"\*|!H", hop) for hop in hops) else text
    if "conntrack" in command:
        text = re.sub(r"\buse=\d+", "use=N", text)  # packets that wait for a neighbour hold on to their connection
    if "ip6tables" in command:
        # Neighbour discovery is counted too, and when it asks again depends on chance.
        text = re.sub(r"^ +\d+ +\d+ (?=\S)", "    N     N ", re.sub(r"\d+ packets, \d+ bytes", "N packets", text), flags=re.M)
        text = re.sub(r"\[\d+:\d+\]", "[N:N]", text)
    if "curl" in command:
        text = re.sub(r"after \d+ m", "after N m", text)
    text = re.sub(r"(designated_bridge .*timer +[\d.]+ .*)", lambda found: re.sub(r" +\d+\.\d\d", " T", found[1]), text)
    if "brctl show" in command:
        # In the order of a directory of sysfs: by a hash with a salt of the namespace's own.
        head, *bridges = re.split(r"\n(?=\S)", text)
        text = "\n".join([head, *sorted(bridge.rstrip("\n") for bridge in bridges)])
    return text


def first_difference(lab_name: str, script: Sequence[Step], late: float = 0) -> tuple[int, Answer, Answer] | None:
    """Index of the first step with different answers, and both; None where all agree.

    The real kernel goes first; each step begins on the emulated one when it began there, with `late` seconds more between two.
    """
    real = paced(lab_name, script, "mininet")
    theirs = [answer for answer, _ in real]
    emulated = paced(lab_name, script, "emulated", [start + late * number for number, (_, start) in enumerate(real)], theirs)
    number = len(emulated) - 1
    ours = emulated[number][0]
    return (number, ours, theirs[number]) if ours != theirs[number] else None


def check(family: Family, seed: int, steps: int) -> Disagreement | None:
    """One script on both kernels; a disagreement where none of several runs agrees from end to end, shrunk.

    What is left must disagree at its last step once more: what does so now and then only is a matter of time.
    """
    script = family.script(seed, steps)
    for late in LATE:
        found = first_difference(family.lab, script, late)
        if found is None:
            return None
    assert found is not None
    script, found = shrink(family.lab, script[: found[0] + 1], found)
    again = first_difference(family.lab, script)
    if again is None or again[0] != found[0]:
        return None
    return Disagreement(family.name, seed, script, found[1], found[2])


def shrink(
    lab_name: str, script: list[Step], found: tuple[int, Answer, Answer], tries: int = 30
) -> tuple[list[Step], tuple[int, Answer, Answer]]:
    """Leave out steps (halves first, then one by one) while the last step still disagrees."""
    size = max(1, len(script) // 2)
    while size and tries:
        start = 0
        shrunk = False
        while start < len(script) - 1 and tries:
            shorter = script[:start] + script[min(start + size, len(script) - 1) :]
            tries -= 1
            differs = first_difference(lab_name, shorter)
            if differs is not None and differs[0] == len(shorter) - 1:
                script, found, shrunk = shorter, differs, True
            else:
                start += size
        if not shrunk or size > 1:
            size //= 2
    return script, found


def check_many(
    family: Family, seeds: Sequence[int], steps: int, jobs: int, tell: Callable[[Disagreement], object] = lambda found: None
) -> list[Disagreement]:
    """Many scripts side by side (the real kernel mostly waits); `tell` hears of a disagreement when it is found."""

    def one(seed: int) -> Disagreement | None:
        found = check(family, seed, steps)
        if found is not None:
            tell(found)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return [result for result in pool.map(one, seeds) if result is not None]
