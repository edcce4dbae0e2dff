"""``python -m kubenet_course.cni``: cnitool as a process of this computer."""

from __future__ import annotations

import sys

from kubenet_course.cni.cnitool import main
from kubenet_course.userland.real_surroundings import run_here

if __name__ == "__main__":
    sys.exit(run_here(main, ["cnitool", *sys.argv[1:]]))
