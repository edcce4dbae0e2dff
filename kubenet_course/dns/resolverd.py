"""resolverd: a small recursive name server, as a program on either kernel (`python -m kubenet_course.dns.resolverd`).

It is this course's own (packaged ones are unbound and named), with one configuration file,
/etc/resolverd.conf, a setting a line:

    listen ADDRESS…            where to listen (every address)
    port NUMBER                (53)
    root-hints FILE            named.root's form (/usr/share/dns/root.hints)
    allow PREFIX…              who may ask (everybody)
    forward ZONE ADDRESS…      do not walk: ask these servers about the zone
    cache-max-ttl SECONDS      (86400)        cache-min-ttl SECONDS (0)
    negative-max-ttl SECONDS   (3600)
    log-queries yes|no         a line for each question, and for each that it asks in turn (no)

SIGUSR1 empties the cache, SIGHUP reads the configuration again, SIGTERM ends it.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial

import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.engine import Server, reject
from kubenet_course.dns.engine import formerr as format_error
from kubenet_course.dns.host import Host, exchange
from kubenet_course.dns.names import fqdn
from kubenet_course.dns.plugin import Request
from kubenet_course.dns.recursor import Answer, Limits, Recursor, read_hints
from kubenet_course.dns.server import ListenError, Listeners
from kubenet_course.dns.wire import MALFORMED, fit, opt_record, read
from kubenet_course.errors import KubenetError
from kubenet_course.userland.signals import SIGNALS

CONFIG = "/etc/resolverd.conf"
HINTS = "/usr/share/dns/root.hints"
USAGE = "usage: resolverd [-c FILE] [-t] [-V]"
VERSION = "resolverd 0.1 (kubenet-course)"
META = (249, 250, 251, 252, 253, 254)  # TKEY, TSIG, IXFR, AXFR, MAILB, MAILA
PAYLOAD = 1232


class ConfigError(KubenetError):
    """The configuration is wrong: ``/etc/resolverd.conf:3: unknown setting 'foo'``."""


@dataclass
class Settings:
    listen: list[str] = field(default_factory=list)
    port: int = 53
    root_hints: str = HINTS
    allow: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = field(default_factory=list)
    forwards: dict[str, list[str]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    log_queries: bool = False


def parse_settings(text: str, file: str = CONFIG) -> Settings:
    """ConfigError for the first line that is wrong."""
    settings = Settings()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            _setting(settings, words[0], words[1:])
        except ValueError as problem:
            raise ConfigError(f"{file}:{number}: {problem}") from None
    return settings


def _setting(settings: Settings, name: str, words: list[str]) -> None:
    if not words:
        raise ValueError(f"{name} needs a value")
    if name == "listen":
        settings.listen += [str(ipaddress.ip_address(word)) for word in words]
    elif name == "allow":
        settings.allow += [ipaddress.ip_network(word, strict=False) for word in words]
    elif name == "forward":
        if len(words) < 2:
            raise ValueError("forward needs a zone and the addresses of its servers")
        settings.forwards[fqdn(words[0])] = [str(ipaddress.ip_address(word)) for word in words[1:]]
    elif len(words) > 1:
        raise ValueError(f"{name} takes one value")
    elif name == "root-hints":
        settings.root_hints = words[0]
    elif name == "log-queries":
        if words[0] not in ("yes", "no"):
            raise ValueError("log-queries is yes or no")
        settings.log_queries = words[0] == "yes"
    elif name in ("port", "cache-max-ttl", "cache-min-ttl", "negative-max-ttl"):
        if not words[0].isdecimal() or (name == "port" and not 0 < int(words[0]) < 65536):
            raise ValueError(f"{name} is a number, not {words[0]!r}")
        value = int(words[0])
        if name == "port":
            settings.port = value
        else:
            attribute = {"cache-max-ttl": "max_ttl", "cache-min-ttl": "min_ttl"}.get(name, "max_negative_ttl")
            setattr(settings.limits, attribute, value)
    else:
        raise ValueError(f"unknown setting {name!r}")


class Recursive(Server):
    """What it listens on; an answer may take a while."""

    waits = True  # type: ignore[assignment]


class Daemon:
    """Answers clients' queries from a `Recursor`; has an engine's shape for `Listeners`."""

    def __init__(self, host: Host, settings: Settings):
        self.host = host
        self.settings = settings
        self.servers = [Recursive("dns", address, str(settings.port)) for address in settings.listen or [""]]
        text = host.read(settings.root_hints)
        if text is None:
            raise ConfigError(f"{settings.root_hints}: {host.problem(settings.root_hints)}")
        hints = read_hints(text)
        if not hints and "." not in settings.forwards:
            raise ConfigError(f"{settings.root_hints}: no root servers with addresses in it")
        self.recursor = Recursor(
            hints, partial(exchange, host.network), host.now, host.random, settings.limits,
            self._trace if settings.log_queries else None,
        )  # fmt: skip
        self.recursor.forwards = settings.forwards

    def _trace(self, line: str) -> None:
        self.host.out(f"resolverd: {line}")

    async def answer(
        self, server: Server, wire: bytes, client: str, client_port: int = 0, protocol: str = "udp", local: str = "", local_port: int = 53
    ) -> bytes | None:
        """The answer's bytes; None where none is to be sent."""
        refusal = reject(wire)
        if refusal is not None:
            return refusal or None
        try:
            message = read(wire)
        except MALFORMED:
            return format_error(wire)
        request = Request(message, client, client_port, protocol, local, local_port)
        response = await self._respond(request)
        if message.edns > 0:
            response.set_rcode(dns.rcode.BADVERS)
        opt = opt_record(response, message, PAYLOAD, echo=False)
        return fit(response, request.size, opt, udp=True, six=request.family == 6)

    async def answers(
        self, server: Server, wire: bytes, client: str, client_port: int, local: str, local_port: int
    ) -> AsyncIterator[bytes]:
        answer = await self.answer(server, wire, client, client_port, "tcp", local, local_port)
        if answer is not None:
            yield answer

    async def _respond(self, request: Request) -> dns.message.Message:
        reply = request.reply()
        reply.flags |= dns.flags.RA
        allowed = self.settings.allow
        if allowed and not any(ipaddress.ip_address(request.client) in network for network in allowed):
            reply.set_rcode(dns.rcode.REFUSED)
            return reply
        if request.message.edns > 0:
            return reply
        if request.message.opcode() != 0 or request.qtype in META or request.qclass != dns.rdataclass.IN:
            reply.set_rcode(dns.rcode.NOTIMP if request.message.opcode() else dns.rcode.REFUSED)
            return reply
        if self.settings.log_queries:
            self._trace(f"{request.client} asks {request.type} {request.qname}")
        local = _localhost(request)
        if local is not None:
            found: Answer | None = local
        elif request.qtype == 255:
            hinfo = dns.rrset.from_text(request.qname, 3600, "IN", "HINFO", '"RFC8482" ""')
            found = Answer(0, [hinfo])
        elif request.message.flags & dns.flags.RD:
            found = await self.recursor.resolve(request.question, request.qtype)
        else:
            found = self.recursor.known(request.question, request.qtype)
        if found is not None:
            reply.set_rcode(dns.rcode.Rcode.make(found.rcode))
            reply.answer, reply.authority = found.answer, found.authority
        elif self.recursor.hints:
            servers, glue = self.recursor.root_servers()
            (reply.answer if request.name == "." and request.qtype == 2 else reply.authority).append(servers)
            reply.additional = glue
        return reply


def _localhost(request: Request) -> Answer | None:
    """RFC 6761 6.3: never asked of anybody."""
    if request.name not in ("localhost.", "1.0.0.127.in-addr.arpa.") and not request.name.endswith(".localhost."):
        return None
    values = {1: ("A", "127.0.0.1"), 28: ("AAAA", "::1")}
    if request.name.endswith("arpa."):
        values = {12: ("PTR", "localhost.")}
    if request.qtype not in values:
        return Answer()
    kind, value = values[request.qtype]
    return Answer(0, [dns.rrset.from_text(request.qname, 10800, "IN", kind, value)])


async def run(host: Host, argv: list[str]) -> int:
    """The whole life of one `resolverd`; its exit status."""
    words = argv[1:]
    file, check = CONFIG, False
    while words:
        word = words.pop(0)
        if word == "-V":
            host.out(VERSION)
            return 0
        if word == "-t":
            check = True
        elif word == "-c" and words:
            file = words.pop(0)
        else:
            host.err(f"resolverd: option requires an argument -- 'c'\n{USAGE}" if word == "-c" else USAGE)
            return 0 if word == "-h" else 1
    listeners = Listeners(host.network)
    try:
        daemon = _load(host, file)
        if check:
            return 0
        await listeners.open(daemon)  # type: ignore[arg-type]
    except (ConfigError, ListenError) as problem:
        listeners.close()
        host.err(f"resolverd: {problem}")
        return 1
    host.out(f"{VERSION}: {', '.join(daemon.settings.listen) or 'every address'}, port {daemon.settings.port}")
    while True:
        number = await host.next_signal()
        if number in (SIGNALS["INT"], SIGNALS["TERM"], SIGNALS["QUIT"]):
            listeners.close()
            return 0
        if number == SIGNALS["USR1"]:
            daemon.recursor.flush()
            host.out("resolverd: cache emptied")
        elif number == SIGNALS["HUP"]:
            try:
                new = _load(host, file)
                await listeners.open(new)  # type: ignore[arg-type]
                daemon = new
            except (ConfigError, ListenError) as problem:
                host.err(f"resolverd: {problem}; going on as before")


def _load(host: Host, file: str) -> Daemon:
    text = host.read(file)
    if text is None and file != CONFIG:
        raise ConfigError(f"{file}: {host.problem(file)}")
    return Daemon(host, parse_settings(text or "", file))


if __name__ == "__main__":
    from kubenet_course.dns.real_host import main

    sys.exit(main("resolverd", run))
