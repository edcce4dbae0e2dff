"""Whatever bytes come, a server answers or is silent; it never fails in Python, and an answer can be read."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kubenet_course.dns.corefile import CorefileError
from kubenet_course.dns.expressions import ExpressionError, compile_expression
from kubenet_course.dns.host import Host
from kubenet_course.dns.recursor import Recursor
from kubenet_course.dns.resolverd import ConfigError, parse_settings
from kubenet_course.dns.zone import Zone, ZoneError
from kubenet_course.gotemplate import Template, TemplateError
from tests.support.coredns import World

FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
ZONE = """$TTL 300
@ IN SOA ns hostmaster 1 7200 3600 1209600 60
@ NS ns
ns A 10.0.0.1
*.wild A 10.0.0.3
alias CNAME alias2
alias2 CNAME www.example.net.
loop CNAME loop
d DNAME example.net.
sub NS ns.sub
big TXT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
"""
COREFILE = """example.org {
    file /zone
    cache
    log
    errors
    any
    minimal
    rewrite name suffix .rewritten.example.org .example.org answer auto
    rewrite edns0 nsid set
    loadbalance
}
. {
    metadata
    bufsize 1000
    nsid me
    prometheus
    log
    errors
    acl {
        block type HINFO net *
    }
    chaos
    local
    dns64
    rewrite name regex (.*)\\.re\\.$ {1}.wild.example.org. answer auto
    template IN A ip {
        match ^(\\d+)-(\\d+)\\.ip\\.$
        answer "{{ .Name }} 60 IN A 10.0.{{ index .Match 1 }}.{{ index .Match 2 }}"
        fallthrough
    }
    transfer {
        to *
    }
    hosts {
        fallthrough
    }
    forward . 10.0.0.99
}
"""


def engine() -> Any:
    async def upstream(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        return wire[:2] + bytes([wire[2] | 0x80, 0x80]) + wire[4:]

    return World({"/zone": ZONE}, upstream).engine(COREFILE)


ENGINE = engine()
NAMES = st.sampled_from(
    "example.org www.example.org x.wild.example.org alias.example.org loop.example.org a.d.example.org h.sub.example.org "
    "big.example.org a.rewritten.example.org . localhost 1.0.0.127.in-addr.arpa x.re 1-2.ip 999-1.ip version.bind nx.test".split()
)
TYPES = st.sampled_from("A AAAA MX NS SOA TXT ANY PTR SRV CNAME HINFO AXFR IXFR DS OPT TYPE65280".split())


@st.composite
def queries(draw: Any) -> bytes:
    """A real query, perhaps with EDNS, perhaps broken in a few places."""
    edns = draw(st.sampled_from([-1, 0, 1]))
    message = dns.message.make_query(draw(NAMES), draw(TYPES), draw(st.sampled_from(["IN", "CH", "ANY"])), use_edns=edns,
                                     payload=draw(st.sampled_from([0, 512, 1232, 65535])) if edns >= 0 else None, want_dnssec=edns == 0)  # fmt: skip
    wire = bytearray(message.to_wire())
    for _ in range(draw(st.integers(0, 4))):
        wire[draw(st.integers(0, len(wire) - 1))] = draw(st.integers(0, 255))
    return bytes(wire[: draw(st.integers(0, len(wire)))]) if draw(st.booleans()) and draw(st.booleans()) else bytes(wire)


def answered(wire: bytes, protocol: str) -> None:
    server = ENGINE.servers[0]
    answer = asyncio.run(ENGINE.answer(server, wire, "10.0.0.5", 4000, protocol, "10.0.0.1"))
    if answer is None:
        return
    assert answer[:2] == wire[:2] and answer[2] & 0x80
    assert protocol == "tcp" or len(answer) <= 65535
    # what a rejected query's copy of strange bytes holds, not even dnspython can always tell
    with contextlib.suppress(dns.exception.DNSException, ValueError):
        dns.message.from_wire(answer, ignore_trailing=True)


@FEW
@given(st.binary(max_size=300), st.sampled_from(["udp", "tcp"]))
@example(b"\0" * 12, "udp")
@example(bytes.fromhex("000001000001000000000000") + b"\xc0\x0c\0\1\0\1", "udp")
def test_random_bytes(wire: bytes, protocol: str) -> None:
    answered(wire, protocol)


@FEW
@given(queries(), st.sampled_from(["udp", "tcp"]))
def test_broken_queries(wire: bytes, protocol: str) -> None:
    answered(wire, protocol)


@FEW
@given(queries())
def test_answers_fit_what_the_client_takes(wire: bytes) -> None:
    try:
        message = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return
    answer = asyncio.run(ENGINE.answer(ENGINE.servers[0], wire, "10.0.0.5"))
    assert answer is None or len(answer) <= max(512, message.payload if message.edns >= 0 else 512)


@FEW
@given(st.binary(min_size=12, max_size=200), st.booleans())
def test_a_recursor_bears_any_answer(data: bytes, keep_question: bool) -> None:
    """Random bytes, and random sections after the true question."""
    clock = [0]

    async def exchange(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        clock[0] += timeout
        return wire[:2] + b"\x84\0" + wire[4:] + data if keep_question else wire[:2] + data

    recursor = Recursor({"a.root-servers.net.": ["198.41.0.4"]}, exchange, lambda: clock[0], Random(1))
    result = asyncio.run(recursor.resolve(dns.message.make_query("www.example.org", "A").question[0].name, 1))
    assert result.rcode in (0, 2, 3)


def test_a_recursor_ends_in_a_hall_of_mirrors() -> None:
    """Servers that refer on and on, aliases without end, name servers that need themselves."""
    asked = []

    async def exchange(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        answer = dns.message.make_response(query)
        asked.append(query.question[0].name)
        name = query.question[0].name
        if len(asked) % 3:
            parent = name.split(min(len(name), 1 + len(asked) % 4))[1]
            answer.authority.append(dns.rrset.from_text(parent, 60, "IN", "NS", f"ns{len(asked)}.{name}"))
        else:
            answer.flags |= 0x0400
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", f"x{len(asked)}.{name}"))
        return answer.to_wire()

    recursor = Recursor({"a.root-servers.net.": ["198.41.0.4"]}, exchange, lambda: 0, Random(1))
    result = asyncio.run(recursor.resolve(dns.message.make_query("a.b.c.d.e", "A").question[0].name, 1))
    assert result.rcode == dns.rcode.SERVFAIL
    assert len(asked) <= 80


WORDS = st.lists(
    st.sampled_from(
        '{ } . : example.org .:53 10.0.0.0/8 hosts file cache forward log errors rewrite template kubernetes reload health '
        'acl view auto transfer name 1.2.3.4 "a" {$X} {%Y%} import snip (snip) fallthrough ttl -1 1h \n \n # expr A IN'.split(" ")
    ),
    max_size=25,
)


@FEW
@given(WORDS)
def test_any_corefile_is_taken_or_refused_in_words(words: list[str]) -> None:
    world = World({"/zone": ZONE, "snip": "log\n"}, X="example.com")
    try:
        world.engine(" ".join(words))
    except CorefileError as problem:
        assert str(problem)
    finally:
        world.close()


@FEW
@given(st.text(alphabet="{}\"#\\\n .:/abc$%()", max_size=80))
def test_any_text_is_a_corefile_or_not(text: str) -> None:
    with contextlib.suppress(CorefileError):
        World().engine(text).answer  # noqa: B018


@FEW
@given(st.text(alphabet='@ INSOAMXCTPRV.\t\n"();$ORIGINTTLCLUDE0123abc\\', max_size=120))
def test_any_text_is_a_zone_or_not(text: str) -> None:
    with contextlib.suppress(ZoneError):
        Zone.parse(text, "example.org", "/z", lambda _: text)


@FEW
@given(st.text(max_size=40))
def test_any_text_is_an_expression_a_template_a_setting_or_not(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        compile_expression(text, {"name"})
    with contextlib.suppress(TemplateError):
        Template(text + "{{ " + text + " }}").render({"Name": "x"})
    with contextlib.suppress(ConfigError):
        parse_settings(text)


def test_the_host_seam_is_whole() -> None:
    """Both kinds of machine give everything that a name server asks for."""
    from kubenet_course.dns.commands._host import EmulatedHost
    from kubenet_course.dns.real_host import RealHost

    wanted = {name for name in vars(Host) if not name.startswith("_")}
    for kind in (EmulatedHost, RealHost):
        assert wanted <= set(dir(kind)), wanted - set(dir(kind))
