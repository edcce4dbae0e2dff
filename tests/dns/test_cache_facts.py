"""What `cache` keeps (plugin/cache/cache_test.go): which answers, and for how long."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from tests.support.coredns import World, ask, rows

SOA = "example.org. 3600 IN SOA sns.dns.icann.org. noc.dns.icann.org. 2016082540 7200 3600 1209600 3600"
MX = ["miek.nl. {ttl} IN MX 1 aspmx.l.google.com.", "miek.nl. {ttl} IN MX 10 aspmx2.googlemail.com."]


class Upstream:
    """Answers with what it was given, and counts."""

    def __init__(self, rcode: str = "NOERROR", answer: tuple[str, ...] = (), authority: tuple[str, ...] = (), flags: int = 0):
        self.rcode, self.answer, self.authority, self.flags = rcode, answer, authority, flags
        self.asked = 0

    async def __call__(self, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        self.asked += 1
        reply = dns.message.make_response(dns.message.from_wire(wire))
        reply.set_rcode(dns.rcode.from_text(self.rcode))
        reply.flags |= self.flags
        for section, lines in ((reply.answer, self.answer), (reply.authority, self.authority)):
            for line in lines:
                owner, ttl, klass, kind, data = line.split(None, 4)
                section.append(dns.rrset.from_text(owner, int(ttl), klass, kind, data))
        return reply.to_wire()


def engine(upstream: Upstream, cache: str = "cache") -> tuple[World, object]:
    world = World(upstream=upstream)
    return world, world.engine(f". {{\n{cache}\nforward . 10.0.0.99\n}}\n")


@pytest.mark.parametrize(
    ("upstream", "kept"),
    [
        (Upstream(answer=tuple(line.format(ttl=3601) for line in MX), flags=dns.flags.RA | dns.flags.AD), True),
        (Upstream(answer=(MX[0].format(ttl=1800),), flags=dns.flags.TC), False),
        (Upstream("NXDOMAIN", authority=(SOA,), flags=dns.flags.RA), True),
        (Upstream("SERVFAIL", flags=dns.flags.RA), True),
        (Upstream("NOTIMP", flags=dns.flags.RA), True),
        (Upstream("REFUSED", flags=dns.flags.RA), False),
        (Upstream("FORMERR", flags=dns.flags.RA), False),
        (Upstream("YXDOMAIN", flags=dns.flags.RA), False),
    ],
    ids=lambda value: value.rcode if isinstance(value, Upstream) else None,
)
def test_kept(upstream: Upstream, kept: bool) -> None:
    _, one = engine(upstream)
    first, second = (ask(one, "miek.nl.", "MX") for _ in range(2))  # type: ignore[arg-type]
    assert first.rcode() == second.rcode() == dns.rcode.from_text(upstream.rcode)
    assert upstream.asked == (1 if kept else 2)
    assert all(ttl <= 3600 for _, ttl, _, _ in rows(second.answer))


def test_case_of_the_question() -> None:
    _, one = engine(Upstream(answer=("miek.nl. 300 IN MX 1 aspmx.l.google.com.",)))
    ask(one, "miek.nl.", "MX")  # type: ignore[arg-type]
    assert rows(ask(one, "mIEK.nL.", "MX").answer)[0][0] == "mIEK.nL."  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ttl", "options", "expect"),
    [
        (1800, "success 100 3600 300", 1800),
        (299, "success 100 3600 300", 300),
        (299, "success 100 3600 0", 299),
        (3601, "success 100 3600 300", 3600),
    ],
)
def test_ttl(ttl: int, options: str, expect: int) -> None:
    world, one = engine(Upstream(answer=(f"a.example. {ttl} IN A 192.0.2.1",)), f"cache {{\n{options}\n}}")
    ask(one, "a.example.")  # type: ignore[arg-type]
    assert rows(ask(one, "a.example.").answer)[0][1] == expect  # type: ignore[arg-type]
    world.now += 10 * 10**9
    assert rows(ask(one, "a.example.").answer)[0][1] == expect - 10  # type: ignore[arg-type]


def test_a_ttl_of_zero() -> None:
    upstream = Upstream(answer=("a.example. 0 IN A 192.0.2.1",))
    _, one = engine(upstream, "cache {\nsuccess 100 3600 0\ndenial 100 3600 0\n}")
    for _ in range(2):
        ask(one, "a.example.")  # type: ignore[arg-type]
    assert upstream.asked == 2


SECOND = 10**9


def fetched(records: tuple[str, ...] = ("cached.org. {ttl} IN A 192.0.2.1",), ttl: int = 60) -> Upstream:
    return Upstream(answer=tuple(line.format(ttl=ttl) for line in records))


def nxdomain(ttl: int = 60) -> Upstream:
    return Upstream("NXDOMAIN", authority=(f"org. {ttl} IN SOA ns. h. 1 7200 3600 1209600 {ttl}",))


class Changing:
    """An upstream that can be another one later."""

    def __init__(self, now: Upstream):
        self.now = now
        self.protocols: list[str] = []

    async def __call__(self, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        self.protocols.append(protocol)
        return await self.now(server, port, wire, protocol, timeout)


def changing(cache: str, first: Upstream) -> tuple[World, object, Changing]:
    upstream = Changing(first)
    world = World(upstream=upstream)
    return world, world.engine(f". {{\ncache {{\n{cache}\n}}\nforward . 10.0.0.99\n}}\n"), upstream


# plugin/cache/prefetch_test.go: after so many seconds → the TTL and the last number of the address.
@pytest.mark.parametrize(
    ("options", "ttl", "steps"),
    [
        ("prefetch 1", 80, [(0, 80, 1), (73, 7, 1), (80, 73, 2)]),
        ("prefetch 1", 5, [(0, 5, 1), (1, 4, 1), (4, 1, 1), (5, 4, 2)]),
        ("", 30, [(0, 30, 1), (15, 15, 1), (29, 1, 1), (30, 30, 2)]),
        ("prefetch 1\nserve_stale 1m", 30, [(0, 30, 1), (40, 0, 1), (41, 29, 2)]),
        ("prefetch 3", 80, [(0, 80, 1), (73, 7, 1), (74, 6, 1), (75, 5, 1), (76, 79, 2)]),
        ("prefetch 2 2s", 80, [(0, 80, 1), (72, 8, 1), (75, 5, 1), (78, 2, 1)]),
        ("prefetch 2 1m 50%", 80, [(0, 80, 1), (39, 41, 1), (40, 40, 1), (41, 79, 2)]),
    ],
)
def test_prefetch(options: str, ttl: int, steps: list[tuple[int, int, int]]) -> None:
    world, one, upstream = changing(options, fetched(ttl=ttl))
    start = world.now
    for after, left, number in steps:
        world.now = start + after * SECOND
        upstream.now.answer = (f"cached.org. {ttl} IN A 192.0.2.{len(upstream.protocols) + 1}",)
        assert rows(ask(one, "cached.org.").answer) == [("cached.org.", left, "A", f"192.0.2.{number}")]  # type: ignore[arg-type]
        upstream.now.answer = (f"cached.org. {ttl} IN A 192.0.2.{len(upstream.protocols) + 1}",)
        world.run_tasks()
        world.now = start + after * SECOND


def test_what_is_fetched_in_advance_is_asked_for_over_tcp_and_stays_popular() -> None:
    world, one, upstream = changing("prefetch 2 1h", fetched(ttl=100))
    for seconds in (0, 90, 91, 92, 181, 182):
        world.now = 10**15 + seconds * SECOND
        ask(one, "cached.org.")  # type: ignore[arg-type]
        world.run_tasks()
    assert upstream.protocols == ["udp", "tcp", "tcp"]
    assert 'coredns_cache_prefetch_total{server="dns://:53",view="",zones="."} 2' in world.environment.metrics.text()


# plugin/cache/cache_test.go: TestServeFromStaleCacheResponseTTL
@pytest.mark.parametrize(
    ("options", "first", "after", "ttl"),
    [
        ("serve_stale 1h immediate", fetched(), 120, 0),
        ("serve_stale 1h immediate 30s", fetched(), 120, 30),
        ("serve_stale 1h immediate 30s", fetched(), 60, 30),
        ("serve_stale 1h immediate 25s", nxdomain(), 120, 25),
        ("serve_stale 1h verify 0 45s", fetched(), 120, 45),
        ("serve_stale 1h immediate 17s\nkeepttl", fetched(), 120, 17),
        ("serve_stale 1h immediate 30s", fetched(), 10, 50),
        ("keepttl", fetched(), 10, 60),
        ("keepttl", fetched(("cached.org. 5000 IN A 192.0.2.1", "cached.org. 5000 IN A 192.0.2.2")), 10, 3600),
    ],
)
def test_stale_ttl(options: str, first: Upstream, after: int, ttl: int) -> None:
    world, one, upstream = changing(options, first)
    ask(one, "cached.org.")  # type: ignore[arg-type]
    world.now += after * SECOND
    upstream.now = Upstream("SERVFAIL")
    answer = ask(one, "cached.org.")  # type: ignore[arg-type]
    assert {row[1] for row in rows(answer.answer) + rows(answer.authority)} == {ttl}
    world.close()


def test_what_is_stale_is_verified() -> None:
    """TestServeFromStaleCacheFetchVerify."""
    world, one, upstream = changing("serve_stale 1h verify", fetched(ttl=120))
    start = world.now
    ask(one, "cached.org.")  # type: ignore[arg-type]
    for minutes, now, rcode, ttl in (
        (1, fetched(ttl=200), "NOERROR", 60),
        (3, fetched(ttl=200), "NOERROR", 200),
        (7, Upstream("SERVFAIL"), "NOERROR", 0),
        (7, Upstream("REFUSED"), "NOERROR", 0),
        (8, nxdomain(150), "NXDOMAIN", 150),
    ):
        world.now, upstream.now = start + minutes * 60 * SECOND, now
        answer = ask(one, "cached.org.")  # type: ignore[arg-type]
        assert dns.rcode.to_text(answer.rcode()) == rcode
        assert [row[1] for row in rows(answer.answer) + rows(answer.authority)] == [ttl]
    assert "coredns_cache_served_stale_total" in world.environment.metrics.text()
    assert 'coredns_cache_served_stale_total{server="dns://:53",view="",zones="."} 2' in world.environment.metrics.text()


@pytest.mark.parametrize(("slow", "ttl"), [(True, 30), (False, 60)])
def test_verifying_takes_no_longer_than_is_allowed(slow: bool, ttl: int) -> None:
    world, one, upstream = changing("serve_stale 1h verify 50ms 30s", fetched(ttl=120))
    ask(one, "cached.org.")  # type: ignore[arg-type]
    world.now += 180 * SECOND
    began = world.now
    upstream.now = fetched(ttl=60)

    async def sleep(ns: int) -> None:
        """What was spawned runs meanwhile, unless the upstream is slow."""
        while world.tasks and not slow:
            await world.tasks.pop(0)
        world.now += ns

    world.environment.sleep = sleep
    answer = ask(one, "cached.org.")  # type: ignore[arg-type]
    assert [row[1] for row in rows(answer.answer)] == [ttl] and bool(answer.flags & dns.flags.AA)
    assert world.now - began <= 50_000_000
    slow = False
    world.run_tasks()
    assert [row[1] for row in rows(ask(one, "cached.org.").answer)] == [60]  # type: ignore[arg-type]


def test_a_stale_denial_does_not_hide_an_answer() -> None:
    """TestNegativeStaleMaskingPositiveCache."""
    world, one, upstream = changing("serve_stale 10m", nxdomain())
    assert ask(one, "cached.org.").rcode() == dns.rcode.NXDOMAIN  # type: ignore[arg-type]
    world.now += 300 * SECOND
    upstream.now = fetched(ttl=303)
    assert ask(one, "cached.org.").rcode() == dns.rcode.NXDOMAIN  # type: ignore[arg-type]
    world.run_tasks()
    upstream.now = Upstream("REFUSED")
    assert ask(one, "cached.org.").rcode() == dns.rcode.NOERROR  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "later", "rcode"),
    [
        ("serve_stale", Upstream("SERVFAIL"), "NOERROR"),
        ("serve_stale", nxdomain(300), "NXDOMAIN"),
        ("serve_stale\nserve_stale_policy prefer_positive", nxdomain(300), "NOERROR"),
    ],
)
def test_what_a_refresh_brings(options: str, later: Upstream, rcode: str) -> None:
    """TestServfailDoesNotShadowPositiveCache, TestPreferPositiveCachePolicy."""
    world, one, upstream = changing(options, fetched())
    ask(one, "cached.org.")  # type: ignore[arg-type]
    world.now += 120 * SECOND
    upstream.now = later
    assert ask(one, "cached.org.").rcode() == dns.rcode.NOERROR  # type: ignore[arg-type]
    world.run_tasks()
    assert dns.rcode.to_text(ask(one, "cached.org.").rcode()) == rcode  # type: ignore[arg-type]
    world.close()


@pytest.mark.parametrize(
    ("other", "kept"),
    [({"rdtype": "AAAA"}, False), ({"want_dnssec": True}, False), ({"flags": "RD CD"}, False), ({"flags": "RD AA"}, True)],
    ids=str,
)
def test_what_is_kept_apart(other: dict[str, object], kept: bool) -> None:
    """TestCacheSeparation."""
    _, one, upstream = changing("", fetched())
    ask(one, "cached.org.")  # type: ignore[arg-type]
    kind = str(other.pop("rdtype", "A"))
    if "flags" in other:
        other["flags"] = dns.flags.from_text(str(other["flags"]))
    ask(one, "cached.org.", kind, **other)  # type: ignore[arg-type]
    assert len(upstream.protocols) == (1 if kept else 2)


def test_a_full_cache_puts_something_out() -> None:
    """At least 1024 items, and a multiple of 256 (README: Capacity and Eviction)."""

    async def answers(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        reply = dns.message.make_response(query)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.1"))
        return reply.to_wire()

    world = World(upstream=answers)
    one = world.engine(". {\ncache {\nsuccess 10\n}\nforward . 10.0.0.99\n}\n")
    for number in range(1026):
        ask(one, f"n{number}.org.")
    text = world.environment.metrics.text()
    assert 'coredns_cache_entries{server="dns://:53",type="success",view="",zones="."} 1024' in text
    assert 'coredns_cache_evictions_total{server="dns://:53",type="success",view="",zones="."} 2' in text
