"""whoami: answers with who asked, from which port and by which transport (plugin/whoami)."""

from __future__ import annotations

import dns.message
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig


class Whoami(Plugin):
    """The additional section holds the client's address and an SRV record with its port."""

    async def serve_dns(self, request: Request) -> dns.message.Message:
        answer = request.reply(authoritative=True)
        kind = "AAAA" if ":" in request.client else "A"
        name = request.qname
        service = f"_{request.protocol}.{name}" if name != "." else f"_{request.protocol}."
        answer.additional.append(dns.rrset.from_text(name, 0, "IN", kind, request.client))
        answer.additional.append(dns.rrset.from_text(service, 0, "IN", "SRV", f"0 0 {request.client_port} ."))
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    c.next()
    if c.next_arg():
        raise c.arg_error()
    return Whoami()
