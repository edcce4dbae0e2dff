"""What only the real backend promises: private machines, robust helpers, plain words."""

from __future__ import annotations

import os
import socket
import subprocess
import threading

import pytest

from kubenet_course.errors import BackendError, LabError
from kubenet_course.lab.backends import mininet
from kubenet_course.lab.backends.real import probe
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology

pytestmark = pytest.mark.real


def pair() -> Topology:
    return Topology("pair").host("A", "10.0.0.1/24").host("B", "10.0.0.2/24").link("A", "B")


@pytest.fixture(scope="module")
def lab() -> Lab:  # type: ignore[misc]
    with Lab(pair(), backend="mininet") as opened:
        yield opened


PRIVATE = ["/run/f", "/tmp/f", "/etc/f", "/etc/netns/f", "/etc/cni/net.d/f", "/var/lib/cni/f", "/var/log/f", "/root/f",
           "/opt/cni/bin/f", "/home/f", "/var/tmp/f"]  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_each_machine_has_its_own(path: str, lab: Lab) -> None:
    assert lab.run("A", f"echo x > {path}").output == ""
    assert not lab.machine("B").exists(path)
    assert not os.path.exists(path)


@pytest.mark.parametrize("path", ["/usr/bin/f", "/bin/f", "/boot/f", "/f", "/usr/lib/f"])
def test_the_computers_files_cannot_be_written(path: str, lab: Lab) -> None:
    assert "Read-only file system" in lab.run("A", f"touch {path}").stderr
    assert not os.path.exists(path)


def test_each_machine_has_its_own_name_processes_and_namespaces(lab: Lab) -> None:
    here = socket.gethostname()
    assert lab.run("A", "hostname; hostname other; hostname").stdout == "A\nother\n"
    assert lab.run("B", "hostname").stdout == "B\n"
    assert socket.gethostname() == here
    lab.run("A", "sleep 1000 & ip netns add red; until pgrep -x sleep; do sleep 0.1; done")
    assert "sleep 1000" in lab.run("A", "ps aux").stdout
    assert "sleep 1000" not in lab.run("B", "ps aux").stdout
    assert "/sbin/init" in lab.run("B", "ps -o args= -p 1").stdout
    assert lab.run("B", "ip netns").stdout == ""


def test_only_network_settings_can_be_changed(lab: Lab) -> None:
    assert lab.run("A", "sysctl -w net.ipv4.ip_forward=1").returncode == 0
    assert lab.run("A", "sysctl -w kernel.panic=77").returncode != 0
    with open("/proc/sys/kernel/panic") as handle:
        assert handle.read() != "77\n"


def test_the_clock_cannot_be_set(lab: Lab) -> None:
    assert "Operation not permitted" in lab.run("A", "date -s '2001-01-01'").stderr


def test_commands_of_several_threads_run_side_by_side(lab: Lab) -> None:
    """Each waits for all others, so that none could end if one had to wait for another's end."""
    commands = [("A", "touch /tmp/1; until [ -e /tmp/2 ]; do sleep 0.1; done; nc -l -p 99"), ("A", "touch /tmp/2; until [ -e /tmp/1 ]; do sleep 0.1; done"),
                ("B", "until nc -z 10.0.0.1 99; do sleep 0.1; done")]  # fmt: skip
    ends: list[int] = []

    def run(name: str, command: str) -> None:
        ends.append(lab.run(name, command, timeout=60).returncode)

    threads = [threading.Thread(target=run, args=command) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [0, 0, 0]


def test_a_program_in_the_background_may_go_on_writing(lab: Lab) -> None:
    late = "(until [ -e /tmp/go ]; do sleep 0.1; done; echo late; echo alive > /tmp/alive) & echo now"
    assert lab.run("A", late).stdout == "now\n"
    wait = "touch /tmp/go; until [ -s /tmp/alive ]; do sleep 0.1; done; cat /tmp/alive"
    assert lab.run("A", wait, timeout=60).stdout == "alive\n"


def test_the_first_packet_is_not_lost_and_addresses_are_settled() -> None:
    with Lab(pair(), backend="mininet") as fresh:
        assert " 0% packet loss" in fresh.run("A", "ping -c 1 -W 5 10.0.0.2").stdout
        # On a busy computer the kernel's own timer of duplicate address detection may be late.
        wait = "for try in $(seq 300); do ip addr | grep -q tentative || break; sleep 0.1; done; ip addr"
        assert "tentative" not in fresh.run("B", wait).stdout
        assert fresh.run("A", "sysctl -n net.ipv6.conf.eth0.accept_dad").stdout == "1\n"


def test_a_link_that_this_kernel_cannot_shape_is_noticed() -> None:
    topology = Topology().host("A", "10.0.0.1/24").host("B", "10.0.0.2/24").link("A", "B", delay="5ms", bw=10)
    with Lab(topology, backend="mininet") as shaped:
        text = shaped.run("A", "tc qdisc show dev eth0").stdout
        assert "htb" in text
        assert ("netem" in text) != any("no netem" in notice for notice in shaped.notices)


def test_open_vswitch_is_a_switch_too() -> None:
    if subprocess.run(["which", "ovs-vswitchd"], capture_output=True, check=False).returncode:
        pytest.skip("Open vSwitch is not installed")
    topology = (
        Topology().switch("s1", implementation="ovs").host("A", "10.0.0.1/24").host("B", "10.0.0.2/24")
        .link("A", "s1").link("B", "s1")
    )  # fmt: skip
    with Lab(topology, backend="mininet") as ovs:
        assert "1 received" in ovs.run("A", "ping -c 1 -W 9 10.0.0.2").stdout
        assert "s1-eth2" in ovs.run("s1", "ovs-vsctl list-ports s1").stdout


def test_where_namespaces_are_refused_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mininet, "probe", lambda: None)
    with pytest.raises(BackendError, match="does not let you make network namespaces.*backend='emulated'"):
        Lab.load("single", backend="mininet")


def test_without_a_new_proc_machines_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    poorer = next(mode for mode in probe.modes() if not mode.fresh_proc)
    monkeypatch.setattr(mininet, "probe", lambda: poorer)
    with Lab(pair(), backend="mininet") as poor:
        assert " 0% packet loss" in poor.run("A", "ping -c 1 -W 5 10.0.0.2").stdout
        assert poor.run("A", "sleep 1000", timeout=0.3).returncode == 130
        assert poor.run("A", "sysctl -n net.ipv4.ip_forward", session="s").stdout == "0\n"
        assert poor.run("A", "sleep 1000", session="s", timeout=0.3).returncode == 130


def test_a_helper_that_cannot_start_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = probe.Mode("broken", ("false",), True, "")
    monkeypatch.setattr(mininet, "probe", lambda: broken)
    with pytest.raises(BackendError, match="helper process has ended"):
        Lab.load("single", backend="mininet")


def test_a_build_that_fails_leaves_no_process() -> None:
    before = set(subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False).stdout.split())
    with pytest.raises(LabError):
        Lab(Topology().host("A", commands=["false"]), backend="mininet")
    after = set(subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True, check=False).stdout.split())
    assert after <= before | {""} or not (after - before)
