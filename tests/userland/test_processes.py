"""Processes on the virtual clock: pipes, signals, background jobs, limits, sessions."""

from __future__ import annotations

import sys

import pytest

from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.process import Process
from kubenet_course.userland.shell.main import run_script
from kubenet_course.userland.shell.state import ShellState
from kubenet_course.userland.streams import Capture
from kubenet_course.userland.system import System
from tests.userland.machines import machine, run


@pytest.fixture
def system() -> System:
    return machine()


def test_sleeping_takes_virtual_time_only(system: System) -> None:
    run(system, "sleep 3; sleep 0.5")
    assert system.loop.now == 3.5 * SECOND


#: script → output; each would hang if pipes or signals were wrong
ENDLESS = [
    ("yes | head -2", b"y\ny\n"),
    ("cat /dev/zero | head -c 3 | wc -c", b"3\n"),
    ("while true; do echo x; done | head -2", b"x\nx\n"),
    ("timeout 1 tail -f /dev/null; echo $?", b"124\n"),
    ("sleep 100 & sleep 200 & kill %1 %2; wait; echo done", b"done\n"),
    ("tail -f /etc/hostname | head -1", b"red\n"),
    ("(sleep 1; echo late) & wait; echo $!x | tr -d 0-9", b"late\nx\n"),
    ("timeout 2 awk 'BEGIN{while(1){}}'; echo $?", b"124\n"),
    ("timeout 2 sed ':a;ba' /etc/hostname; echo $?", b"124\n"),
    ("timeout 1 bash -c 'while :; do :; done'; echo $?", b"124\n"),
    ("seq 100000 | head -1", b"1\n"),
]


@pytest.mark.parametrize(("script", "expected"), ENDLESS)
def test_what_never_ends_by_itself_is_ended(system: System, script: str, expected: bytes) -> None:
    assert run(system, script)[0] == expected


def test_a_command_over_its_limit_gets_an_interrupt_then_a_kill(system: System) -> None:
    out, err, status = system.run(
        ["bash", "-c", "trap 'echo stopped; exit 5' INT; sleep 100"], limit=2 * SECOND
    )
    assert (out, status) == (b"stopped\n", 5)
    out, err, status = system.run(
        ["bash", "-c", "trap '' INT; while true; do sleep 1; done"], limit=2 * SECOND
    )
    assert status == 137
    assert system.loop.now < 8 * SECOND


def test_background_processes_go_on_while_the_clock_does(system: System) -> None:
    run(system, "(sleep 5; echo late > /tmp/late) & echo started")
    assert not system.files.view.exists("/tmp/late")
    run(system, "sleep 10")
    assert system.files.view.read("/tmp/late") == b"late\n"


def test_processes_show_their_family(system: System) -> None:
    out, _, _ = run(system, "sleep 50 & sh -c 'ps -o pid,ppid,comm' | tail -n +2; pgrep -x sleep | wc -l")
    rows = [line.split() for line in out.decode().splitlines()[:-1]]
    names = {row[2]: (row[0], row[1]) for row in rows}
    assert names["init"] == ("1", "0")
    assert names["sleep"][1] == next(row[0] for row in rows if row[2] == "bash")
    assert out.decode().splitlines()[-1] == "1"


def test_the_last_command_replaces_the_shell(system: System) -> None:
    out, _, _ = run(system, "ps -o comm=")
    assert out == b"init\nps\n"


def test_a_fork_bomb_ends_in_eagain(system: System) -> None:
    _, err, _ = system.run(["bash", "-c", "f() { sleep 100 & f; }; f; f"], limit=5 * SECOND)
    assert b"maximum function nesting level exceeded" in err or b"Resource temporarily unavailable" in err


def test_a_session_keeps_variables_functions_and_directory(system: System) -> None:
    state = ShellState()
    state.cwd = "/root"

    def run_in_session(text: str) -> tuple[str, int]:
        out = Capture()

        async def program(proc: Process, argv: list[str]) -> int:
            return await run_script(proc, text, state)

        process = system.spawn(["bash"], program=program, stdout=out, stderr=out)
        return out.text() if system.loop.run_until(
            process.exited
        ) is None else out.text(), process.returncode or 0

    assert run_in_session("cd /tmp; x=5; export Y=6; f() { echo f$1; }") == ("", 0)
    assert run_in_session("pwd; echo $x; f 1; sh -c 'echo $Y'") == ("/tmp\n5\nf1\n6\n", 0)
    assert run_in_session("nope; echo $?") == ("bash: line 1: nope: command not found\n127\n", 0)
    assert run_in_session("echo '") == (
        "bash: -c: line 1: unexpected EOF while looking for matching `''\n",
        2,
    )


def test_running_the_same_thing_twice_gives_the_same_bytes() -> None:
    script = "date; ps aux; echo $RANDOM; mktemp; ls -l /proc | head -3; head -c 8 /dev/urandom | od -An -tx1; jobs; uptime"
    assert run(machine(), script) == run(machine(), script)


def test_a_short_command_takes_little_time(system: System) -> None:
    """Counted in calls of functions, which do not depend on the computer: some 250 now."""
    run(system, "echo x; echo warm | cat")
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        run(system, "echo x")
    finally:
        sys.setprofile(None)
    assert calls < 500
