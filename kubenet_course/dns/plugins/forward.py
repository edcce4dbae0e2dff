"""forward: asks other servers, healthy ones first (plugin/forward)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.rcode

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import (
    check_domain,
    fqdn,
    go_duration,
    go_duration_text,
    is_subdomain,
    normalise_zone,
)
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.wire import MALFORMED

SECOND = 10**9
MAX_UPSTREAMS = 15
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
    failfast: bool = False
    _turn: int = 0
    _running: int = 0

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if not is_subdomain(self.zone, request.name) or any(
            is_subdomain(zone, request.name) for zone in self.ignored
        ):
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

    async def _ask(self, request: Request) -> dns.message.Message:
        """Forward.ServeDNS(): upstreams in the policy's order, again and again, for up to five seconds in all."""
        environment = self.config.environment
        deadline = environment.now() + TIMEOUT
        if request.deadline:
            deadline = min(deadline, request.deadline)
        order = self._order()
        fails = position = 0
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
            try:
                answer = await self._exchange(upstream, request, deadline)
            except (OSError, TimeoutError) as problem:
                failure = str(problem)
                if self.max_fails:
                    self._check(upstream)
                if fails < len(order):
                    await environment.sleep(RETRY)
                    continue
                break
            if answer.rcode() in self.failover and position < len(order):
                continue
            if answer.rcode() in self.next_codes and self.next is not None:
                return await self.next_plugin(request)
            return answer
        raise PluginError("forward", failure)

    async def _exchange(self, upstream: Upstream, request: Request, deadline: int) -> dns.message.Message:
        environment = self.config.environment
        if upstream.transport == "tls":
            raise OSError(f"kubenet: coredns: TLS to {upstream.address} is not emulated")
        protocol = "tcp" if self.force_tcp or (request.protocol == "tcp" and not self.prefer_udp) else "udp"
        wire = request.message.to_wire()
        began = environment.now()
        while True:
            timeout = min(self.read_timeout, max(1, deadline - environment.now()))
            data = await environment.exchange(upstream.address, upstream.port, wire, protocol, timeout)
            try:
                answer = dns.message.from_wire(data, ignore_trailing=True)
            except MALFORMED:
                raise OSError("dns: overflow unpacking data") from None
            if answer.flags & dns.flags.TC and protocol == "udp" and self.prefer_udp:
                protocol = "tcp"
                continue
            environment.metrics.observe(
                "coredns_proxy_request_duration_seconds", (environment.now() - began) / 1e9, proxy_name="forward",
                to=f"{upstream.address}:{upstream.port}", rcode=dns.rcode.to_text(answer.rcode()),
            )  # fmt: skip
            question = answer.question[0] if len(answer.question) == 1 else None
            if question is None or question.name != request.question or int(question.rdtype) != request.qtype:
                return request.reply(dns.rcode.FORMERR)
            return _as_asked(request, answer)

    def _order(self) -> list[Upstream]:
        upstreams = list(self.upstreams)
        if self.policy == "random":
            self.config.environment.random.shuffle(upstreams)
        elif self.policy == "round_robin":
            self._turn += 1
            start = self._turn % len(upstreams)
            upstreams = upstreams[start:] + upstreams[:start]
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
                await environment.exchange(upstream.address, upstream.port, query.to_wire(), "udp", SECOND)
            except (OSError, TimeoutError):
                upstream.fails += 1
                place = f"{upstream.address}:{upstream.port}"
                environment.metrics.count("coredns_proxy_healthcheck_failures_total", proxy_name="forward", to=place)
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


def _as_asked(request: Request, answer: dns.message.Message) -> dns.message.Message:
    """The upstream's answer under the client's id and question; its EDNS is not passed on."""
    reply = request.reply()
    reply.flags = answer.flags | dns.flags.QR
    reply.answer, reply.authority, reply.additional = answer.answer, answer.authority, answer.additional
    reply.set_rcode(answer.rcode())
    return reply


def setup(c: Dispenser, config: ServerConfig) -> list[Plugin]:
    handlers: list[Plugin] = []
    while c.next():
        handlers.append(_parse(c, config))
    return handlers


def _parse(c: Dispenser, config: ServerConfig) -> Forward:
    handler = Forward(config)
    if not c.next_arg():
        raise c.arg_error()
    try:
        handler.zone = normalise_zone(c.text)[0]
    except (ValueError, IndexError):
        raise c.plain(f"unable to normalize '{c.text}'") from None
    targets = c.remaining_args()
    if not targets:
        raise c.arg_error()
    for target in targets:
        handler.upstreams += _upstreams(c, config, target)
    if len(handler.upstreams) > MAX_UPSTREAMS:
        raise c.plain(f"more than {MAX_UPSTREAMS} TOs configured: {len(handler.upstreams)}")
    while c.next_block():
        _property(c, handler)
    for upstream in handler.upstreams:
        if handler.server_name and upstream.server_name:
            host = f"[{upstream.address}]" if ":" in upstream.address else upstream.address
            raise c.plain(
                f"both forward ('{handler.server_name}') and proxy level ('{upstream.server_name}') TLS servernames are set "
                f"for upstream proxy 'tls://{host}:{upstream.port}'"
            )
    if handler.max_age and handler.max_age < handler.expire:
        age, expire = go_duration_text(handler.max_age), go_duration_text(handler.expire)
        raise c.plain(f"max_age ({age}) must not be less than expire ({expire})")
    return handler


def _upstreams(c: Dispenser, config: ServerConfig, target: str) -> list[Upstream]:
    """parse.HostPortOrFile(): an address with transport and port, or a file like resolv.conf."""
    transport, rest = "dns", target
    scheme = re.match(r"^([a-z0-9]+)://", target)
    if scheme:
        transport, rest = scheme.group(1), target[scheme.end() :]
        if transport not in ("dns", "tls"):
            raise c.plain(f"'{transport}' is not supported as a destination protocol in forward: {target}")
    match = re.match(
        r"^\[(?P<six>[^\]%]+)(?:%(?P<zone6>[^\]]+))?\](?::(?P<port6>\d+))?$|^(?P<four>[^:%]+)(?:%(?P<zone4>[^:]+))?(?::(?P<port4>\d+))?$",
        rest,
    )
    host, name, port = rest, "", 0
    if match:
        host = match["six"] or match["four"]
        name = match["zone6"] or match["zone4"] or ""
        port = int(match["port6"] or match["port4"] or 0)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        text = config.environment.files.read(target)
        if text is None:
            raise c.plain(f'not an IP address or file: "{target}"') from None
        servers = re.findall(r"^\s*nameserver\s+(\S+)", text, re.M)
        if not servers:
            raise c.plain(f"no nameservers found: {target}") from None
        return [Upstream(server, 53) for server in servers]
    return [
        Upstream(
            str(address),
            port or (853 if transport == "tls" else 53),
            transport,
            name if transport == "tls" else "",
        )
    ]


def _property(c: Dispenser, handler: Forward) -> None:
    word = c.text
    numbers = ("max_concurrent", "max_connect_attempts", "max_idle_conns", "max_fails")
    durations = ("expire", "max_age", "read_timeout")
    if word == "except":
        zones = c.remaining_args()
        if not zones:
            raise c.arg_error()
        for zone in zones:
            try:
                handler.ignored += normalise_zone(zone)
            except ValueError as problem:
                raise c.plain(str(problem)) from None
    elif word in numbers:
        if not c.next_arg():
            raise c.arg_error()
        if not c.text.isdigit():
            unsigned = word in ("max_fails", "max_connect_attempts")
            if not unsigned and re.fullmatch(r"-\d+", c.text):
                raise c.plain(f"{word} can't be negative: {int(c.text)}")
            raise c.plain(f'strconv.{"ParseUint" if unsigned else "Atoi"}: parsing "{c.text}": invalid syntax')
        setattr(handler, word, int(c.text))
    elif word in durations:
        if not c.next_arg():
            raise c.arg_error()
        duration = _duration(c)
        if duration < 0 or (word == "read_timeout" and duration == 0):
            text = go_duration_text(duration)
            raise c.plain(f"{word} can't be negative: {text}" if duration < 0 else f"{word} must be positive: {text}")
        setattr(handler, word, duration)
    elif word == "policy":
        if not c.next_arg():
            raise c.arg_error()
        if c.text not in ("random", "round_robin", "sequential"):
            raise c.error(f"unknown policy '{c.text}'")
        handler.policy = c.text
    elif word == "health_check":
        _health_check(c, handler)
    elif word in ("force_tcp", "prefer_udp", "failfast_all_unhealthy_upstreams"):
        if c.next_arg():
            raise c.arg_error()
        setattr(handler, {"failfast_all_unhealthy_upstreams": "failfast"}.get(word, word), True)
    elif word == "tls":
        if len(c.remaining_args()) > 3:
            raise c.arg_error()
        handler.tls = True
    elif word == "tls_servername":
        if not c.next_arg():
            raise c.arg_error()
        handler.server_name = c.text
    elif word in ("failover", "next"):
        codes = c.remaining_args()
        if not codes:
            raise c.arg_error()
        for code in codes:
            try:
                rcode = dns.rcode.from_text(code)
            except dns.exception.DNSException:
                raise c.plain(f"{code} is not a valid rcode") from None
            if word == "failover" and rcode == dns.rcode.NOERROR:
                raise c.plain("NoError cannot be used in failover")
            (handler.failover if word == "failover" else handler.next_codes).append(rcode)
    else:
        raise c.error(f"unknown property '{word}'")


def _duration(c: Dispenser) -> int:
    try:
        return go_duration(c.text)
    except ValueError as problem:
        raise c.plain(str(problem)) from None


def _health_check(c: Dispenser, handler: Forward) -> None:
    if not c.next_arg():
        raise c.arg_error()
    handler.health_interval = _duration(c)
    if handler.health_interval < 0:
        raise c.plain(f"health_check can't be negative: {handler.health_interval}")
    while c.next_arg():
        if c.text == "no_rec":
            handler.health_recursion = False
        elif c.text == "domain":
            if not c.next_arg():
                raise c.arg_error()
            try:
                check_domain(c.text)
            except ValueError:
                raise c.plain(f"health_check: invalid domain name {c.text}") from None
            handler.health_domain = fqdn(c.text)
        else:
            raise c.plain(f"health_check: unknown option {c.text}")
