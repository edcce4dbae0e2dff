"""How long does `import kubenet_course` take, and until a first command has run?

    python benchmarks/import_time.py

Aim: the import under 150 ms. The peer is `import mininet.net`, and an empty Python for scale.

Where the time goes: `kubenet-course run` of one command is 600 million instructions (`valgrind --tool=cachegrind`
counts the same on a busy computer), 90 million of them an empty Python. Two thirds of the rest load modules: 230 of
this package, of which a quarter is the making of dataclasses (22 in `userland/shell/nodes.py` alone), and Python's own
(`dataclasses` with `inspect`, `typing`, `enum`, `argparse`). Parsers come from tables (`userland/lalr.py`), commands
are imported when they are first run, and `importlib.resources` (zipfile, tempfile) and OpenSSL are not loaded.
"""

from __future__ import annotations

import subprocess
import sys
import time

CASES = {
    "empty Python": "pass",
    "import kubenet_course": "import kubenet_course",
    "from kubenet_course import Lab": "from kubenet_course import Lab",
    "a first emulated command": "from kubenet_course import Lab; Lab.load('single').run('host', 'ip addr')",
    "import mininet.net": (
        "from kubenet_course.lab.backends.real.builder import provide_mininet; provide_mininet(); import mininet.net"
    ),
}


def seconds(code: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    return min(once() for _ in range(7))


def main() -> None:
    times = {name: seconds(code) for name, code in CASES.items()}
    empty = times["empty Python"]
    peer = times["import mininet.net"] - empty
    for name, value in times.items():
        print(f"{name:32} {(value - empty) * 1000:7.1f} ms   {(value - empty) / peer:5.2f} × import mininet.net")


if __name__ == "__main__":
    main()
