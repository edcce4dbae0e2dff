"""What Docker 28 writes into raw, nat and filter, for all combinations of options of its own tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from kubenet_course.docker.rules import (
    Bridge,
    Daemon,
    Port,
    Rule,
    daemon_rules,
    endpoint_rules,
    link_rules,
    network_rules,
    port_rules,
)
from tests.docker.facts import facts

FACTS = facts("docker_bridge_rules.json")
SETUP = FACTS["setup"]
CHAINS = {
    table: [entry.split(" ")[0] for entry in FACTS["chain_lists"][0][table]]
    for table in ("raw", "filter", "nat")
}


def saved(rules: Iterable[Rule]) -> dict[str, list[str]]:
    """The rules as `iptables-save` would list them after they were inserted and appended in this order."""
    kept: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        chain = kept.setdefault((rule.table, rule.chain), [])
        chain.insert(0 if rule.insert else len(chain), f"-A {rule.line}")
    return {
        table: [line for name in names for line in kept.get((table, name), [])]
        for table, names in CHAINS.items()
    }


def of_case(case: dict[str, Any]) -> list[Rule]:
    family = 4 if case["family"] == "ipv4" else 6
    daemon = Daemon(case["userland_proxy"], case["wsl2_mirrored"])
    snat = SETUP["host_ip_snat"].split(" / ")[family == 6]
    bridge = Bridge(
        SETUP["bridge"],
        SETUP[f"subnet{family}"],
        internal=case["internal"],
        icc=case["icc"],
        masquerade=bool(case.get("masquerade")),
        mode=case.get("gateway_mode") or "nat",
        host_ip=snat if case.get("host_ip_snat") else "",
    )
    address = SETUP[f"container{family}"]
    loopback, every = ("127.0.0.1", "0.0.0.0") if family == 4 else ("::1", "::")
    port = Port("tcp", address, 80, loopback if case.get("bind_localhost") else every, 8080)
    return [
        *daemon_rules(family, daemon),
        *network_rules(daemon, bridge),
        *endpoint_rules(daemon, bridge, address),
        *port_rules(daemon, bridge, port),
    ]


@pytest.mark.parametrize("case", FACTS["cases"], ids=lambda case: case["source"])
def test_a_bridge_network_with_a_published_port(case: dict[str, Any]) -> None:
    assert saved(of_case(case)) == case["rules"]


@pytest.mark.parametrize(
    "case", FACTS["without_networks"], ids=lambda case: f"{case['family']}-{case['name']}"
)
def test_a_daemon_without_networks(case: dict[str, Any]) -> None:
    if case["name"] == "no":
        assert saved([]) == case["rules"]
        return
    daemon = Daemon("hairpin=true" not in case["name"], "wsl2" in case["name"])
    assert saved(daemon_rules(4 if case["family"] == "ipv4" else 6, daemon)) == case["rules"]


def test_containers_that_are_linked_may_talk_without_icc() -> None:
    rules = link_rules(
        Bridge("docker0", "172.17.0.0/16", icc=False), "172.17.0.3", "172.17.0.2", [(80, "tcp")]
    )
    assert [rule.line for rule in rules] == [
        "DOCKER -s 172.17.0.3/32 -d 172.17.0.2/32 -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT",
        "DOCKER -s 172.17.0.2/32 -d 172.17.0.3/32 -i docker0 -o docker0 -p tcp -m tcp --sport 80 -j ACCEPT",
    ]
