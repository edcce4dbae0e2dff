"""What `rewrite` takes, what becomes of questions and answers: facts of CoreDNS' own tests (plugin/rewrite/*_test.go)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from kubenet_course.dns.plugin import Request
from kubenet_course.dns.plugins.rewrite import RuleError, new_rule
from tests.dns.test_plugins import Upstreams, says
from tests.support.coredns import World, ask, rows

FACTS = Path(__file__).parent / "facts" / "rewrite_rules.txt"


def facts() -> Iterator[Any]:
    for number, line in enumerate(FACTS.read_text().splitlines(), 1):
        if line[:1] in ("+", "-"):
            words, _, expected = line[1:].partition(" => ")
            yield pytest.param(line[0] == "+", words.split(), expected, id=str(number))


@pytest.mark.parametrize(("taken", "words", "expected"), list(facts()))
def test_rules(taken: bool, words: list[str], expected: str) -> None:
    try:
        new_rule(words)
    except RuleError as problem:
        assert not taken, problem
        assert expected in str(problem)
    else:
        assert taken, words


@pytest.mark.parametrize("rule", ["name regex {} b", "name exact a b answer name {} b", "cname regex {} b", "rcode regex {} 0 1", "ttl regex {} 5"])
def test_patterns_have_a_largest_length(rule: str) -> None:
    with pytest.raises(RuleError, match="too long"):
        new_rule(rule.format("a" * 10001).split())


#: How names are matched | from | to | question | what is asked then.
PARTS = """
prefix API- SVC- api-prod.example. svc-prod.example.
substring -API- -SVC- my-api-prod.example. my-svc-prod.example.
prefix API. SVC- api.prod.example. svc-prod.example.
substring API. SVC- my.api.prod.example. my.svc-prod.example.
prefix API. SVC. api.prod.example. svc.prod.example.
substring API. SVC. my.api.prod.example. my.svc.prod.example.
exact API.PROD.EXAMPLE SVC.PROD.EXAMPLE api.prod.example. svc.prod.example.
suffix PROD.EXAMPLE STAGING.EXAMPLE api.prod.example. api.staging.example.
prefix foo bar foo.example.com. bar.example.com.
prefix foo bar coredns.foo. coredns.foo.
suffix com org foo.example.com. foo.example.org.
suffix .com .org foo.example.com. foo.example.org.
suffix com org com.coredns. com.coredns.
substring service svc com.coredns. com.coredns.
suffix .ingress.coredns.rocks nginx.coredns.rocks coredns.ingress.coredns.rocks. corednsnginx.coredns.rocks.
regex (.*).coredns.rocks {1}.coredns.maps foo.coredns.rocks. foo.coredns.maps.
"""


@pytest.mark.parametrize("line", PARTS.strip().splitlines())
def test_names_are_matched_by_their_parts(line: str) -> None:
    kind, old, new, question, asked = line.split()
    up = Upstreams(**{"10_0_0_1": says("@ 300 A 192.0.2.1")})
    world = World({}, up)
    up.world = world
    engine = world.engine(f". {{\nrewrite name {kind} {old} {new}\nforward . 10.0.0.1\n}}\n")
    ask(engine, question)
    assert up.asked[0][2] == f"{asked} A"
    if kind == "regex" or asked == question:
        return
    engine = world.engine(f". {{\nrewrite ttl {kind} {old} 60\nrewrite rcode {kind} {old} NOERROR NXDOMAIN\nforward . 10.0.0.1\n}}\n")
    assert rows(ask(engine, question).answer)[0][1] == 60
    engine = world.engine(f". {{\nrewrite rcode {kind} {old} NOERROR NXDOMAIN\nforward . 10.0.0.1\n}}\n")
    assert ask(engine, question).rcode() == dns.rcode.NXDOMAIN


def test_a_rewrite_to_no_name_fails() -> None:
    world = World()
    engine = world.engine(". {\nrewrite name example.org. example..org.\nwhoami\nerrors\n}\n")
    assert ask(engine, "example.org").rcode() == dns.rcode.SERVFAIL
    assert "invalid name" in world.logged[-1]


#: Rule after `name` | question | what is asked | owner of the answer.
OWNERS = """
prefix foo bar | foo.example.com. | bar.example.com. | bar.example.com.
prefix foo bar answer auto | foo.example.com. | bar.example.com. | foo.example.com.
suffix com org answer auto | foo.example.com. | foo.example.org. | foo.example.com.
suffix .com .org answer auto | foo.example.com. | foo.example.org. | foo.example.com.
suffix .ingress.coredns.rocks nginx.coredns.rocks answer auto | a.ingress.coredns.rocks. | anginx.coredns.rocks. | a.ingress.coredns.rocks.
exact coredns.rocks service.consul answer auto | coredns.rocks. | service.consul. | coredns.rocks.
exact coredns.rocks service.consul | coredns.rocks. | service.consul. | coredns.rocks.
exact coredns.org. service.consul. | coredns.rocks. | coredns.rocks. | coredns.rocks.
regex (.*).coredns.rocks {1}.coredns.maps answer auto | foo.coredns.rocks. | foo.coredns.maps. | foo.coredns.rocks.
regex (.*).coredns.rocks {1}.coredns.maps answer name (.*).coredns.maps {1}.coredns.works | foo.coredns.rocks. | foo.coredns.maps. | foo.coredns.works.
regex (.*).coredns.rocks {1}.coredns.maps | foo.coredns.rocks. | foo.coredns.maps. | foo.coredns.maps.
"""


@pytest.mark.parametrize("line", OWNERS.strip().splitlines())
def test_owners_of_answers(line: str) -> None:
    rule, question, asked, owner = (cell.strip() for cell in line.split(" | "))
    up = Upstreams(**{"10_0_0_1": says("@ 300 A 192.0.2.1")})
    world = World({}, up)
    up.world = world
    answer = ask(world.engine(f". {{\nrewrite name {rule}\nforward . 10.0.0.1\n}}\n"), question)
    assert up.asked[0][2] == f"{asked} A"
    assert (answer.question[0].name.to_text(), rows(answer.answer)[0][0]) == (question, owner)


def test_values_of_answers_and_what_comes_with_them() -> None:
    rule = r"stop name regex (.*)\.domain\.uk {1}.cluster.local answer name (.*)\.cluster\.local {1}.domain.uk answer value (.*)\.cluster\.local {1}.domain.uk"
    zone = "@ SOA ns.cluster.local. h 1 2 3 4 5\n@ NS ns\nns A 10.0.0.9\nmy SRV 0 100 100 srv1.my\nsrv1.my A 10.0.0.1\nn NAPTR 1 1 u E2U+sip \"\" my\nd CNAME my\nmy MX 5 srv1.my\n"
    world = World({"/z": zone})
    engine = world.engine(f". {{\nrewrite {rule}\nfile /z cluster.local\n}}\n")
    answer = ask(engine, "my.domain.uk", "SRV")
    assert rows(answer.answer) == [("my.domain.uk.", 3600, "SRV", "0 100 100 srv1.my.domain.uk.")]
    assert rows(answer.additional) == [("srv1.my.domain.uk.", 3600, "A", "10.0.0.1")]
    assert [data for *_, data in rows(answer.authority)] == ["ns.domain.uk."]
    for name, kind, data in [("n", "NAPTR", '1 1 "u" "E2U+sip" "" my.domain.uk.'), ("d", "CNAME", "my.domain.uk."), ("my", "MX", "5 srv1.my.domain.uk.")]:
        assert rows(ask(engine, f"{name}.domain.uk", kind).answer)[0][3] == data
    denial = ask(engine, "none.domain.uk")
    assert rows(denial.authority)[0][3].startswith("ns.domain.uk. ")


# -- aliases -------------------------------------------------------------------------------------
CNAMES = [
    "cname exact def.example.com xyz.example.com", "cname prefix chat.openai.com bard.google.com", "cname suffix uvw. xyz.",
    "cname substring efgh zzzz.www", r"cname regex (.*)\.web\.(.*)\.site\. {1}.webapp.{2}.org.",
    "cname exact music.truncated.spotify.com. music.truncated.spotify.com.", "cname suffix prod. staging.",
]  # fmt: skip
ASKED = {
    "abc.example.com. A": "abc.example.com. 5 CNAME def.example.com.;def.example.com. 5 A 1.2.3.4",
    "abc.example.com. AAAA": "abc.example.com. 5 CNAME def.example.com.;def.example.com. 5 AAAA 2001::1",
    "xyz.example.com. A": "@ 3600 A 3.4.5.6",
    "xyz.example.com. AAAA": "@ 3600 AAAA 3001::1",
    "chat.openai.com. A": "chat.openai.com. 20 CNAME chat.openai.com.cdn.cloudflare.net.;chat.openai.com.cdn.cloudflare.net. 30 A 23.2.1.2",
    "bard.google.com.cdn.cloudflare.net. A": "@ 1800 A 9.7.2.1",
    "coredns.io. A": "coredns.io. 100 CNAME www.hosting.uvw.;www.hosting.uvw. 200 A 7.2.3.4",
    "www.hosting.xyz. A": "@ 500 A 20.30.40.50",
    "core.dns.rocks. A": "core.dns.rocks. 200 CNAME abcd.efgh.pqrst.;abcd.efgh.pqrst. 100 A 200.30.45.67",
    "abcd.zzzz.www.pqrst. A": "@ 120 A 101.20.5.1;@ 120 A 101.20.5.2",
    "order.service.eu. A": "order.service.eu. 200 CNAME orders.web.eu.site.;orders.web.eu.site. 50 A 10.10.15.1",
    "orders.webapp.eu.org. A": "@ 120 A 20.0.0.9",
    "music.spotify.com. A": "@ 200 CNAME music.truncated.spotify.com.",
    "music.truncated.spotify.com. A": "@ 120 A 10.1.0.9",
    "cname-chain.org. A": "cname-chain.org. 200 CNAME intermediate-1.com.;intermediate-1.com. 200 CNAME intermediate-2.prod.;"
    "intermediate-2.prod. 200 CNAME final.prod.net.;final.prod.net. 120 A 1.2.3.4",
    "intermediate-2.staging. A": "@ 200 CNAME final.staging.net.;final.staging.net. 120 A 5.6.7.8",
}
CHANGED = {
    "abc.example.com A": "abc.example.com. 5 CNAME xyz.example.com.;xyz.example.com. 3600 A 3.4.5.6",
    "abc.example.com AAAA": "abc.example.com. 5 CNAME xyz.example.com.;xyz.example.com. 3600 AAAA 3001::1",
    "chat.openai.com A": "chat.openai.com. 20 CNAME bard.google.com.cdn.cloudflare.net.;bard.google.com.cdn.cloudflare.net. 1800 A 9.7.2.1",
    "coredns.io A": "coredns.io. 100 CNAME www.hosting.xyz.;www.hosting.xyz. 500 A 20.30.40.50",
    "core.dns.rocks A": "core.dns.rocks. 200 CNAME abcd.zzzz.www.pqrst.;abcd.zzzz.www.pqrst. 120 A 101.20.5.1;abcd.zzzz.www.pqrst. 120 A 101.20.5.2",
    "order.service.eu A": "order.service.eu. 200 CNAME orders.webapp.eu.org.;orders.webapp.eu.org. 120 A 20.0.0.9",
    "music.spotify.com A": "music.spotify.com. 200 CNAME music.truncated.spotify.com.;music.truncated.spotify.com. 120 A 10.1.0.9",
    "cname-chain.org A": "cname-chain.org. 200 CNAME intermediate-1.com.;intermediate-1.com. 200 CNAME intermediate-2.staging.;"
    "intermediate-2.staging. 200 CNAME final.staging.net.;final.staging.net. 120 A 5.6.7.8",
}


async def _aliases(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
    query = dns.message.from_wire(wire)
    name, kind = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
    answer = dns.message.make_response(query)
    found = ASKED.get(f"{name} {kind}", "")
    says(*[record for record in found.split(";") if record])(answer, name, kind, protocol)
    if name.startswith("music.truncated"):
        answer.flags |= dns.flags.TC
    return answer.to_wire()


@pytest.mark.parametrize("question", CHANGED)
def test_targets_of_aliases(question: str) -> None:
    world = World({}, _aliases)
    rules = "\n".join(f"rewrite continue {rule}" for rule in CNAMES)
    name, kind = question.split()
    answer = ask(world.engine(f". {{\n{rules}\nforward . 10.0.0.1\n}}\n"), name, kind)
    assert [" ".join(map(str, row)) for row in rows(answer.answer)] == CHANGED[question].split(";")
    assert bool(answer.flags & dns.flags.TC) is name.startswith("music")


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        (r"^(\D+)\.example\.com\.$", "def.example.com.", True),
        (r"^(\D+)\.example\.com\.$", "123.example.com.", False),
        (r"^\Qdef.example.com.\E$", "def.example.com.", True),
        (r"^\p{L}+\.example\.com\.$", "def.example.com.", True),
        (r"^DEF\.example\.com\.$", "DEF.example.com.", True),
    ],
)
def test_patterns_of_targets_are_go_s(pattern: str, target: str, matches: bool) -> None:
    async def upstream(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text()
        answer = dns.message.make_response(query)
        records = ["@ 60 A 3.4.5.6"] if name.startswith("xyz") else [f"@ 300 CNAME {target}", f"{target} 300 A 192.0.2.1"]
        says(*records)(answer, name, "A", protocol)
        return answer.to_wire()

    world = World({}, upstream)
    answer = ask(world.engine(f". {{\nrewrite cname regex {pattern} xyz.example.com.\nforward . 10.0.0.1\n}}\n"), "query.example.com")
    assert [data for *_, data in rows(answer.answer)] == (["xyz.example.com.", "3.4.5.6"] if matches else [target, "192.0.2.1"])


def test_a_loop_of_aliases_ends() -> None:
    zone = "@ SOA ns h 1 2 3 4 5\nvictim 500 CNAME loop\ntarget 500 CNAME loop\nloop 500 A 192.0.2.1\n"
    world = World({"/z": zone})
    answer = ask(world.engine("poc {\nrewrite cname exact loop.poc. target.poc.\nfile /z\n}\n"), "victim.poc")
    assert answer.rcode() == dns.rcode.NOERROR


# -- EDNS ----------------------------------------------------------------------------------------
def rewritten(*rules: str, options: list[tuple[int, bytes]] | None = None, client: str = "10.240.0.1", **more: Any) -> Request:
    """The request after the rules, as the next plugin gets it."""
    from kubenet_course.dns.plugins.rewrite import Rewrite

    given = [dns.edns.GenericOption(dns.edns.OptionType.make(code), data) for code, data in options or []]
    query = dns.message.make_query("example.com.", "A", use_edns=0 if given else -1, options=given or None)
    request = Request(query, client, 40212, "udp", "127.0.0.1", 53, metadata=more.get("metadata", {}))
    config = World().engine(". {\nwhoami\n}").configs[0]
    return Rewrite(config, [new_rule(rule.split()) for rule in rules]).rewrite(request)[0]


OPTIONS: list[tuple[str, list[tuple[int, bytes]], list[tuple[int, bytes]]]] = [
    ("edns0 local set 0xffee 0xabcdef", [], [(0xFFEE, b"\xab\xcd\xef")]),
    ("edns0 local append 0xffee abcdefghijklmnop", [], [(0xFFEE, b"abcdefghijklmnop")]),
    ("edns0 local append 0xffee abc", [(0xFFEE, b"x")], [(0xFFEE, b"x"), (0xFFEE, b"abc")]),
    ("edns0 local replace 0xffee abcdefghijklmnop", [], []),
    ("edns0 local replace 0xffee abc", [(0xFFEE, b"foobar")], [(0xFFEE, b"abc")]),
    ("edns0 local set 0xffee abc", [(0xFFEE, b"x"), (0xFFED, b"y")], [(0xFFEE, b"abc"), (0xFFED, b"y")]),
    ("edns0 local unset 0xffee", [(0xFFEE, b"x"), (0xFFED, b"y")], [(0xFFED, b"y")]),
    ("edns0 nsid set", [], [(3, b"")]),
    ("edns0 nsid append", [], [(3, b"")]),
    ("edns0 nsid replace", [], []),
    ("edns0 local set 0xffee {qname}", [], [(0xFFEE, b"example.com.")]),
    ("edns0 local set 0xffee {qtype}", [], [(0xFFEE, b"\0\1")]),
    ("edns0 local set 0xffee {client_ip}", [], [(0xFFEE, b"\x0a\xf0\0\1")]),
    ("edns0 local set 0xffee {client_port}", [], [(0xFFEE, b"\x9d\x14")]),
    ("edns0 local set 0xffee {protocol}", [], [(0xFFEE, b"udp")]),
    ("edns0 local set 0xffee {server_port}", [], [(0xFFEE, b"\0\x35")]),
    ("edns0 local set 0xffee {server_ip}", [], [(0xFFEE, b"\x7f\0\0\1")]),
    ("edns0 local set 0xffee {test/label}", [], [(0xFFEE, b"my-value")]),
    ("edns0 local set 0xffee {test/empty}", [], []),
    ("edns0 local set 0xffee {test/does-not-exist}", [], []),
    ("edns0 local append 0xffee {qname}", [(0xFFEE, b"x")], [(0xFFEE, b"x")]),
    ("edns0 subnet set 24 56", [], [(8, b"\0\1\x18\0\x0a\xf0\0")]),
    ("edns0 subnet set 32 56", [], [(8, b"\0\1\x20\0\x0a\xf0\0\1")]),
    ("edns0 subnet set 0 56", [], [(8, b"\0\1\0\0")]),
]


@pytest.mark.parametrize(("rule", "before", "after"), OPTIONS, ids=[row[0] for row in OPTIONS])
def test_options(rule: str, before: list[tuple[int, bytes]], after: list[tuple[int, bytes]]) -> None:
    metadata = {"test/label": lambda: "my-value", "test/empty": lambda: ""}
    found = rewritten(rule, options=before, metadata=metadata).message.options
    assert [(int(option.otype), option.to_wire()) for option in found] == after


@pytest.mark.parametrize(
    ("lengths", "data"),
    [("24 56", "000238 00 fe800000000000"), ("24 128", "000280 00 fe80000000000000004200fffeca4c65"), ("24 0", "000200 00")],
)
def test_subnets_of_clients_with_ipv6(lengths: str, data: str) -> None:
    options = rewritten(f"edns0 subnet set {lengths}", client="fe80::42:ff:feca:4c65").message.options
    assert [option.to_wire() for option in options] == [bytes.fromhex(data)]


def test_rules_about_one_option_end_with_the_first_that_applies() -> None:
    rules = ("edns0 local replace 0xffee abcdef", "edns0 local set 0xffee fedcba")
    for before, after in (([], b"fedcba"), ([(0xFFEE, b"foobar")], b"abcdef")):
        assert [option.to_wire() for option in rewritten(*rules, options=before).message.options] == [after]
