"""CoreDNS' server: from a Corefile to an answer for each query (core/dnsserver).

The engine is given an `Environment` for everything outside of it: files, the clock, randomness, other
DNS servers, where log lines go. It never opens a socket itself.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, NamedTuple

import dns.exception
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from kubenet_course.dns.corefile import CorefileError, Files, ServerBlock, parse
from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.metrics import Metrics
from kubenet_course.dns.names import Address, parent, server_addresses
from kubenet_course.dns.plugin import ORDER, Dropped, Endpoint, PluginError, Request, ServerConfig
from kubenet_course.dns.wire import MALFORMED, encode, fit, opt_record, read
from kubenet_course.registry import discover

VERSION = "1.12.1"
RELEASE = "linux/amd64, go1.24.1, 707c7c1"
DEFAULT_COREFILE = ".:{port} {{\nwhoami\nlog\n}}\n"


class Source(NamedTuple):
    """The Corefile that runs: its text, its name, and how it is read again (None: not there any more)."""

    text: str
    file: str
    load: Callable[[], str | None]


@dataclass
class Environment:
    """The world outside of the engine.

    `cluster` is a Kubernetes cluster's objects (see `cluster.py`), where there is one.
    `time()` is seconds since 1970. `addresses()` are the machine's own, `interface(name)` those of one
    interface. `reload(text)` puts a new Corefile in place ("" or why not), `shutdown(message)` ends all.
    `failed(exception)` is told of a defect in the program.
    `stream(server, port, wire, timeout_ns)` gives the messages of a zone transfer.
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
    problem: Callable[[str], str] = lambda _: "no such file or directory"
    addresses: Callable[[], list[str]] = list
    interface: Callable[[str], list[str] | None] = lambda _: None
    reload: Callable[[str], Awaitable[str]] | None = None
    shutdown: Callable[[str], None] | None = None
    stream: Callable[[str, int, bytes, int], AsyncIterator[bytes]] | None = None
    failed: Callable[[Exception], None] | None = None
    source: Source | None = None
    metrics: Metrics = field(default_factory=Metrics)
    cluster: Any = None


@dataclass
class Server:
    """What listens on one address ("" for all) and port: of the zones there the longest match answers."""

    transport: str
    address: str
    port: str
    zones: dict[str, list[ServerConfig]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Its address and port as Go writes them: ``:53``, ``[::1]:53``."""
        return f"{f'[{self.address}]' if ':' in self.address else self.address}:{self.port}"

    @property
    def chaos(self) -> bool:
        """Whether classes other than IN are served: with these plugins in some block (EnableChaos)."""
        return any({"chaos", "forward"} & set(config.handlers) for configs in self.zones.values() for config in configs)

    @property
    def waits(self) -> bool:
        """Whether some answer may take time; else each is made in one go."""
        return any(plugin.waits for configs in self.zones.values() for config in configs for plugin in config.plugins)

    def banner(self) -> list[str]:
        """dnsserver.startUpZones(): a line a zone, with the port, and the address if it is not every one."""
        prefix = "" if self.transport == "dns" else f"{self.transport}://"
        where = f" on {self.address}" if self.address else ""
        return [f"{prefix}{zone}:{self.port}{where}" for zone in sorted(self.zones)]


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
                if address.transport != "dns":
                    raise CorefileError(f"kubenet: coredns: servers that speak {address.transport} are not emulated")
                addresses.append(address)
        config = ServerConfig(self.environment, addresses, list(block.keys))
        for name in ORDER:
            if name not in block.directives:
                continue
            dispenser = Dispenser(block.directives[name], block.keys, self.environment.variables)
            try:
                plugin = self.modules[name].setup(dispenser, config)
            except CorefileError as problem:
                text = str(problem)
                raise CorefileError(text if text.startswith("kubenet:") else f"plugin/{name}: {text}") from None
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
        overlap = _Overlap()
        for config in self.configs:
            for address in config.addresses:
                for host in config.listen or [""]:
                    overlap.check(address, host)
                    if not config.filters:
                        overlap.add(address, host)
                    key = (address.transport, host, address.port)
                    servers.setdefault(key, Server(*key)).zones.setdefault(address.zone, []).append(config)
        return list(servers.values())

    # -- answering --------------------------------------------------------------------------
    async def answer(
        self, server: Server, wire: bytes, client: str, client_port: int = 0, protocol: str = "udp", local: str = "", local_port: int = 53,
        more: list[Iterator[dns.message.Message]] | None = None,
    ) -> bytes | None:  # fmt: skip
        """The answer's bytes, cut to what the client takes; None where none is to be sent.

        What follows the first message of a zone transfer is put into `more`.
        """
        refusal = reject(wire)
        if refusal is not None:
            return refusal or None
        try:
            message = read(wire)
        except MALFORMED:
            return formerr(wire)
        request = Request(message, client, client_port, protocol, local, local_port)
        try:
            response = await self.serve(server, request)
        except Dropped:
            return None
        except Exception as failure:  # noqa: BLE001  (a defect of ours: said, counted, and the server goes on)
            response = self._recovered(request, failure)
        if request.more is not None and more is not None:
            more.append(request.more)
        if request.options:
            response.use_edns(0, 0, options=request.options)
        opt = opt_record(response, message, message.payload)
        return fit(response, request.size, opt, udp=protocol == "udp", six=request.family == 6)

    def _recovered(self, request: Request, failure: Exception) -> dns.message.Message:
        """Server.ServeDNS()'s recover(): SERVFAIL for what went wrong in the program itself."""
        environment = self.environment
        environment.metrics.count("coredns_panics_total")
        environment.log(f"[ERROR] Recovered from panic in server: {request.qname} {type(failure).__name__}: {failure}")
        if environment.failed is not None:
            environment.failed(failure)
        return request.reply(dns.rcode.SERVFAIL)

    async def answers(
        self, server: Server, wire: bytes, client: str, client_port: int, local: str, local_port: int
    ) -> AsyncIterator[bytes]:
        """The answers to a query over TCP: one, or the many messages of a zone transfer."""
        more: list[Iterator[dns.message.Message]] = []
        opt = b""
        answer = await self.answer(server, wire, client, client_port, "tcp", local, local_port, more)
        if answer is not None:
            yield answer
        if more:
            query = read(wire)
            opt = opt_record(dns.message.Message(), query, query.payload)
        for message in more[0] if more else ():
            yield encode(message, True, opt)

    async def serve(self, server: Server, request: Request) -> dns.message.Message:
        """dnsserver.Server.ServeDNS(): choose the zone, run its chain, turn failures into codes."""
        if request.qclass != dns.rdataclass.IN and not server.chaos:
            return self._refused(server, request)
        if request.message.edns > 0:
            return request.reply(dns.rcode.BADVERS)
        config = self._choose(server, request)
        if config is None or not config.plugins:
            return self._refused(server, request)
        request.lookup = partial(self.serve, server)
        try:
            return await config.plugins[0].serve_dns(request)
        except PluginError as problem:
            return request.reply(problem.rcode)

    def _refused(self, server: Server, request: Request) -> dns.message.Message:
        """errorAndMetricsFunc(): what no chain of plugins sees is counted under a zone that cannot be."""
        answer = request.reply(dns.rcode.REFUSED)
        where = {"server": f"{server.transport}://{server.place}", "zone": "dropped", "view": ""}
        self.modules["prometheus"].report(self.environment.metrics, request, answer, 0, "", where)
        return answer

    def _choose(self, server: Server, request: Request) -> ServerConfig | None:
        """The block with the longest zone whose views let the request in; for DS the parent's, if it is there."""
        name, kept, kept_zone = request.name, None, ""
        while True:
            if name == "." and kept is not None:
                request.zone, request.view = kept_zone, kept.view
                return kept
            for config in server.zones.get(name, ()):
                for collect in config.metadata:
                    collect(request)
                if not all(allow(request) for allow in config.filters):
                    continue
                if request.qtype != dns.rdatatype.DS or name == ".":
                    request.zone, request.view = name, config.view
                    return config
                kept, kept_zone = config, name
                break
            if name == ".":
                return None
            name = parent(name)

    # -- life -------------------------------------------------------------------------------
    def check(self) -> None:
        """Before it listens. CorefileError where a plugin cannot begin."""
        for config in self.configs:
            for plugin in config.plugins:
                plugin.check()

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

    async def drain(self) -> None:
        """Wait for what must not end at once (health's lameduck)."""
        for config in self.configs:
            for plugin in config.plugins:
                await plugin.drain()

    def stop(self) -> None:
        for config in self.configs:
            for plugin in config.plugins:
                plugin.stop()


class _Overlap:
    """zoneOverlap: who serves which zone on which listener, so that no zone is there twice."""

    def __init__(self) -> None:
        self._hosts: dict[Address, list[str]] = {}

    def check(self, address: Address, host: str) -> None:
        """CorefileError where the zone is on this listener, or on one that covers it, already."""
        hosts = self._hosts.get(address, [])
        if host in hosts:
            raise CorefileError(f"cannot serve {_place(address, host)} - it is already defined")
        if hosts and (not host or "" in hosts):
            there = _place(address, "" if host else hosts[-1])
            raise CorefileError(f"cannot serve {_place(address, host)} - zone overlap listener capacity with {there}")

    def add(self, address: Address, host: str) -> None:
        self._hosts.setdefault(address, []).append(host)


def _place(address: Address, host: str) -> str:
    return f"{address} on {host}" if host else str(address)


def reject(wire: bytes) -> bytes | None:
    """dns.DefaultMsgAcceptFunc: None for what is to be read; b"" for what is ignored; else the answer."""
    if len(wire) < 12 or wire[2] & 0x80:
        return b""
    opcode = wire[2] >> 3 & 15
    if opcode not in (dns.opcode.QUERY, dns.opcode.NOTIFY):
        return _header(wire, dns.rcode.NOTIMP, opcode)
    questions, answers, authority, additional = struct.unpack_from("!HHHH", wire, 4)
    if questions != 1 or answers > 1 or authority > 1 or additional > 2:
        return _header(wire, dns.rcode.FORMERR)
    return None


def formerr(wire: bytes) -> bytes:
    """The answer to a query that cannot be read."""
    return _header(wire, dns.rcode.FORMERR)


def _header(wire: bytes, rcode: int, opcode: int = 0) -> bytes:
    """An answer of a header only: the query's id, RD and CD."""
    return wire[:2] + bytes([0x80 | opcode << 3 | wire[2] & 0x01, wire[3] & 0x10 | rcode]) + bytes(8)
