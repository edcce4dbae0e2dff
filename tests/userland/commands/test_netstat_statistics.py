"""`netstat -s` against the real one, which is shown the same files: every counter there is, all of them 0 and none."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from kubenet_course.userland.commands.netstat import statistics
from kubenet_course.userland.files.mibfs import names

TYPES = {"Icmp": ["InType0", "InType8", "OutType3"], "Udp6InDatagrams": ["Icmp6InType128", "Icmp6OutType1"]}


def write_counters(folder: Path, first: int) -> None:
    """snmp, netstat and snmp6 with every counter the kernel has: `first`, the next number, and so on; or all 0."""
    number = first - 1

    def value() -> int:
        nonlocal number
        number += bool(first)
        return max(number, 0)

    def rows(group: str, words: list[str]) -> str:
        return f"{group}: {' '.join(words)}\n{group}: {' '.join(str(value()) for _ in words)}\n"

    for name in ("snmp", "netstat"):
        text = ""
        for group, words in names()[name].items():
            text += rows(group, words.split())
            text += rows("IcmpMsg", TYPES["Icmp"]) if group == "Icmp" else ""
        (folder / name).write_text(text)
    text = ""
    for word in names()["snmp6"].split():
        for before in [*TYPES.get(word, ()), word]:
            text += f"{before:<32}\t{value()}\n"
    (folder / "snmp6").write_text(text)


class Proc:
    """As much of a process as `netstat -s` asks for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.files = self
        self.out = ""

    def read_text(self, path: str, proc: Any) -> str:
        return (self.folder / path.rpartition("/")[2]).read_text()

    def print(self, line: str) -> None:
        self.out += line + "\n"


@pytest.mark.real
@pytest.mark.parametrize("first", [0, 1_000_000])
@pytest.mark.parametrize("letters", ["s", "st", "su", "sw", "stu", "s6", "s6t", "s6u", "s6w"])
def test_the_words_are_those_of_net_tools(tmp_path, first, letters):
    net = tmp_path / "net"
    net.mkdir()
    write_counters(net, first)
    script = f"mount --bind {tmp_path} /proc && exec netstat -{letters}"
    real = subprocess.run(["unshare", "--map-root-user", "--mount", "bash", "-c", script], capture_output=True, text=True)
    assert not real.stderr
    proc = Proc(net)
    assert statistics.show(proc, set(letters)) == real.returncode  # type: ignore[arg-type]
    assert proc.out == real.stdout
