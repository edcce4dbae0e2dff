"""secondary: serves a zone that it fetches from another server (AXFR), and fetches again when its serial grows (plugin/secondary)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration_text, longest_match
from kubenet_course.dns.plugin import Dropped, Fallthrough, Plugin, Request, ServerConfig
from kubenet_course.dns.plugins.file import serve_zone
from kubenet_course.dns.wire import MALFORMED
from kubenet_course.dns.zone import Zone, ZoneError

SECOND = 10**9
SOA = 6
#: How long a first transfer that failed waits for the next; each time twice as long.
FIRST_PAUSE, LONGEST_PAUSE = SECOND // 4, 10 * SECOND


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
        if request.message.opcode() == dns.opcode.NOTIFY:
            return self._notified(request, origin)
        return await serve_zone(self, self.loaded.get(origin), request, self.fallthrough)

    def _notified(self, request: Request, origin: str) -> dns.message.Message:
        """A primary says that the zone has changed (RFC 1996); from anybody else that is dropped."""
        environment = self.config.environment
        if all(_place(primary)[0] != request.client for primary in self.primaries):
            environment.log(f"[INFO] plugin/file: Dropping notify from {request.client} for {origin}")
            raise Dropped
        environment.log(f"[INFO] plugin/file: Notify from {request.client} for {origin}: checking transfer")
        environment.spawn(self._check(request.client, origin))
        return request.reply(authoritative=True)

    async def _check(self, client: str, origin: str) -> None:
        newer, failure = await self._should_transfer(origin)
        text = f"plugin/file: Notify from {client} for {origin}"
        if newer:
            await self._transfer(origin)
        else:
            self.config.environment.log(f"[INFO] {text}: no SOA serial increase seen")
        if failure:
            self.config.environment.log(f"[WARNING] {text}: failed primary check: {failure}")

    async def start(self) -> None:
        if not self.running:
            self.running = True
            for zone in self.zones:
                self.config.environment.spawn(self._follow(zone))

    def stop(self) -> None:
        self.running = False

    async def _follow(self, origin: str) -> None:
        """Fetch, at first again and again; then ask for the SOA every `refresh`, or every `retry` after a failure.

        After `expire` without an answer the zone is forgotten.
        """
        environment = self.config.environment
        pause = FIRST_PAUSE
        while self.running and (failure := await self._transfer(origin)):
            environment.log(
                f"[WARNING] plugin/secondary: All '{origin}' masters failed to transfer, "
                f"retrying in {go_duration_text(pause)}: {failure}"
            )
            await environment.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        good, soa, failed = environment.now(), self.loaded[origin].soa[0] if origin in self.loaded else None, False
        while self.running and soa is not None:
            await environment.sleep(max(1, soa.retry if failed else soa.refresh) * SECOND)
            if not self.running:
                return
            newer, failure = await self._should_transfer(origin)
            if failure:
                environment.log(f"[WARNING] plugin/file: Failed {'retry' if failed else 'refresh'} check {failure}")
            elif newer:
                failure = await self._transfer(origin)
            failed = bool(failure)
            if not failed:
                good, soa = environment.now(), self.loaded[origin].soa[0]
            elif environment.now() - good > soa.expire * SECOND:
                self.loaded.pop(origin, None)

    async def _should_transfer(self, origin: str) -> tuple[bool, str]:
        """Whether a primary's serial is newer than ours (RFC 1982), asked over TCP; and why none could tell."""
        environment = self.config.environment
        failure = ""
        for primary in self.primaries:
            query = dns.message.make_query(origin, "SOA", id=environment.random.getrandbits(16))
            try:
                host, port = _place(primary)
                answer = dns.message.from_wire(await environment.exchange(host, port, query.to_wire(), "tcp", 2 * SECOND))
            except (OSError, TimeoutError, *MALFORMED) as problem:
                failure = str(problem)
                continue
            serial = next((int(rrset[0].serial) for rrset in answer.answer if rrset.rdtype == SOA), None)
            if serial is not None:
                old = self.loaded.get(origin)
                return old is None or 0 < (serial - old.serial) & 0xFFFFFFFF < 1 << 31, ""
        return False, failure

    async def _transfer(self, origin: str) -> str:
        """Zone.TransferIn(): from the first primary that gives it; "" or why none did."""
        environment = self.config.environment
        failure = "no primaries"
        for primary in self.primaries:
            try:
                self.loaded[origin] = await self._fetch(origin, *_place(primary))
            except (OSError, TimeoutError, ZoneError, *MALFORMED) as problem:
                failure = str(problem)
                environment.log(f"[ERROR] plugin/file: Failed to transfer `{origin}' from \"{primary}\": {problem}")
                continue
            environment.log(f"[INFO] plugin/file: Transferred: {origin} from {primary}")
            return ""
        return failure

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
