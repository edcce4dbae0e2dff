"""What a CoreDNS plugin is, and what it is given.

A plugin is one file in `plugins/` with

    def setup(c: Dispenser, config: ServerConfig) -> Plugin | None

which reads its directive (CorefileError for what CoreDNS refuses) and returns the handler to put
into the chain, or None where it only changes the configuration (`bind`, `debug`, `root`). Where in
the chain it stands is told by `ORDER` below alone, not by the Corefile.

A handler takes a `Request` and gives a response message; to pass the request on it calls
`await self.next_plugin(request)`, and may change what comes back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.corefile import Dispenser
from kubenet_course.dns.names import Address, fqdn, is_subdomain, normalise_zone

if TYPE_CHECKING:
    from kubenet_course.dns.engine import Environment

#: The order of the chain (CoreDNS 1.12, plugin.cfg). Only this list decides it.
ORDER = (
    "root",
    "metadata",
    "cancel",
    "timeouts",
    "tls",
    "reload",
    "nsid",
    "bufsize",
    "bind",
    "debug",
    "ready",
    "health",
    "pprof",
    "prometheus",
    "errors",
    "log",
    "dnstap",
    "local",
    "dns64",
    "acl",
    "any",
    "chaos",
    "loadbalance",
    "cache",
    "rewrite",
    "header",
    "dnssec",
    "autopath",
    "minimal",
    "template",
    "transfer",
    "hosts",
    "route53",
    "azure",
    "clouddns",
    "k8s_external",
    "kubernetes",
    "file",
    "auto",
    "secondary",
    "etcd",
    "loop",
    "forward",
    "grpc",
    "erratic",
    "whoami",
    "on",
    "sign",
    "view",
)


class PluginError(Exception):
    """A plugin could not answer; the client gets SERVFAIL (or `rcode`), and `errors` logs the text."""

    def __init__(self, plugin: str, message: str, rcode: int = dns.rcode.SERVFAIL):
        super().__init__(message)
        self.plugin = plugin
        self.rcode = rcode


class Dropped(Exception):
    """No answer shall be sent at all (acl drop, erratic)."""


MAX_LOOKUPS = 8


@dataclass
class Request:
    """One query on its way through the chain (request.Request).

    `question` is the name as the client wrote it, `name` the same in lower case, both with a dot at the end.
    """

    message: dns.message.Message
    client: str
    client_port: int = 0
    protocol: str = "udp"
    server: str = ""
    server_port: int = 53
    zone: str = "."
    metadata: dict[str, Callable[[], str]] = field(default_factory=dict)
    lookup: Callable[[Request], Awaitable[dns.message.Message]] | None = None
    depth: int = 0

    def __post_init__(self) -> None:
        question = self.message.question[0] if self.message.question else None
        self.question = question.name if question is not None else dns.name.root
        self.qname = self.question.to_text()
        self.name = self.qname.lower()
        self.qtype = int(question.rdtype) if question is not None else 0
        self.qclass = int(question.rdclass) if question is not None else 0

    @property
    def type(self) -> str:
        return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(self.qtype))

    @property
    def klass(self) -> str:
        return dns.rdataclass.to_text(dns.rdataclass.RdataClass.make(self.qclass))

    @property
    def do(self) -> bool:
        return bool(self.message.ednsflags & dns.flags.DO)

    @property
    def family(self) -> int:
        return 6 if ":" in self.client else 4

    @property
    def size(self) -> int:
        """How large an answer the client takes: 65535 over TCP, else EDNS's size, else 512 (edns.Size)."""
        if self.protocol == "tcp":
            return 65535
        return max(512, self.message.payload) if self.message.edns >= 0 else 512

    def reply(self, rcode: int = dns.rcode.NOERROR, *, authoritative: bool = False) -> dns.message.Message:
        """An empty answer to this query (Msg.SetReply)."""
        message = self.message
        answer = dns.message.QueryMessage(message.id)
        answer.flags = 0x8000 | message.flags & 0x7800
        if not message.flags & 0x7800:
            answer.flags |= message.flags & 0x0110  # RD and CD
        if authoritative:
            answer.flags |= 0x0400
        if rcode:
            answer.set_rcode(dns.rcode.Rcode.make(rcode))
        answer.question = message.question[:1]
        return answer

    def asked(self, name: str | dns.name.Name, rdtype: int | None = None) -> Request:
        """The same request about another name or type; the message is a copy, EDNS and all."""
        copy = dns.message.QueryMessage(self.message.id)
        copy.flags = self.message.flags
        copy.opt = self.message.opt
        wanted = dns.name.from_text(name) if isinstance(name, str) else name
        kind = dns.rdatatype.RdataType.make(self.qtype if rdtype is None else rdtype)
        question = dns.rrset.RRset(wanted, dns.rdataclass.RdataClass.make(self.qclass or 1), kind)
        copy.question = [question]
        return Request(
            copy, self.client, self.client_port, self.protocol, self.server, self.server_port, self.zone,
            self.metadata, self.lookup, self.depth + 1,
        )  # fmt: skip

    async def resolve(self, name: dns.name.Name, rdtype: int) -> list[dns.rrset.RRset]:
        """upstream.Lookup(): the answer section of what this same server says to another question."""
        if self.lookup is None or self.depth >= MAX_LOOKUPS:
            return []
        return list((await self.lookup(self.asked(name, rdtype))).answer)


class Handler(Protocol):
    """What the chain calls."""

    async def serve_dns(self, request: Request) -> dns.message.Message: ...


class Plugin:
    """A link of the chain. `name` is set by the engine."""

    name = ""
    next: Plugin | None = None

    async def serve_dns(self, request: Request) -> dns.message.Message:
        """The answer to `request`."""
        return await self.next_plugin(request)

    async def next_plugin(self, request: Request) -> dns.message.Message:
        """plugin.NextOrFailure(): hand the request on."""
        if self.next is None:
            raise PluginError(self.name, f"plugin/{self.name}: no next plugin found")
        return await self.next.serve_dns(request)

    async def start(self) -> None:
        """The server has begun to listen."""

    def stop(self) -> None:
        """The server ends, or reloads."""


class Endpoint(NamedTuple):
    """An HTTP server of a plugin: path → function giving (status, media type, text)."""

    address: str
    port: int
    pages: dict[str, Callable[[], tuple[int, str, str]]]


@dataclass
class ServerConfig:
    """One server block's configuration, filled by the plugins' `setup`."""

    environment: Environment
    addresses: list[Address]
    block_keys: list[str]
    root: str = ""
    listen: list[str] = field(default_factory=list)
    debug: bool = False
    plugins: list[Plugin] = field(default_factory=list)
    filters: list[Callable[[Request], bool]] = field(default_factory=list)
    metadata: list[Callable[[Request], None]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    handlers: dict[str, Plugin] = field(default_factory=dict)
    on_startup: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    #: What may be transferred: zones, and a function from a zone to its records.
    authoritative: list[tuple[list[str], Callable[[str], Any]]] = field(default_factory=list)
    endpoints: list[Endpoint] = field(default_factory=list)

    @property
    def zones(self) -> list[str]:
        return [address.zone for address in self.addresses]

    def path(self, name: str) -> str:
        """A file's name below the root directory (`root` plugin)."""
        return name if name.startswith("/") or not self.root else f"{self.root.rstrip('/')}/{name}"

    def origins(self, arguments: list[str]) -> list[str]:
        """plugin.OriginsFromArgsOrServerBlock(): the zones named, else the block's own."""
        if not arguments:
            return list(self.zones)
        zones: list[str] = []
        for argument in arguments:
            try:
                zones += normalise_zone(argument)
            except ValueError:
                continue
        return zones


@dataclass(frozen=True)
class Fallthrough:
    """`fallthrough [ZONES…]`: for which names a plugin that has no answer asks the next one."""

    zones: tuple[str, ...] = ()

    @classmethod
    def parse(cls, c: Dispenser) -> Fallthrough:
        arguments = c.remaining_args()
        if not arguments:
            return cls((".",))
        zones: list[str] = []
        for argument in arguments:
            try:
                zones += normalise_zone(argument)
            except ValueError:
                zones.append(fqdn(argument))
        return cls(tuple(zones))

    def through(self, name: str) -> bool:
        return any(is_subdomain(zone, name) for zone in self.zones)
