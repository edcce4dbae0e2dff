"""secondary: serves a zone that it fetches from another server (AXFR), and fetches again when its serial grows (plugin/secondary)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdatatype

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Fallthrough, Plugin, Request, ServerConfig
from kubenet_course.dns.plugins.file import serve_zone
from kubenet_course.dns.wire import MALFORMED
from kubenet_course.dns.zone import Zone, ZoneError

SECOND = 10**9
SOA = 6


@dataclass
class Secondary(Plugin):
    config: ServerConfig
    zones: list[str]
    primaries: list[str] = field(default_factory=list)
    fallthrough: Fallthrough = Fallthrough()
    loaded: dict[str, Zone] = field(default_factory=dict)
    running: bool = False

    async def serve_dns(self, request: Request) -> dns.message.Message:
        origin = longest_match(self.zones, request.name)
        if origin is None:
            return await self.next_plugin(request)
        return await serve_zone(self, self.loaded.get(origin), request, self.fallthrough)

    async def start(self) -> None:
        if not self.running:
            self.running = True
            for zone in self.zones:
                self.config.environment.spawn(self._follow(zone))

    def stop(self) -> None:
        self.running = False

    async def _follow(self, origin: str) -> None:
        """Fetch, then ask for the SOA every `refresh` (`retry` after a failure); after `expire` the zone is forgotten."""
        environment = self.config.environment
        good = environment.now()
        while self.running:
            fetched = await self._update(origin)
            zone = self.loaded.get(origin)
            if fetched:
                good = environment.now()
            elif zone is not None and environment.now() - good > zone.soa[0].expire * SECOND:
                del self.loaded[origin]
            wait = 10 if zone is None else zone.soa[0].refresh if fetched else zone.soa[0].retry
            await environment.sleep(max(1, wait) * SECOND)

    async def _update(self, origin: str) -> bool:
        environment = self.config.environment
        for primary in self.primaries:
            host, port = _place(primary)
            try:
                serial = await self._serial(origin, host, port)
                old = self.loaded.get(origin)
                if serial is None:
                    continue
                if old is not None and old.serial == serial:
                    return True
                self.loaded[origin] = await self._fetch(origin, host, port)
            except (OSError, TimeoutError, ZoneError, *MALFORMED) as problem:
                environment.log(f"[ERROR] plugin/secondary: Failed to transfer `{origin}' from \"{primary}\": {problem}")
                continue
            environment.log(f"[INFO] plugin/secondary: Transferred: {origin} from {primary}")
            return True
        return False

    async def _serial(self, origin: str, host: str, port: int) -> int | None:
        environment = self.config.environment
        query = dns.message.make_query(origin, "SOA", id=environment.random.getrandbits(16))
        answer = dns.message.from_wire(await environment.exchange(host, port, query.to_wire(), "udp", 5 * SECOND))
        return next((int(rrset[0].serial) for rrset in answer.answer if rrset.rdtype == SOA), None)

    async def _fetch(self, origin: str, host: str, port: int) -> Zone:
        environment = self.config.environment
        query = dns.message.make_query(origin, "AXFR", id=environment.random.getrandbits(16))
        rows: list = []
        ends = 0
        assert environment.stream is not None
        async for wire in environment.stream(host, port, query.to_wire(), 30 * SECOND):
            message = dns.message.from_wire(wire, xfr=True, one_rr_per_rrset=True)
            if message.rcode() != dns.rcode.NOERROR:
                raise ZoneError(f"transfer refused: {dns.rcode.to_text(message.rcode())}")
            for rrset in message.answer:
                ends += rrset.rdtype == SOA
                if rrset.rdtype != SOA or ends == 1:
                    rows.append((rrset.name, rrset.ttl, rrset[0]))
            if ends > 1:
                break
        return Zone(origin, iter(rows), f"{host}:{port}")


def _place(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"\[(.+)\]:(\d+)|([^:]+):(\d+)", text)
    if match:
        return match[1] or match[3], int(match[2] or match[4])
    return text.strip("[]"), 53


def setup(c: Dispenser, config: ServerConfig) -> list[Plugin]:
    handlers: list[Plugin] = []
    while c.next():
        handler = Secondary(config, config.origins(c.remaining_args()))
        while c.next_block():
            if c.text == "transfer":
                words = c.remaining_args()
                if len(words) < 2 or words[0] != "from":
                    raise c.arg_error()
                for word in words[1:]:
                    handler.primaries.append(c.host_port(word))
            elif c.text == "fallthrough":
                handler.fallthrough = Fallthrough.parse(c)
            elif c.text == "upstream":
                c.remaining_args()
            else:
                raise c.error(f"unknown property '{c.text}'")
        if not handler.primaries:
            raise c.error("'transfer from' is required")
        config.authoritative.append((handler.zones, handler.loaded.get))
        handlers.append(handler)
    return handlers
