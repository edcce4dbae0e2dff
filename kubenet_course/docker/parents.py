"""The host's device that a macvlan or ipvlan network sits on: as given, a VLAN of it that is made, or a dummy.

Without a parent the network is internal. Several macvlan networks may share one, unless one of them wants it alone
(passthru); an ipvlan network shares with nobody. What was made goes with the last network on it.

Source: moby daemon/libnetwork/drivers/macvlan and ipvlan: *_network.go, *_setup.go.
"""

from __future__ import annotations

import re

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.running import run
from kubenet_course.docker.store import Record
from kubenet_course.userland.surroundings import Surroundings

DRIVERS = ("macvlan", "ipvlan")
MODES = {"macvlan": ("bridge", "private", "passthru", "vepa"), "ipvlan": ("l2", "l3", "l3s")}
FLAGS = ("bridge", "private", "vepa")


def mode(network: Record) -> str:
    driver = network["driver"]
    return str(network["options"].get(f"{driver}_mode") or MODES[driver][0])


def internal(network: Record) -> bool:
    """Whether nothing leads out of it."""
    return bool(network["internal"] or (network["driver"] in DRIVERS and not network["options"].get("parent")))


def check(network: Record) -> None:
    """The options of one network. DaemonError."""
    driver, options = network["driver"], network["options"]
    if mode(network) not in MODES[driver]:
        default = MODES[driver][0]
        raise DaemonError(
            f"requested {driver} mode '{mode(network)}' is not valid, '{default}' mode is the {driver} driver default"
        )
    flag = options.get("ipvlan_flag", "")
    if driver == "ipvlan" and flag and flag not in FLAGS:
        raise DaemonError(
            f"requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default"
        )
    if options.get("parent") == "lo":
        raise DaemonError(f"loopback interface is not a valid {driver} parent link")


async def make(here: Surroundings, network: Record, networks: list[Record]) -> None:
    """Find or make the parent; `device` and `made` of the record say which, and whether it is ours."""
    parent = network["options"].get("parent") or f"dm-{network['id'][:12]}"
    others = [one for one in networks if one["driver"] == network["driver"] and one["device"] == parent]
    for other in others:
        _share(network, other, parent)
    network["device"] = parent
    if await _exists(here, parent):
        network["made"] = any(one["made"] for one in others)
        return
    lines = await _vlan(here, parent) if network["options"].get("parent") else [f"link add {parent} type dummy"]
    await run(here, ["ip", "-batch", "-"], "\n".join([*lines, f"link set {parent} up"]) + "\n")
    network["made"] = True


def _share(network: Record, other: Record, parent: str) -> None:
    if network["driver"] == "ipvlan":
        raise DaemonError(f"network dm-{other['id'][:12]} is already using parent interface {parent}")
    if mode(network) == "passthru":
        raise DaemonError(
            f"cannot use mode passthru, macvlan network {other['id']} is already using parent interface {parent}"
        )
    if mode(other) == "passthru":
        raise DaemonError(
            f"macvlan network {other['id']} is already using parent interface {parent} in mode passthru"
        )


async def _exists(here: Surroundings, device: str) -> bool:
    return (await here.run(["ip", "link", "show", device])).returncode == 0


async def _vlan(here: Surroundings, name: str) -> list[str]:
    """Of `eth0.10`: what makes it."""
    if "." not in name:
        raise DaemonError(f"invalid subinterface vlan name {name}, example formatting is eth0.10")
    words = name.split(".")
    if len(words) != 2:
        raise DaemonError(
            f"required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {name}"
        )
    if not re.fullmatch(r"[-+]?[0-9]+", words[1]):
        raise DaemonError(f"unable to parse a valid vlan id from: {words[1]} (ex. eth0.10 for vlan 10)")
    if not await _exists(here, words[0]):
        raise DaemonError(f"-o parent interface was not found on the host: {words[0]}")
    if not 0 < int(words[1]) < 4095:
        raise DaemonError(f"vlan id must be between 1-4094, received: {int(words[1])}")
    return [f"link add link {words[0]} name {name} type vlan id {int(words[1])}"]


def users(network: Record, networks: list[Record]) -> list[Record]:
    """Other networks on the same parent."""
    return [
        one
        for one in networks
        if one["id"] != network["id"] and one["driver"] == network["driver"] and one["device"] == network["device"]
    ]
