"""The Kubernetes objects that name servers answer from: the seam to whoever keeps them.

The plugins `kubernetes` and `k8s_external` read an `ObjectSource` (`Environment.cluster`) and know no
API server. `Objects` is one that is filled by hand, or by a watcher: `put_service(…)`, `put_slice(…)`, …
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


class Port(NamedTuple):
    """`port` -1 stands for "none declared"."""

    name: str = ""
    protocol: str = ""
    port: int = -1


NO_PORT = (Port(),)


@dataclass(frozen=True)
class Service:
    """A Service, or (with `ClusterSetIP` and `Headless` as type) a ServiceImport of another cluster."""

    name: str
    namespace: str
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    ports: tuple[Port, ...] = NO_PORT
    external_name: str = ""
    external_ips: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def headless(self) -> bool:
        return self.type == "Headless" or "None" in self.cluster_ips


@dataclass(frozen=True)
class Endpoint:
    """One address of a slice; `pod` is the name of the Pod behind it."""

    ip: str
    hostname: str = ""
    pod: str = ""
    zone: str = ""


@dataclass(frozen=True)
class Slice:
    """An EndpointSlice of the ready addresses of a Service; `cluster` for those that come from elsewhere."""

    name: str
    namespace: str
    service: str
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[Port, ...] = NO_PORT
    cluster: str = ""


@dataclass(frozen=True)
class Pod:
    name: str
    namespace: str
    ip: str
    labels: Mapping[str, str] = field(default_factory=dict)


class ObjectSource(Protocol):
    """What the plugins ask."""

    @property
    def synced(self) -> bool:
        """Whether everything has been seen once."""

    @property
    def serial(self) -> int:
        """The time (s) of the last change: the zone's serial."""

    def service(self, namespace: str, name: str) -> Service | None: ...

    def imported(self, namespace: str, name: str) -> Service | None:
        """A ServiceImport."""

    def services(self) -> Iterable[Service]: ...

    def services_with_ip(self, ip: str) -> Iterable[Service]: ...

    def slices(self, namespace: str, service: str, imported: bool = False) -> Iterable[Slice]: ...

    def slices_with_ip(self, ip: str) -> Iterable[Slice]: ...

    def pods_with_ip(self, ip: str) -> Iterable[Pod]: ...

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        """A Namespace's labels; None where there is none of that name."""


class Objects:
    """Objects in dictionaries, found by name and by address."""

    def __init__(self, now: int = 0) -> None:
        self.synced = True
        self.serial = now
        self._services: dict[tuple[str, str], Service] = {}
        self._imports: dict[tuple[str, str], Service] = {}
        self._slices: dict[tuple[str, str], Slice] = {}
        self._pods: dict[tuple[str, str], Pod] = {}
        self._namespaces: dict[str, Mapping[str, str]] = {}

    # -- writing ----------------------------------------------------------------------------
    def put_service(self, service: Service) -> None:
        table = self._imports if service.type in ("ClusterSetIP", "Headless") else self._services
        table[service.namespace, service.name] = service

    def put_slice(self, one: Slice) -> None:
        self._slices[one.namespace, one.name] = one

    def put_pod(self, pod: Pod) -> None:
        self._pods[pod.namespace, pod.name] = pod

    def put_namespace(self, name: str, labels: Mapping[str, str] | None = None) -> None:
        self._namespaces[name] = labels or {}

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """`kind`: Service, ServiceImport, EndpointSlice, Pod or Namespace (with namespace "")."""
        tables: Mapping[str, dict] = {
            "Service": self._services, "ServiceImport": self._imports, "EndpointSlice": self._slices, "Pod": self._pods,
        }  # fmt: skip
        if kind == "Namespace":
            self._namespaces.pop(name, None)
        else:
            tables[kind].pop((namespace, name), None)

    # -- reading ----------------------------------------------------------------------------
    def service(self, namespace: str, name: str) -> Service | None:
        return self._services.get((namespace, name))

    def imported(self, namespace: str, name: str) -> Service | None:
        return self._imports.get((namespace, name))

    def services(self) -> Iterable[Service]:
        return [self._services[key] for key in sorted(self._services, key=lambda key: (key[1], key[0]))]

    def services_with_ip(self, ip: str) -> Iterable[Service]:
        return [service for service in self._services.values() if ip in service.cluster_ips]

    def slices(self, namespace: str, service: str, imported: bool = False) -> Iterable[Slice]:
        return [
            one for one in self._slices.values()
            if (one.namespace, one.service) == (namespace, service) and bool(one.cluster) is imported
        ]  # fmt: skip

    def slices_with_ip(self, ip: str) -> Iterable[Slice]:
        return [one for one in self._slices.values() if any(endpoint.ip == ip for endpoint in one.endpoints)]

    def pods_with_ip(self, ip: str) -> Iterable[Pod]:
        return [pod for pod in self._pods.values() if pod.ip == ip]

    def namespace_labels(self, name: str) -> Mapping[str, str] | None:
        return self._namespaces.get(name)
