"""A lab on either kernel: commands, sessions, files, history."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kubenet_course.errors import LabError
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.machine import Completed, Machine
from kubenet_course.lab.topology import Topology

BACKENDS = ["emulated", pytest.param("mininet", marks=pytest.mark.real)]
Open = Callable[..., Lab]
SOON = 1.5  # seconds in which a shell has surely begun, also on a busy computer


@pytest.fixture(params=BACKENDS)
def open_lab(request: pytest.FixtureRequest) -> Iterator[Open]:
    labs: list[Lab] = []

    def opener(name: str | Topology = "single", **options: object) -> Lab:
        if isinstance(name, str):
            lab = Lab.load(name, backend=request.param, **options)
        else:
            lab = Lab(name, backend=request.param, **options)  # type: ignore[arg-type]
        labs.append(lab)
        return lab

    yield opener
    for lab in labs:
        lab.close()


COMMANDS: list[tuple[str | list[str], Completed]] = [
    ("echo hello", Completed("hello\n", "", 0)),
    ("echo oops >&2; exit 3", Completed("", "oops\n", 3)),
    (["echo", "a  b", "$x"], Completed("a  b $x\n", "", 0)),
    ("frobnicate", Completed("", "bash: line 1: frobnicate: command not found\n", 127)),
    (["frobnicate"], Completed("", "bash: line 1: frobnicate: command not found\n", 127)),
    ("kill -TERM $$", Completed("", "", 143)),
    ("pwd; echo $HOME $USER $TERM $LANG", Completed("/root\n/root root dumb C.UTF-8\n", "", 0)),
    ("cat /etc/hostname", Completed("host\n", "", 0)),
]


def test_a_command_gives_its_output_and_status(open_lab: Open) -> None:
    lab = open_lab()
    for command, expected in COMMANDS:
        assert lab.run("host", command) == expected


def test_standard_input_and_environment_reach_the_command(open_lab: Open) -> None:
    lab = open_lab()
    assert lab.run("host", "cat; echo $COLOUR", stdin="a\nb\n", env={"COLOUR": "red"}).stdout == "a\nb\nred\n"
    large = "x" * 300_000
    assert lab.run("host", ["cat"], stdin=large).stdout == large


def test_commands_without_a_session_share_nothing_but_files(open_lab: Open) -> None:
    lab = open_lab()
    lab.run("host", "cd /tmp; x=1; echo kept > f")
    assert lab.run("host", "pwd; echo [$x]; cat /tmp/f").stdout == "/root\n[]\nkept\n"


SESSION = [
    ("x=1; cd /tmp", "", 0), ("echo $x; pwd", "1\n/tmp\n", 0), ("false", "", 1), ("echo $?", "1\n", 0),
    ("f() { echo \"f $1\"; }", "", 0), ("f 2", "f 2\n", 0), ("export Y=3", "", 0), ("bash -c 'echo $Y'", "3\n", 0),
    ("echo )", "bash: -c: line 1: syntax error near unexpected token `)'\nbash: -c: line 1: `echo )'\n", 2),
    ("sleep 1000 &", "", 0), ("jobs", "[1]+  Running                 sleep 1000 &\n", 0), ("kill %1; wait", "", 0),
    ("exit 4", "", 4), ("pwd; echo [$x]", "/root\n[]\n", 0), ("set -e", "", 0), ("false", "", 1), ("echo on", "on\n", 0),
]  # fmt: skip


def test_a_session_is_one_shell(open_lab: Open) -> None:
    lab = open_lab()
    for command, output, status in SESSION:
        done = lab.run("host", command, session="s")
        assert (command, done.output, done.returncode) == (command, output, status)


def test_two_sessions_do_not_meet(open_lab: Open) -> None:
    lab = open_lab()
    lab.run("host", "x=1", session="one")
    assert lab.run("host", "echo [$x]", session="two").stdout == "[]\n"


def test_files_are_written_and_read(open_lab: Open) -> None:
    machine = open_lab().machine("host")
    machine.write("/opt/some/where/f", "ä\n")
    machine.write("/opt/some/where/f", b"\xff\n", append=True)
    assert machine.read_bytes("/opt/some/where/f") == "ä\n".encode() + b"\xff\n"
    assert machine.exists("/opt/some/where/f")
    assert not machine.exists("/opt/some/where/g")
    machine.write("/root/script", "#!/bin/sh\necho ran\n", mode=0o755)
    assert machine.run("/root/script").stdout == "ran\n"
    with pytest.raises(FileNotFoundError):
        machine.read("/nonexistent")
    with pytest.raises(IsADirectoryError):
        machine.read("/etc")


def wait_until(machine: Machine, happened: Callable[[], bool]) -> None:
    """Let the machine's clock go on until something has happened; at most 20 s."""
    for _ in range(200):
        if happened():
            return
        machine.run("sleep 0.1")
    raise AssertionError("it never happened")


def test_a_program_may_go_on_by_itself(open_lab: Open) -> None:
    machine = open_lab().machine("host")
    running = machine.spawn(["bash", "-c", "echo started; exec sleep 1000"])
    wait_until(machine, lambda: running.output() == ("started\n", ""))
    assert running.poll() is None
    assert machine.run(f"kill -0 {running.pid}").returncode == 0
    running.terminate()
    wait_until(machine, lambda: running.poll() is not None)
    assert running.poll() == 143


def test_a_command_that_goes_on_for_ever_is_interrupted_and_its_output_kept(open_lab: Open) -> None:
    lab = open_lab()
    done = lab.run("host", "echo before; sleep 1000; echo after", timeout=SOON)
    assert (done.stdout, done.returncode) == ("before\n", 130)
    stubborn = lab.run("host", "trap '' INT; echo a; sleep 1000; echo b", timeout=SOON)
    assert (stubborn.stdout, stubborn.returncode) == ("a\n", 137)


def test_an_interrupt_ends_the_statement_and_not_the_session(open_lab: Open) -> None:
    lab = open_lab()
    lab.run("host", "x=kept", session="s")
    assert lab.run("host", "sleep 1000", session="s", timeout=SOON).returncode == 130
    assert lab.run("host", "echo $x", session="s").stdout == "kept\n"
    lab.run("host", "while :; do sleep 1000; done", session="s", timeout=SOON)
    assert lab.run("host", "echo again", session="s").stdout == "again\n"


def test_wrong_names_are_said(open_lab: Open) -> None:
    lab = open_lab()
    with pytest.raises(LabError, match="there is no machine 'nobody'"):
        lab.run("nobody", "true")
    with pytest.raises(LabError, match="nothing left to undo"):
        lab.undo()
    with pytest.raises(LabError, match="nothing to redo"):
        lab.redo()
    with pytest.raises(LabError, match="no checkpoint 'x'"):
        lab.undo(to="x")


def test_close_may_be_called_again_and_ends_the_lab(open_lab: Open) -> None:
    lab = open_lab()
    lab.close()
    lab.close()
    with pytest.raises(LabError, match="closed"):
        lab.run("host", "true")


def test_undo_takes_back_what_a_command_did(open_lab: Open) -> None:
    lab = open_lab()
    lab.run("host", "echo one > /tmp/f")
    lab.run("host", "echo two >> /tmp/f")
    lab.machine("host").write("/tmp/g", "three")
    assert [record.command for record in lab.undo(2)] == ["echo two >> /tmp/f", "(write /tmp/g)"]
    assert lab.machine("host").read("/tmp/f") == "one\n"
    assert not lab.machine("host").exists("/tmp/g")
    lab.redo()
    assert lab.machine("host").read("/tmp/f") == "one\ntwo\n"
    assert lab.machine("host").read("/tmp/g") == "three"
    lab.reset()
    assert not lab.machine("host").exists("/tmp/f")
    assert len(lab.history) == 0


def test_checkpoints_and_branches(open_lab: Open) -> None:
    lab = open_lab()
    machine = lab.machine("host")
    machine.run("x=1; cd /tmp", session="s")
    mark = lab.checkpoint("here")
    machine.run("x=2", session="s")
    with lab.branch() as other:
        other.machine("host").write("/tmp/only-there", "")
        assert other.run("host", "echo $x; pwd", session="s").stdout == "2\n/tmp\n"
    assert not machine.exists("/tmp/only-there")
    lab.undo(to=mark)
    assert lab.run("host", "echo $x; pwd", session="s").stdout == "1\n/tmp\n"
    lab.reset("here")
    assert len(lab.history) == 1


def test_what_a_program_ran_is_in_the_history_but_is_not_replayed(open_lab: Open) -> None:
    lab = open_lab()
    lab.machine("host", origin="kube-proxy").run("echo x >> /tmp/f")
    lab.run("host", "true")
    assert [str(record) for record in lab.history] == ["host$ echo x >> /tmp/f  # by kube-proxy", "host$ true"]
    lab.undo()
    assert not lab.machine("host").exists("/tmp/f")


def test_diff_says_what_the_last_command_changed(open_lab: Open) -> None:
    lab = open_lab("netns")
    lab.run("host", "ip addr add 10.0.0.1/24 dev eth0; ip netns add red; echo x > /root/f")
    assert str(lab.diff()).splitlines() == [
        "host: + namespace red",
        "host: + address 10.0.0.1/24 dev eth0",
        "host: + route 10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1",
        "host: + file /root/f",
    ]
    lab.run("host", "ip link set eth0 down")
    assert "host: ~ link eth0: operstate UP → DOWN, state UP → DOWN" in str(lab.diff())
    lab.run("host", "true")
    assert str(lab.diff()) == "(nothing changed)"


def test_the_topology_comes_about(open_lab: Open) -> None:
    topology = (
        Topology("all")
        .switch("s1")
        .host("A", "10.0.0.1/24", "fd00::1/64", default="10.0.0.254", files={"/etc/motd": "hi\n"})
        .router("R", eth0="10.0.0.254/24", eth1="10.1.0.254/24")
        .host("B", "10.1.0.1/24", routes=["10.0.0.0/24 via 10.1.0.254"], sysctls={"net.ipv4.ip_default_ttl": "32"},
              commands=["echo made > /tmp/made"])
        .link("A", "s1").link("R:eth0", "s1").link("R:eth1", "B", mtu=1400)
    )  # fmt: skip
    lab = open_lab(topology)
    assert lab.run("A", "ip -br addr show dev eth0").stdout == (
        "eth0@if2         UP             10.0.0.1/24 fd00::1/64 fe80::ff:fe00:201/64 \n"
    )
    assert lab.run("A", "ip route").stdout == (
        "default via 10.0.0.254 dev eth0 \n10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n"
    )
    assert "mtu 1400" in lab.run("B", "ip link show eth0").stdout
    assert lab.run("B", "cat /tmp/made; sysctl -n net.ipv4.ip_default_ttl").stdout == "made\n32\n"
    assert lab.machine("A").read("/etc/motd") == "hi\n"
    assert " 0% packet loss" in lab.run("A", "ping -c 1 10.1.0.1").stdout
    assert lab.run("s1", "bridge link | cut -d: -f2").stdout == " s1-eth1\n s1-eth2@s1-eth1\n"
    assert (lab["A"].IP(), lab["A"].MAC(), lab["R"].IP("eth1")) == ("10.0.0.1", "02:00:00:00:02:01", "10.1.0.254")


def test_a_bare_ping_is_interrupted_after_its_fourth_packet(open_lab: Open) -> None:
    done = open_lab("two-networks").run("A", "ping 192.168.2.10")
    assert "4 packets transmitted, 4 received, 0% packet loss" in done.stdout
    assert done.returncode == 0


def test_a_topology_that_cannot_be_built_says_so(open_lab: Open) -> None:
    with pytest.raises(LabError, match="A: .*Nexthop has invalid gateway"):
        open_lab(Topology().host("A", "10.0.0.1/24", default="10.9.9.9").host("B").link("A", "B"))
    with pytest.raises(LabError, match="A: false"):
        open_lab(Topology().host("A", commands=["false"]))


def test_there_is_no_third_backend() -> None:
    with pytest.raises(LabError, match="there is no backend 'docker'; there are: emulated, mininet"):
        Lab.load("single", backend="docker")
    with pytest.raises(LabError, match="not from int"):
        Lab(7)
