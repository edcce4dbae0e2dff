"""`python -m tests.differential --family base --seeds 0-199 --steps 40 --jobs 8`."""

from __future__ import annotations

import argparse
import sys

from kubenet_course.registry import discover
from tests.differential.compare import check_many


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential")
    parser.add_argument("--family", default="base")
    parser.add_argument("--seeds", default="0-19", help="one number, or FIRST-LAST")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--print", action="store_true", help="print the scripts and run nothing")
    options = parser.parse_args()
    first, _, last = options.seeds.partition("-")
    seeds = range(int(first), int(last or first) + 1)
    family = discover("tests.differential.families")[options.family].FAMILY
    if options.print:
        for seed in seeds:
            print(f"# seed {seed}", *(f"{machine}$ {command}" for machine, command in family.script(seed, options.steps)), sep="\n")
        return 0
    found = check_many(
        family, seeds, options.steps, options.jobs, lambda disagreement: print(disagreement, end="\n\n", flush=True)
    )
    print(f"{family.name}: {len(seeds)} scripts of {options.steps} steps, {len(found)} disagree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
