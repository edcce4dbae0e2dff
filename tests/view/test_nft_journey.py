"""Journeys through nft's own rules: on the emulated kernel, and on the real one by its TRACE."""

from __future__ import annotations

from typing import Any

import pytest

from kubenet_course.lab.lab import Lab

RULES = """table inet fw {
	chain common {
		ct state established,related accept
		icmp type echo-request counter return
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		jump common
		ip daddr 192.168.2.10 icmp type echo-request counter accept comment "B may be pinged"
	}
	chain in {
		type filter hook input priority filter
		meta l4proto icmp counter
	}
}
"""
PINGS = ("ping -c1 -W1 192.168.2.10", "ping -c1 -W1 192.168.2.11", "ping -c1 -W1 192.168.1.1")


def _told(lab: Lab, command: str) -> list[tuple[Any, ...]]:
    """What the journey says of rules that matched, and of policies."""
    return [
        (stage.machine, stage.kind, stage.spot, stage.table, stage.chain, stage.rule, stage.text, stage.ok)
        for packet in lab.journey("A", command).journey.packets
        for stage in packet.stages
        if stage.kind in ("rule", "policy") and "does not match" not in stage.text
    ]


def _journeys(lab: Lab, iptables: bool) -> list[list[tuple[Any, ...]]]:
    for address in ("192.168.2.10", "192.168.1.1"):  # so that all know each other's MAC addresses
        lab.run("A", f"ping -c1 -W1 {address}")
    lab.machine("router").write("/tmp/rules.nft", RULES)
    assert lab.run("router", "nft -f /tmp/rules.nft").stderr == ""
    if iptables:
        lab.run("router", "iptables -A FORWARD -p icmp -j ACCEPT")
    return [_told(lab, command) for command in PINGS]


def test_a_journey_names_nfts_chains_with_their_family() -> None:
    with Lab.load("two-networks") as lab:
        delivered, dropped, _ = _journeys(lab, iptables=False)
    assert delivered[0] == (
        "router", "rule", "FORWARD", "inet fw", "forward", 1, "inet fw forward 1: jump common: matches → jump common", True,
    )  # fmt: skip
    assert dropped[-1] == (
        "router", "policy", "FORWARD", "inet fw", "forward", 0, "inet fw forward: no rule decided: policy DROP", False,
    )  # fmt: skip


BRIDGE = """ip link add br0 up type bridge
for name in a b; do
  ip netns add $name
  ip link add v$name up type veth peer name e netns $name
  ip link set v$name master br0
  ip -n $name link set e up
done
ip -n a addr add 10.9.0.2/24 dev e
ip -n b addr add 10.9.0.3/24 dev e
nft 'add table bridge t; add chain bridge t f { type filter hook forward priority 0; policy drop; }'
nft add rule bridge t f ether type arp accept
nft add rule bridge t f ip daddr 10.9.0.3 udp dport 53 accept"""


def test_a_journey_goes_through_the_chains_of_a_bridge() -> None:
    with Lab.load("single") as lab:
        assert lab.run("host", BRIDGE).stderr == ""
        told = lab.journey("host", "ip netns exec a ping -c1 -W1 10.9.0.3").journey
        texts = [stage.text for packet in told.packets for stage in packet.stages if stage.spot == "FORWARD"]
    assert "bridge t f 1: ether type arp accept: matches → accept" in texts
    assert "bridge t f: no rule decided: policy DROP" in texts


@pytest.mark.real
@pytest.mark.parametrize("iptables", [False, True])
def test_the_real_journey_names_the_same_rules(iptables: bool) -> None:
    with Lab.load("two-networks") as ours, Lab.load("two-networks", backend="mininet") as real:
        assert _journeys(ours, iptables) == _journeys(real, iptables)
        assert ours.run("router", "nft list tables").stdout == real.run("router", "nft list tables").stdout


def test_the_firewall_says_that_nft_has_chains_of_its_own() -> None:
    with Lab.load("two-networks") as lab:
        assert "every packet may pass" in repr(lab.firewall("router"))
        lab.run("router", "nft 'add table ip t; add chain ip t f { type filter hook forward priority 0; policy drop; }'")
        assert "nft has chains of its own here, see `nft list ruleset`: ip t f (FORWARD)" in repr(lab.firewall("router"))
