"""Zones, server addresses and durations, as CoreDNS reads and normalises them."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from kubenet_course.dns.corefile import CorefileError

TRANSPORTS = {"dns": "53", "tls": "853", "https": "443", "https3": "443", "grpc": "443", "quic": "853", "unix": ""}


class Address(NamedTuple):
    """One key of a server block: zone, port, transport and (from `bind`) the addresses to listen on."""

    zone: str
    port: str
    transport: str = "dns"

    def __str__(self) -> str:
        return f"{self.transport}://{self.zone}:{self.port}"


def fqdn(name: str) -> str:
    """Lower case, with a dot at the end (plugin.Name.Normalize)."""
    name = name.lower().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return name if name.endswith(".") else name + "."


def is_subdomain(parent: str, child: str) -> bool:
    """Whether `child` is `parent` or below it; both end with a dot."""
    parent, child = parent.lower(), child.lower()
    return parent == "." or child == parent or child.endswith("." + parent)


def parent(name: str) -> str:
    """The name without its first label; the root's is the root."""
    if "\\" not in name:
        return name.partition(".")[2] or "."
    match = re.match(r"(?:[^.\\]|\\\d{3}|\\.)*\.", name)
    return (name[match.end() :] if match else "") or "."


def longest_match(zones: list[str] | tuple[str, ...], name: str) -> str | None:
    """The longest of `zones` that `name` is in."""
    found = [zone for zone in zones if is_subdomain(zone, name)]
    return max(found, key=len) if found else None


def reverse_zones(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> list[str]:
    """The in-addr.arpa. or ip6.arpa. zones that make up a prefix, cut at whole labels."""
    bits, suffix = (8, "in-addr.arpa.") if network.version == 4 else (4, "ip6.arpa.")
    length = -(-network.prefixlen // bits) * bits
    zones = []
    for part in network.subnets(new_prefix=length):
        if network.version == 4:
            labels = str(part.network_address).split(".")[: length // 8]
        else:
            labels = list(part.network_address.exploded.replace(":", ""))[: length // 4]
        zones.append(".".join([*reversed(labels), suffix]) if labels else suffix)
    return zones


def normalise_zone(text: str) -> list[str]:
    """A zone as a directive names it: a domain or a prefix in CIDR form; a port or scheme is cut off.

    Raises ValueError where it is neither.
    """
    rest = re.sub(r"^[a-z0-9]+://", "", text)
    network = _cidr(rest)
    if network is None and rest.rpartition(":")[2].isdigit() and not rest.startswith("["):
        rest = rest.rpartition(":")[0] if rest.count(":") == 1 or _cidr(rest.rpartition(":")[0]) else rest
        network = _cidr(rest)
    if network is not None:
        return reverse_zones(network)
    if rest.endswith(":"):
        raise ValueError(f"missing port in address: {text!r}")
    check_domain(rest)
    return [fqdn(rest)]


def _cidr(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if "/" not in text:
        return None
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError(f"not a prefix that has reverse zones: {text!r}")
    return network


def check_domain(name: str) -> None:
    """dns.IsDomainName(): ValueError for empty labels or labels and names that are too long."""
    bare = name.removesuffix(".")
    if name == ".":
        return
    labels = re.split(r"(?<!\\)\.", bare)
    if not bare or any(not label or len(label) > 63 for label in labels) or len(bare) > 253:
        raise ValueError(f"not a valid domain name: {name!r}")


def server_addresses(key: str) -> list[Address]:
    """The addresses a server block's key stands for; a reverse prefix may be several zones.

    CorefileError with CoreDNS' words where it cannot be read.
    """
    transport, rest = "dns", key
    scheme = re.match(r"^([a-z0-9]+)://", key)
    if scheme:
        transport, rest = scheme.group(1), key[scheme.end() :]
        if transport not in TRANSPORTS:
            raise CorefileError(f"invalid value: {key}")
    port = TRANSPORTS[transport]
    host = rest
    match = re.match(r"^(.*):(\d+)$", rest)
    if match and not (rest.count(":") > 1 and "/" not in rest and not rest.startswith("[")):
        host, port = match.group(1), match.group(2)
    if not host:
        host = "."
    try:
        zones = normalise_zone(host.strip("[]"))
    except ValueError:
        raise CorefileError(f"unable to normalize '{key}'") from None
    return [Address(zone, port, transport) for zone in zones]


def split_address(text: str) -> tuple[str, str, str]:
    """SplitProtocolHostPort(): (protocol, host, port) of ``dns://127.0.0.1:53``; ValueError."""
    parts = text.split("://")
    if len(parts) > 2:
        raise ValueError(f"provided value is not in an address format : {text}")
    protocol, rest = (parts[0], parts[1]) if len(parts) == 2 else ("", text)
    if rest.startswith("["):
        match = re.fullmatch(r"\[([^\]]*)\]:(.*)", rest)
        if match is None:
            raise ValueError(f"address {rest}: missing port in address")
        return protocol, match[1], match[2]
    if rest.count(":") != 1:
        many = "too many colons in address" if ":" in rest else "missing port in address"
        raise ValueError(f"address {rest}: {many}")
    host, _, port = rest.partition(":")
    return protocol, host, port


_DURATION = re.compile(r"([0-9]*\.?[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def go_duration(text: str) -> int:
    """time.ParseDuration(): ``1h20m``, ``500ms``, ``-1s``, ``0``; ns. ValueError otherwise."""
    sign = -1 if text.startswith("-") else 1
    body = text.lstrip("+-")
    if body == "0":
        return 0
    if not body or len(text) - len(body) > 1:
        raise ValueError(f'time: invalid duration "{text}"')
    total, at = 0, 0
    while at < len(body):
        part = _DURATION.match(body, at)
        if part is None:
            number = re.match(r"[0-9]*\.?[0-9]+", body[at:])
            missing = number is not None and number.end() == len(body) - at
            raise ValueError(f'time: {"missing unit in" if missing else "invalid"} duration "{text}"')
        total += round(float(part.group(1)) * _UNITS[part.group(2)])
        at = part.end()
    return sign * total


def go_duration_text(ns: int) -> str:
    """time.Duration.String(): ``1h20m0s``, ``1.5s``, ``152.347µs``."""
    if ns == 0:
        return "0s"
    sign, ns = ("-", -ns) if ns < 0 else ("", ns)
    if ns < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if ns >= size:
                return f"{sign}{_trim(ns / size)}{unit}"
    hours, rest = divmod(ns, 3600 * 10**9)
    minutes, rest = divmod(rest, 60 * 10**9)
    text = f"{_trim(rest / 10**9)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _trim(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".")
