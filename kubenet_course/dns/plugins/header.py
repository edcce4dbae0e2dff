"""header: sets and clears flags of queries and answers (plugin/header)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

FLAGS = (("aa", 0x0400), ("ra", 0x0080), ("rd", 0x0100))


@dataclass
class Header(Plugin):
    """Rules are (bit, set it?)."""

    query: list[tuple[int, bool]] = field(default_factory=list)
    response: list[tuple[int, bool]] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        request.message.flags = _apply(request.message.flags, self.query)
        answer = await self.next_plugin(request)
        answer.flags = _apply(answer.flags, self.response)
        return answer


def _apply(flags: int, rules: list[tuple[int, bool]]) -> int:
    for bit, wanted in rules:
        flags = flags | bit if wanted else flags & ~bit
    return flags


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Header()
    c.next()
    if c.remaining_args():
        raise c.arg_error()
    rules = 0
    while c.next_block():
        words = [c.text, *c.remaining_args()]
        selector = "response"
        if words[0] in ("query", "response"):
            selector = words.pop(0)
        if len(words) < 2:
            raise c.plain("invalid length for flags, at least one should be provided")
        if words[0] not in ("set", "clear"):
            raise c.plain(f"unknown flag action={words[0]}, should be set or clear")
        for word in words[1:]:
            bit = dict(FLAGS).get(word.lower())
            if bit is None:
                raise c.plain(f"unknown/unsupported flag={word}")
            getattr(handler, selector).append((bit, words[0] == "set"))
        rules += 1
    if not rules:
        raise c.arg_error()
    return handler
