"""Options of networks: their names, how they are read, and what is wrong with them."""

from __future__ import annotations

import ipaddress

from kubenet_course.docker import ipam
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record

BRIDGE = "com.docker.network.bridge."
MTU = "com.docker.network.driver.mtu"
MODES = ("nat", "nat-unprotected", "routed", "isolated")


def flag(options: dict[str, str], key: str, default: bool) -> bool:
    """A boolean option, as strconv.ParseBool reads it."""
    text = options.get(key)
    if text is None or text == "":
        return default
    if text in ("1", "t", "T", "TRUE", "true", "True"):
        return True
    if text in ("0", "f", "F", "FALSE", "false", "False"):
        return False
    raise DaemonError(
        f'failed to parse {key} value: {text} (strconv.ParseBool: parsing "{text}": invalid syntax)', 400
    )


def subnets(network: Record) -> list[ipam.Net]:
    return [ipaddress.ip_network(pool["Subnet"]) for pool in network["pools"] if network["driver"] != "null"]


def pool_problems(pool: Record) -> list[str]:
    found = []
    subnet = ipaddress.ip_interface(pool["Subnet"])
    if subnet.ip != subnet.network.network_address:
        found.append(f"invalid subnet {pool['Subnet']}: it should be {subnet.network}")
    span = pool.get("IPRange")
    if span:
        area = ipaddress.ip_interface(span)
        if area.ip != area.network.network_address:
            found.append(f"invalid ip-range {span}: it should be {area.network}")
        elif area.ip not in subnet.network:
            found.append(f"invalid ip-range {span}: parent subnet {pool['Subnet']} doesn't contain ip-range")
    gateway = pool.get("Gateway")
    if gateway and ipaddress.ip_address(gateway) not in subnet.network:
        found.append(f"invalid gateway {gateway}: parent subnet doesn't contain this address")
    return found


def check_bridge_options(network: Record) -> None:
    options = network["options"]
    for key in ("enable_icc", "enable_ip_masquerade", "inhibit_ipv4"):
        flag(options, BRIDGE + key, True)
    for family in (4, 6):
        key = BRIDGE + f"gateway_mode_ipv{family}"
        mode = options.get(key, "")
        if mode and mode not in MODES:
            raise DaemonError(f"unknown gateway mode {mode}", 400)
        if mode == "isolated" and not network["internal"]:
            raise DaemonError("gateway mode 'isolated' can only be used for an internal network", 400)
    mtu = options.get(MTU, "")
    if mtu and not mtu.isdecimal():
        raise DaemonError(
            f'failed to parse {MTU} value: {mtu} (strconv.Atoi: parsing "{mtu}": invalid syntax)', 400
        )
    host_ip = options.get(BRIDGE + "host_binding_ipv4", "")
    if host_ip:
        try:
            ipaddress.IPv4Address(host_ip)
        except ValueError:
            raise DaemonError(
                f"failed to parse {BRIDGE}host_binding_ipv4 value: {host_ip} (nil ip)", 400
            ) from None
