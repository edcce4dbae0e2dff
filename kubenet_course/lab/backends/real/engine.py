"""The container engine's programs on a real machine: `programs.py` makes a script for each name.

Which one is meant is in KUBENET_ARGV0; each shows itself under its own name in ps.
"""

from __future__ import annotations

import importlib
import os
import sys

from kubenet_course.docker.programs import PROGRAMS
from kubenet_course.lab.backends.real import linux
from kubenet_course.userland.real_surroundings import run_here


def main() -> int:
    name = os.environ.get("KUBENET_ARGV0", "").rpartition("/")[2]
    for variable in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "KUBENET_ARGV0"):
        os.environ.pop(variable, None)  # ours, not of the programs that this one starts
    argv = [name, *sys.argv[1:]]
    linux.set_process_title(" ".join(argv))
    try:
        status = run_here(importlib.import_module(PROGRAMS[name]).program, argv)
    except Exception as failure:  # noqa: BLE001 - a defect of ours is said, as on the emulated kernel
        print(f"kubenet: {name}: internal error: {type(failure).__name__}: {failure}", file=sys.stderr)
        status = 70
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
