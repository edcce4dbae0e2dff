"""Asking (bin/dig/dighost.c): one lookup after the other, servers in turn, tries, TCP, the search list, +trace.

`Client` does the asking; dig, nslookup and host subclass it and say what is printed. What it prints
itself (failures, warnings) is alike in all three.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Any

import dns.name

from kubenet_course.dns.client import resolvconf
from kubenet_course.dns.client.lookup import COOKIE, NS, SOA, Lookup, Query, Server
from kubenet_course.dns.client.text import short_name
from kubenet_course.dns.client.wire import (
    ANSWER, AUTHORITY, BadMessage, Message, class_text, decode, encode_query, hex_dump, name_from_text, type_text,
)  # fmt: skip
from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.sim.loop import SECOND
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import EAI_NODATA, EAI_NONAME, ResolverError, getaddrinfo
from kubenet_course.userland.sockets import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, close_socket, open_socket
from kubenet_course.wire.addresses import LOOPBACK4, LOOPBACK6, IpAddress

VERSION = "9.18.49-1~deb12u3-Debian"
MAX_LOOKUPS = 64
UDP_TIMEOUT, TCP_TIMEOUT = 5, 10
AGAIN, NEXT, DONE = "again", "next", "done"

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


class Client:
    """The state of one run. Overridden: `print_message`, `received`, `trying`, `comment`."""

    program = "dig"
    #: Exit status for a name that is none.
    bad_name_status = 10
    check_ra = False
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

    # -- what programs say ----------------------------------------------------------------------
    def print_message(self, query: Query, message: Message, sending: bool = False) -> None:
        """An answer, or with `sending` a query."""

    def received(self, query: Query, size: int) -> None:
        """After a whole answer."""

    def trying(self, name: dns.name.Name) -> None:
        """Before a name is asked for."""

    def comment(self, lookup: Lookup, text: str) -> None:
        """A remark about how things go."""

    def warning(self, lookup: Lookup, text: str) -> None:
        if not lookup.yaml:
            self.proc.print(f";; {text}")

    def error(self, lookup: Lookup, text: str) -> None:
        self.proc.print(f";; {text}")

    def fatal(self, text: str, status: int = 1) -> Fatal:
        self.proc.error(f"{self.program}: {text}")
        return Fatal(status)

    # -- setting up -----------------------------------------------------------------------------
    def setup(self) -> None:
        """setup_system(): read resolv.conf. Raises Fatal."""
        try:
            conf = resolvconf.load(self.proc)
        except resolvconf.BadConfiguration:
            raise self.fatal("parse of /etc/resolv.conf failed") from None
        self.search = conf.search
        if self.domain:
            self.search = [self.domain]
        self.resolv_timeout, self.resolv_attempts = conf.timeout, conf.attempts
        self.resolv_ndots = conf.ndots
        for address, scope in conf.servers:
            if (self.use4 if address.family == 4 else self.use6):
                text = f"{address}%{scope}" if scope else str(address)
                self.resolv_servers.append(Server(address, text, scope))
        if not self.resolv_servers:
            for local, used in ((LOOPBACK6, self.use6), (LOOPBACK4, self.use4)):
                if used:
                    self.resolv_servers.append(Server(local, str(local)))

    async def addresses(self, name: str) -> list[Server]:
        """get_addresses() of a server that the user or an NS record names; ResolverError."""
        numeric = resolvconf.parse_address(name) if name.count(".") == 3 or ":" in name else None
        if numeric is not None:
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
        if not self.use_search or not lookup.new_search or lookup.textname.endswith("."):
            lookup.need_search = self.use_search
            return
        if lookup.textname.count(".") >= ndots:
            lookup.need_search = True
            return
        lookup.origins = [*self.search, None]

    def set_name(self, lookup: Lookup) -> None:
        suffix = lookup.suffix
        try:
            origin = name_from_text(suffix) if suffix is not None else None
        except BadMessage as problem:
            raise self.fatal(f"'{suffix}' is not in legal name syntax ({problem})") from None
        try:
            lookup.name = name_from_text(lookup.textname, origin)
        except BadMessage as problem:
            raise self.fatal(f"'{lookup.textname}' is not a legal name ({problem})", self.bad_name_status) from None

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
        queries = [Query(lookup, server, self.port, message, wire, number + 1 < len(servers)) for number, server in enumerate(servers)]
        if lookup.ns_search and not lookup.trace_root:
            await self._all_at_once(queries)
        else:
            await self._in_turn(lookup, queries)

    def _acceptable(self, lookup: Lookup) -> list[Server]:
        servers = []
        for server in lookup.servers or self.resolv_servers:
            six_only = not self.use4 or (self.source is not None and self.source.family == 6)
            if server.address.family == 4 and six_only:
                self.proc.print(f";; Skipping mapped address '::ffff:{server.address}'")
            elif server.address.family == 6 and self.source is not None and self.source.family == 4:
                self.proc.print(f";; Skipping IPv6 address '{server.address}'")
            else:
                servers.append(server)
        if not servers:
            self.proc.print(";; No acceptable nameservers")
        return servers

    async def _in_turn(self, lookup: Lookup, queries: list[Query]) -> None:
        number = 0
        while number < len(queries):
            query = queries[number]
            try:
                outcome = await (self._ask_tcp(query) if lookup.tcp else self._ask_udp(query))
            except SetupFailed as failure:
                what = "Connection to" if lookup.tcp else "UDP setup with"
                self.warning(lookup, f"{what} {query.place}({query.server.name}) for {lookup.textname} failed: {failure}.")
                if lookup.tries > 1:
                    lookup.tries -= 1
                    self._unreachable(lookup)
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

    silent = False

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

    # -- answers --------------------------------------------------------------------------------
    async def _answered(self, query: Query, wire: bytes, tcp: bool) -> str:
        """recv_done(): AGAIN to wait for another message, NEXT for the next server, DONE."""
        lookup = query.lookup
        query.elapsed = self.proc.loop.now - query.sent
        again = DONE if tcp else AGAIN
        if len(wire) < 12:
            self.warning(lookup, "ERROR: short (< header size) message" if tcp else "Warning: short (< header size) message received")
            return again
        identity = int.from_bytes(wire[:2], "big")
        if identity != query.message.id:
            text = f"ID mismatch: expected ID {query.message.id}, got {identity}"
            self.warning(lookup, f"{'ERROR' if tcp else 'Warning'}: {text}")
            return again
        if not wire[2] & 0x80:
            self.warning(lookup, "Warning: query response not set")
        try:
            message = decode(wire, lookup.best_effort)
        except BadMessage as problem:
            self.warning(lookup, f"Got bad packet: {problem}")
            if not lookup.yaml:
                self.proc.print(hex_dump(wire), end="")
            return DONE
        if message.malformed:
            self.warning(lookup, "Warning: Message parser reports malformed message packet.")
        for question in message.questions:
            if (question.name, question.rdtype, question.rdclass) != (lookup.name, lookup.rdtype, lookup.rdclass):
                found = f"{short_name(question.name)}/{type_text(question.rdtype)}/{class_text(question.rdclass)}"
                self.warning(lookup, f";; Question section mismatch: got {found}")
                return again
        self._cookie(query, message)
        if self._retried(query, message, tcp):
            return DONE
        outcome = self._another_server(query, message)
        return outcome or await self._accepted(query, message)

    def _cookie(self, query: Query, message: Message) -> None:
        """process_cookie()"""
        if message.edns is None or query.message.edns is None or not query.lookup.cookie:
            return
        sent = next((data for code, data in query.message.edns.options if code == COOKIE), b"")
        for code, data in message.edns.options:
            if code != COOKIE:
                continue
            if len(data) >= 8 and data[:8] == sent[:8]:
                message.cookie = "good" if len(data) >= 16 else "echoed"
                if message.cookie == "good":
                    query.lookup.cookie_text = data
            else:
                self.warning(query.lookup, "Warning: Client COOKIE mismatch")
                message.cookie = "bad"

    def _retried(self, query: Query, message: Message, tcp: bool) -> bool:
        """BADVERS, truncation, BADCOOKIE: the same question again, in another way."""
        lookup = query.lookup
        edns = message.edns
        if message.rcode == 16 and edns is not None and lookup.edns > edns.version and lookup.negotiate:
            self.comment(lookup, f"BADVERS, retrying with EDNS version {edns.version}.")
            self.requeue(lookup, edns=edns.version)
            return True
        if message.flag(0x200) and not lookup.ignore and not tcp:
            self.comment(lookup, "Truncated, retrying in TCP mode.")
            self.requeue(lookup, tcp=True)
            return True
        if message.rcode == 23 and not tcp and lookup.cookie and lookup.badcookie and message.cookie == "good":
            if lookup.show_badcookie:
                self.print_message(query, message)
                self.received(query, message.size)
            self.comment(lookup, "BADCOOKIE, retrying.")
            self.requeue(lookup, cookie_tries=lookup.cookie_tries + 1, tcp=lookup.cookie_tries >= 2)
            return True
        return False

    def _another_server(self, query: Query, message: Message) -> str | None:
        lookup = query.lookup
        servfail = message.rcode == 2 and not lookup.fail
        if not servfail and not (self.check_ra and not message.flag(0x80) and lookup.recurse):
            return None
        reason = "SERVFAIL reply" if message.rcode == 2 and servfail else "recursion not available"
        following = query.following and not query.messages
        self.comment(lookup, f"Got {reason} from {query.server.text}{', trying next server' if following else ''}")
        return NEXT if following else None

    async def _accepted(self, query: Query, message: Message) -> str:
        lookup = query.lookup
        if lookup.transfer:
            return self._transferred(query, message)
        query.bytes += message.size
        if message.rcode == 3 and (lookup.suffix is not None or lookup.need_search):
            if lookup.origin + 1 < len(lookup.origins):
                self.requeue(lookup, origin=lookup.origin + 1)
                if lookup.show_search:
                    self.print_message(query, message)
                    self.received(query, message.size)
                return DONE
            self.print_message(query, message)
            self.received(query, message.size)
            self.again_received(query, message.size)
            return DONE
        if self.silent:
            return DONE
        if lookup.ns_search and lookup.trace_root:
            if message.rcode:
                self.print_message(query, message)
            self.received(query, message.size)
            await self._follow(query, message, ANSWER)
            return DONE
        self.print_message(query, message)
        if lookup.trace and not lookup.trace_root and message.answers:
            self.received(query, message.size)
            return DONE
        if lookup.trace:
            following = await self._delegated(query, message, ANSWER if lookup.trace_root else AUTHORITY)
            self.received(query, message.size)
            if following is not None:
                self.requeue(following)
            return DONE
        self.received(query, message.size)
        return DONE

    def again_received(self, query: Query, size: int) -> None:
        """A name that does not exist is reported as received twice by dighost.c (seen in `host -v`)."""

    def _transferred(self, query: Query, message: Message) -> str:
        more = query.more(message)
        self.print_message(query, message)
        if more is None:
            self.proc.print("; Transfer failed.")
            return DONE
        if more:
            return AGAIN
        self.received(query, message.size)
        return DONE

    # -- following NS records -------------------------------------------------------------------
    async def _follow(self, query: Query, message: Message, section: int) -> None:
        following = await self._delegated(query, message, section)
        if following is not None:
            self.requeue(following)

    async def _delegated(self, query: Query, message: Message, section: int) -> Lookup | None:
        """followup_lookup(): the question for the servers that the NS records name, in a random order."""
        lookup = query.lookup
        name = self._asked_name(lookup)
        targets = []
        level = lookup.level
        for record in message.sections[section]:
            if record.rdtype != NS or not name.is_subdomain(record.name):
                continue
            if lookup.trace and not lookup.trace_root and len(record.name) <= lookup.level:
                if not targets:
                    kind = "BAD (HORIZONTAL) REFERRAL" if len(record.name) == lookup.level else "BAD REFERRAL"
                    self.warning(lookup, kind)
                if len(record.name) < lookup.level:
                    return None
            level = len(record.name)
            targets.append(record.rdata.target)  # type: ignore[attr-defined]
        if not targets:
            return None
        servers: list[Server] = []
        failed = ""
        for target in targets:
            text = short_name(target)
            try:
                servers += await self.addresses(text)
            except ResolverError as failure:
                failed = text
                self.proc.print(f"couldn't get address for '{text}': {self.address_failure(failure)}")
        if not servers:
            raise self.fatal(f"couldn't get address for '{failed}': no more")
        self.random.shuffle(servers)
        changes: dict[str, Any] = {"rdtype": SOA, "recurse": False} if lookup.ns_search else {"rdtype": lookup.asked_type}
        return lookup.clone(servers=servers, trace_root=False, level=level, **changes)

    def _asked_name(self, lookup: Lookup) -> dns.name.Name:
        if lookup.ns_search:
            return lookup.name
        return name_from_text(lookup.textname)
