"""A recursor over a made-up internet: what it asks, what it keeps and for how long, and what it bears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from kubenet_course.dns.plugin import Request
from kubenet_course.dns.recursor import Answer, Limits, Recursor, read_hints
from kubenet_course.dns.zone import Zone, answer_from

SECOND = 10**9
ZONES = {
    "10.0.0.1": {
        ".": ". SOA a.root. h. 1 2 3 4 60\n. NS a.root.\na.root. A 10.0.0.1\ncom. 172800 NS ns.com.\nns.com. A 10.0.0.2\n"
        "org. NS ns.org.\nns.org. A 10.0.0.3\nns.org. A 10.0.0.13\n",
    },
    "10.0.0.2": {
        "com.": "@ SOA ns h 1 2 3 4 60\n@ NS ns\nns A 10.0.0.2\nexample 600 NS ns.example\nns.example 600 A 10.0.0.4\n"
        "other NS ns.example.org.\nevil NS ns.evil\nns.evil A 10.0.0.6\nlame NS ns1.lame\nlame NS ns2.lame\nns1.lame A 10.0.0.7\nns2.lame A 10.0.0.8\n"
        "self NS ns.self.com.\nround NS ns.trip.com.\ntrip NS ns.round.com.\n",
    },
    "10.0.0.3": {"org.": "@ SOA ns h 1 2 3 4 60\n@ NS ns\nns A 10.0.0.3\nexample NS ns.example\nns.example A 10.0.0.5\n"},
    "10.0.0.13": {},
    "10.0.0.4": {
        "example.com.": "@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.4\nwww 300 A 10.1.0.1\nalias 100 CNAME www\nfar CNAME www.example.org.\n"
        "loop CNAME pool\npool CNAME loop\nv6 AAAA 2001:db8::1\nshort 1 A 10.1.0.9\n" + "".join(f'big TXT "{n:03d}{"x" * 90}"\n' for n in range(30)),
    },
    "10.0.0.5": {
        "example.org.": "@ SOA ns h 1 2 3 4 30\n@ NS ns\nns A 10.0.0.5\nwww 50 A 10.1.0.2\n",
        "other.com.": "@ SOA ns.example.org. h 1 2 3 4 30\n@ NS ns.example.org.\nwww A 10.1.0.3\n",
    },
    "10.0.0.8": {"lame.com.": "@ SOA ns2 h 1 2 3 4 30\n@ NS ns2\nns2 A 10.0.0.8\nwww A 10.1.0.8\n"},
}  # fmt: skip


class Internet:
    """Servers with zones; `silent` ones; `twist` changes a server's answers."""

    def __init__(self) -> None:
        self.now = 10**15
        self.asked: list[str] = []
        self.silent = {"10.0.0.13"}
        self.twist: dict[str, Callable[[dns.message.Message, dns.message.Message], None]] = {}
        self.zones = {
            address: {origin: Zone.parse("$TTL 3600\n" + text, origin) for origin, text in zones.items()}
            for address, zones in ZONES.items()
        }
        self.recursor = Recursor({"a.root.": ["10.0.0.1"]}, self.exchange, lambda: self.now, Random(3), Limits())

    async def exchange(self, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        self.asked.append(f"{server} {dns.rdatatype.to_text(question.rdtype)} {question.name}" + (" tcp" if protocol == "tcp" else ""))
        if server in self.silent or (server not in self.zones and server not in self.twist):
            self.now += timeout
            raise TimeoutError
        self.now += 10_000_000
        request = Request(query, "10.9.9.9")
        zones = [zone for origin, zone in self.zones.get(server, {}).items() if request.name.endswith(origin)]
        answer = await answer_from(max(zones, key=lambda zone: len(zone.origin)), request) if zones else request.reply(5)
        if server in self.twist:
            self.twist[server](query, answer)
        whole = answer.to_wire(max_size=65535)
        if protocol == "udp" and len(whole) > 1232:
            answer.answer, answer.authority, answer.additional = [], [], []
            answer.flags |= dns.flags.TC
        return answer.to_wire(max_size=65535)

    def ask(self, name: str, rdtype: str = "A") -> Answer:
        self.asked.clear()
        return asyncio.run(self.recursor.resolve(dns.name.from_text(name), int(dns.rdatatype.from_text(rdtype))))


def texts(answer: Answer) -> list[str]:
    return [line for rrset in answer.answer for line in rrset.to_text().splitlines()]


@pytest.fixture
def net() -> Internet:
    return Internet()


def test_from_the_root_down_and_then_from_the_cache(net: Internet) -> None:
    assert texts(net.ask("www.example.com")) == ["www.example.com. 300 IN A 10.1.0.1"]
    assert net.asked == ["10.0.0.1 A www.example.com.", "10.0.0.2 A www.example.com.", "10.0.0.4 A www.example.com."]
    net.now += 100 * SECOND
    assert texts(net.ask("WWW.example.com")) == ["WWW.example.com. 200 IN A 10.1.0.1"]
    assert net.asked == []
    net.now += 201 * SECOND
    assert net.ask("www.example.com").rcode == 0
    assert net.asked == ["10.0.0.4 A www.example.com."]  # whom to ask is still known
    net.now += 400 * SECOND  # the delegation's 600 s are over, com's are not
    net.ask("www.example.com")
    assert net.asked == ["10.0.0.2 A www.example.com.", "10.0.0.4 A www.example.com."]


def test_denials_are_kept_for_the_soas_minimum(net: Internet) -> None:
    for name, kind, code in (("nx.example.com", "A", 3), ("www.example.com", "TXT", 0)):
        first = net.ask(name, kind)
        assert (first.rcode, [rrset.ttl for rrset in first.authority]) == (code, [30])
        net.now += 10 * SECOND
        again = net.ask(name, kind)
        assert (again.rcode, [rrset.ttl for rrset in again.authority], net.asked) == (code, [20], [])
    assert net.ask("nx.example.com", "AAAA").rcode == 3 and net.asked == []  # no name, no type of it
    net.now += 31 * SECOND
    net.ask("nx.example.com")
    assert net.asked


def test_aliases_lead_through_other_zones(net: Internet) -> None:
    assert texts(net.ask("far.example.com")) == ["far.example.com. 3600 IN CNAME www.example.org.", "www.example.org. 50 IN A 10.1.0.2"]
    assert texts(net.ask("alias.example.com")) == ["alias.example.com. 100 IN CNAME www.example.com.", "www.example.com. 300 IN A 10.1.0.1"]
    assert texts(net.ask("alias.example.com", "CNAME")) == ["alias.example.com. 100 IN CNAME www.example.com."]
    assert net.asked == []
    found = net.ask("far.example.com", "TXT")
    assert (found.rcode, len(found.answer), len(found.authority)) == (0, 1, 1)
    assert net.ask("loop.example.com").rcode == dns.rcode.SERVFAIL


def test_servers_without_glue_are_looked_up_first(net: Internet) -> None:
    assert texts(net.ask("www.other.com")) == ["www.other.com. 3600 IN A 10.1.0.3"]
    assert net.asked[-1] == "10.0.0.5 A www.other.com."
    assert any(line.endswith("A ns.example.org.") for line in net.asked)
    for name in ("www.self.com", "www.round.com"):
        assert net.ask(name).rcode == dns.rcode.SERVFAIL
        assert len(net.asked) < 20


def test_a_silent_server_costs_one_timeout(net: Internet) -> None:
    began = net.now
    assert net.ask("www.example.org").rcode == 0
    assert net.now - began < 2 * SECOND
    for _ in range(2):  # the second time at the latest it has been met
        net.recursor.records.clear()
        net.recursor.cuts.pop("example.org.")
        net.ask("www.example.org")
    assert "10.0.0.13" not in " ".join(net.asked)  # it is known to be slow


def test_when_nobody_answers_it_says_servfail_and_remembers_for_five_seconds(net: Internet) -> None:
    net.silent |= {"10.0.0.4"}
    assert net.ask("www.example.com").rcode == dns.rcode.SERVFAIL
    assert net.asked.count("10.0.0.4 A www.example.com.") == 2
    assert net.ask("www.example.com").rcode == dns.rcode.SERVFAIL and net.asked == []
    net.now += 6 * SECOND
    net.silent.clear()
    assert net.ask("www.example.com").rcode == 0


def test_lame_servers_are_left_out(net: Internet) -> None:
    net.zones["10.0.0.7"] = {}
    assert texts(net.ask("www.lame.com")) == ["www.lame.com. 3600 IN A 10.1.0.8"]
    for _ in range(3):
        net.recursor.records.clear()
        net.ask("www.lame.com")
    assert net.asked == ["10.0.0.8 A www.lame.com."]


def test_what_is_not_theirs_to_say_is_not_kept(net: Internet) -> None:
    """A server of evil.com that also tells of www.example.org, in its answer and as glue."""

    def twist(query: dns.message.Message, answer: dns.message.Message) -> None:
        name = query.question[0].name
        answer.set_rcode(dns.rcode.NOERROR)
        answer.flags |= dns.flags.AA
        answer.answer = [
            dns.rrset.from_text(name, 60, "IN", "CNAME", "www.example.org."),
            dns.rrset.from_text("www.example.org.", 60, "IN", "A", "10.6.6.6"),
        ]
        answer.additional = [dns.rrset.from_text("ns.example.org.", 60, "IN", "A", "10.6.6.6")]

    net.twist["10.0.0.6"] = twist
    assert texts(net.ask("www.evil.com"))[1] == "www.example.org. 50 IN A 10.1.0.2"


def test_cut_answers_are_asked_for_again_over_tcp(net: Internet) -> None:
    found = net.ask("big.example.com", "TXT")
    assert len(found.answer[0]) == 30
    assert net.asked[-2:] == ["10.0.0.4 TXT big.example.com.", "10.0.0.4 TXT big.example.com. tcp"]


def test_a_server_that_knows_no_edns_is_asked_without(net: Internet) -> None:
    def twist(query: dns.message.Message, answer: dns.message.Message) -> None:
        if query.edns >= 0:
            answer.answer, answer.authority = [], []
            answer.set_rcode(dns.rcode.FORMERR)

    net.twist["10.0.0.4"] = twist
    assert texts(net.ask("www.example.com")) == ["www.example.com. 300 IN A 10.1.0.1"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda q, a: setattr(a, "id", a.id ^ 1),
        lambda q, a: setattr(a, "flags", a.flags & ~dns.flags.QR),
        lambda q, a: setattr(a, "question", [dns.rrset.RRset(dns.name.from_text("x.y."), 1, 1)]),
    ],
)
def test_answers_to_other_questions_do_not_count(net: Internet, spoil: Any) -> None:
    net.twist["10.0.0.4"] = spoil
    assert net.ask("www.example.com").rcode == dns.rcode.SERVFAIL


def test_limits_of_ttls() -> None:
    net = Internet()
    net.recursor.limits = Limits(max_ttl=100, min_ttl=20, max_negative_ttl=10)
    assert net.ask("www.example.com").answer[0].ttl == 100
    assert net.ask("short.example.com").answer[0].ttl == 20
    assert net.ask("nx.example.com").authority[0].ttl == 10


def test_forwarding_a_zone(net: Internet) -> None:
    net.recursor.forwards = {"example.org.": ["10.0.0.5"]}
    assert texts(net.ask("www.example.org")) == ["www.example.org. 50 IN A 10.1.0.2"]
    assert net.asked == ["10.0.0.5 A www.example.org."]


def test_root_hints_are_read_as_named_root_is_written() -> None:
    text = """; formerly NS.INTERNIC.NET
.                        3600000      NS    A.ROOT-SERVERS.NET.
A.ROOT-SERVERS.NET.      3600000      A     198.41.0.4
A.ROOT-SERVERS.NET.      3600000      AAAA  2001:503:ba3e::2:30
.  3600000 IN NS b.root-servers.net.
b.root-servers.net. IN A 170.247.170.2
.  NS lost.root-servers.net.
"""
    assert read_hints(text) == {
        "a.root-servers.net.": ["198.41.0.4", "2001:503:ba3e::2:30"],
        "b.root-servers.net.": ["170.247.170.2"],
    }
