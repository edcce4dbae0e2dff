"""Hosts that share a broadcast count, learn, answer and show the same as hosts that each have a copy."""

from __future__ import annotations

import pytest

from kubenet_course.kernel.devices import _shared
from kubenet_course.kernel.devices.base import NetDevice
from kubenet_course.kernel.skbuff import Ledger, SkBuff
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology
from kubenet_course.wire.ethernet import ETH_P_ARP

HOSTS = 7
#: Who does more with frames than to hand them to ARP.
BUSY = {
    "h4": "ip link add br0 type bridge; ip link set eth0 master br0; ip link set br0 up; ip addr add 10.0.0.4/24 dev br0",
    "h5": "nft add table arp t; nft add chain arp t input '{ type filter hook input priority 0; }';"
    " nft add rule arp t input counter",
    "h6": "tc qdisc add dev eth0 clsact; tc filter add dev eth0 ingress matchall action ok",
    "s1": "nft add table netdev t; nft add chain netdev t out '{ type filter hook egress device s1-eth3 priority 0; }';"
    " nft add rule netdev t out counter",
}


def seen(ledger: Ledger | None) -> list[str]:
    topology = Topology("star").switch("s1")
    for number in range(1, HOSTS + 1):
        topology = topology.host(f"h{number}", f"10.0.0.{number}/24").link(f"h{number}", "s1")
    with Lab(topology) as lab:
        for name, script in BUSY.items():
            done = lab.run(name, script)
            assert done.returncode == 0, done.stderr
        lab.backend.loop.skb_ledger = ledger  # type: ignore[attr-defined]
        listener = lab.machine("h7").spawn(["tcpdump", "-n", "-e", "-l", "-i", "eth0", "arp"])
        for source, target in ((1, 2), (3, 2), (2, 7), (1, 4), (5, 1), (6, 99)):
            lab.run(f"h{source}", f"ping -c1 -W1 10.0.0.{target}")
        looks = ["ip -s -s link", "ip -s neigh", "nft list ruleset", "tc -s filter show dev eth0 ingress", "bridge fdb"]
        found = [lab.run(f"h{number}", look).output for number in range(1, HOSTS + 1) for look in looks]
        return [*found, *(lab.run("s1", look).output for look in looks), *listener.output()]


def test_sharing_cannot_be_told_from_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    receive = _shared.receive_shared

    def counting(takers: list[NetDevice], skb: SkBuff) -> None:
        taken.extend(takers)
        receive(takers, skb)

    monkeypatch.setattr(_shared, "receive_shared", counting)
    shared = seen(None)
    assert len(taken) > 20
    ledger = Ledger()
    assert shared == seen(ledger)
    assert not [skb for skb in ledger.lost() if skb.ethertype == ETH_P_ARP]  # others wait for an answer to theirs
    assert not ledger.twice
    monkeypatch.setattr(_shared, "ETH_P_ARP", 0)
    assert shared == seen(None)
    assert "Request who-has 10.0.0.2" in "".join(shared)
