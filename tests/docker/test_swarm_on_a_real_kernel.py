"""The same swarm on a real kernel that has IPVS (user-mode Linux) and on the emulated one: rules, marks, servers, turns.

The kernel has no nf_tables for IPv4, so the guest's `iptables` is the legacy one, which prints the same rules.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator

import pytest

from kubenet_course import Lab
from kubenet_course.lab.backends.real.programs import ENGINE
from tests.support import uml

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(bool(uml.available()), reason=uml.available() or "available"),
]
INGRESS = "nsenter --net=/var/run/docker/netns/ingress_sbox"
ANSWERS = "for i in 1 2 3 4; do curl -s -m 5 http://{address}/ | head -1; done"
#: What brings the swarm about; `docker service ls` is asked until all tasks run.
STEPS = (
    "docker swarm init",
    "docker service create -d --name web --replicas 2 -p 8080:80 traefik/whoami",
    "docker network create -d overlay --attachable shop",
    "docker service create -d --name api --network shop --replicas 2 traefik/whoami",
    "until [ $(docker service ls | grep -c 2/2) = 2 ]; do sleep 5; done",
)
#: What must be the same on both.
COMPARED = (
    "iptables -t nat -S",
    "iptables -S DOCKER-INGRESS",
    "iptables -S DOCKER-FORWARD",
    f"{INGRESS} ipvsadm -Ln",
    f"{INGRESS} iptables -t mangle -S",
    f"{INGRESS} iptables -t nat -S POSTROUTING",
    f"{INGRESS} ip -br -4 addr | sed 's/@if[0-9]*//'",
    "docker exec $(docker ps -qf name=web.1) iptables -S",
    "docker exec $(docker ps -qf name=web.1) iptables -t nat -S PREROUTING",
    "docker exec $(docker ps -qf name=api.1) ip route",
    "docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}'",
    "docker service ls --format '{{.Name}} {{.Mode}} {{.Replicas}} {{.Ports}}'",
)
MODULES = (
    "ip_vs ip_vs_rr xt_ipvs vxlan xt_addrtype xt_REDIRECT veth bridge ip_tables iptable_filter iptable_nat iptable_mangle "
    "iptable_raw xt_MASQUERADE xt_conntrack xt_mark xt_nat xt_tcpudp"
)


def guest() -> str:
    """Make the guest a machine with our engine. A container covers /root and /tmp, so Python is mounted elsewhere too."""
    python = os.path.realpath(sys.executable)
    tops = {
        "/".join(path.split("/")[:3]) for path in [python, *sys.path] if path.startswith(("/root/", "/tmp/"))
    }
    lines = ["mount -t tmpfs none /usr/local/bin", "mkdir -p /run/.computer /etc/docker"]
    paths = [os.getcwd(), *filter(None, sys.path)]
    for number, top in enumerate(sorted(tops)):
        place = f"/run/.computer/{number}"
        lines += [f"mkdir {place}", f"mount --bind {shlex.quote(top)} {place}"]
        python = python.replace(top, place, 1) if python.startswith(top) else python
        paths = [path.replace(top, place, 1) if path.startswith(top) else path for path in paths]
    for name in ENGINE:
        script = (
            f"#!/bin/sh\nKUBENET_ARGV0={name} PYTHONPATH={shlex.quote(os.pathsep.join(paths))} PYTHONDONTWRITEBYTECODE=1 "
            f'exec {python} -m kubenet_course.lab.backends.real.engine "$@"\n'
        )
        lines += [
            f"printf %s {shlex.quote(script)} >/usr/local/bin/{name}",
            f"chmod +x /usr/local/bin/{name}",
        ]
    lines += [
        f"ln -s /usr/sbin/xtables-legacy-multi /usr/local/bin/iptables{end}"
        for end in ("", "-save", "-restore")
    ]
    lines += [
        f"for m in {MODULES}; do modprobe -d /mnt/kmod $m; done",
        "ip link add eth0 type dummy; ip addr add 192.168.1.10/24 dev eth0; ip link set eth0 up",
        "echo nameserver 192.168.1.1 >/etc/resolv.conf; echo uml >/etc/hostname",
        "echo '{\"ip6tables\": false}' >/etc/docker/daemon.json",
    ]
    return "\n".join(lines)


ASKED = (
    *COMPARED,
    ANSWERS.format(address="127.0.0.1:8080"),
    ANSWERS.format(address="192.168.1.10:8080"),
    f"docker run --rm --network shop busybox sh -c {shlex.quote(ANSWERS.format(address='10.0.1.2'))}",
)


@pytest.fixture(scope="module")
def real() -> Iterator[dict[str, str]]:
    items = [{"setup": guest()}, *({"cmd": command, "timeout": 600} for command in (*STEPS, *ASKED))]
    done = uml.run(items, memory="700M", timeout=1800)
    yield {one["cmd"]: one["stdout"] for one in done if "cmd" in one}


@pytest.fixture(scope="module")
def emulated() -> Iterator[dict[str, str]]:
    with Lab.load("docker") as lab:
        lab.run("host", "sysctl -qw net.ipv4.ip_forward=0")
        yield {command: lab.run("host", command).stdout for command in (*STEPS, *ASKED)}


def plain(text: str) -> list[str]:
    """Without the counters of connections, and spaces at ends."""
    lines = [line.rstrip() for line in text.splitlines()]
    return [line.rsplit(None, 2)[0] if "Masq" in line else line for line in lines]


@pytest.mark.parametrize("command", COMPARED)
def test_both_kernels_are_told_the_same(command: str, real: dict[str, str], emulated: dict[str, str]) -> None:
    assert real[command]
    assert plain(emulated[command]) == plain(real[command])


@pytest.mark.parametrize("command", ASKED[len(COMPARED) :])
def test_two_replicas_answer_in_turn(command: str, real: dict[str, str], emulated: dict[str, str]) -> None:
    for answers in (real[command].split("\n"), emulated[command].split("\n")):
        names = [line for line in answers if line]
        assert len(names) == 4 and names[:2] == names[2:] and names[0] != names[1]
