"""`"firewall-backend": "nftables"`: the table ip docker-bridges of moby's nftablesdoc, scenario by scenario; and that it works."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubenet_course import Lab
from kubenet_course.docker.nft_tables import parse

BRIDGE = "com.docker.network.bridge"
CREATE = f"docker network create -o {BRIDGE}.name=bridge1 --subnet 192.0.2.0/24 "
RUN = "docker run -d --network bridge1 --name c1 -p 8080:80 nginx"
ANSWERS = "ct state established,related counter accept"
LOCAL = "fib daddr type local counter jump nat-prerouting-and-output"
DNAT = 'iifname != "bridge1" tcp dport 8080 counter dnat to 192.0.2.2:80 comment "DNAT"'
DIRECT = 'ip daddr 192.0.2.2 iifname != "bridge1" counter drop comment "DROP DIRECT ACCESS"'
PORT = "ip daddr 192.0.2.2 tcp dport 80 counter accept"
CLOSED = 'counter drop comment "UNPUBLISHED PORT DROP"'
HOST = 'fib saddr type local counter masquerade comment "MASQUERADE FROM HOST"'


def icc(name: str, verdict: str = "accept") -> str:
    return f'iifname "{name}" counter {verdict} comment "ICC"'


def leaving(name: str, subnet: str) -> str:
    return f'oifname != "{name}" ip saddr {subnet} counter masquerade comment "MASQUERADE"'


def of_bridge(name: str, inside: list[str], outside: list[str], arriving: list[str], left: list[str]) -> dict[str, list[str]]:
    return {
        f"filter-forward-in__{name}": [ANSWERS, *inside],
        f"filter-forward-out__{name}": [ANSWERS, *outside],
        f"nat-postrouting-in__{name}": arriving,
        f"nat-postrouting-out__{name}": left,
    }


OUT = ['counter accept comment "OUTGOING"']
BASE = {
    "filter-FORWARD": ["oifname vmap @filter-forward-in-jumps", "iifname vmap @filter-forward-out-jumps"],
    "nat-OUTPUT": [f"ip daddr != 127.0.0.0/8 {LOCAL}"],
    "nat-POSTROUTING": ["iifname vmap @nat-postrouting-out-jumps", "oifname vmap @nat-postrouting-in-jumps"],
    "nat-PREROUTING": [LOCAL],
    "nat-prerouting-and-output": [],
    "raw-PREROUTING": [],
    **of_bridge("docker0", [icc("docker0"), CLOSED], OUT, [], [leaving("docker0", "172.17.0.0/16")]),
}
MINE = leaving("bridge1", "192.0.2.0/24")
PUBLISHED = {"nat-prerouting-and-output": [DNAT], "raw-PREROUTING": [DIRECT]}
#: Commands, and the chains that differ from those of a new daemon.
SCENARIOS: dict[str, tuple[dict[str, Any], list[str], dict[str, list[str]]]] = {
    "new-daemon": ({}, ["docker info"], {}),
    "usernet-portmap": ({}, [CREATE + "bridge1", RUN], {
        **PUBLISHED, **of_bridge("bridge1", [icc("bridge1"), PORT, CLOSED], OUT, [], [MINE]),
    }),
    "usernet-portmap-noicc": ({}, [f"{CREATE} -o {BRIDGE}.enable_icc=false bridge1", RUN], {
        **PUBLISHED, **of_bridge("bridge1", [icc("bridge1", "drop"), PORT, CLOSED], OUT, [], [MINE]),
    }),
    "usernet-portmap-lo": ({}, [CREATE + "bridge1", RUN.replace("8080", "127.0.0.1:8080")], {
        "nat-prerouting-and-output": [DNAT.replace("tcp", "ip daddr 127.0.0.1 tcp", 1)],
        "raw-PREROUTING": [DIRECT, 'iifname != "lo" ip daddr 127.0.0.1 tcp dport 8080 counter drop comment "DROP REMOTE LOOPBACK"'],
        **of_bridge("bridge1", [icc("bridge1"), PORT, CLOSED], OUT, [], [MINE]),
    }),
    "usernet-portmap-routed": ({}, [f"{CREATE} -o {BRIDGE}.gateway_mode_ipv4=routed bridge1", RUN], {
        **of_bridge("bridge1", ['ip protocol icmp counter accept comment "ICMP"', icc("bridge1"), PORT, CLOSED], OUT, [], []),
    }),
    "usernet-portmap-natunprot": ({}, [f"{CREATE} -o {BRIDGE}.gateway_mode_ipv4=nat-unprotected bridge1", RUN], {
        "nat-prerouting-and-output": [DNAT],
        **of_bridge("bridge1", [icc("bridge1"), 'counter accept comment "UNPROTECTED"'], OUT, [], [MINE]),
    }),
    "usernet-portmap-noproxy": ({"userland-proxy": False}, [CREATE + "bridge1", RUN], {
        "nat-OUTPUT": [LOCAL],
        "nat-prerouting-and-output": [DNAT.removeprefix('iifname != "bridge1" ')],
        "raw-PREROUTING": [DIRECT],
        "nat-postrouting-in__docker0": [HOST],
        **of_bridge(
            "bridge1", [icc("bridge1"), PORT, CLOSED], OUT,
            [HOST, 'ip saddr 192.0.2.2 ip daddr 192.0.2.2 tcp dport 80 counter masquerade comment "MASQ TO OWN PORT"'], [MINE],
        ),
    }),
    "usernet-internal": (
        {},
        [f"docker network create --internal -o {BRIDGE}.name=bridgeICC --subnet 192.0.2.0/24 n1", "docker run -d --network n1 nginx",
         f"docker network create --internal -o {BRIDGE}.name=bridgeNoICC -o {BRIDGE}.enable_icc=false --subnet 198.51.100.0/24 n2",
         "docker run -d --network n2 nginx"],
        {
            key: rules
            for name, verdict in (("bridgeICC", "accept"), ("bridgeNoICC", "drop"))
            for key, rules in of_bridge(
                name,
                [f'iifname != "{name}" counter drop comment "INTERNAL NETWORK INGRESS"', f'counter {verdict} comment "ICC"'],
                [f'oifname != "{name}" counter drop comment "INTERNAL NETWORK EGRESS"'], [], [],
            ).items()
        },
    ),
}  # fmt: skip


def docker_host(config: dict[str, Any], forwarding: bool = True) -> Lab:
    lab = Lab.load("single")
    lab.machine("host").write("/etc/docker/daemon.json", json.dumps({"firewall-backend": "nftables", **config}))
    if forwarding:
        good(lab, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    return lab


def good(lab: Lab, command: str) -> str:
    done = lab.run("host", command)
    assert done.returncode == 0, done
    return done.stdout


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_table_of_a_host(name: str) -> None:
    config, commands, changed = SCENARIOS[name]
    lab = docker_host(config)
    for command in commands:
        good(lab, command)
    text = good(lab, "nft list table ip docker-bridges")
    chains, elements = parse(text)
    expected = {**BASE, **changed}
    assert chains == expected
    bridges = [chain.partition("__")[2] for chain in expected if chain.startswith("filter-forward-in__")]
    for chain in ("filter-forward-in", "filter-forward-out", "nat-postrouting-in", "nat-postrouting-out"):
        assert elements[f"{chain}-jumps"] == [f'"{name}" : jump {chain}__{name}' for name in bridges]
    assert text.count("policy accept;") == 5
    assert "docker0" not in good(lab, "iptables-save")


def test_everything_goes_with_the_network() -> None:
    lab = docker_host({})
    good(lab, "docker info")
    before = good(lab, "nft list ruleset")
    good(lab, "docker network create --ipv6 --subnet 192.0.2.0/24 n1")
    good(lab, "docker run -d --name c1 --network n1 -p 8080:80 nginx")
    assert good(lab, "nft list ruleset") != before
    good(lab, "docker rm -f c1; docker network rm n1")
    assert good(lab, "nft list ruleset") == before


def test_packets_take_the_ways_that_the_table_leaves_open() -> None:
    lab = docker_host({"userland-proxy": False})
    good(lab, "docker network create n1; docker network create n2")
    good(lab, "docker run -d --name web --network n1 -p 8080:80 nginx")
    assert "Welcome to nginx" in good(lab, "curl -s http://172.18.0.1:8080")
    assert "Welcome to nginx" in good(lab, "docker run --rm --network n2 busybox wget -qO- -T3 http://172.18.0.1:8080")
    assert "Welcome to nginx" in good(lab, "docker run --rm --network n1 busybox wget -qO- -T3 http://web")
    other = lab.run("host", "docker run --rm --network n2 busybox wget -qO- -T3 http://172.18.0.2")
    assert other.returncode != 0 and "Welcome" not in other.stdout
    good(lab, "docker network create n6 --ipv6 --subnet fd00:1::/64")
    good(lab, "docker run -d --name six --network n6 -p 8081:80 nginx")
    assert "dnat to [fd00:1::2]:80" in good(lab, "nft list table ip6 docker-bridges")
    assert "Welcome to nginx" in good(lab, "docker run --rm --network n6 busybox wget -qO- -T3 'http://[fd00:1::1]:8081'")


@pytest.mark.parametrize(
    ("config", "forwards", "policy"),
    [({}, "1", "drop"), ({"ip-forward-no-drop": True}, "1", "accept"), ({"ip-forward": False}, "0", "accept")],
)
def test_who_switches_forwarding_on_closes_it_to_others(config: dict[str, Any], forwards: str, policy: str) -> None:
    lab = docker_host(config, forwarding=False)
    good(lab, "docker info")
    assert good(lab, "sysctl -n net.ipv4.ip_forward").strip() == forwards
    for kind, expected in (("ip", policy), ("ip6", "accept")):
        assert f"policy {expected};" in good(lab, f"nft list chain {kind} docker-bridges filter-FORWARD")
    good(lab, "docker network create --ipv6 n1")
    assert f"policy {policy};" in good(lab, "nft list chain ip6 docker-bridges filter-FORWARD")


def test_one_backend_takes_away_what_the_other_left() -> None:
    lab = docker_host({"firewall-backend": "iptables"})
    good(lab, "docker network create --ipv6 --subnet 192.0.2.0/24 --subnet 2001:db8::/64 n1")
    assert good(lab, "iptables-save").count("DOCKER") > 10

    def switch(backend: str) -> None:
        good(lab, "service docker stop")
        lab.machine("host").write("/etc/docker/daemon.json", json.dumps({"firewall-backend": backend}))
        good(lab, "service docker start")

    switch("nftables")
    for tool in ("iptables", "ip6tables"):
        left = [line for line in good(lab, f"{tool}-save").splitlines() if line.startswith(("-A", ":DOCKER"))]
        assert left == [":DOCKER-USER - [0:0]", "-A FORWARD -j DOCKER-USER"]
    assert "filter-forward-in__br-" in good(lab, "nft list table ip6 docker-bridges")
    switch("iptables")
    assert lab.run("host", "nft list table ip docker-bridges").returncode == 1
    assert lab.run("host", "nft list table ip6 docker-bridges").returncode == 1
    assert good(lab, "iptables-save").count("DOCKER") > 10
