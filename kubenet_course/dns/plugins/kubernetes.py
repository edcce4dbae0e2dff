"""kubernetes: names of Services, endpoints and Pods (plugin/kubernetes; Kubernetes DNS specification 1.1.0).

    svc.ns.svc.ZONE                       a Service's address; a headless one's endpoints; an ExternalName's CNAME
    endpoint.svc.ns.svc.ZONE              one endpoint, by host name or by address with dashes
    _port._protocol.svc.ns.svc.ZONE       SRV records
    1-2-3-4.ns.pod.ZONE                   a Pod's address (pods insecure | verified)
    dns-version.ZONE                      TXT 1.1.0

The objects come from `Environment.cluster` (see `cluster.py`). There are no wildcards any more (since 1.9).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.reversename
import dns.rrset

from kubenet_course.dns.cluster import Endpoint, ObjectSource, Pod, Service, Slice
from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import fqdn, is_subdomain, longest_match
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins import _kubernetes_setup
from kubenet_course.dns.plugins._kubernetes_names import Item, Name, NoItems, endpoint_label
from kubenet_course.dns.plugins._kubernetes_setup import IN_CLUSTER, Options, selects

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, IXFR, AXFR = 1, 2, 5, 6, 12, 16, 28, 33, 251, 252
DNS_VERSION, VERSION_TTL = "1.1.0", 28800
MAX_CNAMES = 7


@dataclass
class Kubernetes(Plugin):
    config: ServerConfig
    options: Options
    local_ips: list[str] = field(default_factory=list)

    @property
    def cluster(self) -> ObjectSource | None:
        source: ObjectSource | None = self.config.environment.cluster
        return source

    def ready(self) -> bool:
        return self.cluster is not None and self.cluster.synced

    async def start(self) -> None:
        if not self.ready():
            self.config.environment.log("[INFO] plugin/kubernetes: waiting for Kubernetes API before starting server")
            self.config.environment.log("[WARNING] plugin/kubernetes: starting server with unsynced Kubernetes API")

    # -- answering --------------------------------------------------------------------------
    async def serve_dns(self, request: Request) -> dns.message.Message:
        zone = longest_match(self.options.zones, request.name)
        if zone is None:
            return await self.next_plugin(request)
        if request.qtype in (AXFR, IXFR):
            raise PluginError("kubernetes", "", dns.rcode.REFUSED)
        written = request.qname[len(request.qname) - len(zone) :]  # in the question's case
        try:
            answer = await self._answer(request, zone, written)
        except NoItems:
            if self.options.fallthrough.through(request.name):
                return await self.next_plugin(request)
            code = dns.rcode.NXDOMAIN if self.ready() else dns.rcode.SERVFAIL
            answer = request.reply(code, authoritative=True)
        if not answer.answer:
            answer.authority = [self.soa(written)]
        return answer

    async def _answer(self, request: Request, zone: str, written: str) -> dns.message.Message:
        answer = request.reply(authoritative=True)
        kind = request.qtype
        if kind in (A, AAAA):
            await self._addresses(request, zone, answer, [])
        elif kind == TXT:
            self._text(request, zone, answer)
        elif kind == CNAME:
            items = self.items(request.name, zone, kind)
            if items and items[0].kind == CNAME:
                answer.answer.append(_rrset(request.question, items[0].ttl, "CNAME", [fqdn(items[0].host)]))
        elif kind == PTR:
            self._pointers(request, zone, answer)
        elif kind == SRV:
            self._services(request, zone, written, answer)
        elif kind == SOA and request.name == zone:
            answer.answer.append(self.soa(written))
        elif kind == NS and request.name == zone:
            self._name_servers(written, answer)
        else:
            self.items(request.name, zone, A)  # NoItems where there is no such name
        return answer

    async def _addresses(self, request: Request, zone: str, answer: dns.message.Message, chain: list[str]) -> None:
        """plugin.A() and AAAA(): addresses, and whatever a CNAME leads to."""
        addresses: dict[str, int] = {}
        for item in self.items(request.name, zone, request.qtype):
            if item.kind == request.qtype:
                addresses.setdefault(item.host, item.ttl)
            elif item.kind == CNAME:
                target = fqdn(item.host)
                if target == request.name or target in chain or len(chain) > MAX_CNAMES:
                    continue
                alias = _rrset(request.question, item.ttl, "CNAME", [target])
                following = request.asked(target)
                if is_subdomain(zone, target):
                    inner = request.reply()
                    try:
                        await self._addresses(following, zone, inner, [*chain, target])
                    except NoItems:
                        continue
                    if inner.answer:
                        answer.answer += [alias, *inner.answer]
                    continue
                answer.answer.append(alias)
                if request.lookup is not None and request.depth < 8:
                    found = await request.lookup(following)
                    answer.flags |= found.flags & 0x0200
                    answer.answer += [rrset for rrset in found.answer if rrset != alias]
        if addresses:
            ttl = next(iter(addresses.values()))
            kind = "A" if request.qtype == A else "AAAA"
            answer.answer.append(_rrset(request.question, ttl, kind, list(addresses)))

    def _text(self, request: Request, zone: str, answer: dns.message.Message) -> None:
        if request.name == f"dns-version.{zone if zone != '.' else ''}":
            answer.answer.append(_rrset(request.question, VERSION_TTL, "TXT", [f'"{DNS_VERSION}"']))
        elif not self.items(request.name, zone, TXT) and request.name != zone:
            name = self._parse(request.name, zone)
            if name.service and not name.zone:
                raise NoItems

    def _pointers(self, request: Request, zone: str, answer: dns.message.Message) -> None:
        address = reversed_address(request.question)
        if address is None:
            self.items(request.name, zone, PTR)
            return
        names = list(dict.fromkeys(self._names_of(address)))
        if not names:
            raise NoItems
        answer.answer.append(_rrset(request.question, self.options.ttl, "PTR", names))

    def _names_of(self, address: str) -> Iterator[str]:
        """serviceRecordForIP(): the Service with this cluster IP, else the endpoints with this address."""
        cluster, primary = self.cluster, self.primary_zone()
        if cluster is None:
            return
        for service in cluster.services_with_ip(address):
            if self.exposed(service.namespace):
                yield f"{service.name}.{service.namespace}.svc.{primary}"
                return
        for one in cluster.slices_with_ip(address):
            if self.exposed(one.namespace) and not one.cluster:
                for endpoint in one.endpoints:
                    if endpoint.ip == address:
                        label = endpoint_label(endpoint, self.options.pod_names)
                        yield f"{label}.{one.service}.{one.namespace}.svc.{primary}"

    def _services(self, request: Request, zone: str, written: str, answer: dns.message.Message) -> None:
        """plugin.SRV(): the weights add up to 100, rounded down. Targets end with the zone in the question's case."""
        items = [item for item in self.items(request.name, zone, SRV) if item.kind != CNAME]
        weight = max(1, 100 * 100 // (100 * len(items))) if items else 0
        records: list[str] = []
        for item in items:
            if item.port == -1:
                continue
            owner = f"{item.owner.removesuffix(zone)}{written}" if item.owner.endswith(zone) else item.owner
            records.append(f"0 {weight} {item.port} {owner}")
            kind = "A" if item.kind == A else "AAAA"
            address = _rrset(dns.name.from_text(owner), item.ttl, kind, [item.host])
            there = next((one for one in answer.additional if one.name == address.name and one.rdtype == address.rdtype), None)
            if there is None:
                answer.additional.append(address)
            else:
                there.add(address[0], item.ttl)
        if records:
            answer.answer.append(_rrset(request.question, self.options.ttl, "SRV", list(dict.fromkeys(records))))

    def _name_servers(self, zone: str, answer: dns.message.Message) -> None:
        servers = self.name_servers(zone)
        names = list(dict.fromkeys(name for name, _ in servers))
        if names:
            answer.answer.append(_rrset(dns.name.from_text(zone), self.options.ttl, "NS", names))
        for name, ip in servers:
            kind = "AAAA" if ":" in ip else "A"
            answer.additional.append(_rrset(dns.name.from_text(name), self.options.ttl, kind, [ip]))

    def name_servers(self, zone: str) -> list[tuple[str, str]]:
        """nsAddrs(): the Services that lead to this very server (name, address), else ns.dns.ZONE with its own addresses."""
        found: list[tuple[str, str]] = []
        cluster, known = self.cluster, False
        suffix = zone if zone != "." else ""
        for local in self.local_ips:
            for one in cluster.slices_with_ip(local) if cluster is not None else ():
                known = True
                service = cluster.service(one.namespace, one.service) if cluster is not None else None
                if service is None:
                    continue
                name = f"{service.name}.{service.namespace}.svc.{suffix}"
                if service.headless:
                    found += [
                        (f"{endpoint_label(endpoint, self.options.pod_names)}.{name}", endpoint.ip) for endpoint in one.endpoints
                    ]
                else:
                    found += [(name, ip) for ip in service.cluster_ips]
        if not known:
            found = [(f"ns.dns.{suffix}", local) for local in self.local_ips]
        return list(dict.fromkeys(found))

    def soa(self, zone: str) -> dns.rrset.RRset:
        """plugin.SOA(): TTL and minimum are the `ttl` option."""
        suffix = zone if zone != "." else ""
        serial = self.cluster.serial if self.cluster is not None else 0
        text = f"ns.dns.{suffix} hostmaster.{suffix} {serial} 7200 1800 86400 {self.options.ttl}"
        return _rrset(dns.name.from_text(zone), min(300, self.options.ttl), "SOA", [text])

    # -- looking up -------------------------------------------------------------------------
    def items(self, name: str, zone: str, rdtype: int) -> list[Item]:
        """Kubernetes.Services(): what a name stands for; empty where it exists without; NoItems."""
        if name == f"ns.dns.{zone if zone != '.' else ''}" and rdtype != SRV:
            servers = [Item(ip, name, ttl=self.options.ttl) for _, ip in self.name_servers(zone)]
            return [item for item in servers if item.kind == rdtype]
        parsed = self._parse(name, zone)
        if not parsed.kind:
            return []
        if zone.endswith((".in-addr.arpa.", ".ip6.arpa.")):
            raise NoItems
        if not self.exposed(parsed.namespace):
            raise NoItems
        if parsed.kind == "pod":
            return self._pods(parsed, zone)
        if zone in self.options.multicluster:
            return self._imported(parsed, zone)
        return self._find(parsed, zone)

    def _parse(self, name: str, zone: str) -> Name:
        multi = zone in self.options.multicluster
        return Name.parse(name, zone, multicluster=multi, zonal=self.options.zonal)

    def primary_zone(self) -> str:
        """The first zone that is no reverse one."""
        zones = [zone for zone in self.options.zones if not zone.endswith((".in-addr.arpa.", ".ip6.arpa."))]
        return (zones or self.options.zones)[0]

    def exposed(self, namespace: str) -> bool:
        """Whether the namespace is one of those served."""
        if self.options.namespaces and namespace not in self.options.namespaces:
            return False
        if self.options.namespace_labels and self.cluster is not None:
            labels = self.cluster.namespace_labels(namespace)
            return labels is not None and selects(self.options.namespace_labels, labels)
        return True

    def _exists(self, namespace: str) -> bool:
        return self.cluster is not None and self.cluster.namespace_labels(namespace) is not None and self.exposed(namespace)

    def _find(self, name: Name, zone: str) -> list[Item]:
        """findServices()."""
        if self.cluster is None or not self._exists(name.namespace):
            raise NoItems
        if not name.service:
            return []
        service = self.cluster.service(name.namespace, name.service)
        if service is None or (self.options.labels and not selects(self.options.labels, service.labels)):
            raise NoItems
        owner = f"{service.name}.{service.namespace}.svc.{zone if zone != '.' else ''}"
        slices = list(self.cluster.slices(service.namespace, service.name))
        if name.zone:
            return self._in_zone(name, service, slices, owner)
        if service.type == "ExternalName":
            if name.endpoint or name.port or name.protocol:
                raise NoItems
            return [Item(service.external_name, owner, ttl=self.options.ttl)]
        if self.options.ignore_empty and not service.headless and not any(one.endpoints for one in slices):
            raise NoItems
        if service.headless or name.endpoint:
            return _some(self._endpoints(name, slices, owner))
        return _some(self._cluster_ips(name, service, owner))

    def _endpoints(self, name: Name, slices: list[Slice], owner: str, wanted: Callable[[Endpoint], bool] | None = None) -> list[Item]:
        if self.options.no_endpoints:
            return []
        found = []
        for one in slices:
            for endpoint in one.endpoints:
                label = endpoint_label(endpoint, self.options.pod_names)
                if (name.endpoint and label.lower() != name.endpoint) or (wanted is not None and not wanted(endpoint)):
                    continue
                found += [Item(endpoint.ip, f"{label}.{owner}", port.port, self.options.ttl) for port in one.ports if name.takes(port)]
        return found

    def _in_zone(self, name: Name, service: Service, slices: list[Slice], owner: str) -> list[Item]:
        """`zonal`: endpoints of one zone only (pin), or rather those (prefer); headless Services alone."""
        everyone = self._endpoints(name, slices, owner) if service.headless else []
        near = self._endpoints(name, slices, owner, lambda endpoint: endpoint.zone.lower() == name.zone)
        if not everyone:
            raise NoItems
        return near or (everyone if name.prefer else [])

    def _imported(self, name: Name, zone: str) -> list[Item]:
        """findMultiClusterServices(): endpoints have their cluster's name before the Service's."""
        if self.cluster is None or not self._exists(name.namespace):
            raise NoItems
        if not name.service:
            return []
        service = self.cluster.imported(name.namespace, name.service)
        if service is None or (name.endpoint and not name.cluster):
            raise NoItems
        owner = f"{service.name}.{service.namespace}.svc.{zone if zone != '.' else ''}"
        if service.headless or name.endpoint:
            found = []
            for one in self.cluster.slices(service.namespace, service.name, imported=True):
                if name.cluster and one.cluster.lower() != name.cluster:
                    continue
                found += self._endpoints(name, [one], f"{one.cluster}.{owner}")
            return _some(found)
        return _some(self._cluster_ips(name, service, owner))

    def _cluster_ips(self, name: Name, service: Service, owner: str) -> list[Item]:
        ports = [port.port for port in service.ports if name.takes(port)]
        return [Item(ip, owner, port, self.options.ttl) for port in ports for ip in service.cluster_ips]

    def _pods(self, name: Name, zone: str) -> list[Item]:
        """findPods()."""
        if self.options.pods == "disabled" or not self._exists(name.namespace):
            raise NoItems
        label = name.service
        if not label:
            return []
        four = label.count("-") == 3 and "--" not in label
        ip = label.replace("-", "." if four else ":")
        try:
            address = str(ipaddress.ip_address(ip))
        except ValueError:
            raise NoItems from None
        owner = f"{label}.{name.namespace}.pod.{zone if zone != '.' else ''}"
        if self.options.pods == "verified":
            pods = self.cluster.pods_with_ip(address) if self.cluster is not None else ()
            if not any(pod.namespace == name.namespace for pod in pods):
                raise NoItems
        return [Item(address, owner, ttl=self.options.ttl)]

    # -- for other plugins ------------------------------------------------------------------
    def pod_of(self, ip: str) -> Pod | None:
        if self.options.pods != "verified" or self.cluster is None:
            return None
        return next(iter(self.cluster.pods_with_ip(ip)), None)

    def autopath(self, request: Request) -> list[str]:
        """The search list of the Pod that asks, "" at its end (Kubernetes.AutoPath)."""
        zone = longest_match(self.options.zones, request.name)
        pod = self.pod_of(request.client) if zone is not None else None
        if pod is None or zone is None:
            return []
        tail = zone if zone != "." else ""
        return [f"{pod.namespace}.svc.{tail}", f"svc.{tail}", zone, *self._host_search(), ""]

    def _host_search(self) -> list[str]:
        text = self.config.environment.files.read("/etc/resolv.conf") or ""
        lines = [line.split()[1:] for line in text.splitlines() if line.startswith("search ")]
        return [fqdn(word) for word in (lines[-1] if lines else [])]

    def metadata(self, request: Request) -> dict[str, Callable[[], str]]:
        pod = self.pod_of(request.client)
        values = {}
        if pod is not None:
            values = {"kubernetes/client-namespace": pod.namespace, "kubernetes/client-pod-name": pod.name}
        zone = longest_match(self.options.zones, request.name)
        if zone is not None:
            try:
                name = self._parse(request.name, zone)
            except NoItems:
                values["kubernetes/parse-error"] = "invalid query name"
            else:
                for label in ("endpoint", "port", "protocol", "service", "namespace"):
                    values[f"kubernetes/{label}"] = getattr(name, label)
                values["kubernetes/kind"] = name.kind
        return {label: (lambda value=value: value) for label, value in values.items()}  # type: ignore[misc]


def _some(items: list[Item]) -> list[Item]:
    if not items:
        raise NoItems
    return items


def _rrset(name: dns.name.Name, ttl: int, kind: str, values: list[str]) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, ttl, "IN", kind, values)


def reversed_address(name: dns.name.Name) -> str | None:
    """The address a name below in-addr.arpa or ip6.arpa stands for."""
    try:
        return dns.reversename.to_address(name)
    except (dns.exception.DNSException, ValueError):
        return None


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    options: Options | None = None
    while c.next():
        if options is not None:
            raise c.once()
        options = _kubernetes_setup.parse(c, config)
    assert options is not None
    environment = config.environment
    in_cluster = "KUBERNETES_SERVICE_HOST" in environment.variables
    if environment.cluster is None and not (in_cluster or options.endpoint or options.kubeconfig):
        raise c.plain(IN_CLUSTER)
    own = config.listen or [ip for ip in environment.addresses() if not ipaddress.ip_address(ip).is_loopback]
    handler = Kubernetes(config, options, own)
    from kubenet_course.dns.plugins._kubernetes_transfer import ClusterZone

    config.authoritative.append((options.zones, lambda zone: ClusterZone(handler, zone)))
    return handler
