"""A topology as YAML: names with values, and nothing that has its default.

    name: gateway
    nodes:
      A: {interfaces: {eth0: 192.168.1.10/24}, default: 192.168.1.1}
      s1: {kind: switch}
    links:
      - [A, s1]
      - {ends: [R:eth0, s1], delay: 5ms}

Whatever does not fit is a LabError that names the place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from kubenet_course.errors import LabError
from kubenet_course.lab.topology import LINK_PARAMS, Interface, Link, Node, Topology, check_names


def to_data(topology: Topology) -> dict[str, Any]:
    """Dictionaries and lists only."""
    data: dict[str, Any] = {"name": topology.name}
    if topology.title:
        data["title"] = topology.title
    data["nodes"] = {node.name: _node_to_data(node) for node in topology.nodes}
    data["links"] = [_link_to_data(link) for link in topology.links]
    return data


def _node_to_data(node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {} if node.kind == "host" else {"kind": node.kind}
    if node.interfaces:
        entry["interfaces"] = {
            i.name: {"addresses": list(i.addresses), **({"mac": i.mac} if i.mac else {})}
            for i in node.interfaces
        }
    for key in ("default", "stp"):
        if getattr(node, key):
            entry[key] = getattr(node, key)
    for key in ("routes", "commands", "daemons"):
        if getattr(node, key):
            entry[key] = list(getattr(node, key))
    for key in ("sysctls", "files"):
        if getattr(node, key):
            entry[key] = dict(getattr(node, key))
    if node.implementation != "bridge":
        entry["implementation"] = node.implementation
    return entry


def _link_to_data(link: Link) -> dict[str, Any]:
    params = {key: getattr(link, key) for key in LINK_PARAMS if getattr(link, key)}
    for key in ("delay", "jitter"):
        if key in params:
            params[key] = f"{params[key]}ns"
    return {"ends": [str(link.a), str(link.b)], **params}


def from_yaml(text: str) -> Topology:
    """The topology in a YAML text."""
    import yaml

    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise LabError(f"this is not YAML: {error}") from None
    return from_data(data)


def from_data(data: Any) -> Topology:
    """The inverse of `to_data`; addresses may be given short, as `interfaces: {eth0: 10.0.0.1/24}`."""
    data = _mapping(data, "a topology")
    check_names(data, ("name", "title", "nodes", "links"), "a topology")
    nodes = tuple(
        _node_from_data(str(name), entry or {})
        for name, entry in _mapping(data.get("nodes") or {}, "nodes").items()
    )
    topology = Topology(str(data.get("name", "lab")), nodes, title=str(data.get("title", "")))
    for entry in data.get("links") or []:
        if isinstance(entry, list):
            entry = {"ends": entry}
        entry = dict(_mapping(entry, "a link"))
        ends = entry.pop("ends", None)
        if not isinstance(ends, list) or len(ends) != 2:
            raise LabError("a link needs two ends: [A:eth0, s1]")
        topology = topology.link(str(ends[0]), str(ends[1]), **entry)
    return topology


def _node_from_data(name: str, entry: Any) -> Node:
    entry = dict(_mapping(entry, name))
    known = {f.name for f in dataclasses.fields(Node)} - {"name", "setup"}
    check_names(entry, known, name)
    interfaces = []
    for key, value in _mapping(entry.pop("interfaces", None) or {}, f"{name}: interfaces").items():
        if isinstance(value, (str, list)) or value is None:
            value = {"addresses": [value] if isinstance(value, str) else value or []}
        value = _mapping(value, f"{name}: {key}")
        check_names(value, ("addresses", "mac"), f"{name}: {key}")
        interfaces.append(
            Interface(str(key), tuple(map(str, value.get("addresses") or ())), str(value.get("mac") or ""))
        )
    for key in ("routes", "commands", "daemons"):
        if key in entry:
            entry[key] = tuple(_strings(entry[key], f"{name}: {key}"))
    for key in ("sysctls", "files"):
        if key in entry:
            entry[key] = {str(k): str(v) for k, v in _mapping(entry[key] or {}, f"{name}: {key}").items()}
    return Node(name, interfaces=tuple(interfaces), **entry)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise LabError(f"{what} is written as names with values, not as {type(value).__name__}")
    return value


def _strings(value: Any, what: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise LabError(f"{what} is a list")
    return [str(item) for item in value]
