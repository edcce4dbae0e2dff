"""erratic: drops, delays and truncates some answers, to test resolvers (plugin/erratic)."""

from __future__ import annotations

from dataclasses import dataclass

import dns.message
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration
from kubenet_course.dns.plugin import Dropped, Plugin, Request, ServerConfig


@dataclass
class Erratic(Plugin):
    """Every `drop`-th query gets no answer, every `delay`-th waits `duration` ns, every `truncate`-th is cut; 0: none."""

    waits = True

    config: ServerConfig
    drop: int = 2
    delay: int = 0
    duration: int = 100_000_000
    truncate: int = 0
    queries: int = 0

    async def serve_dns(self, request: Request) -> dns.message.Message:
        turn = self.queries
        self.queries += 1
        dropped = bool(self.drop) and turn % self.drop == 0
        delayed = bool(self.delay) and turn % self.delay == 0
        if dropped and not self.delay and not self.truncate:
            raise Dropped
        answer = request.reply(authoritative=True)
        if self.truncate and turn % self.truncate == 0:
            answer.flags |= 0x0200
        if request.type == "A":
            answer.answer.append(dns.rrset.from_text(request.qname, 0, "IN", "A", "192.0.2.53"))
        elif request.type == "AAAA":
            answer.answer.append(dns.rrset.from_text(request.qname, 0, "IN", "AAAA", "2001:db8::53"))
        if dropped:
            raise Dropped
        if delayed:
            await self.config.environment.sleep(self.duration)
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Erratic(config)
    dropping = False
    while c.next():
        while c.next_block():
            word = c.text
            words = c.remaining_args()
            if word == "large":
                continue
            if word not in ("drop", "delay", "truncate") or len(words) > (2 if word == "delay" else 1):
                raise c.error(f"unknown property '{word}'") if len(words) < 2 else c.arg_error()
            amount = 2
            if words:
                if not words[0].lstrip("-").isdigit():
                    raise c.plain(f'strconv.ParseInt: parsing "{words[0]}": invalid syntax')
                amount = int(words[0])
                if amount < 0:
                    raise c.plain(f'illegal amount value given "{words[0]}"')
            setattr(handler, word, amount)
            dropping = dropping or word == "drop"
            if len(words) > 1:
                try:
                    handler.duration = go_duration(words[1])
                except ValueError as problem:
                    raise c.plain(str(problem)) from None
    if (handler.delay or handler.truncate) and not dropping:
        handler.drop = 0
    return handler
