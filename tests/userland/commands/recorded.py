"""Command lines run on three hosts of the real kernel, with what came out.

    python -m tests.userland.commands.recorded [NAME …]     # as root; rewrites three_hosts/NAME.jsonl

A line of three_hosts/NAME.txt is ``host$ command`` or ``wait seconds``; a line of NAME.jsonl has the
host, the command, stdout, stderr and status.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.three_hosts import Real

FOLDER = Path(__file__).with_name("three_hosts")


def steps(name: str) -> Iterator[tuple[str, str]]:
    """(host, command), or ("wait", seconds)."""
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        if line.startswith("wait "):
            yield "wait", line.removeprefix("wait ")
        elif line:
            host, _, command = line.partition("$ ")
            yield host, command


def recorded(name: str) -> list[dict]:
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def main() -> int:
    for name in sys.argv[1:] or names():
        lab = Real()
        lines = []
        try:
            for host, command in steps(name):
                if host == "wait":
                    lab.wait(float(command))
                    continue
                out, err, status = lab.run(host, command)
                lines.append(
                    json.dumps({"host": host, "cmd": command, "stdout": out, "stderr": err, "rc": status})
                )
        finally:
            lab.close()
        (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        print(name, len(lines), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
