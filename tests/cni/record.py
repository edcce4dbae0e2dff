"""Record what the packaged plugins do: ``python -m tests.cni.record [FILE …]`` (root, Debian's plugins 1.1.1).

Writes one line for each case beside the table: its name, and what `side_by_side.run_case` saw. Cases of
``uml.yaml`` need what many kernels lack (VLANs, ipvlan, VRF); they run on user-mode Linux, in one go.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from typing import Any

from kubenet_course.lab.machine import Completed
from tests.cni import side_by_side
from tests.cni.side_by_side import CASES
from tests.support import uml

PACKAGED = "/usr/lib/cni"
UML = "uml"


class Script:
    """A lab that writes commands down; with `results` one that says what came of them."""

    #: Before a look at devices: their states settle late.
    SETTLE = "sleep 1.2; "

    def __init__(self, results: Iterator[dict[str, Any]] | None = None):
        self.results = results
        self.items: list[dict[str, Any]] = []

    def run(
        self, machine: str, command: str | list[str], *, stdin: str = "", env: dict[str, str] | None = None
    ) -> Completed:
        if self.results is not None:
            found = next(self.results)
            return Completed(found["stdout"], found["stderr"], found["rc"])
        text = command if isinstance(command, str) else shlex.join(command)
        if env is not None:
            text = self._plugin(text, stdin, env)
        if "ip -j -d addr" in text:
            text = self.SETTLE + text
        self.items.append({"cmd": text})
        return Completed("[]", "", 0)

    @staticmethod
    def _plugin(command: str, stdin: str, env: dict[str, str]) -> str:
        """A call whose result is kept in a file, from which a later prevResult comes."""
        words = " ".join(f"{key}={shlex.quote(value)}" for key, value in env.items())
        source = f"printf %s {shlex.quote(stdin)}"
        if stdin.endswith('"prevResult": []}'):
            source += " | jq -c --slurpfile last /tmp/last '.prevResult = $last[0]'"
        keep = "[ $rc = 0 ] && cp /tmp/out /tmp/last; " if env["CNI_COMMAND"] == "ADD" else ""
        return f"{source} | {words} {command} > /tmp/out; rc=$?; cat /tmp/out; {keep}exit $rc"


def record(name: str, case: dict[str, Any]) -> list[Any]:
    if name.startswith(f"{UML}/"):
        script = Script()
        side_by_side.run_case(script, case, PACKAGED)
        results = uml.run(script.items)
        return side_by_side.run_case(Script(iter(results)), case, PACKAGED)
    lab = side_by_side.machine("mininet")
    try:
        return side_by_side.run_case(lab, case, PACKAGED)
    finally:
        lab.close()


def main(files: list[str]) -> None:
    for path in sorted(CASES.glob("*.yaml")):
        if files and path.stem not in files:
            continue
        lines = [
            json.dumps([name, record(name, case)], separators=(",", ":")) + "\n"
            for name, case in side_by_side.cases(path.stem)
        ]
        path.with_suffix(".jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
