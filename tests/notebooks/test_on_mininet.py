"""The step "notebooks on Mininet" compares what must be the same, forgives what cannot be, and notices the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

from tests.support.nbval_mininet import IGNORE, SKIP

ROOT = Path(__file__).resolve().parents[2]
SANITIZE = ROOT / "tests" / "notebooks" / "sanitize.cfg"
#: (source, what is committed as its output, tags, whether it must pass)
CELLS = [
    ("%load_ext kubenet_course\n%lab load switching", "Lab switching (emulated kernel): Two machines and a switch\n"
     "Machines: s1 (switch), A (host), B (host)\nCommands run on: A\n", [], True),
    ("print(lab.backend_name)", "mininet\n", [], True),
    ("%host A ip -br link show eth0", "eth0@if2         UP             02:00:00:00:02:01 <BROADCAST,MULTICAST,UP,LOWER_UP> \n", [], True),
    ("%host A ip -br link show eth0", "eth0@if2         DOWN           02:00:00:00:02:01 <BROADCAST,MULTICAST,UP,LOWER_UP> \n", [], False),
    ("%host A cat /proc/sys/net/ipv4/ip_forward", "0\n", [], True),
    ("%host A cat /proc/sys/net/ipv4/ip_forward", "1\n", [], False),
    ("%host A cat /proc/sys/net/ipv4/ip_forward", "1\n", [IGNORE], True),
    ("%host A touch /tmp/made", "", [SKIP], True),
    ("%host A ls /tmp", "", [], True),
    ("%host A ping -c1 192.168.1.11", "connect: Network is unreachable\n", [], False),
]  # fmt: skip


def test_every_pattern_of_the_sanitising_file_is_read_and_used() -> None:
    text = SANITIZE.read_text(encoding="utf-8")
    patterns = get_sanitize_patterns(text)
    assert len(patterns) == len(re.findall("^regex:", text, re.M)) == len(re.findall("^replace:", text, re.M))
    for regex, _ in patterns:
        re.compile(regex)
        assert not re.search(regex, ""), f"{regex} matches nothing at all"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("link/ether 02:00:00:00:02:01 brd ff:ff:ff:ff:ff:ff", "link/ether 92:14:15:82:fc:5a brd ff:ff:ff:ff:ff:ff", True),
        ("link/ether 02:00:00:00:02:01 brd ff:ff:ff:ff:ff:ff", "link/ether 02:00:00:00:02:01 brd 92:14:15:82:fc:5a", False),
        ("inet6 fe80::ff:fe00:201/64 scope link", "inet6 fe80::9014:15ff:fe82:fc5a/64 scope link", True),
        ("inet6 fe80::ff:fe00:201/64 scope link", "inet6 fd00::1/64 scope global", False),
        ("64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.082 ms", "64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=12.1 ms", True),
        ("64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.082 ms", "64 bytes from 10.0.0.1: icmp_seq=1 ttl=63 time=0.082 ms", False),
        ("3 packets transmitted, 3 received, 0% packet loss, time 2000ms", "3 packets transmitted, 3 received, 0% packet loss, time 2031ms", True),
        ("3 packets transmitted, 3 received, 0% packet loss, time 2000ms", "3 packets transmitted, 2 received, 33% packet loss, time 2031ms", False),
        (" 1  10.0.0.1  0.040 ms  0.040 ms  0.040 ms", " 1  10.0.0.1  0.025 ms  0.005 ms  0.105 ms", True),
        (" 1  10.0.0.1  0.040 ms  0.040 ms  0.040 ms", " 1  10.0.0.2  0.040 ms  0.040 ms  0.040 ms", False),
        ("packet 1: a\n  1 x\n\npacket 2: b\n\nIt works.", "packet 1: c\n\n(Put together from captures, …)\n\nIt works.", True),
        ("packet 1: a\n  1 x\n\npacket 2: b\n\nIt works.", "packet 1: c\n\n(Put together from captures, …)\n\nIt fails.", False),
    ],
)  # fmt: skip
def test_it_forgives_what_depends_on_chance_and_nothing_else(one: str, other: str, same: bool) -> None:
    for regex, replace in get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8")):
        one, other = re.sub(regex, replace, one), re.sub(regex, replace, other)
    assert (one == other) == same, (one, other)


@pytest.mark.real
def test_a_notebook_that_a_real_kernel_contradicts_fails_cell_by_cell(tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}})
    for number, (source, output, tags, _) in enumerate(CELLS, 1):
        cell = nbformat.v4.new_code_cell(source, execution_count=number, metadata={"tags": tags})
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)] if output else []
        notebook.cells.append(cell)
    nbformat.write(notebook, tmp_path / "some.ipynb")
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.support.nbval_mininet", "-rA", "--nbval", "--color=no"]
    argv += ["--nbval-cell-timeout=60", "--nbval-sanitize-with", str(SANITIZE), str(tmp_path / "some.ipynb")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    failed = set(map(int, re.findall(r"^FAILED .*::Cell (\d+)", done.stdout, re.M)))
    passed = set(map(int, re.findall(r"^PASSED .*::Cell (\d+)", done.stdout, re.M)))
    assert failed == {n for n, cell in enumerate(CELLS) if not cell[3]}, done.stdout
    assert passed == set(range(len(CELLS))) - failed - {n for n, cell in enumerate(CELLS) if SKIP in cell[2]}, done.stdout
    assert done.returncode == 1
