"""`python -m kubenet_course.dns`: coredns as a program of this computer (or of a real lab machine)."""

from __future__ import annotations

import sys

from kubenet_course.dns.coredns import run
from kubenet_course.dns.real_host import main

if __name__ == "__main__":
    sys.exit(main("coredns", run))
