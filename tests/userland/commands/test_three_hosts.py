"""ping, traceroute, tracepath, arping, arp, route and sysctl answer as on the real kernel.

`three_hosts/*.jsonl` were recorded (`recorded.py`); times, and what `tests/support/normalise.py` says
may differ between two real runs, are made equal.
"""

from __future__ import annotations

import re

import pytest

from tests.support.normalise import normalise
from tests.userland.commands.recorded import CASES

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


def _skip(command: str, err: str) -> bool:
    return command in EXCEPT or err.startswith("kubenet:")


@pytest.mark.parametrize("name", CASES.names())
def test_the_answers_of_the_real_programs(name: str) -> None:
    wrong = CASES.differences(name, _equal, _skip)
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong)
