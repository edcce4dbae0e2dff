"""What a service is asked to be: the API's ServiceSpec as a dictionary, and what swarmkit says to a wrong one.

Durations are nanoseconds, as in the API. Source: moby api/types/swarm, swarmkit manager/controlapi/service.go.
"""

from __future__ import annotations

import re
from typing import Any

from kubenet_course.docker.errors import DaemonError
from kubenet_course.docker.store import Record
from kubenet_course.docker.swarm.state import Swarm, lookup

SECOND = 1_000_000_000
NAME = re.compile(r"^[a-zA-Z0-9]+(?:[a-zA-Z0-9-_]*[A-Za-z0-9])?$")
NAME_PROBLEM = "name must be valid as a DNS name component"
CONSTRAINT = re.compile(r"^\s*([\w.\-/]+)\s*(==|!=)\s*(.+?)\s*$")
DYNAMIC_PORTS = range(30000, 32768)


def rpc(code: str, text: str, status: int = 400) -> DaemonError:
    """What the manager answers, as it comes through the API."""
    return DaemonError(f"rpc error: code = {code} desc = {text}", status)


def update_config() -> Record:
    return {
        "Parallelism": 1,
        "FailureAction": "pause",
        "Monitor": 5 * SECOND,
        "MaxFailureRatio": 0,
        "Order": "stop-first",
    }


def replicas_of(spec: Record) -> int:
    """How many tasks; a global service has one on each node."""
    mode = spec["Mode"]
    return int(mode["Replicated"]["Replicas"]) if "Replicated" in mode else 1


def check(swarm: Swarm, spec: Record, own: Record | None = None) -> None:
    """DaemonError in swarmkit's words; `own` is the service itself when it is changed."""
    name = spec["Name"]
    if not name:
        raise rpc("InvalidArgument", "meta: name must be provided")
    if not NAME.match(name) or len(name) > 63:
        raise rpc(
            "InvalidArgument", NAME_PROBLEM if len(name) <= 63 else "name must be 63 characters or fewer"
        )
    for other in swarm.services:
        if other is not own and other["spec"]["Name"] == name:
            raise rpc(
                "AlreadyExists", f"name conflicts with an existing object: service {name} already exists", 409
            )
    for constraint in spec["TaskTemplate"]["Placement"].get("Constraints") or []:
        if not CONSTRAINT.match(constraint):
            raise rpc(
                "InvalidArgument",
                f"constraint expected one operator from ==, != in {constraint!r}".replace("'", '"'),
            )
    ports = spec["EndpointSpec"].get("Ports") or []
    if spec["EndpointSpec"]["Mode"] not in ("vip", "dnsrr"):
        raise DaemonError(f"invalid Mode: {spec['EndpointSpec']['Mode']!r}".replace("'", '"'), 400)
    ingress = [port for port in ports if port["PublishMode"] == "ingress"]
    if ingress and spec["EndpointSpec"]["Mode"] == "dnsrr":
        raise rpc(
            "InvalidArgument", "EndpointSpec: port published with ingress mode can't be used with dnsrr mode"
        )
    seen = set()
    for port in ports:
        if not port.get("PublishedPort"):
            continue
        key = (port["Protocol"], port["PublishedPort"], port["PublishMode"])
        if key in seen:
            raise rpc("InvalidArgument", "EndpointSpec: duplicate published ports provided")
        seen.add(key)
    for port in ingress:
        _check_port(swarm, port, own)


def _check_port(swarm: Swarm, port: Record, own: Record | None) -> None:
    for other in swarm.services:
        for taken in other["ports"]:
            same = (taken["Protocol"], taken["PublishedPort"]) == (
                port["Protocol"],
                port.get("PublishedPort"),
            )
            if other is not own and same and taken["PublishMode"] == "ingress":
                name, number = other["spec"]["Name"], taken["PublishedPort"]
                raise rpc(
                    "InvalidArgument",
                    f"port '{number}' is already in use by service '{name}' ({other['id']}) as an ingress port",
                )


def attach_networks(swarm: Swarm, spec: Record) -> list[str]:
    """The ids of the networks by which the specification calls them; it has ids afterwards."""
    found = []
    for wanted in spec["TaskTemplate"].get("Networks") or []:
        network = lookup(swarm.store.networks(), wanted["Target"], "network")
        if network is None:
            raise DaemonError(f"network {wanted['Target']} not found", 404)
        if network.get("ingress"):
            raise rpc(
                "InvalidArgument",
                f'Service cannot be explicitly attached to the ingress network "{network["name"]}"',
            )
        if network.get("scope") != "swarm":
            raise DaemonError(
                f"The network {network['name']} cannot be used with services. Only networks scoped to the swarm can be "
                "used, such as those created with the overlay driver.",
                403,
            )
        wanted["Target"] = network["id"]
        found.append(network["id"])
    return found


def assign_ports(swarm: Swarm, service: Record) -> None:
    """Published ports: those asked for, and free ones of 30000-32767 where none was."""
    before = {
        (port["Protocol"], port["TargetPort"]): port["PublishedPort"]
        for port in service["ports"]
        if port["PublishedPort"] in DYNAMIC_PORTS
    }
    taken = {
        (port["Protocol"], port["PublishedPort"])
        for other in swarm.services
        if other is not service
        for port in other["ports"]
    }
    ports = []
    for wanted in service["spec"]["EndpointSpec"].get("Ports") or []:
        port = dict(wanted)
        if not port.get("PublishedPort") and port["PublishMode"] == "ingress":
            own = before.get((port["Protocol"], port["TargetPort"]))
            port["PublishedPort"] = own or next(
                one for one in DYNAMIC_PORTS if (port["Protocol"], one) not in taken
            )
        taken.add((port["Protocol"], port.get("PublishedPort", 0)))
        ports.append(
            {key: port.get(key, 0) for key in ("Protocol", "TargetPort", "PublishedPort", "PublishMode")}
        )
    service["ports"] = ports


def assign_addresses(swarm: Swarm, service: Record) -> None:
    """A virtual address in each of its networks (mode vip); those of networks that it has left are free again."""
    spec = service["spec"]
    ingress = swarm.ingress()
    wanted = list(service["networks"])
    if ingress is not None and any(port["PublishMode"] == "ingress" for port in service["ports"]):
        wanted.insert(0, ingress["id"])
    if spec["EndpointSpec"]["Mode"] == "dnsrr":
        wanted = []
    networks = {one["id"]: one for one in swarm.networks()}
    service["vips"] = {key: vip for key, vip in service["vips"].items() if key in wanted}
    for key in wanted:
        if key not in service["vips"]:
            service["vips"][key] = swarm.allocate(networks[key])


def suits(node: Record, constraints: list[str]) -> bool:
    """Whether the node meets every constraint (swarmkit manager/constraint)."""
    facts: dict[str, Any] = {
        "node.id": node["id"],
        "node.hostname": node["hostname"],
        "node.ip": node["addr"],
        "node.role": "manager",
        "node.platform.os": "linux",
        "node.platform.arch": "x86_64",
    }
    facts.update({f"node.labels.{key}": value for key, value in node["labels"].items()})
    for text in constraints:
        match = CONSTRAINT.match(text)
        if match is None:
            return False
        key, operator, value = match.groups()
        name = key if key.startswith("node.labels.") else key.lower()
        equal = str(facts.get(name, "")).lower() == value.lower()
        if equal != (operator == "=="):
            return False
    return True
