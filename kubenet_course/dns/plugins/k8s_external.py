"""k8s_external: Services' external addresses under a zone of their own (plugin/k8s_external).

    svc.ns.ZONE                     the Service's external IPs, and its load balancer's
    _port._protocol.svc.ns.ZONE     SRV
    endpoint.svc.ns.ZONE            one endpoint of a headless Service (`headless`)
    4.3.2.1.in-addr.arpa            PTR, where a reverse zone is listed
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.message
import dns.name
import dns.rcode
import dns.rrset

from kubenet_course.dns.cluster import ObjectSource, Service
from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import is_subdomain, longest_match
from kubenet_course.dns.plugin import Fallthrough, Plugin, Request, ServerConfig
from kubenet_course.dns.plugins._kubernetes_names import Item, Name, NoItems, endpoint_label
from kubenet_course.dns.plugins.kubernetes import Kubernetes, reversed_address

A, NS, CNAME, SOA, PTR, AAAA, SRV = 1, 2, 5, 6, 12, 28, 33


@dataclass
class External(Plugin):
    config: ServerConfig
    zones: list[str]
    apex: str = "dns"
    headless: bool = False
    ttl: int = 5
    fallthrough: Fallthrough = Fallthrough()

    async def serve_dns(self, request: Request) -> dns.message.Message:
        zone = longest_match(self.zones, request.name)
        kubernetes = self.config.handlers.get("kubernetes")
        if zone is None or not isinstance(kubernetes, Kubernetes) or kubernetes.cluster is None:
            return await self.next_plugin(request)
        answer = request.reply(authoritative=True)
        if request.name == zone or is_subdomain(f"{self.apex}.{zone}", request.name):
            return self._apex(request, answer, zone, kubernetes)
        try:
            items = self._items(request, zone, kubernetes, kubernetes.cluster)
        except NoItems:
            if self.fallthrough.through(request.name):
                return await self.next_plugin(request)
            answer.set_rcode(dns.rcode.NXDOMAIN)
            items = []
        if request.qtype in (A, AAAA):
            await self._addresses(request, answer, items)
        elif request.qtype == SRV:
            await self._services(request, answer, items)
        elif request.qtype == PTR and items:
            self._add(answer.answer, request.question, "PTR", [f"{item.host}.{self.zones[0]}" for item in items])
        if not answer.answer:
            answer.authority.append(self._soa(zone, kubernetes))
        return answer

    # -- what there is ----------------------------------------------------------------------
    def _items(self, request: Request, zone: str, kubernetes: Kubernetes, cluster: ObjectSource) -> list[Item]:
        """Kubernetes.External(): SERVICE.NAMESPACE, ENDPOINT.… or _PORT._PROTOCOL.… before it; NoItems."""
        address = reversed_address(request.question) if request.qtype == PTR else None
        if address is not None:
            return self._reverse(address, kubernetes, cluster)
        labels = request.name[: len(request.name) - len(zone)].removesuffix(".").split(".")
        if len(labels) > 4 or not kubernetes.exposed(labels[-1]):
            raise NoItems
        if len(labels) == 1:
            return []
        name = Name(namespace=labels[-1], service=labels[-2])
        if len(labels) == 3:
            name.endpoint = labels[0].removeprefix("_")
        elif len(labels) == 4:
            name.port, name.protocol = labels[0].removeprefix("_"), labels[1].removeprefix("_")
        service = cluster.service(name.namespace, name.service)
        found = self._of_service(name, service, zone, kubernetes, cluster) if service is not None else []
        if not found:
            raise NoItems
        return [] if request.qtype == PTR else found

    def _of_service(self, name: Name, service: Service, zone: str, kubernetes: Kubernetes, cluster: ObjectSource) -> list[Item]:
        ttl, owner = kubernetes.options.ttl, f"{service.name}.{service.namespace}.{zone}"
        if not self.headless or service.external_ips or not (service.headless or name.endpoint):
            return [Item(ip, owner, port.port, ttl) for ip in service.external_ips for port in service.ports if name.takes(port)]
        found = []
        for one in cluster.slices(service.namespace, service.name):
            for endpoint in one.endpoints:
                label = endpoint_label(endpoint, kubernetes.options.pod_names)
                if not name.endpoint or name.endpoint == label:
                    found += [Item(endpoint.ip, f"{label}.{owner}", port.port, ttl) for port in one.ports if name.takes(port)]
        return found

    @staticmethod
    def _reverse(address: str, kubernetes: Kubernetes, cluster: ObjectSource) -> list[Item]:
        ttl = kubernetes.options.ttl
        services = [one for one in cluster.services() if address in one.external_ips and kubernetes.exposed(one.namespace)]
        if not services:
            raise NoItems
        return [Item(f"{one.name}.{one.namespace}", "", ttl=ttl) for one in services]

    # -- records ----------------------------------------------------------------------------
    async def _addresses(self, request: Request, answer: dns.message.Message, items: list[Item]) -> None:
        """Addresses; a load balancer that has a name gives a CNAME, and what this server says to that."""
        values = dict.fromkeys(item.host for item in items if item.kind == request.qtype)
        if values:
            self._add(answer.answer, request.question, request.type, list(values))
        for item in items:
            if item.kind == CNAME:
                target = dns.name.from_text(item.host)
                answer.answer.append(dns.rrset.from_text(request.question, item.ttl, "IN", "CNAME", target.to_text()))
                answer.answer += await request.resolve(target, request.qtype)

    async def _services(self, request: Request, answer: dns.message.Message, items: list[Item]) -> None:
        weight = max(1, 100 // len(items)) if items else 0
        records: dict[str, int] = {}
        seen: set[tuple[str, str]] = set()
        for item in items:
            if item.port == -1:
                continue
            target = dns.name.from_text(item.host if item.kind == CNAME else item.owner)
            records[f"0 {weight} {item.port} {target}"] = item.ttl
            if (target.to_text(), item.host) in seen:
                continue
            seen.add((target.to_text(), item.host))
            if item.kind == CNAME:
                for rdtype in (A, AAAA):
                    answer.additional += await request.resolve(target, rdtype)
            else:
                self._add(answer.additional, target, "A" if item.kind == A else "AAAA", [item.host])
        if records:
            answer.answer.append(dns.rrset.from_text_list(request.question, min(records.values()), "IN", "SRV", list(records)))

    def _add(self, section: list[dns.rrset.RRset], name: dns.name.Name, kind: str, values: list[str]) -> None:
        records = dns.rrset.from_text_list(name, self.ttl, "IN", kind, values)
        there = next((one for one in section if one.name == records.name and one.rdtype == records.rdtype), None)
        if there is None:
            section.append(records)
        else:
            there.update(records)

    def _apex(self, request: Request, answer: dns.message.Message, zone: str, kubernetes: Kubernetes) -> dns.message.Message:
        """The zone itself, APEX.ZONE, and ns1.APEX.ZONE, this very server."""
        server = dns.name.from_text(f"ns1.{self.apex}.{zone}")
        addresses = self._own_addresses(kubernetes)
        if request.name == zone and request.qtype == SOA:
            answer.answer.append(self._soa(zone, kubernetes))
        elif request.name == zone and request.qtype == NS:
            self._add(answer.answer, dns.name.from_text(zone), "NS", [server.to_text()])
            for address in addresses:
                self._add(answer.additional, server, "AAAA" if ":" in address else "A", [address])
        elif request.question == server and request.qtype in (A, AAAA):
            values = [address for address in addresses if (":" in address) is (request.qtype == AAAA)]
            if values:
                self._add(answer.answer, request.question, request.type, values)
        elif request.name not in (zone, f"{self.apex}.{zone}") and request.question != server:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if not answer.answer:
            answer.authority.append(self._soa(zone, kubernetes))
        return answer

    def _own_addresses(self, kubernetes: Kubernetes) -> list[str]:
        """External addresses of the Services that lead to this server; its own where there are none (it is outside)."""
        cluster, known = kubernetes.cluster, False
        found: list[str] = []
        for local in kubernetes.local_ips:
            for one in cluster.slices_with_ip(local) if cluster is not None else ():
                known = True
                service = cluster.service(one.namespace, one.service) if cluster is not None else None
                if service is not None:
                    outside = self.headless and service.headless and not service.external_ips
                    found += [endpoint.ip for endpoint in one.endpoints] if outside else service.external_ips
        return list(dict.fromkeys(found)) if known else list(kubernetes.local_ips)

    def _soa(self, zone: str, kubernetes: Kubernetes) -> dns.rrset.RRset:
        serial = kubernetes.cluster.serial if kubernetes.cluster is not None else 0
        text = f"ns1.{self.apex}.{zone} hostmaster.{self.apex}.{zone} {serial} 7200 1800 86400 {self.ttl}"
        return dns.rrset.from_text(zone, self.ttl, "IN", "SOA", text)


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = External(config, [])
    while c.next():
        handler.zones = config.origins(c.remaining_args())
        while c.next_block():
            word = c.text
            if word == "fallthrough":
                handler.fallthrough = Fallthrough.parse(c)
                continue
            words = c.remaining_args()
            if word == "headless" and not words:
                handler.headless = True
            elif word == "apex" and len(words) == 1:
                handler.apex = words[0]
            elif word == "ttl" and len(words) == 1:
                if not words[0].isdigit() or int(words[0]) > 3600:
                    raise c.error(f"ttl must be in range [0, 3600]: {words[0]}")
                handler.ttl = int(words[0])
            elif word in ("apex", "ttl", "headless"):
                raise c.arg_error()
            else:
                raise c.error(f"unknown property '{word}'")
    return handler
