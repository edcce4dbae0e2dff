"""Record a transcript from the real kernel: its statements stay, its outputs are written anew.

    python -m tests.support.record tests/transcripts/ip_route.txt [--check]

The file needs its header and `MACHINE$ statement` lines only. `--check` runs it twice and says where
two real runs differ after normalising (such a step cannot be in a transcript).
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.transcript import load


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    status = 0
    for name in (argument for argument in arguments if not argument.startswith("--")):
        path = Path(name)
        transcript = load(path)
        transcript.steps = list(transcript.run("mininet"))
        path.write_text(str(transcript), encoding="utf-8")
        print(f"{path}: {len(transcript.steps)} steps recorded")
        for difference in transcript.differences("mininet") if check else ():
            status = 1
            print(difference)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
