"""Our plugins beside the packaged ones: the same results, errors and state, on either kernel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cni import side_by_side
from tests.cni.record import PACKAGED, UML

CASES = [pytest.param(name, case, id=name) for name, case in side_by_side.cases()]
#: Ours as scripts on a real machine: what starts cnitool starts a plugin, with another module.
OURS = """mkdir -p /tmp/ours
for plugin in /usr/lib/cni/*; do
    name=$(basename $plugin)
    sed "s/-m kubenet_course.cni /-m kubenet_course.cni.plugins $name /" /usr/local/bin/cnitool > /tmp/ours/$name
    chmod +x /tmp/ours/$name
done"""


def test_there_are_enough_of_them() -> None:
    steps = [step for _, case in side_by_side.cases() for step in case["steps"]]
    assert len(CASES) >= 60 and len(steps) >= 250


@pytest.mark.parametrize(("name", "case"), CASES)
def test_emulated_as_packaged(name: str, case: dict[str, Any]) -> None:
    lab = side_by_side.machine("emulated")
    assert side_by_side.run_case(lab, case, "/opt/cni/bin") == side_by_side.recorded(name)


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("name", "case"), [p for p in CASES if not p.id.startswith(f"{UML}/")])
def test_on_the_real_kernel_as_packaged(name: str, case: dict[str, Any]) -> None:
    """The packaged ones now, and ours as processes, do what was recorded."""
    for folder in (PACKAGED, "/tmp/ours"):
        lab = side_by_side.machine("mininet")
        try:
            if lab.run("host", f"test -x {PACKAGED}/bridge").returncode:
                pytest.skip("no packaged plugins (apt-get install containernetworking-plugins)")
            if folder != PACKAGED:
                assert lab.run("host", ["sh", "-c", OURS]).returncode == 0
            seen = side_by_side.run_case(lab, case, folder)
        finally:
            lab.close()
        assert seen == side_by_side.recorded(name), folder
