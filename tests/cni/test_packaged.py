"""What the packaged plugins (containernetworking-plugins 1.1.1) say of configurations that are wrong, row by row of
packaged.jsonl, and what host-local and static give. 1.1.1 ends at version 1.0.0 of the standard; we go on to 1.1.0.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cni.machine import Machine

ROWS = [json.loads(line) for line in (Path(__file__).parent / "packaged.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine("red")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['plugin']}-{row['command']}-{row['stdin'][:90]}")
def test_row(machine: Machine, row: dict[str, Any]) -> None:
    machine.run("rm -rf /tmp/hl /tmp/hl2; ip link del cni0; ip -n red link del eth0")
    done = machine.plugin(row["plugin"], row["command"], row["stdin"], row.get("env"))
    said = json.dumps(done.data).replace("1.0.0 1.1.0]", "1.0.0]")
    assert (done.returncode, json.loads(said)) == (row["status"], row["says"])
