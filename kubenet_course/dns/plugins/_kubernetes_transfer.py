"""A cluster's zone as a whole, for zone transfers (plugin/kubernetes/xfr.go)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dns.name
import dns.rrset

from kubenet_course.dns.names import fqdn
from kubenet_course.dns.plugins._kubernetes_names import endpoint_label

if TYPE_CHECKING:
    from kubenet_course.dns.cluster import Service, Slice
    from kubenet_course.dns.plugins.kubernetes import Kubernetes


class ClusterZone:
    """`soa` and `records()`, as a `Zone` has them; Services by name, an endpoint's records in a row."""

    def __init__(self, plugin: Kubernetes, zone: str):
        self.plugin = plugin
        self.zone = zone
        self.ttl = plugin.options.ttl

    @property
    def soa(self) -> dns.rrset.RRset:
        return self.plugin.soa(self.zone)

    def records(self) -> Iterator[dns.rrset.RRset]:
        servers = self.plugin.name_servers(self.zone)
        for name in dict.fromkeys(name for name, _ in servers):
            yield self._one(self.zone, "NS", name)
        for name, ip in servers:
            yield self._address(name, ip)
        cluster = self.plugin.cluster
        if cluster is None:
            return
        for service in cluster.services():
            if not self.plugin.exposed(service.namespace):
                continue
            owner = f"{service.name}.{service.namespace}.svc.{self.zone}"
            if service.type == "ExternalName":
                yield self._one(owner, "CNAME", fqdn(service.external_name))
            elif service.headless:
                for one in cluster.slices(service.namespace, service.name):
                    yield from self._headless(owner, one)
            else:
                yield from self._cluster_ip(owner, service)

    def _cluster_ip(self, owner: str, service: Service) -> Iterator[dns.rrset.RRset]:
        for ip in service.cluster_ips:
            yield self._address(owner, ip)
        for port in service.ports:
            if port.port == -1:
                continue
            yield self._one(owner, "SRV", f"0 100 {port.port} {owner}")
            if port.name:
                yield self._one(f"_{port.name}._{port.protocol.lower()}.{owner}", "SRV", f"0 100 {port.port} {owner}")

    def _headless(self, owner: str, one: Slice) -> Iterator[dns.rrset.RRset]:
        weight = max(1, 100 // max(1, len(one.endpoints)))
        for endpoint in one.endpoints:
            name = f"{endpoint_label(endpoint, self.plugin.options.pod_names)}.{owner}"
            yield self._address(owner, endpoint.ip)
            yield self._address(name, endpoint.ip)
            for port in one.ports:
                if port.port != -1 and port.name:
                    yield self._one(f"_{port.name}._{port.protocol.lower()}.{owner}", "SRV", f"0 {weight} {port.port} {name}")

    def _address(self, owner: str, ip: str) -> dns.rrset.RRset:
        return self._one(owner, "AAAA" if ":" in ip else "A", ip)

    def _one(self, owner: str, kind: str, value: str) -> dns.rrset.RRset:
        return dns.rrset.from_text(dns.name.from_text(owner), self.ttl, "IN", kind, value)
