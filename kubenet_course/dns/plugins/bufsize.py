"""bufsize: the most that a client may ask for over UDP, against fragments (plugin/bufsize)."""

from __future__ import annotations

from dataclasses import dataclass

import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig


@dataclass
class Bufsize(Plugin):
    size: int = 1232

    async def serve_dns(self, request: Request) -> dns.message.Message:
        message = request.message
        if message.edns >= 0 and message.payload > self.size:
            message.use_edns(message.edns, message.ednsflags, payload=self.size, options=list(message.options))
        return await self.next_plugin(request)


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Bufsize()
    while c.next():
        arguments = c.remaining_args()
        if len(arguments) > 1:
            raise c.arg_error()
        if arguments:
            if not arguments[0].lstrip("-").isdigit():
                raise c.plain(f'strconv.Atoi: parsing "{arguments[0]}": invalid syntax')
            if not 512 <= int(arguments[0]) <= 4096:
                raise c.arg_error()
            handler.size = int(arguments[0])
    return handler
