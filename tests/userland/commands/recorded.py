"""Command lines of ping, traceroute, arp and their like on three hosts of the real kernel.

    python -m tests.userland.commands.recorded [NAME …]     # as root; rewrites three_hosts/NAME.jsonl
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.host_cases import HostCases

CASES = HostCases(Path(__file__).with_name("three_hosts"))

if __name__ == "__main__":
    CASES.record(sys.argv[1:] or CASES.names())
