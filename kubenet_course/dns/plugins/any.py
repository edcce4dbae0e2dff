"""any: a short answer to queries for every type at once (RFC 8482; plugin/any)."""

from __future__ import annotations

import dns.message
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

ANY = 255


class Any(Plugin):
    async def serve_dns(self, request: Request) -> dns.message.Message:
        if request.qtype != ANY:
            return await self.next_plugin(request)
        answer = request.reply(authoritative=True)
        answer.answer.append(dns.rrset.from_text(request.qname, 8482, "IN", "HINFO", '"ANY obsoleted" "See RFC 8482"'))
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    c.next()
    if c.next_arg():
        raise c.arg_error()
    return Any()
