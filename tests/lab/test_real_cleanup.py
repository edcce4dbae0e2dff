"""A real lab leaves the computer as it was, however it ends."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]
WAYS = ["close", "exception", "forget", "terminate", "kill", "kill-helper", "kill-guardian", "kill-worker"]
_RANDOM = random.Random(16)
MOMENTS = [round(_RANDOM.uniform(0.0, 0.9), 3) for _ in range(8)]
NOBODY = 65534


def leaks(*arguments: str, **environment: str) -> str:
    """What was left behind, "" for nothing."""
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    run = subprocess.run(
        ["unshare", *user, "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child",
         "--mount-proc", sys.executable, "-m", "tests.lab.leaks", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=400, check=False, env={**os.environ, **environment},
    )  # fmt: skip
    return "" if run.returncode == 0 else run.stdout + run.stderr or f"status {run.returncode}"


@pytest.mark.parametrize("how", WAYS)
def test_nothing_is_left_behind_when_a_lab_ends_by(how: str) -> None:
    assert leaks(how) == ""


@pytest.mark.parametrize("seconds", MOMENTS)
def test_nothing_is_left_behind_when_the_parent_is_killed_after(seconds: float) -> None:
    assert leaks("moment", str(seconds)) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user: the tests above are this one")
@pytest.mark.parametrize("how", ["close", "kill", "kill-guardian"])
def test_nothing_is_left_behind_by_an_ordinary_user(how: str) -> None:
    assert leaks(how, **ordinary_user()) == ""


def ordinary_user() -> dict[str, str]:
    """The environment that makes leaks.py start its child as `nobody`, with a Python that it may run."""
    drop = f"setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups env"  # env: a program of its own, without root's rights
    for python in (sys.executable, "/usr/bin/python3"):
        path = os.pathsep.join(p for p in [str(ROOT), *sys.path] if "site-packages" in p or p == str(ROOT))
        probe = [
            *drop.split(),
            python,
            "-c",
            "import sys, yaml, kubenet_course; sys.exit(sys.version_info < (3, 11))",
        ]
        environment = {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        if (
            subprocess.run(
                probe, env={**os.environ, **environment}, capture_output=True, check=False
            ).returncode
            == 0
        ):
            return {**environment, "LEAKS_PYTHON": f"{drop} {python}"}
    if os.environ.get("CI"):
        pytest.fail("skipped in CI: nobody may run no Python here")
    pytest.skip("an ordinary user may not run this Python (it is in a private folder)")
