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
