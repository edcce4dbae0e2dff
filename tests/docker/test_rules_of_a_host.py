"""The same rules, from `docker network create` and `docker run` to `iptables-save` on an emulated machine."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from kubenet_course import Lab
from tests.docker.facts import facts

FACTS = facts("docker_bridge_rules.json")
DUMPS = facts("docker_ipam_and_dumps.json")["host_dumps"]
BRIDGE = "com.docker.network.bridge"
#: Lines that no command line can bring about, by the rows that have them, and why.
IMPOSSIBLE = {
    "gwm=routed": (
        re.compile(r"--dport 8080 |-A POSTROUTING -s \S+ -d \S+ -p tcp -m tcp --dport 80 -j MASQUERADE"),
        "these rows are of the rule writer alone, which is given a host port: a whole engine asks for none in gateway "
        "mode routed (the dump usernet-portmap-routed), so nothing translates it",
    ),
}


def docker_host(config: dict[str, Any]) -> Lab:
    """A machine that forwards already, so that dockerd leaves the policy of FORWARD alone."""
    lab = Lab.load("single")
    lab.machine("host").write("/etc/docker/daemon.json", json.dumps(config))
    lab.run("host", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    return lab


def good(lab: Lab, command: str) -> str:
    done = lab.run("host", command)
    assert done.returncode == 0, done
    return done.stdout


def reachable(case: dict[str, Any]) -> dict[str, list[str]]:
    """The row's rules without those of IMPOSSIBLE."""
    gone = [pattern for mark, (pattern, _) in IMPOSSIBLE.items() if mark in case["source"]]
    return {
        table: [line for line in lines if not any(pattern.search(line) for pattern in gone)]
        for table, lines in case["rules"].items()
    }


@pytest.mark.parametrize("case", FACTS["cases"], ids=lambda case: case["source"])
def test_a_row_by_commands(case: dict[str, Any]) -> None:
    lab = docker_host({"bridge": "none", "userland-proxy": case["userland_proxy"]})
    if case["wsl2_mirrored"]:  # how the engine knows it: this device, and this program
        good(lab, "ip link add loopback0 type dummy && printf '#!/bin/sh\necho mirrored\n' >/usr/bin/wslinfo")
        good(lab, "chmod +x /usr/bin/wslinfo")
    options = [f"-o {BRIDGE}.name=br-dummy", f"-o {BRIDGE}.enable_icc={json.dumps(case['icc'])}"]
    options += ["--internal"] if case["internal"] else []
    options += [] if case["masquerade"] else [f"-o {BRIDGE}.enable_ip_masquerade=false"]
    for family, address in ((4, "192.168.123.0"), (6, "fd34:d0d4:672f::123")):
        if case["gateway_mode"]:
            options.append(f"-o {BRIDGE}.gateway_mode_ipv{family}={case['gateway_mode']}")
        if case["host_ip_snat"]:
            options.append(f"-o com.docker.network.host_ipv{family}={address}")
    subnets = "--subnet 192.168.0.0/24 --subnet fd49:efd7:54aa::/64 --gateway fd49:efd7:54aa::ff"
    good(lab, f"docker network create --ipv6 {subnets} {' '.join(options)} n1")
    ports = "-p 127.0.0.1:8080:80 -p [::1]:8080:80" if case["bind_localhost"] else "-p 8080:80"
    good(lab, f"docker run -d --network n1 {ports} nginx")
    tool = "iptables" if case["family"] == "ipv4" else "ip6tables"
    found = {
        table: [
            line
            for line in good(lab, f"{tool}-save -t {table}").splitlines()
            if line.startswith("-A") and line != "-A FORWARD -j DOCKER-USER"
        ]
        for table in ("raw", "filter", "nat")
    }
    assert found == reachable(case)


@pytest.mark.parametrize("dump", DUMPS, ids=lambda one: one["scenario"])
def test_the_rules_of_a_whole_host(dump: dict[str, Any]) -> None:
    options = dump["options"]
    lab = docker_host({"userland-proxy": options.get("userland_proxy", True), "ip6tables": False})
    good(lab, "docker info")
    if "network" in options:
        more = f" -o {BRIDGE}.enable_icc=false" if options.get("icc") is False else ""
        if "gateway_mode_ipv4" in options:
            more += f" -o {BRIDGE}.gateway_mode_ipv4={options['gateway_mode_ipv4']}"
        name = options["network"]
        good(lab, f"docker network create --subnet 192.0.2.0/24 -o {BRIDGE}.name={name}{more} {name}")
        good(lab, f"docker run -d --network {name} -p {options['publish'].removesuffix('/tcp')} nginx")
    if options.get("swarm"):
        good(lab, "docker swarm init --advertise-addr 127.0.0.1")
        good(lab, f"docker service create -q -p {options['publish'].removesuffix('/tcp')} busybox sleep 3600")
    for table in dump["tables"]:
        name, _, only = table["table"].partition(", chain ")
        chain = only.partition(" ")[0]
        assert good(lab, f"iptables -t {name} -S {chain}").splitlines() == table["S"], table["table"]


HOST = """
-P INPUT ACCEPT
-P FORWARD ACCEPT
-P OUTPUT ACCEPT
-N DOCKER
-N DOCKER-BRIDGE
-N DOCKER-CT
-N DOCKER-FORWARD
-N DOCKER-INTERNAL
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
"""
NAT = """
-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-N DOCKER
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
"""
#: Scenarios of moby's iptablesdoc that are not among the dumps: networks, publications, what each table holds.
SCENARIOS = {
    "usernet-portmap-lo": (
        ["bridge1 192.0.2.0/24"],
        "-p 127.0.0.1:8080:80",
        HOST + """
-A DOCKER -d 192.0.2.2/32 ! -i bridge1 -o bridge1 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER ! -i bridge1 -o bridge1 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-BRIDGE -o bridge1 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-CT -o bridge1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-INTERNAL
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-FORWARD -i bridge1 -j ACCEPT
""",
        NAT + """
-A POSTROUTING -s 192.0.2.0/24 ! -o bridge1 -j MASQUERADE
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -d 127.0.0.1/32 ! -i bridge1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.0.2.2:80
""",
        """
-P PREROUTING ACCEPT
-P OUTPUT ACCEPT
-A PREROUTING -d 192.0.2.2/32 ! -i bridge1 -j DROP
-A PREROUTING -d 127.0.0.1/32 ! -i lo -p tcp -m tcp --dport 8080 -j DROP
""",
    ),
    "usernet-internal": (
        ["bridgeICC 192.0.2.0/24 --internal", f"bridgeNoICC 198.51.100.0/24 --internal -o {BRIDGE}.enable_icc=false"],
        "",
        HOST + """
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-INTERNAL
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-FORWARD -i bridgeICC -o bridgeICC -j ACCEPT
-A DOCKER-FORWARD -i bridgeNoICC -o bridgeNoICC -j DROP
-A DOCKER-INTERNAL ! -s 198.51.100.0/24 -o bridgeNoICC -j DROP
-A DOCKER-INTERNAL ! -d 198.51.100.0/24 -i bridgeNoICC -j DROP
-A DOCKER-INTERNAL ! -s 192.0.2.0/24 -o bridgeICC -j DROP
-A DOCKER-INTERNAL ! -d 192.0.2.0/24 -i bridgeICC -j DROP
""",
        NAT + "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n",
        "-P PREROUTING ACCEPT\n-P OUTPUT ACCEPT\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_rules_of_another_host(name: str) -> None:
    networks, published, *tables = SCENARIOS[name]
    lab = docker_host({"ip6tables": False})
    good(lab, "docker info")
    for network in networks:
        bridge, subnet, *more = network.split()
        good(lab, f"docker network create -o {BRIDGE}.name={bridge} --subnet {subnet} {' '.join(more)} {bridge}")
        good(lab, f"docker run -d --network {bridge} {published} nginx")
    for table, expected in zip(("filter", "nat", "raw"), tables, strict=True):
        assert good(lab, f"iptables -t {table} -S").splitlines() == [line for line in expected.splitlines() if line]


def test_what_cannot_be_is_named() -> None:
    changed = [case["source"] for case in FACTS["cases"] if reachable(case) != case["rules"]]
    assert len(changed) == 53 and all("gwm=routed" in source for source in changed)
    assert all(why for _, why in IMPOSSIBLE.values())
