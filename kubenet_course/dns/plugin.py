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

import ipaddress
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import Address, fqdn, is_subdomain, normalise_zone
from kubenet_course.dns.wire import Query, names_of

if TYPE_CHECKING:
    from kubenet_course.dns.engine import Environment

#: The order of the chain (CoreDNS 1.12, plugin.cfg). Only this list decides it, never the Corefile.
ORDER = (
    # what the server itself is like
    "root", "metadata", "geoip", "cancel", "tls", "quic", "timeouts", "multisocket", "reload", "nsid", "bufsize", "bind",
    "debug", "trace",
    # what it tells about itself
    "ready", "health", "pprof", "prometheus", "errors", "log", "dnstap",
    # what needs no looking up, and who may ask
    "local", "dns64", "acl", "any", "chaos", "loadbalance", "tsig",
    # what is done to queries and answers
    "cache", "rewrite", "header", "dnssec", "autopath", "minimal", "template", "transfer",
    # where answers come from
    "hosts", "route53", "azure", "clouddns", "k8s_external", "kubernetes", "file", "auto", "secondary", "etcd", "loop",
    "forward", "grpc", "erratic", "whoami",
    # what is no part of the chain
    "on", "sign", "view", "nomad",
)  # fmt: skip


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
    view: str = ""
    deadline: int = 0
    #: EDNS options that plugins add to the answer.
    options: list[dns.edns.Option] = field(default_factory=list)
    #: The rest of a zone transfer.
    more: Iterator[dns.message.Message] | None = None

    def __post_init__(self) -> None:
        question = self.message.question[0] if self.message.question else None
        labels = question.name.labels if question is not None else (b"",)
        self.question, self.qname, self.name = names_of(labels)
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
        flags = 0x8000 | message.flags & 0x7800
        if not flags & 0x7800:
            flags |= message.flags & 0x0110  # RD and CD
        answer.flags = flags | 0x0400 if authoritative else flags
        if rcode:
            answer.set_rcode(dns.rcode.Rcode.make(rcode))
        answer.question = message.question[:1]
        return answer

    def asked(self, name: str | dns.name.Name, rdtype: int | None = None) -> Request:
        """The same request about another name or type; the message is a copy, EDNS and all."""
        copy = Query(self.message.id)
        copy.flags = self.message.flags
        copy.opt = self.message.opt
        wanted = dns.name.from_text(name) if isinstance(name, str) else name
        kind = dns.rdatatype.RdataType.make(self.qtype if rdtype is None else rdtype)
        question = dns.rrset.RRset(wanted, dns.rdataclass.RdataClass.make(self.qclass or 1), kind)
        copy.question = [question]
        return Request(
            copy, self.client, self.client_port, self.protocol, self.server, self.server_port, self.zone,
            self.metadata, self.lookup, self.depth + 1, self.view, self.deadline,
        )  # fmt: skip

    async def ask(self, name: dns.name.Name, rdtype: int) -> dns.message.Message | None:
        """upstream.Lookup(): what this same server says to another question; None where it may not be asked any more."""
        if self.lookup is None or self.depth >= MAX_LOOKUPS:
            return None
        return await self.lookup(self.asked(name, rdtype))

    async def resolve(self, name: dns.name.Name, rdtype: int) -> list[dns.rrset.RRset]:
        """The answer section of what this same server says to another question."""
        found = await self.ask(name, rdtype)
        return list(found.answer) if found is not None else []


class Handler(Protocol):
    """What the chain calls."""

    async def serve_dns(self, request: Request) -> dns.message.Message: ...


class Plugin:
    """A link of the chain. `name` is set by the engine."""

    name = ""
    next: Plugin | None = None
    #: Whether it may have to wait for somebody (another server, a clock) while it answers.
    waits = False

    async def serve_dns(self, request: Request) -> dns.message.Message:
        """The answer to `request`."""
        return await self.next_plugin(request)

    async def next_plugin(self, request: Request) -> dns.message.Message:
        """plugin.NextOrFailure(): hand the request on."""
        if self.next is None:
            raise PluginError(self.name, f"plugin/{self.name}: no next plugin found")
        answer = await self.next.serve_dns(request)
        if "plugin" not in answer.__dict__:
            answer.plugin = self.next.name  # type: ignore[attr-defined]
        return answer

    def metadata(self, request: Request) -> dict[str, Callable[[], str]]:
        """What it can tell about a request, by label (``view/name``); asked for where `metadata` is loaded."""
        return {}

    def ready(self) -> bool:
        """Whether it can answer yet (for the plugin `ready`)."""
        return True

    async def drain(self) -> None:
        """The server is to end: what must still be waited for."""

    def check(self) -> None:
        """The server is to begin: CorefileError where it cannot."""

    async def start(self) -> None:
        """The server has begun to listen."""

    def stop(self) -> None:
        """The server ends, or reloads."""


class Endpoint(NamedTuple):
    """An HTTP server of a plugin: path → function giving (status, media type, text).

    `port` -1: `address` is a text that cannot be listened on, which is said when that is tried.
    """

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
    view: str = ""
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

    @property
    def listen_text(self) -> str:
        """Its (first) address as Go writes it: ``:53``, ``127.0.0.1:53``, ``[::1]:53``."""
        host = self.listen[0] if self.listen else ""
        return f"{f'[{host}]' if ':' in host else host}:{self.addresses[0].port if self.addresses else ''}"

    def path(self, name: str) -> str:
        """A file's name below the root directory (`root` plugin)."""
        return name if name.startswith("/") or not self.root else f"{self.root.rstrip('/')}/{name}"

    def origins(self, arguments: list[str]) -> list[str]:
        """The zones named, else the block's own."""
        return origins(arguments, self.zones)


def origins(arguments: list[str], block: list[str]) -> list[str]:
    """plugin.OriginsFromArgsOrServerBlock(): the zones named, else the server block's; what is none is left out."""
    zones: list[str] = []
    if not arguments:
        for key in block:
            try:
                zones += normalise_zone(key)[:1]
            except ValueError:
                zones.append(key)
        return zones
    for argument in arguments:
        try:
            zones += normalise_zone(argument)
        except ValueError:
            continue
    return zones


def host_port(text: str) -> tuple[str, int] | None:
    """net.SplitHostPort() for addresses to listen on: (address, port); localhost is 127.0.0.1. None where it is none."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        return None
    host = host.strip("[]")
    if host == "localhost":
        host = "127.0.0.1"
    if host and not _is_address(host):
        return None
    return host, int(port)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


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
