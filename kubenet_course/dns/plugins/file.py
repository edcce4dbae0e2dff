"""file: authoritative answers from zone files (plugin/file)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message

from kubenet_course.dns.corefile import Dispenser
from kubenet_course.dns.names import go_duration, longest_match
from kubenet_course.dns.plugin import Fallthrough, Plugin, Request, ServerConfig
from kubenet_course.dns.zone import Zone, ZoneError, answer_from

SECOND = 10**9


@dataclass
class File(Plugin):
    config: ServerConfig
    path: str
    zones: list[str]
    reload: int = 60 * SECOND
    fallthrough: Fallthrough = Fallthrough()
    loaded: dict[str, Zone] = field(default_factory=dict)
    _read_at: int = 0

    def load(self) -> None:
        """Read the file again; a zone whose serial has not changed stays as it is."""
        self._read_at = self.config.environment.now()
        text = self.config.environment.files.read(self.config.path(self.path))
        for zone in self.zones:
            if text is None:
                continue
            new = Zone.parse(text, zone, self.path)
            old = self.loaded.get(zone)
            if old is None or old.serial != new.serial:
                self.loaded[zone] = new

    async def serve_dns(self, request: Request) -> dns.message.Message:
        origin = longest_match(self.zones, request.name)
        if origin is None:
            return await self.next_plugin(request)
        environment = self.config.environment
        if self.reload and environment.now() >= self._read_at + self.reload:
            try:
                self.load()
            except ZoneError as problem:
                environment.log(f"[ERROR] plugin/file: Failed to parse zone {origin!r}: {problem}")
        zone = self.loaded.get(origin)
        if zone is None:
            return request.reply(dns.rcode.SERVFAIL)
        answer = answer_from(zone, request)
        if answer.rcode() == dns.rcode.NXDOMAIN and self.fallthrough.through(request.name):
            return await self.next_plugin(request)
        return answer


def setup(c: Dispenser, config: ServerConfig) -> list[Plugin]:
    handlers: list[Plugin] = []
    while c.next():
        if not c.next_arg():
            raise c.arg_error()
        handler = File(config, c.text, [])
        handler.zones = config.origins(c.remaining_args())
        while c.next_block():
            if c.text == "fallthrough":
                handler.fallthrough = Fallthrough.parse(c)
            elif c.text == "reload":
                words = c.remaining_args()
                if len(words) != 1:
                    raise c.error("reload interval is missing")
                try:
                    handler.reload = go_duration(words[0])
                except ValueError as problem:
                    raise c.error(str(problem)) from None
            elif c.text == "upstream":
                c.remaining_args()
            else:
                raise c.error(f"unknown property '{c.text}'")
        try:
            handler.load()
        except ZoneError as problem:
            raise c.error(f"plugin/file: {problem}") from None
        handlers.append(handler)
    return handlers
