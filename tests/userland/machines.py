"""One emulated machine for a test, and the real shell beside it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from kubenet_course.kernel.host import Host
from kubenet_course.sim.loop import SECOND, Loop
from kubenet_course.userland.programs import standard_programs
from kubenet_course.userland.system import System

#: Where a script runs, on both sides, because programs print their paths.
FOLDER = f"/tmp/kubenet-userland-{os.getpid()}"
ENVIRONMENT = {
    "HOME": "/root", "LANG": "C.UTF-8", "LOGNAME": "root", "PWD": FOLDER, "SHELL": "/bin/bash", "TERM": "dumb",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "USER": "root",
}  # fmt: skip

Outcome = tuple[bytes, bytes, int]


def machine(name: str = "red") -> System:
    """A machine with only `lo` and all programs of the userland, and this computer's largest process number."""
    system = System(Host(Loop(), name), standard_programs())
    system.files.view.write("/proc/sys/kernel/pid_max", Path("/proc/sys/kernel/pid_max").read_bytes(), system.init)
    return system


def run(system: System, script: str, **changes: object) -> Outcome:
    """``bash -c script`` on an emulated machine; a program must not fail in Python."""
    if not system.files.view.exists(FOLDER):
        system.files.view.mkdir(FOLDER, parents=True)
    outcome = system.run(
        ["bash", "-c", script],
        cwd=FOLDER,
        env=dict(ENVIRONMENT),
        limit=60 * SECOND,
        **changes,  # type: ignore[arg-type]
    )
    assert not system.defects, system.defects
    return outcome


#: Undo what `nohup` and `nice` around the tests would hand down.
UNTOUCHED = ("nice", "-n", str(-os.nice(0)), "env", "--default-signal=HUP,INT,QUIT,TERM")


def real(script: str) -> Outcome:
    """``bash -c script`` on this computer, in an empty folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    Path(FOLDER).mkdir()
    try:
        done = subprocess.run(
            [*UNTOUCHED, "bash", "-c", script],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=FOLDER,
            env=ENVIRONMENT,
            timeout=30,
        )
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    return done.stdout, done.stderr, done.returncode if done.returncode >= 0 else 128 - done.returncode


@lru_cache(1)
def not_debian_12() -> str:
    """Why this computer's tools cannot judge; "" on Debian 12 as root with UTF-8."""
    version = Path("/etc/debian_version")
    if not version.exists() or not version.read_text().startswith("12"):
        return "the tools to compare with are Debian 12's"
    if os.geteuid() != 0:
        return "the comparison runs as root, as an emulated machine does"
    missing = [tool for tool in ("bash", "jq", "xxd", "mawk", "ps", "killall") if shutil.which(tool) is None]
    return f"not installed here: {', '.join(missing)}" if missing else ""


def cases(path: Path) -> list[str]:
    """The scripts of a file: one a line, or several lines between ``<<<`` and ``>>>``."""
    found: list[str] = []
    block: list[str] | None = None
    for line in path.read_text(encoding="utf-8").split("\n"):
        if line == "<<<":
            block = []
        elif line == ">>>" and block is not None:
            found.append("\n".join(block))
            block = None
        elif block is not None:
            block.append(line)
        elif line.strip() and not line.startswith("##"):
            found.append(line)
    return found


def without_pids(outcome: Outcome) -> Outcome:
    """Process numbers in ``line 1:  1234 Killed``, and what `time` measured, differ from run to run."""
    errors = re.sub(rb"(line \d+: ) *\d+ (?=[A-Z])", rb"\1PID ", outcome[1])
    return outcome[0], re.sub(rb"(?m)^(real|user|sys)\t0m0\.\d{3}s$", rb"\1\t0m0.000s", errors), outcome[2]
