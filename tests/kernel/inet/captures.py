"""Run scenarios and put captures into words; as a program, record what the real kernel sends.

python -m tests.kernel.inet.captures            # as root; rewrites captures.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.kernel.inet.scenarios import SCENARIOS, Scenario
from tests.support.frames import describe
from tests.support.three_hosts import Emulated, Real

RECORDED = Path(__file__).with_name("captures.json")


def run(lab: Emulated | Real, scenario: Scenario) -> list[str]:
    """The frames of one scenario, those that count, in words."""
    lab.capture(scenario.host, scenario.device)
    for step in scenario.steps:
        if isinstance(step, tuple):
            lab.run(*step)
        else:
            lab.wait(step)
    lines = [describe(frame) for _, frame in lab.frames()]
    if scenario.kind == 4:
        return [line for line in lines if " IP " in line or " ARP " in line]
    if scenario.kind == 6:
        lines = [line for line in lines if " IP6 " in line and "ICMP6 143" not in line and ": RS" not in line]
        return [line for line in lines if not _probes(line)]
    return sorted({line for line in lines if " IP6 " in line})


def _probes(line: str) -> bool:
    """Whether a neighbour is asked by unicast: when depends on chance."""
    return (": NS" in line and " > ff02::1:ff" not in line) or (
        ": NA" in line and "options" in line and line.endswith("options")
    )


def main() -> int:
    found = {}
    for name, scenario in SCENARIOS.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        lab = Real()
        try:
            found[name] = run(lab, scenario)
        finally:
            lab.close()
        print(name, len(found[name]), flush=True)
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    known.update(found)
    RECORDED.write_text(
        json.dumps({name: known[name] for name in SCENARIOS if name in known}, indent=1) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
