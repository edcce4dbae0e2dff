"""CoreDNS' server: from a Corefile to an answer for each query (core/dnsserver).

The engine is given an `Environment` for everything outside of it: files, the clock, randomness, other
DNS servers, where log lines go. It never opens a socket itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
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
from kubenet_course.dns.plugin import ORDER, Dropped, PluginError, Request, ServerConfig
from kubenet_course.registry import discover

VERSION = "1.12.4"
DEFAULT_COREFILE = ".:53 {\nwhoami\nlog\n}\n"


@dataclass
class Environment:
    """The world outside of the engine.

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
    modified: Callable[[str], float] = lambda _: 0.0


@dataclass
class Server:
    """What listens on one port: the configurations of the zones there, the longest match answers."""

    transport: str
    port: str
    listen: list[str]
    configs: list[tuple[str, ServerConfig]]

    @property
    def zones(self) -> list[str]:
        return [zone for zone, _ in self.configs]


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
            blocks = parse(DEFAULT_COREFILE, file)
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
            plugin = self.modules[name].setup(dispenser, config)
            for handler in plugin if isinstance(plugin, list) else [plugin]:
                if handler is not None:
                    handler.name = name
                    config.plugins.append(handler)
                    config.handlers.setdefault(name, handler)
        for handler, following in zip(config.plugins, config.plugins[1:]):
            handler.next = following
        return config

    def _servers(self) -> list[Server]:
        servers: dict[tuple[str, str, tuple[str, ...]], Server] = {}
        for config in self.configs:
            listen = config.listen or [""]
            for address in config.addresses:
                key = (address.transport, address.port, tuple(listen))
                server = servers.setdefault(key, Server(address.transport, address.port, list(listen), []))
                if address.zone in server.zones and not config.filters:
                    there = f"{address.transport}://{address.zone}:{address.port}"
                    raise CorefileError(f"cannot serve {there} - it is already defined")
                server.configs.append((address.zone, config))
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

    def stop(self) -> None:
        for config in self.configs:
            for plugin in config.plugins:
                plugin.stop()

    def banner(self) -> list[str]:
        """What CoreDNS prints when it starts: the zones with their ports, then its version."""
        lines = []
        for config in self.configs:
            for address in config.addresses:
                prefix = "" if address.transport == "dns" else f"{address.transport}://"
                lines += [f"{prefix}{address.zone}:{address.port}" + (f" on {where}" if where else "") for where in config.listen or [""]]
        return [*lines, f"CoreDNS-{VERSION}", "linux/amd64, go1.24.6, 1db4568d"]


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
