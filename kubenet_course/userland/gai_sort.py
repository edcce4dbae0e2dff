"""The order of a name's addresses: RFC 6724, section 6, as glibc has it, with the tables of /etc/gai.conf."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kubenet_course.errors import KernelError
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address, Network

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

Table = tuple[tuple[Network, int], ...]

LABELS: Table = (
    (Network.parse("::1/128"), 0),
    (Network.parse("2002::/16"), 2),
    (Network.parse("::/96"), 3),
    (Network.parse("::ffff:0:0/96"), 4),
    (Network.parse("fec0::/10"), 5),
    (Network.parse("fc00::/7"), 6),
    (Network.parse("2001::/32"), 7),
    (Network.parse("::/0"), 1),
)
PRECEDENCE: Table = (
    (Network.parse("::1/128"), 50),
    (Network.parse("2002::/16"), 30),
    (Network.parse("::/96"), 20),
    (Network.parse("::ffff:0:0/96"), 10),
    (Network.parse("::/0"), 40),
)
SCOPES4: Table = (
    (Network.parse("::ffff:169.254.0.0/112"), 2),
    (Network.parse("::ffff:127.0.0.0/104"), 2),
    (Network.parse("::ffff:0:0/96"), 14),
)


class Tables(NamedTuple):
    labels: Table
    precedence: Table
    scopes4: Table


def load(proc: Process) -> Tables:
    """/etc/gai.conf: a table of which a line is given replaces the built-in one."""
    try:
        text = proc.files.read("/etc/gai.conf", proc).decode("utf-8", "replace")
    except KernelError:
        text = ""
    own: dict[str, list[tuple[Network, int]]] = {"label": [], "precedence": [], "scopev4": []}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 3 or words[0] not in own or not words[2].isdigit():
            continue
        prefix = words[1] if "/" in words[1] else words[1] + "/128"
        try:
            own[words[0]].append((Network.parse(prefix), int(words[2])))
        except ValueError:
            continue
    chosen = []
    for name, built_in, rest in (
        ("label", LABELS, 1),
        ("precedence", PRECEDENCE, 40),
        ("scopev4", SCOPES4, 14),
    ):
        table = own[name]
        if not table:
            chosen.append(built_in)
            continue
        everything = "::ffff:0:0/96" if name == "scopev4" else "::/0"
        if not any(network.prefixlen == (96 if name == "scopev4" else 0) for network, _ in table):
            table.append((Network.parse(everything), rest))
        chosen.append(tuple(sorted(table, key=lambda entry: -entry[0].prefixlen)))
    return Tables(*chosen)


def _as_six(address: IpAddress) -> IPv6Address:
    return IPv6Address(int(address) if address.family == 6 else 0xFFFF << 32 | int(address))


def _match(table: Table, address: IpAddress) -> int:
    six = _as_six(address)
    return next((number for network, number in table if six in network), 0)


def _scope(tables: Tables, address: IpAddress) -> int:
    if isinstance(address, IPv4Address) or int(address) >> 32 == 0xFFFF:
        return _match(tables.scopes4, address)
    if address.is_multicast:
        return address >> 112 & 0xF
    return 2 if address.is_loopback or address.is_link_local else 14


def _source_for(proc: Process, address: IpAddress) -> IpAddress | None:
    """The source address that connect(2) on a UDP socket would choose; None where it fails."""
    try:
        if isinstance(address, IPv4Address):
            from kubenet_course.kernel.inet.route import ip_route_output

            return ip_route_output(proc.net, address).source
        from kubenet_course.kernel.inet6.route import ip6_route_output

        return ip6_route_output(proc.net, address).source
    except KernelError:
        return None


def _common_bits(proc: Process, address: IpAddress, source: IpAddress) -> int:
    """Rule 9: of IPv4 only what lies in the source's own network counts."""
    difference = int(address) ^ int(source)
    if isinstance(address, IPv6Address):
        return 128 - difference.bit_length()
    for dev in proc.net.devices.values():
        for entry in proc.net.ipv4.device_addresses(dev):
            if entry.local == source:
                return 32 - difference.bit_length() if address in entry.network else 0
    return 0


def sort_addresses(proc: Process, addresses: list[IpAddress]) -> list[IpAddress]:
    """Reachable ones first; then scope, label, precedence, smaller scope, longest common prefix."""
    if len(addresses) < 2:
        return list(addresses)
    tables = load(proc)
    sources = {address: _source_for(proc, address) for address in addresses}

    def key(address: IpAddress) -> tuple[int, int, int, int, int, int]:
        source = sources[address]
        same_scope = source is not None and _scope(tables, source) == _scope(tables, address)
        same_label = source is not None and _match(tables.labels, source) == _match(tables.labels, address)
        return (
            source is None,
            not same_scope,
            not same_label,
            -_match(tables.precedence, address),
            _scope(tables, address),
            -_common_bits(proc, address, source) if source is not None else 0,
        )

    return sorted(addresses, key=key)
