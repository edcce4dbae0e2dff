"""The text of a journey: the same bytes every time, and every kind of fact in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubenet_course import Lab

HERE = Path(__file__).parent
GOLDEN = HERE / "journey_through_nat.txt"

NAT = "iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE; iptables -A FORWARD -p tcp -j ACCEPT"


def through_nat() -> str:
    with Lab.load("bridge-nat") as lab:
        assert lab.run("gateway", NAT).returncode == 0
        return repr(lab.journey("host", "ping -c1 8.8.8.8")) + "\n"


def test_a_journey_is_the_same_bytes_every_time_and_as_it_was_checked():
    text = through_nat()
    assert text == through_nat()
    if not GOLDEN.exists():
        GOLDEN.write_text(text, encoding="utf-8")
        pytest.fail("there was no golden text: look at it and commit it")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_a_journey_tells_of_rules_connections_and_rewritten_addresses():
    text = through_nat()
    for words in (
        "nat POSTROUTING 1: -o eth1 -j MASQUERADE: matches → MASQUERADE",
        "filter FORWARD 1: -p tcp -j ACCEPT: does not match",
        "filter FORWARD: no rule decided: policy ACCEPT",
        "source 192.168.1.2 becomes 203.0.113.2",
        "destination 203.0.113.2 becomes 192.168.1.2",
        "a NEW ICMP connection 192.168.1.2 → 8.8.8.8",
        "ESTABLISHED, an answer",
        "forwarding is on; TTL 64 → 63",
        "matches `default via 192.168.1.1 dev eth0`",
        "the packet waits, ARP asks",
        "(asked by packet 1)",
    ):
        assert words in text, words


def test_a_journey_from_a_namespace_names_it():
    with Lab.load("netns") as lab:
        machine = lab.machines[0]
        lab.run(
            machine,
            "ip netns add red; ip link add v type veth peer name w netns red; ip addr add 10.0.0.1/24 dev v",
        )
        lab.run(machine, "ip link set v up; ip -n red addr add 10.0.0.2/24 dev w; ip -n red link set w up")
        journey = lab.journey("red", "ping -c1 10.0.0.1").journey
    assert journey.returncode == 0
    assert journey.stages[0].namespace == "red"
    assert f"{machine}[red] w" in str(journey)


def test_a_copy_flooded_by_a_switch_and_its_ends_are_told():
    with Lab.load("bridge-nat") as lab:
        text = str(lab.journey("host", "ping -c1 192.168.1.3").journey)
    assert "(copy of packet" in text
    assert "everybody: out of every other port (s1-eth2, s1-eth3)" in text
    assert "under way" not in text


def test_background_packets_of_others_are_left_out():
    with Lab.load("two-networks") as lab:
        lab.run("B", "ping -c3 -i1 192.168.2.1 > /tmp/out &", session="x")
        journey = lab.journey("A", "ping -c1 192.168.1.1").journey
    assert not [p for p in journey.packets if "192.168.2.10" in p.summary]
