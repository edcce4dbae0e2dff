"""Command lines for three hosts in a file, what the real kernel answered in another, and their comparison.

A line of NAME.txt is ``host$ command`` or ``wait seconds``; a line of NAME.jsonl has the host, the command,
stdout, stderr and status. NAME.jsonl is written by `record` and by nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.support.three_hosts import Emulated, Real


def _nothing(lab: Real) -> None:
    pass


class HostCases:
    """The cases of one folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.txt"))

    def steps(self, name: str) -> Iterator[tuple[str, str]]:
        """(host, command), or ("wait", seconds)."""
        for line in (self.folder / f"{name}.txt").read_text().splitlines():
            if line.startswith("wait "):
                yield "wait", line.removeprefix("wait ")
            elif line:
                host, _, command = line.partition("$ ")
                yield host, command

    def recorded(self, name: str) -> list[dict]:
        return [json.loads(line) for line in (self.folder / f"{name}.jsonl").read_text().splitlines()]

    def record(
        self,
        names: Iterable[str],
        before: Callable[[Real], None] = _nothing,
        after: Callable[[Real], None] = _nothing,
    ) -> None:
        """Run the cases on the real kernel, as root, and keep what came out."""
        for name in names:
            lab = Real()
            lines = []
            try:
                before(lab)
                for host, command in self.steps(name):
                    if host == "wait":
                        lab.wait(float(command))
                        continue
                    out, err, status = lab.run(host, command)
                    lines.append(
                        json.dumps({"host": host, "cmd": command, "stdout": out, "stderr": err, "rc": status})
                    )
            finally:
                after(lab)
                lab.close()
            (self.folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
            print(name, len(lines), flush=True)

    def differences(
        self,
        name: str,
        equal: Callable[[str, str], str],
        skip: Callable[[str, str], bool] = lambda command, err: False,
    ) -> list[str]:
        """Where the emulated hosts answer otherwise. `equal(text, command)` takes out what may differ;
        `skip(command, stderr)` names the commands that are run only for what they do."""
        lab = Emulated()
        answers = iter(self.recorded(name))
        wrong = []
        for host, command in self.steps(name):
            if host == "wait":
                lab.wait(float(command))
                continue
            real = next(answers)
            assert (real["host"], real["cmd"]) == (host, command), "record anew: the list of commands has changed"
            out, err, status = lab.run(host, command)
            if skip(command, err):
                continue
            for what, ours, theirs in (("stdout", out, real["stdout"]), ("stderr", err, real["stderr"])):
                ours, theirs = equal(ours, command), equal(theirs, command)
                if ours != theirs:
                    wrong.append(f"{host}$ {command}\n--- real {what}\n{theirs}--- emulated {what}\n{ours}")
            if status != real["rc"]:
                wrong.append(f"{host}$ {command}\nstatus {status}, not {real['rc']}")
        lab.close()
        return wrong
