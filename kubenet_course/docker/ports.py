"""Publishing ports: what `-p` and `--expose` mean, which host port is taken, and how ports are shown.

Pure functions; the binding itself is `publish.py`. Protocols are tcp, udp and sctp.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from kubenet_course.docker.errors import DaemonError

PROTOCOLS = ("tcp", "udp", "sctp")


class Wanted(NamedTuple):
    """One `-p`: host port 0 is any free one; `host_end` above `host_port` is a range to choose from."""

    protocol: str
    container_port: int
    host_ip: str
    host_port: int
    host_end: int

    @property
    def key(self) -> str:
        return f"{self.container_port}/{self.protocol}"


class PortError(Exception):
    """`-p` is wrong; the text is what the command line says."""


def parse_publish(spec: str) -> list[Wanted]:
    """[HOST-IP:][HOST-PORT[-END]:]CONTAINER-PORT[-END][/PROTOCOL], or published=…,target=…,protocol=…."""
    if "=" in spec:
        spec = _standard_notation(spec)
    rest, _, container = spec.rpartition(":")
    protocol, container = split_protocol(container)
    host_ip, host = "", ""
    if rest:
        host_ip, _, host = rest.rpartition(":")
    if not container:
        raise PortError(f"no port specified: {spec}<empty>")
    if protocol.lower() not in PROTOCOLS:
        raise PortError(f"invalid proto: {protocol.lower()}")
    protocol = protocol.lower()
    if host_ip:
        host_ip = _host_address(host_ip)
    start, end = _range(container, "containerPort")
    if not host:
        return [Wanted(protocol, port, host_ip, 0, 0) for port in range(start, end + 1)]
    first, last = _range(host, "hostPort")
    if end - start != last - first:
        if start != end:
            raise PortError(f"invalid ranges specified for container and host Ports: {container} and {host}")
        return [Wanted(protocol, start, host_ip, first, last)]
    return [
        Wanted(protocol, start + step, host_ip, first + step, first + step) for step in range(end - start + 1)
    ]


def _standard_notation(spec: str) -> str:
    """As services are published: of the words, those for a container count."""
    words = {"protocol": "tcp"}
    for word in spec.split(","):
        name, *values = word.split("=")
        if not values:
            raise PortError(f"invalid publish opts format (should be name=value but got '{word}')")
        words[name] = values[0]
    return f"{words.get('published', '')}:{words.get('target', '')}/{words['protocol']}"


def _host_address(text: str) -> str:
    if text.startswith("["):
        end = text.find("]")
        if end != len(text) - 1:
            problem = "missing ']' in address" if end < 0 else "missing port in address"
            raise PortError(f"invalid IP address {text}: address {text}:: {problem}")
        text = text[1:-1]
    try:
        if "%" in text:
            raise ValueError(text)
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise PortError(f"invalid IP address: {text}") from None


def split_protocol(text: str) -> tuple[str, str]:
    """nat.SplitProtoPort: "80/udp" → ("udp", "80"); nothing without a port."""
    port, *more = text.split("/")
    return ((more[0] if more else "") or "tcp", port) if port else ("", "")


def parse_range(text: str) -> tuple[int, int]:
    """nat.ParsePortRange: 80 or 80-82. ValueError in the words of Go's strconv."""
    if not text:
        raise ValueError("empty string specified for ports")
    first, dash, last = text.partition("-")
    numbers = []
    for word in (first, last if dash else first):
        if not (word.isascii() and word.isdigit()):
            raise ValueError(f'strconv.ParseUint: parsing "{word}": invalid syntax')
        if int(word) > 65535:
            raise ValueError(f'strconv.ParseUint: parsing "{word}": value out of range')
        numbers.append(int(word))
    if numbers[1] < numbers[0]:
        raise ValueError(f"invalid range specified for port: {text}")
    return numbers[0], numbers[1]


def _range(text: str, what: str) -> tuple[int, int]:
    try:
        return parse_range(text)
    except ValueError:
        raise PortError(f"invalid {what}: {text}") from None


def parse_expose(spec: str) -> list[str]:
    """`--expose 80-82/udp` → ["80/udp", …]."""
    if ":" in spec:
        raise PortError(f"invalid port format for --expose: {spec}")
    protocol, port = split_protocol(spec)
    try:
        start, end = parse_range(port)
    except ValueError as problem:
        raise PortError(f"invalid range format for --expose: {spec}, error: {problem}") from None
    return [f"{number}/{protocol}" for number in range(start, end + 1)]


def sort_key(port: str) -> tuple[int, str]:
    """Of "80/tcp": by number, then by protocol."""
    number, _, protocol = port.partition("/")
    return int(number), protocol


class Binding(NamedTuple):
    """A request per address family, in the order in which Docker serves them."""

    wanted: Wanted
    host_ip: str
    container_ip: str
    routed: bool


def bindings(
    wanted: Iterable[Wanted], default_ip: str, address4: str, address6: str, *,
    proxy: bool, routed4: bool, routed6: bool, ipv6_host: bool = True
) -> list[Binding]:  # fmt: skip
    """What each `-p` binds: without a host address both families, as far as container and host have them."""
    default_ip = default_ip or "0.0.0.0"
    found = []
    for one in wanted:
        ip = one.host_ip or default_ip
        if ":" not in ip and address4:
            found.append(Binding(one, "0.0.0.0" if routed4 else ip, address4, routed4))
        both = not one.host_ip and default_ip == "0.0.0.0" and ipv6_host
        target = address6 or (address4 if proxy else "")
        if (both or ":" in ip) and target:
            host = ip if ":" in ip and not (routed6 and address6) else "::"
            found.append(Binding(one, host, target, routed6 and bool(address6)))
    return sorted(found, key=_order)


def _order(binding: Binding) -> tuple[Any, ...]:
    """moby cmpPortBindingReqs: exact host ports first; what differs in the address only is adjacent."""
    one = binding.wanted
    host = ipaddress.ip_address(binding.host_ip)
    return (
        one.host_port == 0 or one.host_port != one.host_end,
        one.container_port,
        PROTOCOLS.index(one.protocol),
        one.host_port,
        one.host_end,
        (host.version, int(host)),
    )


def candidates(one: Wanted, ephemeral: tuple[int, int], first: int) -> Iterable[int]:
    """Host ports to try: the one, those of the range, or the ephemeral ones from `first` on, round once."""
    if one.host_port:
        return range(one.host_port, one.host_end + 1)
    start, end = ephemeral
    first = max(start, min(first, end))
    return [*range(first, end + 1), *range(start, first)]


def conflict(host_ip: str, port: int, protocol: str, taken: Iterable[dict[str, Any]]) -> bool:
    """Whether a host port is another container's already, on this address or on all."""
    for other in taken:
        if other["host_port"] != port or other["protocol"] != protocol:
            continue
        theirs = other["host_ip"]
        if (":" in theirs) == (":" in host_ip) and (
            theirs == host_ip or theirs in ("0.0.0.0", "::") or host_ip in ("0.0.0.0", "::")
        ):
            return True
    return False


def already_allocated(host_ip: str, port: int) -> DaemonError:
    return DaemonError(f"Bind for {join(host_ip, port)} failed: port is already allocated")


def join(address: str, port: int | str) -> str:
    """net.JoinHostPort."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


# -- how ports are shown --------------------------------------------------------------------------
def displayable(ports: Sequence[dict[str, Any]]) -> str:
    """The PORTS cell of `docker ps`. Each port: container_port, protocol, and host_ip, host_port if published.

    A published port whose numbers agree joins its neighbours to a range; so do unpublished ones.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    closed: list[str] = []
    mapped: list[str] = []
    for port in sorted(ports, key=_shown_order):
        number, protocol = port["container_port"], port["protocol"]
        address, public = port.get("host_ip", ""), port.get("host_port", 0)
        if address and public != number:
            mapped.append(f"{join(address, public)}->{number}/{protocol}")
            continue
        group = groups.get((address, protocol))
        if group is None:
            groups[address, protocol] = [number, number]
        elif number == group[1] + 1:
            group[1] = number
        else:
            closed.append(_group(address, protocol, *group))
            group[:] = [number, number]
    return ", ".join([*closed, *(_group(*key, *group) for key, group in groups.items()), *mapped])


def _group(address: str, protocol: str, first: int, last: int) -> str:
    numbers = str(first) if first == last else f"{first}-{last}"
    return f"{join(address, numbers)}->{numbers}/{protocol}" if address else f"{numbers}/{protocol}"


def _shown_order(port: dict[str, Any]) -> tuple[Any, ...]:
    address = port.get("host_ip", "")
    parsed = ipaddress.ip_address(address) if address else None
    return (
        port["container_port"],
        (parsed.version, int(parsed)) if parsed else (0, 0),
        port.get("host_port", 0),
        port["protocol"],
    )


def port_lines(ports: dict[str, Any], only: str = "") -> list[str]:
    """`docker port`: "80/tcp -> 0.0.0.0:8080", or the addresses alone for one port."""
    found = []
    for key in sorted(ports, key=sort_key):
        for binding in ports[key] or []:
            where = join(binding["HostIp"] or "0.0.0.0", binding["HostPort"])
            if only == key:
                found.append(where)
            elif not only:
                found.append(f"{key} -> {where}")
    return found
