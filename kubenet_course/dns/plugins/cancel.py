"""cancel: ends a request that takes too long (plugin/cancel); 5001 ms unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig


@dataclass
class Cancel(Plugin):
    """Sets the time (ns) at which plugins that wait for others give up."""

    config: ServerConfig
    timeout: int = 5_001_000_000

    async def serve_dns(self, request: Request) -> dns.message.Message:
        request.deadline = self.config.environment.now() + self.timeout
        return await self.next_plugin(request)


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Cancel(config)
    while c.next():
        arguments = c.remaining_args()
        if len(arguments) > 1:
            raise c.arg_error()
        if arguments:
            try:
                handler.timeout = go_duration(arguments[0])
            except ValueError:
                raise c.plain(f"invalid duration: {arguments[0]}") from None
            if handler.timeout <= 0:
                raise c.plain(f"invalid timeout: {arguments[0]}")
    return handler
