"""forward: asks other servers, healthy ones first (plugin/forward)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import is_subdomain
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.wire import MALFORMED

SECOND = 10**9
TIMEOUT = 5 * SECOND
RETRY = SECOND // 100  # a refusal comes back at once: do not ask without pause


@dataclass
class Upstream:
    """One server: `fails` health checks in a row have failed."""

    address: str
    port: int
    transport: str = "dns"
    server_name: str = ""
    fails: int = 0
    checking: bool = False

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass
class Forward(Plugin):
    """One `forward`: who is asked, in which order, and how they are."""

    waits = True

    config: ServerConfig
    zone: str = "."
    upstreams: list[Upstream] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    policy: str = "random"
    max_fails: int = 2
    health_interval: int = SECOND // 2
    health_domain: str = "."
    health_recursion: bool = True
    expire: int = 10 * SECOND
    max_age: int = 0
    max_concurrent: int = 0
    max_connect_attempts: int = 0
    max_idle_conns: int = 0
    read_timeout: int = 2 * SECOND
    force_tcp: bool = False
    prefer_udp: bool = False
    tls: bool = False
    server_name: str = ""
    failover: list[int] = field(default_factory=list)
    next_codes: list[int] = field(default_factory=list)
    next_on_nodata: bool = False
    failfast: bool = False
    _turn: int = 0
    _running: int = 0

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if not self._is_mine(request.name):
            return await self.next_plugin(request)
        if self.max_concurrent and self._running >= self.max_concurrent:
            self.config.environment.metrics.count("coredns_forward_max_concurrent_rejects_total")
            text = f"concurrent queries exceeded maximum {self.max_concurrent}"
            raise PluginError("forward", text, dns.rcode.REFUSED)
        self._running += 1
        try:
            return await self._ask(request)
        finally:
            self._running -= 1

    def _is_mine(self, name: str) -> bool:
        """Forward.match(): below the zone, and not excepted; the zone's own name never is."""
        if not is_subdomain(self.zone, name):
            return False
        return name == self.zone or not any(is_subdomain(zone, name) for zone in self.ignored)

    async def _ask(self, request: Request) -> dns.message.Message:
        """Forward.ServeDNS(): upstreams in the policy's order, again and again, for up to five seconds in all."""
        environment = self.config.environment
        deadline = environment.now() + TIMEOUT
        if request.deadline:
            deadline = min(deadline, request.deadline)
        order = self._order()
        fails = position = attempts = 0
        failure = "no healthy proxies"
        while environment.now() < deadline:
            if position >= len(order):
                position = fails = 0
            upstream = order[position]
            position += 1
            if self._down(upstream):
                fails += 1
                if fails < len(order):
                    continue
                environment.metrics.count("coredns_forward_healthcheck_broken_total")
                if self.failfast:
                    break
                upstream = environment.random.choice(order)  # the checks themselves may be broken
            if self.config.metadata:
                request.metadata["forward/upstream"] = partial(str, upstream)
            try:
                answer = await self._exchange(upstream, request, deadline)
            except (OSError, TimeoutError) as problem:
                failure = str(problem)
                if self.max_fails:
                    self._check(upstream)
                attempts += 1
                if attempts == self.max_connect_attempts:
                    break
                if fails < len(order):
                    await environment.sleep(RETRY)
                    continue
                break
            if answer.rcode() in self.failover and position < len(order):
                continue
            nodata = self.next_on_nodata and answer.rcode() == dns.rcode.NOERROR and not answer.answer
            if (nodata or answer.rcode() in self.next_codes) and isinstance(self.next, Forward):
                return await self.next_plugin(request)
            return answer
        raise PluginError("forward", failure)

    async def _exchange(self, upstream: Upstream, request: Request, deadline: int) -> dns.message.Message:
        environment = self.config.environment
        if upstream.transport == "tls":
            raise OSError(f"kubenet: coredns: TLS to {upstream.address} is not emulated")
        protocol = "tcp" if self.force_tcp or (request.protocol == "tcp" and not self.prefer_udp) else "udp"
        wire = request.message.to_wire()
        while True:
            began = environment.now()
            timeout = min(self.read_timeout, max(1, deadline - environment.now()))
            environment.metrics.count("coredns_proxy_conn_cache_misses_total", proxy_name="forward", to=str(upstream), proto=protocol)
            data = await environment.exchange(upstream.address, upstream.port, wire, protocol, timeout)
            answer = _read(request, data, protocol)
            environment.metrics.observe(
                "coredns_proxy_request_duration_seconds", (environment.now() - began) / 1e9, proxy_name="forward",
                to=str(upstream), rcode=dns.rcode.to_text(answer.rcode()),
            )  # fmt: skip
            if answer.flags & dns.flags.TC and protocol == "udp" and self.prefer_udp:
                protocol = "tcp"
                continue
            question = answer.question[0] if len(answer.question) == 1 and answer.flags & dns.flags.QR else None
            if question is None or question.name != request.question or int(question.rdtype) != request.qtype:
                return request.reply(dns.rcode.FORMERR)
            return _as_asked(request, answer)

    def _order(self) -> list[Upstream]:
        upstreams = list(self.upstreams)
        if self.policy == "random":
            self.config.environment.random.shuffle(upstreams)
        elif self.policy == "round_robin":
            self._turn += 1
            upstreams.insert(0, upstreams.pop(self._turn % len(upstreams)))  # the others as they are written
        return upstreams

    # -- health -----------------------------------------------------------------------------
    def _down(self, upstream: Upstream) -> bool:
        return bool(self.max_fails) and upstream.fails > self.max_fails

    def _check(self, upstream: Upstream) -> None:
        """Ask again and again in the background until it answers (proxy.Healthcheck)."""
        if not upstream.checking:
            upstream.checking = True
            self.config.environment.spawn(self._probe(upstream))

    async def _probe(self, upstream: Upstream) -> None:
        environment = self.config.environment
        query = dns.message.make_query(self.health_domain, "NS", id=environment.random.getrandbits(16))
        if not self.health_recursion:
            query.flags &= ~dns.flags.RD
        while upstream.checking:
            try:
                protocol = "tcp" if self.force_tcp else "udp"
                await environment.exchange(upstream.address, upstream.port, query.to_wire(), protocol, SECOND)
            except (OSError, TimeoutError):
                upstream.fails += 1
                environment.metrics.count("coredns_proxy_healthcheck_failures_total", proxy_name="forward", to=str(upstream))
            else:
                upstream.fails = 0
                upstream.checking = False
                return
            await environment.sleep(self.health_interval)

    async def start(self) -> None:
        for upstream in self.upstreams:
            if upstream.transport == "tls":
                self.config.environment.log(
                    f"[WARNING] plugin/forward: kubenet: TLS to {upstream.address} is not emulated; what is sent there fails"
                )

    def stop(self) -> None:
        for upstream in self.upstreams:
            upstream.checking = False


def _read(request: Request, data: bytes, protocol: str) -> dns.message.Message:
    """The upstream's message; over UDP one that does not fit is an empty one with TC. OSError where it cannot be read."""
    if len(data) == 12:  # just a header is a message without sections, whatever it counts
        data = data[:4] + bytes(8)
    try:
        if protocol == "udp" and len(data) > request.size:
            raise dns.exception.FormError
        return dns.message.from_wire(data, ignore_trailing=True)
    except MALFORMED:
        if protocol != "udp" or len(data) < 12:
            raise OSError("dns: overflow unpacking uint16") from None
    answer = request.reply()
    answer.flags = int.from_bytes(data[2:4], "big") & 0xFFF0 | dns.flags.TC
    answer.set_rcode(dns.rcode.Rcode.make(data[3] & 15))
    return answer


def _as_asked(request: Request, answer: dns.message.Message) -> dns.message.Message:
    """The upstream's answer under the client's id and question; its EDNS is not passed on."""
    reply = request.reply()
    reply.flags = answer.flags | dns.flags.QR
    reply.answer, reply.authority, reply.additional = answer.answer, answer.authority, answer.additional
    reply.set_rcode(answer.rcode())
    return reply


def setup(c: Dispenser, config: ServerConfig) -> list[Plugin]:
    from kubenet_course.dns.plugins._forward_setup import setup as parse

    return parse(c, config)
