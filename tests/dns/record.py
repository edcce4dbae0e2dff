"""Runs the real programs over all cases and keeps what they answered: ``python -m tests.dns.record [TABLE…]``, as root."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.dns.rig import parse_cases, run_real

CASES = Path(__file__).parent / "cases"


def main(tables: list[str]) -> None:
    for path in sorted(CASES.glob("*.txt")):
        if tables and path.stem not in tables:
            continue
        rows = run_real(parse_cases(path.read_text()))
        path.with_suffix(".json").write_text("[\n" + ",\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n]\n")
        print(f"{path.stem}: {len(rows)}")


if __name__ == "__main__":
    main(sys.argv[1:])
