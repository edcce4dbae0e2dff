"""CoreDNS' server: from a Corefile to an answer for each query (core/dnsserver).

The engine is given an `Environment` for everything outside of it: files, the clock, randomness, other
DNS servers, where log lines go. It never opens a socket itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass

from kubenet_course.dns.corefile import CorefileError, Dispenser, Files, ServerBlock, parse
from kubenet_course.dns.names import Address, longest_match, server_addresses
from kubenet_course.dns.plugin import ORDER, Dropped, Endpoint, PluginError, Request, ServerConfig
from kubenet_course.registry import discover

VERSION = "1.12.1"
RELEASE = "linux/amd64, go1.24.1, 707c7c1"
DEFAULT_COREFILE = ".:{port} {{\nwhoami\nlog\n}}\n"


@dataclass
class Environment:
    """The world outside of the engine.

    `time()` is seconds since 1970. `addresses()` are the machine's own, `interface(name)` those of one
    interface. `reload(text)` puts a new Corefile in place ("" or why not), `shutdown(message)` ends all.
    `exchange(server, port, wire, protocol, timeout_ns)` asks another server and gives the bytes of its
    answer; it raises OSError (refused, unreachable) or TimeoutError. `now()` is ns of a clock that only
    moves forward, `sleep(ns)` waits on it, `spawn(coroutine)` runs something beside.
    """

    files: Files
    now: Callable[[], int]
    sleep: Callable[[int], Awaitable[None]]
    spawn: Callable[[Any], Any]
    exchange: Callable[[str, int, bytes, str, int], Awaitable[bytes]]
    log: Callable[[str], None]
    random: Random = field(default_factory=lambda: Random(0))
    variables: Mapping[str, str] = field(default_factory=dict)
    hostname: str = "localhost"
    time: Callable[[], float] = lambda: 0.0
    addresses: Callable[[], list[str]] = list
    interface: Callable[[str], list[str] | None] = lambda _: None
    reload: Callable[[str], Awaitable[str]] | None = None
    shutdown: Callable[[str], None] | None = None


@dataclass
class Server:
    """What listens on one address ("" for all) and port: of the zones there the longest match answers."""

    transport: str
    address: str
    port: str
    configs: list[tuple[str, ServerConfig]] = field(default_factory=list)

    def banner(self) -> list[str]:
        """dnsserver.startUpZones(): a line a zone, with the port, and the address if it is not every one."""
        prefix = "" if self.transport == "dns" else f"{self.transport}://"
        where = f" on {self.address}" if self.address else ""
        zones = sorted({zone for zone, _ in self.configs})
        return [f"{prefix}{zone}:{self.port}{where}" for zone in zones]


class Engine:
    """A loaded Corefile. `servers` are to be listened on; `answer` does the work."""

    def __init__(self, text: str, environment: Environment, *, file: str = "Corefile", default_port: str = "53"):
        self.environment = environment
        self.text = text
        self.file = file
        self.modules = discover("kubenet_course.dns.plugins")
        known = [name for name in ORDER if name in self.modules]
        blocks = parse(text, file, files=environment.files, environment=environment.variables, known=known)
        if not blocks:
            blocks = parse(DEFAULT_COREFILE.format(port=default_port), file)
        self.default_port = default_port
        self.configs = [self._configure(block) for block in blocks]
        self.servers = self._servers()

    # -- loading ----------------------------------------------------------------------------
    def _configure(self, block: ServerBlock) -> ServerConfig:
        addresses: list[Address] = []
        for key in block.keys:
            for address in server_addresses(key):
                if address.port == "53" and address.transport == "dns" and not key.rpartition(":")[2].isdigit():
                    address = address._replace(port=self.default_port)
                addresses.append(address)
        config = ServerConfig(self.environment, addresses, list(block.keys))
        for name in ORDER:
            if name not in block.directives:
                continue
            dispenser = Dispenser(block.directives[name], block.keys, self.environment.variables)
            try:
                plugin = self.modules[name].setup(dispenser, config)
            except CorefileError as problem:
                raise CorefileError(f"plugin/{name}: {problem}") from None
            for handler in plugin if isinstance(plugin, list) else [plugin]:
                if handler is not None:
                    handler.name = name
                    config.plugins.append(handler)
                    config.handlers.setdefault(name, handler)
        for handler, following in zip(config.plugins, config.plugins[1:]):
            handler.next = following
        return config

    def _servers(self) -> list[Server]:
        """dnsContext.MakeServers(): what to listen on, and that no zone is there twice."""
        servers: dict[tuple[str, str, str], Server] = {}
        taken: set[tuple[str, str, str, str]] = set()
        for config in self.configs:
            for address in config.addresses:
                for host in config.listen or [""]:
                    _check_overlap(address, host, taken)
                    if not config.filters:
                        taken.add((*address, host))
                    key = (address.transport, host, address.port)
                    servers.setdefault(key, Server(*key)).configs.append((address.zone, config))
        return list(servers.values())

    # -- answering --------------------------------------------------------------------------
    async def answer(
        self, server: Server, wire: bytes, client: str, client_port: int = 0, protocol: str = "udp", local: str = "", local_port: int = 53
    ) -> bytes | None:
        """The answer's bytes, cut to what the client takes; None where none is to be sent."""
        try:
            message = dns.message.from_wire(wire, ignore_trailing=True)
        except dns.exception.DNSException:
            return _format_error(wire)
        if message.flags & dns.flags.QR:
            return None
        request = Request(message, client, client_port, protocol, local, local_port)
        try:
            response = await self.serve(server, request)
        except Dropped:
            return None
        return fit(response, request)

    async def answers(
        self, server: Server, wire: bytes, client: str, client_port: int, local: str, local_port: int
    ) -> AsyncIterator[bytes]:
        """The answers to a query over TCP: one, or the many messages of a zone transfer."""
        answer = await self.answer(server, wire, client, client_port, "tcp", local, local_port)
        if answer is not None:
            yield answer

    async def serve(self, server: Server, request: Request) -> dns.message.Message:
        """dnsserver.Server.ServeDNS(): choose the zone, run its chain, turn failures into codes."""
        message = request.message
        if message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
            return request.reply(dns.rcode.REFUSED if message.question else dns.rcode.FORMERR)
        if message.edns > 0:
            return request.reply(dns.rcode.BADVERS)
        config = self._choose(server, request)
        if config is None or (request.qclass != dns.rdataclass.IN and not config.options.get("class_chaos")):
            return request.reply(dns.rcode.REFUSED)
        if not config.plugins:
            return request.reply(dns.rcode.REFUSED)
        try:
            return await config.plugins[0].serve_dns(request)
        except PluginError as problem:
            return request.reply(problem.rcode)

    def _choose(self, server: Server, request: Request) -> ServerConfig | None:
        """The block with the longest zone whose views let the request in."""
        candidates = [zone for zone, config in server.configs if all(allow(request) for allow in config.filters)]
        zone = longest_match(candidates, request.name)
        if zone is None:
            return None
        request.zone = zone
        for name, config in server.configs:
            if name == zone and all(allow(request) for allow in config.filters):
                return config
        return None

    # -- life -------------------------------------------------------------------------------
    async def start(self) -> None:
        for config in self.configs:
            for plugin in config.plugins:
                await plugin.start()
            for hook in config.on_startup:
                await hook()

    def endpoints(self) -> list[Endpoint]:
        """The HTTP servers that plugins want, one an address."""
        found: dict[tuple[str, int], Endpoint] = {}
        for config in self.configs:
            for endpoint in config.endpoints:
                there = found.setdefault((endpoint.address, endpoint.port), endpoint)
                there.pages.update(endpoint.pages)
        return list(found.values())

    def stop(self) -> None:
        for config in self.configs:
            for plugin in config.plugins:
                plugin.stop()


def _check_overlap(address: Address, host: str, taken: set[tuple[str, str, str, str]]) -> None:
    """zoneOverlap: the same zone on the same listener, or on one that covers it."""
    name = f"{address.transport}://{address.zone}:{address.port}"
    shown = name + (f" on {host}" if host else "")
    if (*address, host) in taken:
        raise CorefileError(f"cannot serve {shown} - it is already defined")
    for other in taken:
        if other[:3] == tuple(address) and not (host and other[3]):
            there = name + (f" on {other[3]}" if other[3] else "")
            raise CorefileError(f"cannot serve {shown} - zone overlap listener capacity with {there}")


def plugin_names() -> list[str]:
    """The plugins of this installation, in the order of the chain."""
    found = discover("kubenet_course.dns.plugins")
    return [name for name in ORDER if name in found]


def fit(response: dns.message.Message, request: Request) -> bytes:
    """Request.SizeAndDo() and Scrub(): EDNS as the client used it, cut to its size with TC set."""
    if request.message.edns >= 0 and response.edns < 0:
        response.use_edns(0, request.message.ednsflags & dns.flags.DO, payload=request.message.payload)
    limit = request.size
    wire = response.to_wire(max_size=65535)
    if len(wire) <= limit:
        return wire
    response.additional = [] if len(response.to_wire(max_size=65535)) > limit else response.additional
    while len(wire := response.to_wire(max_size=65535)) > limit and (response.additional or response.authority or response.answer):
        response.flags |= dns.flags.TC
        for section in (response.additional, response.authority, response.answer):
            if section:
                rrset = section[-1]
                if len(rrset) > 1:
                    items = list(rrset)[:-1]
                    shorter = type(rrset)(rrset.name, rrset.rdclass, rrset.rdtype)
                    for item in items:
                        shorter.add(item, rrset.ttl)
                    section[-1] = shorter
                else:
                    section.pop()
                break
    return wire


def _format_error(wire: bytes) -> bytes | None:
    """FORMERR for what cannot be read, if at least its header can."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    return wire[:2] + bytes([0x80 | wire[2] & 0x79, dns.rcode.FORMERR]) + bytes(8)
