"""Asking (bin/dig/dighost.c): one lookup after the other, servers in turn, tries, TCP, the search list, +trace.

`Client` does the asking; dig, nslookup and host subclass it and say what is printed. What it prints
itself (failures, warnings) is alike in all three.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import dns.name

from kubenet_course import errno
from kubenet_course.dns.client import resconf
from kubenet_course.dns.client.answers import AGAIN, DONE, Answers
from kubenet_course.dns.client.lookup import AXFR, NS, Lookup, Query, Server
from kubenet_course.dns.client.wire import BadMessage, encode_query, name_from_text
from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolv_conf import scoped_address
from kubenet_course.userland.resolver import EAI_NODATA, EAI_NONAME, ResolverError, getaddrinfo
from kubenet_course.userland.sockets import (
    AF_INET,
    AF_INET6,
    SOCK_DGRAM,
    SOCK_STREAM,
    close_socket,
    open_socket,
)
from kubenet_course.wire.addresses import LOOPBACK4, LOOPBACK6, IpAddress

VERSION = "9.18.49-1~deb12u3-Debian"
MAX_LOOKUPS = 64
UDP_TIMEOUT, TCP_TIMEOUT = 5, 10

#: isc_result_totext() of what sockets answer.
RESULTS = {
    errno.ECONNREFUSED: "connection refused", errno.ETIMEDOUT: "timed out", errno.EAGAIN: "timed out", errno.EINPROGRESS: "timed out",
    errno.ENETUNREACH: "network unreachable", errno.EHOSTUNREACH: "host unreachable", errno.EADDRNOTAVAIL: "address not available",
    errno.EADDRINUSE: "address in use", errno.ECONNRESET: "connection reset", errno.EPIPE: "broken pipe", errno.EPERM: "permission denied",
    errno.EACCES: "permission denied", errno.EINVAL: "invalid file", errno.ENETDOWN: "network down", errno.EHOSTDOWN: "host down",
}  # fmt: skip


class Fatal(KubenetError):
    """The program ends at once; everything is said already."""

    def __init__(self, status: int):
        super().__init__(status)
        self.status = status


class SetupFailed(KubenetError):
    """There was no way to send: no route, no such source address, TCP refused."""


class CommunicationError(KubenetError):
    """Sent, but no answer came."""


def result_text(failure: KernelError) -> str:
    return RESULTS.get(failure.errno, "failure")


class Client(Answers):
    """The state of one run. Overridden: `print_message`, `received`, `trying`, `comment`."""

    program = "dig"
    #: Exit status for a name that is none.
    bad_name_status = 10
    use_search = True
    default_tries = 3

    def __init__(self, proc: Process):
        self.proc = proc
        self.port = 53
        self.source: IpAddress | None = None
        self.source_port = 0
        self.use4 = self.use6 = True
        self.timeout: int | None = None
        self.ndots: int | None = None
        self.queue: deque[Lookup] = deque()
        self.exit_status = 0
        self.lookups = 0
        self.search: list[str] = []
        self.domain = ""
        self.resolv_servers: list[Server] = []
        self.random = proc.system.host.random
        self.cookie = self.random.randbytes(8)

    def fatal(self, text: str, status: int = 1) -> Fatal:
        self.proc.error(f"{self.program}: {text}")
        return Fatal(status)

    # -- setting up -----------------------------------------------------------------------------
    def setup(self) -> None:
        """setup_system(): read resolv.conf. Raises Fatal."""
        try:
            conf = resconf.load(self.proc)
        except resconf.BadConfiguration:
            raise self.fatal("parse of /etc/resolv.conf failed") from None
        self.search = conf.search
        if self.domain:
            self.search = [self.domain]
        self.resolv_timeout, self.resolv_attempts = conf.timeout, conf.attempts
        self.resolv_ndots = conf.ndots
        for address, scope in conf.servers:
            if self.use4 if address.family == 4 else self.use6:
                dev = self.proc.net.devices.get(scope)
                zone = f"%{dev.ifindex if dev is not None else scope}" if scope else ""
                # The unspecified address is the machine itself; a zone is told twice where it is a name.
                shown = (
                    LOOPBACK4
                    if address == 0 and address.family == 4
                    else LOOPBACK6
                    if address == 0
                    else address
                )
                self.resolv_servers.append(Server(shown, f"{shown}{zone}{zone}", scope, zone))
        if not self.resolv_servers:
            for local, used in ((LOOPBACK6, self.use6), (LOOPBACK4, self.use4)):
                if used:
                    self.resolv_servers.append(Server(local, str(local)))

    async def addresses(self, name: str) -> list[Server]:
        """get_addresses() of a server that the user or an NS record names; ResolverError."""
        numeric = scoped_address(name) if name.count(".") == 3 or ":" in name else None
        if numeric is not None:
            if numeric[0].family == 6 and not (self.use6 and (self.source is None or self.source.family == 6)):
                raise self.fatal(f"couldn't get address for '{name}': address family not supported")
            return [Server(numeric[0], name, numeric[1])]
        if not name:
            raise ResolverError(EAI_NONAME)
        family = 0 if self.use4 and self.use6 else 4 if self.use4 else 6
        found = await getaddrinfo(self.proc, name, family)
        return [Server(info.address, name, info.scope) for info in found]

    @staticmethod
    def address_failure(failure: ResolverError) -> str:
        return "not found" if failure.code in (EAI_NONAME, EAI_NODATA) else "failure"

    async def named_server(self, name: str) -> list[Server]:
        try:
            return await self.addresses(name)
        except ResolverError as failure:
            raise self.fatal(f"couldn't get address for '{name}': {self.address_failure(failure)}") from None

    # -- lookups --------------------------------------------------------------------------------
    async def run(self) -> None:
        """All lookups of the queue, and those that come of them."""
        while self.queue:
            await self.perform(self.queue.popleft())

    def requeue(self, lookup: Lookup, **changes: Any) -> None:
        self.lookups += 1
        if self.lookups > MAX_LOOKUPS:
            raise self.fatal("Too many lookups")
        self.queue.appendleft(lookup.clone(new_search=False, **changes))

    def start_search(self, lookup: Lookup) -> None:
        """Which suffixes are tried: those of the search list where the name has few dots."""
        ndots = self.ndots if self.ndots is not None else self.resolv_ndots
        lookup.origins, lookup.origin, lookup.need_search = [None], 0, False
        if not self.use_search or not lookup.new_search:
            lookup.need_search = self.use_search
            return
        if lookup.textname.count(".") >= ndots:
            lookup.need_search = True
            return
        # A name that ends with a dot is asked for once, but is judged as one with a suffix.
        lookup.origins = [*self.search[:1]] if lookup.absolute and self.search else [*self.search, None]

    def set_name(self, lookup: Lookup) -> None:
        suffix = lookup.suffix
        try:
            origin = name_from_text(suffix) if suffix is not None else None
        except BadMessage as problem:
            raise self.fatal(f"'{suffix}' is not in legal name syntax ({problem})") from None
        try:
            lookup.name = name_from_text(lookup.textname, origin)
        except BadMessage as problem:
            raise self.fatal(
                f"'{lookup.textname}' is not a legal name ({problem})", self.bad_name_status
            ) from None

    async def perform(self, lookup: Lookup) -> None:
        """start_lookup(): until an answer came, or nobody is left to ask."""
        if lookup.new_search:
            self.lookups = 0
            if lookup.tries is None:
                lookup.tries = self.resolv_attempts or self.default_tries
            self.start_search(lookup)
        if lookup.trace and lookup.trace_root:
            lookup.asked_type = lookup.rdtype
            lookup = lookup.clone(rdtype=NS, origins=[None], origin=0)
            lookup.name = dns.name.root
        else:
            self.set_name(lookup)
        if lookup.rdtype == AXFR:
            lookup.tcp = True
        self.trying(lookup.name)
        servers = self._acceptable(lookup)
        if not servers:
            return
        identity = lookup.id if lookup.id is not None else self.random.getrandbits(16)
        message = lookup.query_message(identity, self.cookie)
        wire = encode_query(message)
        if lookup.padding and message.edns is not None:
            message.edns.options[-1] = (12, bytes(-len(wire) % lookup.padding))
            wire = encode_query(message)
        queries = [
            Query(lookup, server, self.port, message, wire, number + 1 < len(servers))
            for number, server in enumerate(servers)
        ]
        if lookup.ns_search and not lookup.trace_root:
            await self._all_at_once(queries)
        else:
            await self._in_turn(lookup, queries)

    def _acceptable(self, lookup: Lookup) -> list[Server]:
        servers = []
        for server in lookup.servers or self.resolv_servers:
            six_only = not self.use4 or (self.source is not None and self.source.family == 6)
            if server.address.family == 4 and six_only:
                self.warning(lookup, f"Skipping mapped address '::ffff:{server.address}'")
            elif server.address.family == 6 and self.source is not None and self.source.family == 4:
                self.warning(lookup, f"Skipping IPv6 address '{server.address}'")
            else:
                servers.append(server)
        if not servers:
            self.warning(lookup, "No acceptable nameservers")
        return servers

    async def _in_turn(self, lookup: Lookup, queries: list[Query]) -> None:
        number = 0
        while number < len(queries):
            query = queries[number]
            try:
                outcome = await (self._ask_tcp(query) if lookup.tcp else self._ask_udp(query))
            except SetupFailed as failure:
                what = "Connection to" if lookup.tcp else "UDP setup with"
                self.warning(
                    lookup,
                    f"{what} {query.place}({query.server.number}) for {lookup.textname} failed: {failure}.",
                )
                if lookup.tries > 1:
                    lookup.tries -= 1
                    self.error(lookup, "no servers could be reached")
                    self.trying(lookup.name)
                elif not query.following:
                    self._unreachable(lookup)
                    return
                else:
                    number += 1
            except CommunicationError as failure:
                self.warning(lookup, f"communications error to {query.place}: {failure}")
                if lookup.tries > 1:
                    lookup.tries -= 1
                elif not query.following:
                    if lookup.banner and not lookup.yaml:
                        self.proc.print(lookup.banner, end="")
                    self._unreachable(lookup)
                    return
                else:
                    number += 1
            else:
                if outcome == DONE:
                    return
                number += 1

    def _unreachable(self, lookup: Lookup) -> None:
        self.error(lookup, "no servers could be reached")
        self.exit_status = 9

    async def _all_at_once(self, queries: list[Query]) -> None:
        """+nssearch and host -C: every server of the zone. With a single one BIND 9.18 shows nothing."""
        shown: list[bool] = []

        async def one(query: Query) -> None:
            try:
                shown.append(await self._ask_udp(query) == DONE)
            except (SetupFailed, CommunicationError) as failure:
                if len(queries) > 1:
                    self.warning(query.lookup, f"communications error to {query.place}: {failure}")

        self.silent = len(queries) == 1
        tasks = [self.proc.loop.spawn(one(query)) for query in queries]
        for task in tasks:
            await task
        if self.silent or not shown:
            self.error(queries[0].lookup, "NS servers could not be reached")
            self.exit_status = 9
        self.silent = False

    # -- sockets --------------------------------------------------------------------------------
    def seconds(self, default: int) -> int:
        return self.timeout or self.resolv_timeout or default

    def _open(self, query: Query, kind: int) -> Any:
        sock = open_socket(self.proc, AF_INET if query.server.address.family == 4 else AF_INET6, kind)
        if self.source is not None or self.source_port:
            try:
                sock.bind(self.source, self.source_port)
            except KernelError as failure:
                close_socket(self.proc, sock)
                raise SetupFailed(result_text(failure)) from None
        return sock

    def _sending(self, query: Query) -> None:
        query.sent = self.proc.loop.now
        if query.lookup.qr:
            self.print_message(query, query.message, sending=True)

    async def _ask_udp(self, query: Query) -> str:
        sock = self._open(query, SOCK_DGRAM)
        try:
            try:
                sock.connect(query.server.address, query.port, scope=query.server.scope)
            except KernelError as failure:
                raise SetupFailed(result_text(failure)) from None
            self._sending(query)
            try:
                sock.sendto(query.wire)
                while True:
                    wire = (await sock.recv(self.seconds(UDP_TIMEOUT) * SECOND)).data
                    outcome = await self._answered(query, wire, False) if wire else AGAIN
                    if outcome != AGAIN:
                        return outcome
            except KernelError as failure:
                raise CommunicationError(result_text(failure)) from None
        finally:
            close_socket(self.proc, sock)

    async def _ask_tcp(self, query: Query) -> str:
        sock = self._open(query, SOCK_STREAM)
        try:
            try:
                await sock.connect(query.server.address, query.port, self.seconds(TCP_TIMEOUT) * SECOND)
            except KernelError as failure:
                raise SetupFailed(result_text(failure)) from None
            self._sending(query)
            try:
                await sock.send(len(query.wire).to_bytes(2, "big") + query.wire)
                while True:
                    size = int.from_bytes(await self._exactly(sock, 2), "big")
                    outcome = await self._answered(query, await self._exactly(sock, size), True)
                    if outcome != AGAIN:
                        return outcome
            except KernelError as failure:
                raise CommunicationError(result_text(failure)) from None
        finally:
            close_socket(self.proc, sock)

    async def _exactly(self, sock: Any, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = await sock.recv(size - len(data), self.seconds(TCP_TIMEOUT) * SECOND)
            if not more:
                raise CommunicationError("end of file")
            data += more
        return data
