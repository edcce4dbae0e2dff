"""local: answers for localhost and the like without asking anybody (RFC 6303, 6761; plugin/local)."""

from __future__ import annotations

from dataclasses import dataclass

import dns.message
import dns.rcode
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

ZONES = ("localhost.", "0.in-addr.arpa.", "127.in-addr.arpa.", "255.in-addr.arpa.")
SOA, NS = "localhost. root.localhost. 1 0 0 0 604800", "localhost."
TTL = 604800


@dataclass
class Local(Plugin):
    config: ServerConfig

    async def serve_dns(self, request: Request) -> dns.message.Message:
        name = request.name
        if name.startswith("localhost.") and len(name) > 10:
            self.config.environment.metrics.count("coredns_local_localhost_requests_total")
            return self._localhost(request)
        zone = longest_match(ZONES, name)
        if zone is None:
            return await self.next_plugin(request)
        answer = request.reply()
        if name == zone and request.type in ("NS", "SOA"):
            value = NS if request.type == "NS" else SOA
            answer.answer.append(dns.rrset.from_text(request.qname, TTL, "IN", request.type, value))
            return answer
        values = {("localhost.", "A"): "127.0.0.1", ("localhost.", "AAAA"): "::1", ("1.0.0.127.in-addr.arpa.", "PTR"): "localhost."}
        found = values.get((name, request.type))
        if found is not None:
            answer.answer.append(dns.rrset.from_text(request.qname, TTL, "IN", request.type, found))
            return answer
        if name not in (*ZONES, "1.0.0.127.in-addr.arpa."):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        answer.authority.append(dns.rrset.from_text(request.qname[len(name) - len(zone) :], TTL, "IN", "SOA", SOA))
        return answer

    @staticmethod
    def _localhost(request: Request) -> dns.message.Message:
        """localhost.DOMAIN, which resolvers with a search list ask for."""
        answer = request.reply()
        value = {"A": "127.0.0.1", "AAAA": "::1"}.get(request.type)
        if value is not None:
            answer.answer.append(dns.rrset.from_text(request.qname, TTL, "IN", request.type, value))
        else:
            answer.authority.append(dns.rrset.from_text(request.qname, TTL, "IN", "SOA", SOA))
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    c.next()
    if c.remaining_args():
        raise c.arg_error()
    return Local(config)
