"""The routing mesh on the host: a published port leads to the load balancer of the network `ingress`.

    nat PREROUTING, OUTPUT ─► DOCKER-INGRESS   tcp dpt:8080 → DNAT to 172.18.0.2:8080 (ingress-sbox on docker_gwbridge)
    filter DOCKER-FORWARD  ─► DOCKER-INGRESS   dpt:8080 → ACCEPT, its answers → ACCEPT

Source: moby daemon/libnetwork/service_linux.go: programIngress, addRedirectRules.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from kubenet_course.docker.firewall import Firewall
from kubenet_course.docker.rules import Rule
from kubenet_course.docker.running import run
from kubenet_course.docker.store import Record

CHAIN = "DOCKER-INGRESS"
RETURNS = [Rule(4, table, f"{CHAIN} -j RETURN") for table in ("nat", "filter")]
JUMPS = [
    Rule(4, "nat", f"OUTPUT -m addrtype --dst-type LOCAL -j {CHAIN}", True),
    Rule(4, "nat", f"PREROUTING -m addrtype --dst-type LOCAL -j {CHAIN}", True),
    Rule(4, "filter", f"DOCKER-FORWARD -j {CHAIN}", True),
]


async def open_ports(firewall: Firewall, gateway: str, ports: Sequence[Record]) -> None:
    """Chains and jumps, if they are missing, then the ports."""
    device = await _device_to(firewall, gateway)
    await run(firewall.here, ["sysctl", "-qw", f"net/ipv4/conf/{device}/route_localnet=1"])
    local = Rule(4, "nat", f"POSTROUTING -o {device} -m addrtype --src-type LOCAL -j MASQUERADE", True)
    await firewall.change(
        remove=JUMPS,
        add=[*RETURNS, *JUMPS, local, *port_rules(gateway, ports)],
        chains={"nat": (CHAIN,), "filter": (CHAIN,)},
    )


async def close_ports(firewall: Firewall, gateway: str, ports: Sequence[Record]) -> None:
    await firewall.change(remove=port_rules(gateway, ports))


def port_rules(gateway: str, ports: Sequence[Record]) -> list[Rule]:
    """Each goes to the top of its chain, so the last is the first."""
    found = []
    for port in ports:
        protocol, number = port["Protocol"], port["PublishedPort"]
        match = f"-p {protocol} -m {protocol}"
        answers = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        found += [
            Rule(
                4,
                "nat",
                f"{CHAIN} {match} --dport {number} -j DNAT --to-destination {gateway}:{number}",
                True,
            ),
            Rule(4, "filter", f"{CHAIN} {match} --sport {number} {answers}", True),
            Rule(4, "filter", f"{CHAIN} {match} --dport {number} -j ACCEPT", True),
        ]
    return found


async def _device_to(firewall: Firewall, address: str) -> str:
    shown = json.loads(await run(firewall.here, ["ip", "-j", "route", "get", address]) or "[]")
    return str(shown[0]["dev"])


def redirect_rules(address: str, ports: Sequence[Record]) -> str:
    """In a task's namespace, for iptables-restore: the published port is its own, and nothing else of `ingress`."""
    nat, accept = [], []
    for port in ports:
        match = f"-p {port['Protocol']} -m {port['Protocol']}"
        target = port["TargetPort"]
        nat.append(
            f"-A PREROUTING -d {address}/32 {match} --dport {port['PublishedPort']} -j REDIRECT --to-ports {target}"
        )
        accept += [
            f"-I INPUT -d {address}/32 {match} --dport {target} -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
            f"-I OUTPUT -s {address}/32 {match} --sport {target} -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        ]
    drops = [
        f"-A {chain} {flag} {address}/32 -p {protocol} -j DROP"
        for chain, flag in (("INPUT", "-d"), ("OUTPUT", "-s"))
        for protocol in ("sctp", "udp", "tcp")
    ]
    return "\n".join(["*nat", *nat, "COMMIT", "*filter", *accept, *drops, "COMMIT"]) + "\n"
