"""What Docker writes into the packet filter: pure functions from options to rules.

Each `Rule` is a line as `iptables-save` prints it, the table it belongs to, and whether it goes to the
top of its chain (-I) or to the end (-A): where rules of several networks and ports meet, that decides
their order. The way of a forwarded packet through the filter table:

    FORWARD ─► DOCKER-USER          the administrator's own rules
            └► DOCKER-FORWARD ─► DOCKER-CT         answers: to a bridge, RELATED,ESTABLISHED → ACCEPT
                              ├► DOCKER-INTERNAL   into or out of an internal network → DROP
                              ├► DOCKER-BRIDGE ─► DOCKER     to a bridge: published ports, else DROP
                              └  from a bridge → ACCEPT (and DROP first where icc is off)

Source: moby daemon/libnetwork/drivers/bridge/internal/iptabler (28.2 and newer).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import NamedTuple

from kubenet_course.docker import nft_rules

CHAINS = {
    "nat": ("DOCKER",),
    "filter": ("DOCKER", "DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-INTERNAL"),
}


class Rule(NamedTuple):
    """`line` is `CHAIN words…`, in iptables-save's spelling."""

    family: int
    table: str
    line: str
    insert: bool = False

    @property
    def chain(self) -> str:
        return self.line.split(" ", 1)[0]


#: Those of the backend nftables are entries of its table.
Rules = list[Rule] | list[nft_rules.Entry]


class Daemon(NamedTuple):
    """What dockerd was told: `userland_proxy` off is what Docker's code calls hairpin mode."""

    userland_proxy: bool = True
    wsl2_mirrored: bool = False
    allow_direct_routing: bool = False
    nftables: bool = False


class Bridge(NamedTuple):
    """One family's view of a bridge network. `mode`: nat, nat-unprotected, routed or isolated."""

    name: str
    subnet: str
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    mode: str = "nat"
    host_ip: str = ""
    trusted: Sequence[str] = ()

    @property
    def family(self) -> int:
        return 6 if ":" in self.subnet else 4

    @property
    def routed(self) -> bool:
        return self.mode in ("routed", "isolated")


class Port(NamedTuple):
    """A published port; `host_port` 0 where there is no translation (mode routed)."""

    protocol: str
    container_ip: str
    container_port: int
    host_ip: str
    host_port: int


def daemon_rules(family: int, daemon: Daemon) -> list[Rule]:
    """The jumps that stand whenever dockerd runs; those of FORWARD and DOCKER-FORWARD go to the top."""
    loopback = "127.0.0.0/8" if family == 4 else "::1/128"
    spared = f"! -d {loopback} " if daemon.userland_proxy else ""
    found = [
        Rule(family, "nat", "PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"),
        Rule(family, "nat", f"OUTPUT {spared}-m addrtype --dst-type LOCAL -j DOCKER"),
        Rule(family, "filter", "FORWARD -j DOCKER-FORWARD", True),
        *(
            Rule(family, "filter", f"DOCKER-FORWARD -j DOCKER-{name}", True)
            for name in ("BRIDGE", "INTERNAL", "CT")
        ),
    ]
    if family == 4 and daemon.wsl2_mirrored and daemon.userland_proxy:
        found.append(Rule(4, "nat", f"DOCKER -d {loopback} -i loopback0 -j RETURN", True))
    return found


def user_chain_rules(family: int) -> list[Rule]:
    """DOCKER-USER comes first of all; the chain itself stays as the administrator has it."""
    return [Rule(family, "filter", "FORWARD -j DOCKER-USER", True)]


def network_rules(daemon: Daemon, net: Bridge) -> Rules:
    """What a bridge network needs before it has any container."""
    if daemon.nftables:
        return nft_rules.network_rules(daemon, net)
    return _internal_rules(net) if net.internal else _external_rules(daemon, net)


def _internal_rules(net: Bridge) -> list[Rule]:
    """Only its own addresses may come in or go out. For IPv6, what stays on the bridge is left alone."""
    name, family = net.name, net.family
    but_in, but_out = (f"! -i {name} ", f" ! -o {name}") if family == 6 else ("", "")
    return [
        Rule(family, "filter", f"DOCKER-INTERNAL ! -d {net.subnet} -i {name}{but_out} -j DROP", True),
        Rule(family, "filter", f"DOCKER-INTERNAL ! -s {net.subnet} {but_in}-o {name} -j DROP", True),
        Rule(family, "filter", f"DOCKER-FORWARD -i {name} -o {name} -j {'ACCEPT' if net.icc else 'DROP'}"),
    ]


def _external_rules(daemon: Daemon, net: Bridge) -> list[Rule]:
    name, family = net.name, net.family
    target = f"SNAT --to-source {net.host_ip}" if net.host_ip else "MASQUERADE"
    found = []
    if net.masquerade and not net.routed:
        found.append(Rule(family, "nat", f"POSTROUTING -s {net.subnet} ! -o {name} -j {target}", True))
    if not daemon.userland_proxy:
        line = f"POSTROUTING -o {name} -m addrtype --src-type LOCAL -j {target}"
        found.append(Rule(family, "nat", line, True))
    if not net.icc:
        found.append(Rule(family, "filter", f"DOCKER-FORWARD -i {name} -o {name} -j DROP"))
    if net.routed:
        icmp = "icmp" if family == 4 else "ipv6-icmp"
        found.append(Rule(family, "filter", f"DOCKER -o {name} -p {icmp} -j ACCEPT"))
    elsewhere = "" if net.icc else f"! -o {name} "
    last = "ACCEPT" if net.mode == "nat-unprotected" else "DROP"
    found += [
        Rule(family, "filter", f"DOCKER-FORWARD -i {name} {elsewhere}-j ACCEPT"),
        Rule(family, "filter", f"DOCKER ! -i {name} -o {name} -j {last}"),
        Rule(family, "filter", f"DOCKER-CT -o {name} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"),
        Rule(family, "filter", f"DOCKER-BRIDGE -o {name} -j DOCKER"),
    ]
    return found


def endpoint_rules(daemon: Daemon, net: Bridge, address: str) -> Rules:
    """Nobody from elsewhere may send to a container's own address, by whatever route."""
    if net.internal or net.routed or net.mode == "nat-unprotected" or daemon.allow_direct_routing:
        return []
    if daemon.nftables:
        return nft_rules.endpoint_rules(net, address)
    host = _host(address)
    return [
        *(
            Rule(net.family, "raw", f"PREROUTING -d {host} -i {name} -j ACCEPT")
            for name in net.trusted
        ),
        Rule(net.family, "raw", f"PREROUTING -d {host} ! -i {net.name} -j DROP"),
    ]  # fmt: skip


def port_rules(daemon: Daemon, net: Bridge, port: Port) -> Rules:
    """One published port: kept on loopback where asked, translated, let in."""
    family = net.family
    if net.internal:
        return []
    if daemon.nftables:
        return nft_rules.port_rules(daemon, net, port)
    found = _loopback_rules(daemon, port)
    if (":" in port.host_ip) != (":" in port.container_ip):
        return found  # docker-proxy carries it from IPv6 to IPv4; no packet is forwarded
    match = f"-p {port.protocol} -m {port.protocol} --dport"
    container = _host(port.container_ip)
    if port.host_port:
        destination = f"-d {_host(port.host_ip)} " if not _unspecified(port.host_ip) else ""
        source = "! -s fe80::/10 " if family == 6 else ""
        outside = f"! -i {net.name} " if daemon.userland_proxy else ""
        to = f"[{port.container_ip}]" if family == 6 else port.container_ip
        line = f"DOCKER {source}{destination}{outside}{match} {port.host_port} -j DNAT --to-destination {to}:{port.container_port}"
        found.append(Rule(family, "nat", line))
        if not daemon.userland_proxy:
            line = f"POSTROUTING -s {container} -d {container} {match} {port.container_port} -j MASQUERADE"
            found.append(Rule(family, "nat", line))
    if net.mode != "nat-unprotected":
        line = f"DOCKER -d {container} ! -i {net.name} -o {net.name} {match} {port.container_port} -j ACCEPT"
        found.append(Rule(family, "filter", line, True))
    return found


def _loopback_rules(daemon: Daemon, port: Port) -> list[Rule]:
    """A port published on 127.0.0.x is for this machine alone, whatever a neighbour's routes say."""
    if not port.host_port or ":" in port.host_ip or not ipaddress.ip_address(port.host_ip).is_loopback:
        return []
    match = f"-p {port.protocol} -m {port.protocol} --dport {port.host_port}"
    start = f"PREROUTING -d {_host(port.host_ip)}"
    found = [Rule(4, "raw", f"{start} -i loopback0 {match} -j ACCEPT")] if daemon.wsl2_mirrored else []
    return [*found, Rule(4, "raw", f"{start} ! -i lo {match} -j DROP")]


def link_rules(
    net: Bridge, parent: str, child: str, ports: Sequence[tuple[int, str]], nftables: bool = False
) -> Rules:
    """`--link` on a network without icc: the two may talk on the child's exposed ports."""
    if nftables:
        return nft_rules.link_rules(net, parent, child, ports)
    found = []
    for port, protocol in ports:
        way = f"-i {net.name} -o {net.name} -p {protocol} -m {protocol}"
        here, there = _host(parent), _host(child)
        found += [
            Rule(net.family, "filter", f"DOCKER -s {here} -d {there} {way} --dport {port} -j ACCEPT"),
            Rule(net.family, "filter", f"DOCKER -s {there} -d {here} {way} --sport {port} -j ACCEPT"),
        ]
    return found


def _host(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


def _unspecified(address: str) -> bool:
    return ipaddress.ip_address(address).is_unspecified
