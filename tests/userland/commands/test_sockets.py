"""curl, wget, nc, ss, tcpdump, telnet, ssh, socat and lsof answer as on three hosts of the real kernel.

`socket_cases/*.jsonl` were recorded (`socket_recorder.py`); clocks, ports, numbers and speeds are made equal.
"""

from __future__ import annotations

import pytest

from tests.userland.commands.socket_recorder import CASES, normal


def _equal(text: str, command: str) -> str:
    """Without what differs by chance, and without what `ss` says where the recording kernel has no raw_diag."""
    text = normal(text)
    if command.startswith("ss"):
        # The kernel lists connections in the order of a hash of their ports.
        return "".join(sorted(text.replace("RTNETLINK answers: Invalid argument\n", "").splitlines(keepends=True)))
    return text


@pytest.mark.parametrize("name", CASES.names())
def test_socket_programs_answer_as_the_real_ones(name: str) -> None:
    wrong = CASES.differences(name, _equal)
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
