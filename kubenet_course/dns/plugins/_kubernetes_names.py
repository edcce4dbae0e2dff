"""Names below a cluster's zone: what they are made of, and what an endpoint is called."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from kubenet_course.dns.cluster import Endpoint, Port
from kubenet_course.dns.names import is_subdomain

A, CNAME, AAAA = 1, 5, 28


class NoItems(Exception):
    """The name does not exist."""


@dataclass
class Name:
    """parseRequest(): the parts of a name below the zone."""

    port: str = ""
    protocol: str = ""
    endpoint: str = ""
    cluster: str = ""
    service: str = ""
    namespace: str = ""
    kind: str = ""
    zone: str = ""
    prefer: bool = False

    @classmethod
    def parse(cls, name: str, zone: str, *, multicluster: bool = False, zonal: bool = False) -> Name:
        """NoItems for what can be no name here."""
        if not is_subdomain(zone, name):
            raise NoItems
        base = name[: len(name) - len(zone)].removesuffix(".") if zone != "." else name.removesuffix(".")
        found = cls()
        if base in ("", "svc", "pod"):
            return found
        labels = base.split(".")
        found.kind = labels.pop()
        if found.kind not in ("svc", "pod"):
            raise NoItems
        found.namespace = labels.pop() if labels else ""
        found.service = labels.pop() if labels else ""
        if zonal and len(labels) > 2 and labels[-1] == "_zone":
            if multicluster or found.kind == "pod" or labels[-2] not in ("pin", "prefer"):
                raise NoItems
            found.zone, found.prefer = ".".join(labels[:-2]), labels[-2] == "prefer"
        elif len(labels) == 1:
            found.endpoint = labels[0]
        elif len(labels) == 2 and multicluster and not labels[1].startswith("_"):
            found.endpoint, found.cluster = labels
        elif len(labels) == 2:
            found.port, found.protocol = labels[0].removeprefix("_"), labels[1].removeprefix("_")
        elif labels:
            raise NoItems
        return found

    def takes(self, port: Port) -> bool:
        """matchPortAndProtocol(): what is not said fits everything."""
        return _same(self.port, port.name) and _same(self.protocol, port.protocol)


def _same(wanted: str, there: str) -> bool:
    return not wanted or wanted.lower() == there.lower()


@dataclass
class Item:
    """msg.Service: an address or another name, and the name that has it."""

    host: str
    owner: str
    port: int = 0
    ttl: int = 5

    @property
    def kind(self) -> int:
        try:
            return A if ipaddress.ip_address(self.host).version == 4 else AAAA
        except ValueError:
            return CNAME


def endpoint_label(endpoint: Endpoint, pod_names: bool) -> str:
    """endpointHostname(): the endpoint's host name, its Pod's if wanted (and short enough), or the address with dashes."""
    if endpoint.hostname:
        return endpoint.hostname
    if pod_names and endpoint.pod and len(endpoint.pod) <= 63:
        return endpoint.pod
    if "." in endpoint.ip:
        return endpoint.ip.replace(".", "-")
    label = endpoint.ip.replace(":", "-")
    return f"{label}0" if label.endswith("-") else label
