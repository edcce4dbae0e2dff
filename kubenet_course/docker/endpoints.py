"""A container's places in its networks, and which of them leads out.

A container has one way out for IPv4 and one for IPv6, often the same: the first in the order of `ranked` that
has a gateway of that family.

Source: moby daemon/libnetwork sandbox.go (Endpoint.Less), default_gateway.go (getGatewayEndpoint).
"""

from __future__ import annotations

import ipaddress
from typing import Any

from kubenet_course.docker.store import Record

#: Options of an endpoint (`--network name=…,driver-opt=…`).
IFNAME = "com.docker.network.endpoint.ifname"
SYSCTLS = "com.docker.network.endpoint.sysctls"
#: What an endpoint has only while its container runs.
ASSIGNED = (
    "endpoint_id", "mac", "ip", "prefix", "gateway", "ip6", "prefix6", "gateway6", "ifname", "host_if", "on_link",
)  # fmt: skip


def new_endpoint(network: Record, **more: Any) -> Record:
    """A container's place in one network; addresses are "" while it does not run."""
    return {
        "network": network["name"],
        "network_id": network["id"],
        "endpoint_id": "",
        "mac": "",
        "ip": "",
        "prefix": 0,
        "gateway": "",
        "ip6": "",
        "prefix6": 0,
        "gateway6": "",
        "ifname": "",
        "host_if": "",
        "on_link": False,
        "internal": False,
        "aliases": [],
        "links": [],
        "ipam_config": None,
        "driver_opts": None,
        "dns_names": [],
        "gw_priority": 0,
        "wanted_mac": "",
        **more,
    }


def endpoint_problems(end: Record, predefined: bool) -> list[str]:
    """What is wrong with an endpoint's settings, whatever its network's subnets (validateEndpointSettings)."""
    wanted = end["ipam_config"] or {}
    found = []
    if predefined and (wanted.get("IPv4Address") or wanted.get("IPv6Address")):
        found.append("user specified IP address is supported on user defined networks only")
    if predefined and end["aliases"]:
        found.append("network-scoped aliases are only supported for user-defined networks")
    for family in (4, 6):
        address = wanted.get(f"IPv{family}Address")
        if address and ipaddress.ip_address(address).is_unspecified:
            found.append(f"invalid IPv{family} address: {address}")
    for address in wanted.get("LinkLocalIPs", ()):
        if _unspecified_or_none(address):
            found.append(f"invalid link-local IP address: {address}")
    for setting in filter(None, (end["driver_opts"] or {}).get(SYSCTLS, "").split(",")):
        words = setting.split(".", 4)
        if len(words) != 5 or words[1] not in ("ipv4", "ipv6", "mpls") or words[3] not in ("IFNAME", "ifname"):
            found.append(
                f"unrecognised network interface sysctl '{setting}'; represent 'net.X.Y.ethN.Z=V' as "
                "'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"
            )
    return found


def _unspecified_or_none(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return True


def own_endpoints(container: Record) -> list[Record]:
    """A container's endpoints, the one on docker_gwbridge last."""
    gateway = container.get("gateway")
    return [*container["endpoints"].values(), *([gateway] if gateway else [])]


def ways_out(end: Record) -> tuple[bool, bool]:
    """Whether it has a gateway, or a default route without one, for IPv4 and for IPv6."""
    return (
        bool(end["gateway"] or (end["on_link"] and end["ip"])),
        bool(end["gateway6"] or (end["on_link"] and end["ip6"])),
    )


def ranked(container: Record) -> list[Record]:
    """The best first: by priority, then not docker_gwbridge, not internal, both families, the name."""
    bridge = container.get("gateway")
    return sorted(
        own_endpoints(container),
        key=lambda end: (
            -end["gw_priority"],
            end is bridge,
            end.get("internal", False),
            -sum(ways_out(end)),
            end["network"],
        ),
    )


def gateways(container: Record) -> tuple[Record | None, Record | None]:
    """The endpoints that lead out, for IPv4 and for IPv6."""
    order = ranked(container)
    return (
        next((end for end in order if ways_out(end)[0]), None),
        next((end for end in order if ways_out(end)[1]), None),
    )
