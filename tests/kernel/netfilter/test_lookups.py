"""Rules that are looked up by address let through, count and jump as those that are tried one by one."""

from __future__ import annotations

import random

import pytest

from kubenet_course.kernel.netfilter import lookups, tables
from kubenet_course.kernel.socket import AF_INET, SOCK_DGRAM, make_socket
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology
from kubenet_course.wire.addresses import IPv4Address

SOURCES = [f"10.0.0.{number}" for number in (1, 2, 3, 4)]
TARGETS = [f"10.0.{third}.{fourth}" for third in (1, 2, 5) for fourth in (2, 3, 130)]


def rules(chance: random.Random) -> str:
    """Chains that jump, return and go on, with rules about addresses, networks, ports and nothing at all."""
    lines = []
    for chain, below in (("FORWARD", ["one", "two"]), ("one", ["two"]), ("two", [])):
        for _ in range(40):
            words = [f"-A {chain}"]
            if chance.random() < 0.7:
                words.append(f"{chance.choice(['', '! '] if chance.random() < 0.2 else [''])}-s {chance.choice(SOURCES)}")
            if chance.random() < 0.7:
                words.append(f"-d {chance.choice(TARGETS)}{chance.choice(['', '', '/25', '/24'])}")
            if chance.random() < 0.3:
                words.append(f"-p udp --dport {chance.choice([9, 10])}")
            jump = chance.choice(["", "", "", "MARK --set-mark 7", "RETURN", "ACCEPT", "DROP", *below, *below])
            words.append(f"-j {jump}" if jump else "")
            lines.append(" ".join(words))
    return "\n".join(["*filter", ":FORWARD ACCEPT [0:0]", ":one - [0:0]", ":two - [0:0]", *lines, "COMMIT", ""])


def counted(text: str) -> str:
    """What iptables-save tells after packets from and to everywhere."""
    topology = Topology("chain").host("A", eth0="10.0.0.1/16").host("B", eth0="10.0.1.2/16")
    topology = topology.switch("s1").link("A", "s1").link("B", "s1")
    with Lab(topology) as lab:
        lab.run("A", "".join(f"ip addr add {address}/16 dev eth0; " for address in SOURCES[1:]))
        lab.run("B", "".join(f"ip addr add {address}/16 dev eth0; " for address in TARGETS[1:]))
        lab.machine("s1").write("/tmp/rules", text)
        done = lab.run("s1", "sysctl -qw net.bridge.bridge-nf-call-iptables=1; iptables-restore < /tmp/rules")
        assert done.returncode == 0, done.stderr
        net = lab.backend.machines["A"].net  # type: ignore[attr-defined]
        for source in SOURCES:
            sock = make_socket(net, AF_INET, SOCK_DGRAM, 0)
            sock.bind(IPv4Address.parse(source), 0)  # type: ignore[attr-defined]
            for target in TARGETS:
                sock.sendto(b"x", IPv4Address.parse(target), 9)  # type: ignore[attr-defined]
                lab.run("A", "true")
        return lab.run("s1", "iptables-save -c | grep -v '^#'").stdout


@pytest.mark.parametrize("seed", range(4))
def test_a_look_up_finds_what_trying_each_rule_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rules(random.Random(seed))
    found = counted(text)
    monkeypatch.setattr(lookups, "LEAST_RUN", 1_000_000)
    assert found == counted(text)
    monkeypatch.setattr(lookups, "LEAST_RUN", 1)
    assert found == counted(text)


def test_ten_thousand_addresses_are_one_step() -> None:
    with Lab(Topology("one").host("A")) as lab:
        lines = [f"-A FORWARD -s 10.{number // 250}.{number % 250}.1/32 -j DROP" for number in range(10_000)]
        lab.machine("A").write("/tmp/rules", "\n".join(["*filter", *lines, "COMMIT", ""]))
        assert lab.run("A", "iptables-restore < /tmp/rules").returncode == 0
        net = lab.backend.machines["A"].net  # type: ignore[attr-defined]
        chain = tables.ruleset(net).table("ip", "filter").chains["FORWARD"]  # type: ignore[union-attr]
        assert len(chain.steps) == 10_000
        assert len(chain.scan) == 1
