"""What a real `docker` (28.2.2) says before it asks any engine: options and arguments, row by row of client.jsonl.

    DOCKER_HOST=unix:///nonexistent.sock sh -c COMMAND     (a row is kept where it does not speak of the engine)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubenet_course import Lab

ROWS = [json.loads(line) for line in (Path(__file__).parent / "client.jsonl").read_text().splitlines()]
FILES = {"/tmp/e1": "A=1\n # c\nB\n x y=1\n", "/tmp/e2": "A B=1\n", "/tmp/e3": "=1\n"}


@pytest.fixture(scope="module")
def host() -> Lab:
    lab = Lab.load("single")
    for path, text in FILES.items():
        lab.machine("host").write(path, text)
    return lab


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["command"])
def test_row(host: Lab, row: dict[str, Any]) -> None:
    done = host.run("host", row["command"])
    assert (done.returncode, done.stdout, done.stderr) == (row["status"], row.get("stdout", ""), row.get("stderr", ""))


def test_variables_of_a_file(host: Lab) -> None:
    host.machine("host").write("/tmp/good", "# none\n\nA=1\n  B=x y\nHOME\nNOWHERE\n")
    done = host.run("host", "docker run --rm --env-file /tmp/good -e A=2 -e C=3 busybox env")
    assert {"A=2", "B=x y", "C=3"} <= set(done.stdout.splitlines())
    assert "NOWHERE" not in done.stdout
