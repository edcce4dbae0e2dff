"""Which cells are Python and which are commands."""

import pytest

from kubenet_course.jupyter.cells import split_cell

COMMANDS = frozenset(
    "ip ping ls date id ps cat echo iptables sort test hostname route arp ss grep sysctl head true".split()
)

PYTHON = [
    "x = 1",
    "lab.routes('A')",
    "print(1)",
    "import os",
    "from x import y",
    "from os import path\npath",
    "for x in range(3):\n    print(x)",
    "for x in range(3)\n    print(x)",
    "if x:\n    pass",
    "def f():\n    return 1",
    "ip = lab.run('A', 'ip route')",
    "ip=3",
    "ip.upper()",
    "ip(3)",
    "sort = sorted([2, 1])",
    "sorted([1, 2])",
    "[x for x in range(3)]",
    "lab",
    "with Lab.load('x') as lab:\n    pass",
    "with open(",
    "print(1",
    "# only a comment",
    "",
    "%lab load routing",
    "%%host red\nip route",
    "!ls",
    "lab?",
    "x = !ls\nx",
    "'a string'",
    "3 + 4",
    "assert lab.run('A', 'true').returncode == 0",
    "await something()",
    "x += 1",
    "@decorator\ndef f(): pass",
    "lambda: 0",
]
SHELL = [
    "ip route",
    "ip -4",
    "ip -j",
    "ls",
    "date",
    "id",
    "ping -c1 10.0.0.1",
    "red$ ip route",
    "@red ip route",
    "red$",
    "for i in 1 2 3; do echo $i; done",
    "for i in 1 2 3\ndo echo $i\ndone",
    "if true; then echo yes; fi",
    "while true; do sleep 1; break; done",
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "cat /etc/hosts | grep db",
    "X=5 ip route",
    "X=5",
    "foo bar",
    "# look\nip addr",
    "\n\n  ip addr\n",
    "iptables -t nat -A POSTROUTING -j MASQUERADE",
    "cat <<EOF > /tmp/x\nhello\nEOF",
    "[ -e /etc/hosts ] && echo there",
    "ip link set eth0 up; ip addr",
    "cd /etc",
    "export A=1",
    "test -e /x",
    "exit",
    "/usr/bin/ls",
    "./net-script.sh add 1",
    "echo hello",
    "ps aux",
    "function f { echo; }",
]


@pytest.mark.parametrize("cell", PYTHON)
def test_python_stays_python(cell):
    if cell == "X=5":
        return
    assert split_cell(cell, COMMANDS) == (cell, "")


@pytest.mark.parametrize("cell", [cell for cell in SHELL if cell != "X=5"])
def test_commands_are_commands(cell):
    python, commands = split_cell(cell, COMMANDS)
    assert python == ""
    assert commands.strip().endswith(cell.strip().splitlines()[-1])


def test_an_assignment_alone_is_python_because_python_can_read_it():
    assert split_cell("X=5", COMMANDS) == ("X=5", "")


def test_percent_percent_python_forces_python():
    assert split_cell("%%python\nls\n", COMMANDS) == ("ls\n", "")


def test_magics_above_commands_come_first():
    assert split_cell("%machine red\nip route\n", COMMANDS) == ("%machine red\n", "ip route\n")


def test_magics_above_python_are_one_python_cell():
    cell = "%lab load routing\nx = 1\n"
    assert split_cell(cell, COMMANDS) == (cell, "")
