"""What commands print, as plain records: the vocabulary of every table and picture.

Each record is a frozen dataclass whose fields are what the learner reads in the command's output;
texts are kept as the tool prints them. The modules beside this one read them from a lab, through
`lab.query` and nothing else, so that they serve both kernels.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Address:
    """One address of an interface: ``192.168.1.10/24``."""

    local: str
    prefixlen: int
    family: str = "inet"
    scope: str = "global"
    broadcast: str = ""

    def __str__(self) -> str:
        return f"{self.local}/{self.prefixlen}"


@dataclass(frozen=True)
class Link:
    """One interface, as `ip -d addr` shows it. `peer_index` and `peer_nsid` are the part after @."""

    index: int
    name: str
    kind: str = ""
    state: str = "DOWN"
    up: bool = False
    carrier: bool = False
    mac: str = ""
    mtu: int = 1500
    master: str = ""
    parent: str = ""
    peer_index: int = 0
    peer_nsid: int = -1
    detail: str = ""
    addresses: tuple[Address, ...] = ()

    @property
    def words(self) -> str:
        """``up``, ``down``, or ``no carrier``."""
        if not self.up:
            return "down"
        return "up" if self.carrier or self.state in ("UP", "UNKNOWN") else "no carrier"


@dataclass(frozen=True)
class Route:
    """One line of `ip route`."""

    destination: str
    gateway: str = ""
    dev: str = ""
    source: str = ""
    protocol: str = ""
    scope: str = ""
    metric: int = 0
    table: str = "main"
    type: str = ""
    flags: tuple[str, ...] = ()
    nexthops: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [self.type] if self.type else []
        words.append(self.destination)
        for word, value in (
            ("via", self.gateway),
            ("dev", self.dev),
            ("proto", self.protocol),
            ("scope", self.scope),
            ("src", self.source),
            ("metric", str(self.metric or "")),
        ):
            words += [word, value] if value else []
        return " ".join([*words, *self.nexthops, *self.flags])


@dataclass(frozen=True)
class Rule:
    """One line of `ip rule`."""

    priority: int
    selector: str
    action: str


@dataclass(frozen=True)
class Neighbour:
    """One line of `ip neigh`."""

    address: str
    dev: str
    mac: str = ""
    state: str = ""


@dataclass(frozen=True)
class FdbEntry:
    """One line of `bridge fdb`: which port of `bridge` a MAC address is behind. `own`: the bridge's own."""

    mac: str
    port: str
    bridge: str = ""
    vlan: str = ""
    state: str = ""
    destination: str = ""

    @property
    def own(self) -> bool:
        return self.state == "permanent"


@dataclass(frozen=True)
class FirewallRule:
    """One rule of iptables, as `iptables-save -c` prints it; `number` counts in its chain."""

    table: str
    chain: str
    number: int
    match: str
    target: str
    packets: int = 0
    bytes: int = 0

    @property
    def text(self) -> str:
        return " ".join(part for part in (self.match, self.target and f"-j {self.target}") if part)


@dataclass(frozen=True)
class Chain:
    """One chain with its rules; `policy` is "" for a chain of the user's."""

    table: str
    name: str
    policy: str
    packets: int = 0
    bytes: int = 0
    rules: tuple[FirewallRule, ...] = ()


@dataclass(frozen=True)
class NatRule:
    """A rule of the nat table, in words: which packets, and what becomes of their addresses."""

    chain: str
    number: int
    match: str
    target: str
    change: str
    packets: int = 0


@dataclass(frozen=True)
class Connection:
    """One entry of `conntrack -L`: both directions as conntrack expects them.

    `original` and `reply` are ``source → destination``; where they are not each other's mirror
    image, an address was rewritten, and `nat` says how.
    """

    protocol: str
    state: str
    original: str
    reply: str
    flags: str = ""
    nat: str = ""
    timeout: int = 0
    mark: str = ""


@dataclass(frozen=True)
class SocketRow:
    """One line of `ss`."""

    protocol: str
    state: str
    local: str
    peer: str
    program: str = ""
