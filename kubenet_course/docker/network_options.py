"""Options of networks: their names, how they are read, and what is wrong with them."""

from __future__ import annotations

import ipaddress
import re

from kubenet_course.docker import ipam, parents
from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record

BRIDGE = "com.docker.network.bridge."
ADVERTISE_MESSAGES = "com.docker.network.advertise_addr_nmsgs"
ADVERTISE_INTERVAL = "com.docker.network.advertise_addr_ms"
HOST = "com.docker.network.host_ipv"
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
    """What moby's network.ValidateIPAM says of one --subnet and what belongs to it."""
    subnet = ipaddress.ip_interface(pool["Subnet"]).network
    found = []
    if str(subnet) != str(ipaddress.ip_interface(pool["Subnet"])):
        found.append(f"invalid subnet {ipaddress.ip_interface(pool['Subnet'])}: it should be {subnet}")
    if pool.get("IPRange"):
        found += _range_problems(pool["IPRange"], subnet, f"{ipaddress.ip_interface(pool['Subnet'])}")
    named = [("gateway", pool["Gateway"], pool["Gateway"])] if pool.get("Gateway") else []
    named += [("auxiliary address", *item) for item in (pool.get("AuxiliaryAddresses") or {}).items()]
    for what, name, text in named:
        address = ipaddress.ip_address(text)
        if address.version != subnet.version:
            found.append(f"invalid {what} {name}: parent subnet is an IPv{subnet.version} block")
        elif address not in subnet:
            found.append(f"invalid {what} {name}: parent subnet {pool['Subnet']} doesn't contain this address")
    return found


def _range_problems(text: str, subnet: ipam.Net, shown: str) -> list[str]:
    span = ipaddress.ip_interface(text)
    if span.version != subnet.version:
        return [f"invalid ip-range {text}: parent subnet is an IPv{subnet.version} block"]
    found = []
    if span.network.prefixlen < subnet.prefixlen:
        found.append(f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {shown}")
    if span.ip != span.network.network_address:
        found.append(f"invalid ip-range {span}: it should be {span.network}")
    if not subnet.overlaps(span.network):
        found.append(f"invalid ip-range {text}: parent subnet {shown} doesn't contain ip-range")
    return found


def check_advertising(options: dict[str, str]) -> None:
    """How often a container's address is announced, and how many milliseconds apart."""
    for key, what, low, high in (
        (ADVERTISE_MESSAGES, "an integer", 0, 3),
        (ADVERTISE_INTERVAL, "integer milliseconds", 100, 2000),
    ):
        if key not in options:
            continue
        if not re.fullmatch(r"[-+]?[0-9]+", options[key]):
            raise DaemonError(f'value for option {key} "{options[key]}" must be {what}', 400)
        if not low <= int(options[key]) <= high:
            raise DaemonError(f"{key} must be in the range {low} to {high}", 400)


def check_bridge_options(network: Record) -> None:
    options = network["options"]
    for key in ("enable_icc", "enable_ip_masquerade", "inhibit_ipv4"):
        flag(options, BRIDGE + key, True)
    modes = [options.get(BRIDGE + f"gateway_mode_ipv{family}", "") for family in (4, 6)]
    for family, mode in zip((4, 6), modes, strict=True):
        if mode and mode not in MODES:
            raise _unparsed(BRIDGE + f"gateway_mode_ipv{family}", mode, f"unknown gateway mode {mode}")
    mtu = options.get(MTU, "")
    if mtu and not re.fullmatch(r"[-+]?[0-9]+", mtu):
        raise _unparsed(MTU, mtu, f'strconv.Atoi: parsing "{mtu}": invalid syntax')
    for key in (BRIDGE + "host_binding_ipv4", HOST + "4", HOST + "6"):
        if options.get(key):
            try:
                ipaddress.ip_address(options[key])
            except ValueError:
                raise _unparsed(key, options[key], "nil ip") from None
    if "isolated" in modes and not network["internal"]:
        raise DaemonError("gateway mode 'isolated' can only be used for an internal network")
    if mtu and int(mtu) < 0:
        raise DaemonError(f"invalid MTU number: {mtu}", 400)


def _unparsed(key: str, value: str, why: str) -> DaemonError:
    return DaemonError(f"failed to parse {key} value: {value} ({why})", 400)


def without_gateway(network: Record, version: int) -> bool:
    """Whether no address is kept for a gateway: there would be nobody to use it (GetSkipGwAlloc)."""
    options = network["options"]
    if network["driver"] in parents.DRIVERS:
        return parents.internal(network) or parents.mode(network) in ("l3", "l3s")
    if network["driver"] != "bridge":
        return False
    inhibited = version == 4 and network["internal"] and flag(options, BRIDGE + "inhibit_ipv4", False)
    return inhibited or options.get(BRIDGE + f"gateway_mode_ipv{version}") == "isolated"
