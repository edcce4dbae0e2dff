"""Record what the real kernel sends in the situations of `scenarios.py`.

python -m tests.kernel.netfilter.captures [NAME …]           # as root; rewrites captures.json
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.kernel.inet.captures import run
from tests.kernel.inet.scenarios import Scenario
from tests.kernel.netfilter.scenarios import SCENARIOS
from tests.support.three_hosts import Emulated, Real
from tests.userland.commands.socket_recorder import end_processes

RECORDED = Path(__file__).with_name("captures.json")


def lines(lab: Emulated | Real, scenario: Scenario) -> list[str]:
    """The frames in words; of TCP those before the first FIN."""
    found = []
    closed = False
    for line in run(lab, scenario):
        tcp = re.search(r"proto 6 .*TCP \S+ > \S+ (\w+)", line)
        closed = closed or (tcp is not None and "F" in tcp[1])
        if tcp is None or not closed:
            found.append(line)
    return found


def main() -> int:
    known = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    for name in sys.argv[1:] or SCENARIOS:
        lab = Real()
        try:
            known[name] = lines(lab, SCENARIOS[name])
        finally:
            end_processes(lab)
            lab.close()
        print(name, len(known[name]), flush=True)
    RECORDED.write_text(json.dumps({name: known[name] for name in SCENARIOS}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
