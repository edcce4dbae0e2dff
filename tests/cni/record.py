"""Record what the packaged plugins do: ``python -m tests.cni.record [FILE …]`` (root, Debian's plugins 1.1.1).

Writes one line for each case beside the table: its name, and what `side_by_side.run_case` saw.
"""

from __future__ import annotations

import json
import sys

from tests.cni import side_by_side
from tests.cni.side_by_side import CASES

PACKAGED = "/usr/lib/cni"


def main(files: list[str]) -> None:
    for path in sorted(CASES.glob("*.yaml")):
        if files and path.stem not in files:
            continue
        with open(path.with_suffix(".jsonl"), "w") as out:
            for name, case in side_by_side.cases(path.stem):
                lab = side_by_side.machine("mininet")
                try:
                    seen = side_by_side.run_case(lab, case, PACKAGED)
                finally:
                    lab.close()
                out.write(json.dumps([name, seen], separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
