"""ping, traceroute, tracepath, arping, arp, route and sysctl answer as on the real kernel.

`three_hosts/*.jsonl` were recorded (`recorded.py`); times, and what `tests/support/normalise.py` says
may differ between two real runs, are made equal.
"""

from __future__ import annotations

import re

import pytest

from tests.support.normalise import normalise
from tests.support.three_hosts import Emulated
from tests.userland.commands.recorded import names, recorded, steps

#: Where a real run is a matter of chance, or the difference is one we know of and say: (command, why).
EXCEPT = {
    "traceroute -n 10.0.9.9": "how many probes meet the error limit of the router",
    "traceroute -n 10.0.2.2 100": "how many probes meet the error limit of the target",
    "traceroute -n -w 0 10.0.2.2": "a race between the answer and no patience at all",
    "traceroute -n -w 1,2,3 10.0.2.2": "the same",
    "sysctl -a 2>/dev/null | grep -c net.ipv4.conf.eth0": "a number that grows with kernels",
    "arp -e": "an option of no effect",
}


def _equal(text: str, command: str) -> str:
    text = normalise(text, command)
    text = re.sub(r" +\d+\.\d{3}ms", " T ms", text)
    text = re.sub(r"  [\d.]+ ms", "  T ms", text)
    text = re.sub(r"ident=\d+", "ident=N", text)
    text = re.sub(r"(min/avg/ewma/max = )[\d./]+ ms", r"\1T ms", text)
    text = re.sub(r"\[\d{9,}\.\d{6}\]", "[TIME]", text)
    if re.match(r"route (-6|-A inet6)|netstat -(?=\S*r)\S*6", command):
        text = re.sub(r"(?m)^(\S+ +\S+ +\S+ +-?\d+ +)\d+( +\d+ \S+)$", r"\1R\2", text)
    if command.startswith(("arp", "cat /proc/net/arp")):
        # The kernel keeps neighbours in a hash; the dead name server is one of them, or not yet.
        lines = [line for line in text.splitlines() if "10.0.1.53" not in line and "Entries:" not in line]
        text = "\n".join(sorted(lines))
    return text


@pytest.mark.parametrize("name", names())
def test_the_answers_of_the_real_programs(name: str) -> None:
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
        if command in EXCEPT or err.startswith("kubenet:"):
            continue
        for what, ours, theirs in (("stdout", out, real["stdout"]), ("stderr", err, real["stderr"])):
            if _equal(ours, command) != _equal(theirs, command):
                wrong.append(f"{host}$ {command}\n--- real {what}\n{theirs}--- emulated {what}\n{ours}")
        if status != real["rc"]:
            wrong.append(f"{host}$ {command}\nstatus {status}, not {real['rc']}")
    lab.close()
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
