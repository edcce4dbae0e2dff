"""autopath: walks a client's search list for it, in one query instead of many (plugin/autopath).

    autopath [ZONE…] RESOLV-CONF | @kubernetes
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import dns.message
import dns.name
import dns.rcode
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import fqdn, is_subdomain, longest_match
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig


@dataclass
class Autopath(Plugin):
    config: ServerConfig
    zones: list[str]
    search: list[str] = field(default_factory=list)
    source: str = ""

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if longest_match(self.zones, request.name) is None:
            return await self.next_plugin(request)
        search = self._search(request)
        if not search or search[0] not in request.name or not is_subdomain(search[0], request.name):
            return await self.next_plugin(request)
        base = request.qname[: len(request.qname) - len(search[0])].removesuffix(".")
        if not base:
            return await self.next_plugin(request)
        first: dns.message.Message | None = None
        for domain in search:
            name = f"{base}.{domain}" if domain != "." else f"{base}."
            answer = await self.next_plugin(request.asked(fqdn_kept(name)))
            first = first or answer
            if answer.rcode() == dns.rcode.NXDOMAIN:
                continue
            self.config.environment.metrics.count("coredns_autopath_success_total", server=f"dns://{self.config.listen_text}")
            return _as_asked(request, answer)
        assert first is not None
        return _as_asked(request, first)

    def _search(self, request: Request) -> list[str]:
        if not self.source:
            return self.search
        handler = self.config.handlers.get(self.source)
        find: Callable[[Request], list[str]] | None = getattr(handler, "autopath", None)
        return find(request) if find is not None else []


def fqdn_kept(name: str) -> str:
    """With a dot at the end, in the case it has."""
    return name if name.endswith(".") else f"{name}."


def _as_asked(request: Request, answer: dns.message.Message) -> dns.message.Message:
    """The answer under the question's own name: a CNAME leads to what was found (cnamer)."""
    reply = request.reply()
    reply.flags = answer.flags
    reply.set_rcode(answer.rcode())
    reply.answer, reply.authority, reply.additional = list(answer.answer), list(answer.authority), list(answer.additional)
    if answer.answer and answer.answer[0].name != request.question:
        first = answer.answer[0]
        alias = dns.rrset.from_text(request.question, first.ttl, "IN", "CNAME", first.name.to_text())
        reply.answer.insert(0, alias)
    return reply


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Autopath(config, list(config.zones))
    while c.next():
        words = c.remaining_args()
        if not words:
            raise c.plain("no resolv-conf specified")
        source = words[-1]
        if source.startswith("@"):
            handler.source = source[1:]
        else:
            text = config.environment.files.read(source) if source else None
            if not source:
                raise c.plain(f'failed to parse "{source}": open : no such file or directory')
            if text is None:
                raise c.plain(f'failed to parse "{source}": open {source}: {config.environment.problem(source)}')
            match = re.findall(r"^\s*search\s+(.*)$", text, re.M)
            handler.search = [*(fqdn(word) for word in (match[-1].split() if match else [])), ""]
        if words[:-1]:
            handler.zones = config.origins(words[:-1])
    return handler
