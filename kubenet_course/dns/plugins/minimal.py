"""minimal: leaves the additional and authority sections out of answers that do not need them (plugin/minimal)."""

from __future__ import annotations

import dns.message
import dns.rcode

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig


class Minimal(Plugin):
    async def serve_dns(self, request: Request) -> dns.message.Message:
        answer = await self.next_plugin(request)
        if answer.rcode() == dns.rcode.NOERROR and answer.answer:
            short = request.reply()
            short.flags, short.answer = answer.flags, answer.answer
            return short
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    c.next()
    if c.next_arg():
        raise c.arg_error()
    return Minimal()
