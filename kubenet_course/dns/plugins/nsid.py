"""nsid: tells which server it is to who asks for it (RFC 5001; plugin/nsid)."""

from __future__ import annotations

from dataclasses import dataclass

import dns.edns
import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig


@dataclass
class Nsid(Plugin):
    data: str

    async def serve_dns(self, request: Request) -> dns.message.Message:
        answer = await self.next_plugin(request)
        if any(option.otype == dns.edns.OptionType.NSID for option in request.message.options):
            request.options.append(dns.edns.GenericOption(dns.edns.OptionType.NSID, self.data.encode()))
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    name = config.environment.hostname or "localhost"
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        arguments = c.remaining_args()
        if arguments:
            name = " ".join(arguments)
    return Nsid(name)
