"""An authoritative server's answers, over bytes: zones, sizes, odd queries. RFC 1034, 2308, 4592, 6672, 6891, 8482."""

from __future__ import annotations

import asyncio

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest

from kubenet_course.dns.corefile import CorefileError
from kubenet_course.dns.engine import Engine
from kubenet_course.dns.zone import Zone, ZoneError
from tests.support.coredns import World, ask, rows

ZONE = """$ORIGIN example.org.
$TTL 300
@ 3600 IN SOA ns1 hostmaster 7 7200 3600 1209600 60
@ IN NS ns1
@ IN NS ns2.elsewhere.net.
@ IN CAA 0 issue "ca.example.net"
ns1 IN A 10.0.0.1
Www IN A 10.0.0.2
    IN AAAA 2001:db8::2
mail IN MX 10 mx
mail IN MX 20 mx.example.net.
mx IN A 10.0.0.9
_http._tcp IN SRV 0 5 80 www
*.wild IN A 10.0.0.3
*.wild IN MX 5 mx
not.wild IN TXT "x"
alias IN CNAME www
chain IN CNAME alias
out IN CNAME www.other.net.
loop IN CNAME loop2
loop2 IN CNAME loop
*.star IN CNAME www
a.b.c IN TXT "deep"
sub IN NS ns.sub
sub IN DS 1 8 2 0123456789012345678901234567890123456789012345678901234567890123
ns.sub IN A 10.0.1.1
old IN DNAME example.net.
$INCLUDE more
$GENERATE 1-3 host$ A 10.9.0.$
"""
MORE = "inc A 10.0.0.77\n"
WWW = "Www.example.org."
FILES = {"/etc/zones/example.org": ZONE, "/etc/zones/more": MORE, "/h": "10.0.0.50 www.other.net\n10.0.0.51 www.example.net\n"}
COREFILE = """example.org {
    file /etc/zones/example.org
}
. {
    hosts /h
}
"""
SOA = "example.org. SOA"
NS = "example.org. NS"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return World(FILES).engine(COREFILE)


#: question | rcode | flags | answer | authority | additional; each record as "owner TYPE data", SOA and NS by owner
TABLE = """
www.example.org A | NOERROR | AA | www.example.org. A 10.0.0.2 | NS |
wWw.ExAmPlE.oRg A | NOERROR | AA | www.example.org. A 10.0.0.2 | NS |
www.example.org AAAA | NOERROR | AA | www.example.org. AAAA 2001:db8::2 | NS |
www.example.org TXT | NOERROR | AA | | SOA |
www.example.org ANY | NOERROR | AA | | SOA |
example.org SOA | NOERROR | AA | SOA | NS |
example.org NS | NOERROR | AA | NS | | ns1.example.org. A 10.0.0.1
example.org CAA | NOERROR | AA | example.org. CAA 0 issue "ca.example.net" | NS |
example.org A | NOERROR | AA | | SOA |
mail.example.org MX | NOERROR | AA | mail.example.org. MX 10 mx.example.org.; mail.example.org. MX 20 mx.example.net. | NS | mx.example.org. A 10.0.0.9
_http._tcp.example.org SRV | NOERROR | AA | _http._tcp.example.org. SRV 0 5 80 www.example.org. | NS | www.example.org. A 10.0.0.2; www.example.org. AAAA 2001:db8::2
x.wild.example.org A | NOERROR | AA | x.wild.example.org. A 10.0.0.3 | NS |
a.b.wild.example.org A | NOERROR | AA | a.b.wild.example.org. A 10.0.0.3 | NS |
x.wild.example.org TXT | NOERROR | AA | | SOA |
not.wild.example.org A | NOERROR | AA | | SOA |
x.not.wild.example.org A | NXDOMAIN | AA | | SOA |
wild.example.org A | NOERROR | AA | | SOA |
x.wild.example.org MX | NOERROR | AA | x.wild.example.org. MX 5 mx.example.org. | NS | mx.example.org. A 10.0.0.9
alias.example.org A | NOERROR | AA | alias.example.org. CNAME www.example.org.; www.example.org. A 10.0.0.2 | NS |
alias.example.org CNAME | NOERROR | AA | alias.example.org. CNAME www.example.org. | NS |
alias.example.org TXT | NOERROR | AA | alias.example.org. CNAME www.example.org. | NS |
chain.example.org A | NOERROR | AA | chain.example.org. CNAME alias.example.org.; alias.example.org. CNAME www.example.org.; www.example.org. A 10.0.0.2 | NS |
out.example.org A | NOERROR | AA | out.example.org. CNAME www.other.net.; www.other.net. A 10.0.0.50 | NS |
loop.example.org A | NOERROR | AA | loop.example.org. CNAME loop2.example.org.; loop2.example.org. CNAME loop.example.org. | NS |
x.star.example.org A | NOERROR | AA | x.star.example.org. CNAME www.example.org.; www.example.org. A 10.0.0.2 | NS |
b.c.example.org A | NOERROR | AA | | SOA |
c.example.org TXT | NOERROR | AA | | SOA |
a.b.c.example.org TXT | NOERROR | AA | a.b.c.example.org. TXT "deep" | NS |
nothing.example.org A | NXDOMAIN | AA | | SOA |
x.www.example.org A | NXDOMAIN | AA | | SOA |
h.sub.example.org A | NOERROR | | | sub.example.org. NS ns.sub.example.org. | ns.sub.example.org. A 10.0.1.1
sub.example.org NS | NOERROR | | | sub.example.org. NS ns.sub.example.org. | ns.sub.example.org. A 10.0.1.1
ns.sub.example.org A | NOERROR | | | sub.example.org. NS ns.sub.example.org. | ns.sub.example.org. A 10.0.1.1
sub.example.org DS | NOERROR | AA | sub.example.org. DS 1 8 2 0123456789012345678901234567890123456789012345678901234567890123 | NS |
www.old.example.org A | NOERROR | AA | old.example.org. DNAME example.net.; www.old.example.org. CNAME www.example.net.; www.example.net. A 10.0.0.51 | NS |
old.example.org A | NOERROR | AA | | SOA |
inc.example.org A | NOERROR | AA | inc.example.org. A 10.0.0.77 | NS |
host2.example.org A | NOERROR | AA | host2.example.org. A 10.9.0.2 | NS |
example.org AXFR | REFUSED | | | |
other.org A | SERVFAIL | | | |
"""


def parse(cell: str) -> list[str]:
    return [one.strip() for one in cell.split(";") if one.strip()]


def shown(section: list) -> list[str]:  # type: ignore[type-arg]
    found = []
    for owner, _, kind, data in rows(section):
        if kind in ("SOA", "NS") and owner == "example.org.":
            found.append(kind)
        else:
            found.append(f"{owner} {kind} {data}")
    return [one for n, one in enumerate(found) if one not in found[:n]]


@pytest.mark.parametrize("line", TABLE.strip().splitlines())
def test_zone_answers(line: str, engine: Engine) -> None:
    question, rcode, flags, answer, authority, additional = [cell.strip() for cell in line.split("|")]
    name, kind = question.split()
    found = ask(engine, name, kind, server=engine.servers[0])
    assert dns.rcode.to_text(found.rcode()) == rcode
    assert bool(found.flags & dns.flags.AA) is (flags == "AA")
    assert [shown(section) for section in (found.answer, found.authority, found.additional)] == [
        parse(cell) for cell in (answer, authority, additional)
    ]
    assert found.question[0].name.to_text() == f"{name}."


#: bytes in hexadecimal → the answer's, "" for none (dns.DefaultMsgAcceptFunc)
ODD = [
    ("", ""),
    ("00010100", ""),
    ("0001 8000 0001000000000000 0000010001", ""),  # an answer
    ("0001 0100 0000000000000000", "000181010000000000000000"),  # no question
    ("0001 0100 0002000000000000 0000010001 0000010001", "000181010000000000000000"),
    ("0001 0100 0001000200000000 0000010001", "000181010000000000000000"),
    ("0001 0100 0001000000000003 0000010001", "000181010000000000000000"),
    ("0001 2900 0001000000000000 0000010001", "0001a9040000000000000000"),  # UPDATE
    ("0001 1100 0001000000000000 0000010001", "000191040000000000000000"),  # STATUS
    ("0001 0100 0001000000000000 c00c00010001", "000181010000000000000000"),  # a name that points at itself
    ("0001 0100 0001000000000000 05616263", "000181010000000000000000"),  # cut in a label
    ("0001 0110 0001000000000000 00000100ff", "000181150001000000000000 00000100ff"),  # class ANY: REFUSED, CD kept
]


@pytest.mark.parametrize(("query", "answer"), ODD)
def test_odd_queries(query: str, answer: str) -> None:
    engine = World().engine(". {\n whoami\n}\n")
    found = asyncio.run(engine.answer(engine.servers[0], bytes.fromhex(query), "10.0.0.5"))
    assert (found or b"").hex() == answer.replace(" ", "")


def test_edns(engine: Engine) -> None:
    cookie = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")
    strange = dns.edns.GenericOption(65001, b"x")
    found = ask(engine, "www.example.org", edns=True, payload=1400, options=[cookie, strange], ednsflags=dns.flags.DO)
    assert (found.edns, found.payload, found.ednsflags & dns.flags.DO) == (0, 1400, dns.flags.DO)
    assert [(int(option.otype), option.to_wire()) for option in found.options] == [(10, b"12345678")]
    assert ask(engine, "www.example.org").edns == -1
    query = dns.message.make_query("www.example.org", "A", use_edns=1)
    answer = dns.message.from_wire(asyncio.run(engine.answer(engine.servers[0], query.to_wire(), "10.0.0.5")))  # type: ignore[arg-type]
    assert answer.rcode() == dns.rcode.BADVERS


def test_truncation_and_sizes() -> None:
    text = "".join(f'big TXT "{n:03d}{"x" * 60}"\n' for n in range(60))
    world = World({"/z": "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 10.0.0.1\nmany A 10.0.0.1\n" + text + "".join(f"many A 10.1.0.{n}\n" for n in range(40))})
    engine = world.engine("example.org {\n file /z\n}\n")
    for size in (0, 512, 1232, 4096):
        query = dns.message.make_query("big.example.org", "TXT", use_edns=0 if size else -1, payload=size or None)
        wire = asyncio.run(engine.answer(engine.servers[0], query.to_wire(), "10.0.0.5"))
        assert wire is not None and len(wire) <= max(size, 512)
        answer = dns.message.from_wire(wire)
        assert answer.flags & dns.flags.TC and answer.answer
    whole = asyncio.run(engine.answer(engine.servers[0], query.to_wire(), "10.0.0.5", protocol="tcp"))
    answer = dns.message.from_wire(whole)  # type: ignore[arg-type]
    assert not answer.flags & dns.flags.TC and len(answer.answer[0]) == 60
    short = ask(engine, "many.example.org", edns=True, payload=4096)
    assert not short.flags & dns.flags.TC and len(rows(short.answer)) == 41


def test_answers_are_not_compressed_while_they_fit(engine: Engine) -> None:
    """What MSG SIZE shows in dig: request.Scrub compresses only what is too long."""
    query = dns.message.make_query("www.example.org", "A", use_edns=-1)
    wire = asyncio.run(engine.answer(engine.servers[0], query.to_wire(), "10.0.0.5"))
    assert wire is not None and wire.count(b"\x07example\x03org\0") == 5  # question, answer, two NS, one of their targets


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", 'file "/z" has no SOA record for origin example.org.'),
        ("@ IN A 10.0.0.1\n", 'file "/z" has no SOA record for origin example.org.'),
        ("@ SOA ns h 1 2 3 4 5\n@ A 10.0.0.300\n", "dns: "),
        ("@ SOA ns h 1 2 3 4 5\n$INCLUDE missing\n", 'dns: failed to open "/missing"'),
        ("$INCLUDE /z\n", "dns: too deeply nested $INCLUDE"),
    ],
)
def test_zone_files_that_are_wrong(text: str, problem: str) -> None:
    with pytest.raises(ZoneError) as caught:
        Zone.parse(text, "example.org", "/z", {"/z": text}.get)
    assert str(caught.value).startswith(problem)
    with pytest.raises(CorefileError) as refused:
        World({"/z": text}).engine("example.org {\n file /z\n}\n")
    assert str(refused.value).startswith(f"plugin/file: {problem}")


def test_a_missing_zone_file_is_tried_again() -> None:
    world = World()
    engine = world.engine("example.org {\n file /later\n}\n")
    assert world.logged == ['[WARNING] plugin/file: Failed to open "open /later: no such file or directory": trying again in 1m0s']
    assert ask(engine, "www.example.org").rcode() == dns.rcode.SERVFAIL
    world.files["/later"] = ZONE.replace("$INCLUDE more\n", "")
    handler = engine.configs[0].plugins[0]
    handler.load()  # type: ignore[attr-defined]
    assert ask(engine, "www.example.org").rcode() == dns.rcode.NOERROR
    world.files["/later"] = world.files["/later"].replace(" 7 7200", " 8 7200").replace("10.0.0.2", "10.0.0.222")
    handler.load()  # type: ignore[attr-defined]
    assert rows(ask(engine, "www.example.org").answer)[0][3] == "10.0.0.222"
    assert world.logged[-1] == '[INFO] plugin/file: Successfully reloaded zone "example.org." in "/later" with 8 SOA serial'


def test_a_defect_is_answered_with_servfail_and_the_server_goes_on() -> None:
    world = World({"/h": "10.0.0.1 a\n"})
    seen: list[Exception] = []
    world.environment.failed = seen.append
    engine = world.engine(". {\n prometheus\n hosts /h\n}\n")
    engine.configs[0].handlers["hosts"].table = None  # type: ignore[attr-defined]
    assert ask(engine, "a").rcode() == dns.rcode.SERVFAIL
    assert [type(one) for one in seen] == [TypeError]
    assert world.logged[-1].startswith("[ERROR] Recovered from panic in server: a. TypeError: ")
    assert world.environment.metrics.values["coredns_panics_total"] == {(): 1}
