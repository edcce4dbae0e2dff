"""`forward` by the facts of plugin/forward and plugin/pkg/proxy: policies, failures, limits, what is handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from kubenet_course.dns.engine import Engine
from tests.support.coredns import World, ask, rows

Reply = Callable[[dns.message.Message], dns.message.Message | bytes]


class Servers:
    """Other servers by the last number of their address: what they make of a reply, or an exception."""

    def __init__(self, **servers: Reply | Exception):
        self.servers = {name.removeprefix("s"): made for name, made in servers.items()}
        self.asked: list[str] = []
        self.questions: list[str] = []
        self.protocols: list[str] = []

    async def __call__(self, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        number = server.rpartition(".")[2]
        self.asked.append(number)
        self.questions.append(query.question[0].to_text())
        self.protocols.append(protocol)
        made = self.servers[number]
        if isinstance(made, Exception):
            raise made
        reply = made(dns.message.make_response(query))
        return reply if isinstance(reply, bytes) else reply.to_wire()


def says(address: str = "", rcode: str = "NOERROR", flags: int = 0) -> Reply:
    def made(reply: dns.message.Message) -> dns.message.Message:
        reply.set_rcode(dns.rcode.from_text(rcode))
        reply.flags |= flags
        if address:
            reply.answer.append(dns.rrset.from_text(reply.question[0].name, 60, "IN", "A", address))
        return reply

    return made


REFUSES = OSError("read udp 10.0.0.9:40000->10.0.0.1:53: read: connection refused")


def made(corefile: str, servers: Servers) -> tuple[World, Engine]:
    world = World(upstream=servers)
    return world, world.engine(f". {{\n{corefile}\n}}\n")


def test_round_robin_begins_with_the_next_server_and_keeps_the_order_of_the_others() -> None:
    """forward_test.go: TestList."""
    _, engine = made("forward . 10.0.0.1 10.0.0.2 10.0.0.3 {\npolicy round_robin\n}", Servers())
    forward = engine.configs[0].handlers["forward"]
    orders = ["".join(upstream.address[-1] for upstream in forward._order()) for _ in range(3)]  # type: ignore[attr-defined]
    assert orders == ["213", "312", "123"]


@pytest.mark.parametrize(
    ("options", "followed_by", "first", "asked"),
    [
        ("next NXDOMAIN", "forward . 10.0.0.2", says(rcode="NXDOMAIN"), "12"),
        ("next NXDOMAIN", "", says(rcode="NXDOMAIN"), "1"),
        ("next NXDOMAIN", "whoami", says(rcode="NXDOMAIN"), "1"),
        ("next NXDOMAIN SERVFAIL", "forward . 10.0.0.2", says(rcode="SERVFAIL"), "12"),
        ("next NXDOMAIN", "forward . 10.0.0.2", says(rcode="REFUSED"), "1"),
        ("next_on_nodata", "forward . 10.0.0.2", says(), "12"),
        ("next_on_nodata", "forward . 10.0.0.2", says("192.0.2.1"), "1"),
        ("", "forward . 10.0.0.2", says(), "1"),
    ],
)
def test_only_another_forward_is_asked_next(options: str, followed_by: str, first: Reply, asked: str) -> None:
    servers = Servers(s1=first, s2=says("192.0.2.2"))
    _, engine = made(f"forward . 10.0.0.1 {{\n{options}\n}}\n{followed_by}", servers)
    answer = ask(engine, "a.example.org.")
    assert "".join(servers.asked) == asked
    if asked == "12":
        assert rows(answer.answer) == [("a.example.org.", 60, "A", "192.0.2.2")]


@pytest.mark.parametrize(
    ("corefile", "asked", "rcode"),
    [
        ("failover SERVFAIL REFUSED", "123", "NOERROR"),
        ("failover SERVFAIL", "12", "REFUSED"),
        ("", "1", "SERVFAIL"),
    ],
)
def test_failover(corefile: str, asked: str, rcode: str) -> None:
    servers = Servers(s1=says(rcode="SERVFAIL"), s2=says(rcode="REFUSED"), s3=says("192.0.2.3"))
    _, engine = made(f"forward . 10.0.0.1 10.0.0.2 10.0.0.3 {{\npolicy sequential\n{corefile}\n}}", servers)
    assert dns.rcode.to_text(ask(engine, "a.example.org.").rcode()) == rcode
    assert "".join(servers.asked) == asked


def test_the_last_answer_stays_where_all_have_failed_over() -> None:
    servers = Servers(s1=says(rcode="SERVFAIL"), s2=says(rcode="REFUSED"))
    _, engine = made("forward . 10.0.0.1 10.0.0.2 {\npolicy sequential\nfailover SERVFAIL REFUSED\n}", servers)
    assert ask(engine, "a.example.org.").rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(("attempts", "asked"), [(1, "1"), (3, "121")])
def test_attempts_are_limited(attempts: int, asked: str) -> None:
    servers = Servers(s1=REFUSES, s2=REFUSES)
    options = f"policy sequential\nmax_fails 0\nmax_connect_attempts {attempts}"
    _, engine = made(f"errors\nforward . 10.0.0.1 10.0.0.2 {{\n{options}\n}}", servers)
    assert ask(engine, "a.example.org.").rcode() == dns.rcode.SERVFAIL
    assert "".join(servers.asked) == asked


@pytest.mark.parametrize(
    ("zone", "name", "forwarded"),
    [
        ("example.org", "example.org.", True),
        ("example.org", "a.example.org.", True),
        ("example.org", "b.a.example.org.", True),
        ("example.org", "sub.example.org.", False),
        ("sub.example.org", "sub.example.org.", True),
        ("sub.example.org", "a.sub.example.org.", False),
        ("example.org", "example.net.", False),
    ],
)
def test_what_is_excepted(zone: str, name: str, forwarded: bool) -> None:
    servers = Servers(s1=says("192.0.2.1"))
    _, engine = made(f"forward {zone} 10.0.0.1 {{\nexcept sub.example.org ..\n}}\nwhoami", servers)
    ask(engine, name)
    assert bool(servers.asked) is forwarded


def test_checks_go_over_the_transport_that_is_forced() -> None:
    servers = Servers(s1=REFUSES)
    world, engine = made("forward . 10.0.0.1 {\nforce_tcp\nmax_connect_attempts 1\n}", servers)
    ask(engine, "a.example.org.")
    servers.servers["1"] = says()
    world.run_tasks()
    assert servers.protocols == ["tcp", "tcp"] and servers.questions == ["a.example.org. IN A", ". IN NS"]


def test_a_range_of_several_zones_is_warned_of() -> None:
    world, engine = made("forward 10.9.3.0/18 10.0.0.1", Servers())
    assert engine.configs[0].handlers["forward"].zone == "0.9.10.in-addr.arpa."  # type: ignore[attr-defined]
    text = "Unsupported CIDR notation: '10.9.3.0/18' expands to multiple zones. Using only '0.9.10.in-addr.arpa.'."
    assert world.logged == [f"[WARNING] plugin/forward: {text}"]


def test_who_was_asked_is_metadata() -> None:
    for metadata, expected in (("metadata", "10.0.0.1:53"), ("", "-")):
        world, engine = made(f'{metadata}\nlog . "{{/forward/upstream}}"\nforward . 10.0.0.1', Servers(s1=says("192.0.2.1")))
        ask(engine, "a.example.org.")
        assert world.logged == [f"[INFO] {expected}"]


@pytest.mark.parametrize(
    ("reply", "rcode", "flags"),
    [
        (lambda reply: dns.message.from_wire(reply.to_wire()[:2] + b"\x01" + reply.to_wire()[3:]), "FORMERR", 0),
        (lambda reply: says("192.0.2.1")(reply), "NOERROR", 0),
        (lambda reply: reply.to_wire()[:12], "FORMERR", 0),
        (lambda reply: reply.to_wire() + b"\0" * 600, "NOERROR", dns.flags.TC),
        (lambda reply: reply.to_wire()[:20], "NOERROR", dns.flags.TC),
    ],
    ids=["no answer", "an answer", "without a question", "too long", "cut off"],
)
def test_answers_that_are_none(reply: Reply, rcode: str, flags: int) -> None:
    """request.Match(), and proxy.Connect()'s truncateResponse()."""
    _, engine = made("forward . 10.0.0.1", Servers(s1=reply))
    answer = ask(engine, "a.example.org.")
    assert (dns.rcode.to_text(answer.rcode()), answer.flags & dns.flags.TC) == (rcode, flags)


def test_too_many_at_once_are_refused() -> None:
    gate = asyncio.Event()
    servers = Servers(s1=says("192.0.2.1"))

    async def waits(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        await gate.wait()
        return await servers(server, port, wire, protocol, timeout)

    world = World(upstream=waits)
    engine = world.engine(". {\nerrors\nforward . 10.0.0.1 {\nmax_concurrent 2\n}\n}\n")

    async def work() -> list[int]:
        query = dns.message.make_query("a.example.org.", "A").to_wire()
        asked = [asyncio.ensure_future(engine.answer(engine.servers[0], query, "10.0.0.5")) for _ in range(3)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        gate.set()
        return [dns.message.from_wire(await one or b"").rcode() for one in asked]

    assert asyncio.run(work()) == [dns.rcode.NOERROR, dns.rcode.NOERROR, dns.rcode.REFUSED]
    assert world.logged == ["[ERROR] plugin/errors: 5 a.example.org. A: concurrent queries exceeded maximum 2"]
    assert "coredns_forward_max_concurrent_rejects_total 1" in world.environment.metrics.text()
