"""curl, wget, nc, ss, tcpdump, telnet, ssh, socat and lsof answer as on three hosts of the real kernel.

`socket_cases/*.jsonl` were recorded (`socket_recorder.py`); clocks, ports, numbers and speeds are made equal.
"""

from __future__ import annotations

import pytest

from tests.support.three_hosts import Emulated
from tests.userland.commands.socket_recorder import names, normal, recorded, steps


def _equal(text: str, command: str) -> str:
    """Without what differs by chance, and without what `ss` says where the recording kernel has no raw_diag."""
    text = normal(text)
    if command.startswith("ss"):
        # The kernel lists connections in the order of a hash of their ports.
        return "".join(sorted(text.replace("RTNETLINK answers: Invalid argument\n", "").splitlines(keepends=True)))
    return text


@pytest.mark.parametrize("name", names())
def test_socket_programs_answer_as_the_real_ones(name: str) -> None:
    lab = Emulated()
    answers = iter(recorded(name))
    wrong = []
    for host, command in steps(name):
        if host == "wait":
            lab.wait(float(command))
            continue
        real = next(answers)
        assert (real["host"], real["cmd"]) == (host, command), "record anew: the list of commands has changed"
        out, err, status = lab.run(host, command)
        for what, ours, theirs in (("stdout", out, real["stdout"]), ("stderr", err, real["stderr"])):
            if _equal(ours, command) != _equal(theirs, command):
                wrong.append(
                    f"{host}$ {command}\n--- real {what}\n{_equal(theirs, command)}--- emulated {what}\n{_equal(ours, command)}"
                )
        if status != real["rc"]:
            wrong.append(f"{host}$ {command}\nstatus {status}, not {real['rc']}")
    lab.close()
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
