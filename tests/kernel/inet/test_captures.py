"""The emulated kernel puts on the wire what the real one did in the same situation."""

from __future__ import annotations

import json

import pytest

from tests.kernel.inet.captures import RECORDED, run
from tests.kernel.inet.scenarios import SCENARIOS
from tests.support.three_hosts import Emulated, Real


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_frames_as_on_the_real_kernel(name: str) -> None:
    lab = Emulated()
    seen = run(lab, SCENARIOS[name])
    lab.close()
    assert "\n".join(seen) == "\n".join(json.loads(RECORDED.read_text())[name])


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["tos and ttl exceeded", "do not fragment", "IPv6 errors"])
def test_the_recording_is_what_this_computer_sends(name: str) -> None:
    lab = Real()
    try:
        assert run(lab, SCENARIOS[name]) == json.loads(RECORDED.read_text())[name]
    finally:
        lab.close()
