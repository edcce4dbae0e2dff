"""What Docker writes with `"firewall-backend": "nftables"`: pure functions from options to entries of a table of its own.

    table ip docker-bridges
        filter-FORWARD ─► filter-forward-in__BRIDGE    to a bridge: answers, icc, published ports, else drop
                       └► filter-forward-out__BRIDGE   from a bridge: answers, everything (or, internal, nothing)
        nat-PREROUTING, nat-OUTPUT ─► nat-prerouting-and-output     published ports
        nat-POSTROUTING ─► nat-postrouting-in__BRIDGE, nat-postrouting-out__BRIDGE
        raw-PREROUTING                                 nobody sends to a container's own address

A device's name leads to its chains by verdict maps. Texts are as `nft list` prints them, without the counters' numbers.

Source: moby daemon/libnetwork/drivers/bridge/internal/nftabler; integration/network/bridge/nftablesdoc.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kubenet_course.docker.rules import Bridge, Daemon, Port

TABLE = "docker-bridges"
NAT, RAW = "nat-prerouting-and-output", "raw-PREROUTING"
FORWARD = "filter-FORWARD"
MAPS = {
    "filter-forward-in-jumps": "filter-forward-in",
    "filter-forward-out-jumps": "filter-forward-out",
    "nat-postrouting-in-jumps": "nat-postrouting-in",
    "nat-postrouting-out-jumps": "nat-postrouting-out",
}
#: Where a rule stands in its chain; equal ones in the order in which they came.
FIRST, LINKS, ICC, PORTS, LAST = range(5)
#: A chain's rules of these groups are told apart by their comments.
_GROUPS = {"ICC": ICC, "UNPUBLISHED PORT DROP": LAST, "UNPROTECTED": LAST}
ANSWERS = "ct state established,related counter accept"


class Entry(NamedTuple):
    """`kind` is chain, element (of the map `chain`) or rule."""

    family: int
    kind: str
    chain: str
    text: str = ""
    group: int = FIRST


def base(family: int, daemon: Daemon) -> str:
    """The table of a daemon without networks, for `nft -f`. Hook output takes no name for its priority in nft 1.0.6."""
    kind = "ip" if family == 4 else "ip6"
    loopback = "ip daddr != 127.0.0.0/8 " if family == 4 else "ip6 daddr != ::1 "
    spared = loopback if daemon.userland_proxy else ""
    maps = "".join(f"map {name} {{ type ifname : verdict; }}\n" for name in MAPS)
    local = f"fib daddr type local counter jump {NAT}"
    chains = {
        FORWARD: (
            "filter hook forward priority filter",
            "oifname vmap @filter-forward-in-jumps",
            "iifname vmap @filter-forward-out-jumps",
        ),
        "nat-OUTPUT": ("nat hook output priority -100", f"{spared}{local}"),
        "nat-POSTROUTING": (
            "nat hook postrouting priority srcnat",
            "iifname vmap @nat-postrouting-out-jumps",
            "oifname vmap @nat-postrouting-in-jumps",
        ),
        "nat-PREROUTING": ("nat hook prerouting priority dstnat", local),
        NAT: ("",),
        RAW: ("filter hook prerouting priority raw",),
    }
    text = f"add table {kind} {TABLE}\ndelete table {kind} {TABLE}\ntable {kind} {TABLE} {{\n{maps}"
    # a chain is there before another jumps to it
    for name in (NAT, *(one for one in chains if one != NAT)):
        hook, *rules = chains[name]
        head = [f"type {hook}; policy accept;"] if hook else []
        text += f"chain {name} {{\n" + "".join(f"{line}\n" for line in [*head, *rules]) + "}\n"
    return text + "}\n"


def group_of(text: str) -> int:
    """Of a rule that stands in a bridge's chain."""
    comment = re.search(r'comment "(.*)"$', text)
    if comment:
        return _GROUPS.get(comment[1], FIRST)
    if re.search(r"\b[ds]port \d+ counter accept$", text):
        return LINKS if " saddr " in f" {text}" else PORTS
    return FIRST


def network_rules(daemon: Daemon, net: Bridge) -> list[Entry]:
    """A bridge's chains, the ways to them, and what stands in them before there is any container."""
    family, name = net.family, net.name
    inside, outside = f"filter-forward-in__{name}", f"filter-forward-out__{name}"
    found = [Entry(family, "chain", f"{chain}__{name}") for chain in MAPS.values()]
    found += [
        Entry(family, "element", jumps, f'"{name}" : jump {chain}__{name}') for jumps, chain in MAPS.items()
    ]
    found += [Entry(family, "rule", inside, ANSWERS), Entry(family, "rule", outside, ANSWERS)]
    verdict = "accept" if net.icc else "drop"
    if net.internal:
        return [
            *found,
            Entry(family, "rule", inside, f'iifname != "{name}" counter drop comment "INTERNAL NETWORK INGRESS"'),
            Entry(family, "rule", outside, f'oifname != "{name}" counter drop comment "INTERNAL NETWORK EGRESS"'),
            Entry(family, "rule", inside, f'counter {verdict} comment "ICC"', ICC),
        ]
    last = 'accept comment "UNPROTECTED"' if net.mode == "nat-unprotected" else 'drop comment "UNPUBLISHED PORT DROP"'
    found += [
        Entry(family, "rule", inside, f'iifname "{name}" counter {verdict} comment "ICC"', ICC),
        Entry(family, "rule", outside, 'counter accept comment "OUTGOING"'),
        Entry(family, "rule", inside, f"counter {last}", LAST),
    ]
    if net.routed:
        icmp = "ip protocol icmp" if family == 4 else "meta l4proto ipv6-icmp"
        found.append(Entry(family, "rule", inside, f'{icmp} counter accept comment "ICMP"'))
    target, comment = (f"snat to {net.host_ip}", "SNAT") if net.host_ip else ("masquerade", "MASQUERADE")
    if net.masquerade and not net.routed:
        line = f'oifname != "{name}" {_kind(family)} saddr {net.subnet} counter {target} comment "{comment}"'
        found.append(Entry(family, "rule", f"nat-postrouting-out__{name}", line))
    if not daemon.userland_proxy:
        line = f'fib saddr type local counter {target} comment "{comment} FROM HOST"'
        found.append(Entry(family, "rule", f"nat-postrouting-in__{name}", line))
    return found


def endpoint_rules(net: Bridge, address: str) -> list[Entry]:
    names = [f'"{one}"' for one in (net.name, *net.trusted)]
    devices = names[0] if len(names) == 1 else f"{{ {', '.join(sorted(names))} }}"
    line = f'{_kind(net.family)} daddr {address} iifname != {devices} counter drop comment "DROP DIRECT ACCESS"'
    return [Entry(net.family, "rule", RAW, line)]


def port_rules(daemon: Daemon, net: Bridge, port: Port) -> list[Entry]:
    """One published port: let in, translated, kept on loopback where asked."""
    family, kind, address = net.family, _kind(net.family), port.container_ip
    found = []
    inside = f"{kind} daddr {address} {port.protocol} dport {port.container_port}"
    if net.mode != "nat-unprotected":
        found.append(Entry(family, "rule", f"filter-forward-in__{net.name}", f"{inside} counter accept", PORTS))
    if not port.host_port or (":" in port.host_ip) != (":" in address):
        return found  # docker-proxy carries it from IPv6 to IPv4; no packet is forwarded
    host = ipaddress.ip_address(port.host_ip)
    arriving = "" if host.is_unspecified else f"{kind} daddr {port.host_ip} "
    arriving += f"{port.protocol} dport {port.host_port}"
    elsewhere = f'iifname != "{net.name}" ' if daemon.userland_proxy else ""
    nearby = "ip6 saddr != fe80::/10 " if family == 6 else ""
    to = f"[{address}]:{port.container_port}" if family == 6 else f"{address}:{port.container_port}"
    found.append(Entry(family, "rule", NAT, f'{elsewhere}{nearby}{arriving} counter dnat to {to} comment "DNAT"'))
    if not daemon.userland_proxy:
        line = f'{kind} saddr {address} {inside} counter masquerade comment "MASQ TO OWN PORT"'
        found.append(Entry(family, "rule", f"nat-postrouting-in__{net.name}", line))
    if family == 4 and host.is_loopback:
        if daemon.wsl2_mirrored:
            line = f'iifname "loopback0" {arriving} counter accept comment "ACCEPT WSL2 LOOPBACK"'
            found.append(Entry(4, "rule", RAW, line))
        found.append(Entry(4, "rule", RAW, f'iifname != "lo" {arriving} counter drop comment "DROP REMOTE LOOPBACK"'))
    return found


def link_rules(net: Bridge, parent: str, child: str, ports: Sequence[tuple[int, str]]) -> list[Entry]:
    """`--link` without icc: the two may talk on the child's exposed ports."""
    return [
        Entry(net.family, "rule", f"filter-forward-in__{net.name}", f"{way} {port} counter accept", LINKS)
        for port, protocol in ports
        for way in (
            f"ip saddr {parent} ip daddr {child} {protocol} dport",
            f"ip daddr {parent} ip saddr {child} {protocol} sport",
        )
    ]


def _kind(family: int) -> str:
    return "ip" if family == 4 else "ip6"
