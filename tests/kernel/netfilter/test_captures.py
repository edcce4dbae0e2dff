"""A router that filters and translates puts on the wire what the real one did in the same situation."""

from __future__ import annotations

import json

import pytest

from tests.kernel.netfilter.captures import RECORDED, lines
from tests.kernel.netfilter.scenarios import SCENARIOS
from tests.support.three_hosts import Emulated, Real
from tests.userland.commands.socket_recorder import end_processes


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_frames_as_on_the_real_kernel(name: str) -> None:
    lab = Emulated()
    seen = lines(lab, SCENARIOS[name])
    lab.close()
    assert "\n".join(seen) == "\n".join(json.loads(RECORDED.read_text())[name])


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", ["ICMP error through SNAT", "hairpin with masquerade", "fragments that are translated"])
def test_the_recording_is_what_this_computer_sends(name: str) -> None:
    lab = Real()
    try:
        assert lines(lab, SCENARIOS[name]) == json.loads(RECORDED.read_text())[name]
    finally:
        end_processes(lab)
        lab.close()
