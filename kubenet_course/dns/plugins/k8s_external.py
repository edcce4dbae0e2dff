"""k8s_external: Services' external addresses under a zone of their own (plugin/k8s_external).

    svc.ns.ZONE → the Service's external IPs, and its load balancer's
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.message
import dns.name
import dns.rcode
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Fallthrough, Plugin, Request, ServerConfig
from kubenet_course.dns.plugins.kubernetes import Kubernetes

A, SOA, NS, AAAA, SRV = 1, 6, 2, 28, 33


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
        if zone is None:
            return await self.next_plugin(request)
        answer = request.reply(authoritative=True)
        if request.name == zone or request.name == f"ns1.{self.apex}.{zone}":
            return self._apex(request, answer, zone)
        addresses = self._addresses(request.name, zone)
        if addresses is None:
            if self.fallthrough.through(request.name):
                return await self.next_plugin(request)
            answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.authority.append(self._soa(zone))
            return answer
        wanted = {A: "A", AAAA: "AAAA"}.get(request.qtype)
        values = [ip for ip in addresses if wanted == ("AAAA" if ":" in ip else "A")]
        if values and wanted:
            answer.answer.append(dns.rrset.from_text_list(request.question, self.ttl, "IN", wanted, values))
        else:
            answer.authority.append(self._soa(zone))
        return answer

    def _addresses(self, name: str, zone: str) -> list[str] | None:
        """A Service's external addresses (a headless one's endpoints, if wanted); None where there is no such name."""
        kubernetes = self.config.handlers.get("kubernetes")
        if not isinstance(kubernetes, Kubernetes) or kubernetes.cluster is None:
            return None
        labels = name[: len(name) - len(zone)].removesuffix(".").split(".")
        if len(labels) == 1 and kubernetes.cluster.namespace_labels(labels[0]) is not None:
            return []
        if len(labels) != 2 or not kubernetes.exposed(labels[1]):
            return None
        service = kubernetes.cluster.service(labels[1], labels[0])
        if service is None:
            return None
        if service.headless and self.headless:
            slices = kubernetes.cluster.slices(service.namespace, service.name)
            return [endpoint.ip for one in slices for endpoint in one.endpoints]
        return list(service.external_ips) or None

    def _apex(self, request: Request, answer: dns.message.Message, zone: str) -> dns.message.Message:
        if request.qtype == SOA and request.name == zone:
            answer.answer.append(self._soa(zone))
        elif request.qtype == NS and request.name == zone:
            answer.answer.append(dns.rrset.from_text(zone, self.ttl, "IN", "NS", f"ns1.{self.apex}.{zone}"))
        else:
            answer.authority.append(self._soa(zone))
        return answer

    def _soa(self, zone: str) -> dns.rrset.RRset:
        text = f"ns1.{self.apex}.{zone} hostmaster.{self.apex}.{zone} 12345 7200 1800 86400 {self.ttl}"
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
