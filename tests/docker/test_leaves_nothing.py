"""What a container was is gone with it: devices, rules, namespaces, processes, files."""

from __future__ import annotations

import pytest

from kubenet_course import Lab

CYCLES = 200
LOOK = """ip link; ip netns; ls /var/run/docker/netns; iptables-save | grep -v '^#' | sed 's/\\[.*//'; ip6tables-save | grep -v '^#' | sed 's/\\[.*//'
ps -eo args | sort | grep -v '^ps\\|^bash\\|^sort\\|^grep'; find /var/lib/docker /run/docker /run/netns /tmp | sort; mount | grep nsfs; docker ps -aq"""


def run(lab: Lab, command: str) -> str:
    done = lab.run("host", command)
    assert done.returncode == 0, done
    return done.stdout


def cycle(lab: Lab, number: int) -> None:
    network = ("bridge", "none", "host", "n1", "inner")[number % 5]
    port = f"-p {8000 + number}:80 -p 53:53/udp " if network in ("bridge", "n1") else ""
    if number % 3:
        run(lab, f"docker run -d --name c{number:03} --network {network} {port}nginx")
        run(lab, f"docker rm -f c{number:03}")
    else:
        run(lab, f"docker run --rm --network {network} {port}busybox true")


@pytest.mark.parametrize(
    "backend,cycles", [("emulated", CYCLES), pytest.param("mininet", 5, marks=pytest.mark.real)]
)
def test_containers_leave_nothing_behind(backend: str, cycles: int) -> None:
    with Lab.load("single", backend=backend) as lab:
        run(lab, "docker network create n1; docker network create --internal inner")
        cycle(lab, 0)  # the engine's own files are made once
        cycle(lab, 3)
        cycle(lab, 2)
        before = lab.run("host", LOOK).stdout
        for number in range(cycles):
            cycle(lab, number)
        assert lab.run("host", LOOK).stdout == before
        run(lab, "docker network rm n1 inner")
        assert "br-" not in run(lab, "ip link; iptables-save; ip6tables-save")
