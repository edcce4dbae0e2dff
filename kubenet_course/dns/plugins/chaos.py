"""chaos: says version and authors to queries of class CH (plugin/chaos)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

CHAOS, TXT = 3, 16


@dataclass
class Chaos(Plugin):
    version: str
    hostname: str
    authors: list[str] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if request.qclass != CHAOS or request.qtype != TXT:
            return await self.next_plugin(request)
        values = {
            "authors.bind.": self.authors, "version.bind.": [self.version], "version.server.": [self.version],
            "hostname.bind.": [self.hostname], "id.server.": [self.hostname],
        }.get(request.name)  # fmt: skip
        if values is None:
            return await self.next_plugin(request)
        answer = request.reply()
        for value in values:
            answer.answer.append(dns.rrset.from_text(request.qname, 0, "CH", "TXT", f'"{value}"'))
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    from kubenet_course.dns.engine import VERSION

    handler = Chaos(f"CoreDNS-{VERSION}", config.environment.hostname)
    while c.next():
        arguments = c.remaining_args()
        if arguments:
            handler.version, handler.authors = arguments[0], arguments[1:]
        if c.next_block():
            raise c.error(f"unknown property '{c.text}'")
    return handler
