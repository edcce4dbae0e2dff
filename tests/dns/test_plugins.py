"""What each plugin does to a query, an answer or the server: one table a plugin, over bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from kubenet_course.dns.corefile import CorefileError
from kubenet_course.dns.plugin import ORDER
from kubenet_course.registry import discover
from tests.support.coredns import World, ask, rows

SECOND = 10**9
ZONE = """$TTL 300
@ SOA ns hostmaster 1 7200 3600 1209600 60
@ NS ns
ns A 10.0.0.1
www A 10.0.0.2
many A 10.0.1.1
many A 10.0.1.2
many A 10.0.1.3
long 86400 A 10.0.0.9
"""
FILES = {"/z": ZONE, "/h": "10.0.0.7 db db.lan\n10.0.0.8 web\n::1 web\n10.0.0.9 *.star.lan\n"}


class Upstreams:
    """Other servers by address: a function of (name, type), silent, or refusing."""

    def __init__(self, **servers: Any):
        self.servers = {key.replace("_", "."): value for key, value in servers.items()}
        self.asked: list[tuple[str, str, str]] = []
        self.world: World | None = None

    async def __call__(self, server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        query = dns.message.from_wire(wire)
        name, kind = query.question[0].name.to_text(), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((server, protocol, f"{name} {kind}"))
        found = self.servers.get(server, "silent")
        assert self.world is not None
        if found == "silent":
            self.world.now += timeout
            raise TimeoutError(f"read udp 10.0.0.1:40000->{server}:{port}: i/o timeout")
        if found == "refuses":
            self.world.now += 1000
            raise OSError(f"read udp 10.0.0.1:40000->{server}:{port}: read: connection refused")
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        found(answer, name, kind, protocol)
        return answer.to_wire()


def says(*records: str, rcode: int = 0, soa: int = 0, flags: int = 0) -> Any:
    def answer(message: dns.message.Message, name: str, kind: str, protocol: str) -> None:
        message.set_rcode(dns.rcode.Rcode(rcode))
        message.flags |= flags if protocol == "udp" else 0
        for record in records:
            owner, ttl, rdtype, data = record.split(None, 3)
            message.answer.append(dns.rrset.from_text(owner if owner != "@" else name, int(ttl), "IN", rdtype, data))
        if soa:
            message.authority.append(dns.rrset.from_text(".", 86400, "IN", "SOA", f"a. b. 1 2 3 4 {soa}"))

    return answer


def made(corefile: str, upstreams: Upstreams | None = None, files: dict[str, str] | None = None, **variables: str) -> tuple[World, Any]:
    world = World({**FILES, **(files or {})}, upstreams, **variables)
    if upstreams is not None:
        upstreams.world = world
    return world, world.engine(corefile)


def test_every_plugin_has_its_place() -> None:
    assert set(discover("kubenet_course.dns.plugins")) == set(ORDER)
    assert len(set(ORDER)) == len(ORDER)


def test_the_chain_is_in_the_order_of_the_list_not_of_the_corefile() -> None:
    _, engine = made(". {\nwhoami\nforward . 10.0.0.99\nhosts /h\ncache\nlog\nerrors\n}\n")
    assert [plugin.name for plugin in engine.configs[0].plugins] == ["errors", "log", "cache", "hosts", "forward", "whoami"]


#: Corefile inside `. { … }` | question | rcode | answer
SIMPLE = """
hosts /h | db A | NOERROR | db. 3600 A 10.0.0.7
hosts /h | DB A | NOERROR | DB. 3600 A 10.0.0.7
hosts /h | web AAAA | NOERROR | web. 3600 AAAA ::1
hosts /h | db AAAA | NOERROR |
hosts /h | db MX | NOERROR |
hosts /h | x.star.lan A | NOERROR | x.star.lan. 3600 A 10.0.0.9
hosts /h | 7.0.0.10.in-addr.arpa PTR | NOERROR | 7.0.0.10.in-addr.arpa. 3600 PTR db.; 7.0.0.10.in-addr.arpa. 3600 PTR db.lan.
hosts /h | nothing A | SERVFAIL |
hosts /h lan | db A | SERVFAIL |
hosts /h lan | db.lan A | NOERROR | db.lan. 3600 A 10.0.0.7
hosts /h { no_reverse } | 7.0.0.10.in-addr.arpa PTR | SERVFAIL |
hosts /none { 1.2.3.4 inline;ttl 7 } | inline A | NOERROR | inline. 7 A 1.2.3.4
whoami | x.example.org A | NOERROR |
any;hosts /h | db ANY | NOERROR | db. 8482 HINFO "ANY obsoleted" "See RFC 8482"
local | localhost A | NOERROR | localhost. 604800 A 127.0.0.1
local | localhost.example.org AAAA | NOERROR | localhost.example.org. 604800 AAAA ::1
local | 1.0.0.127.in-addr.arpa PTR | NOERROR | 1.0.0.127.in-addr.arpa. 604800 PTR localhost.
local | 2.0.0.127.in-addr.arpa PTR | NXDOMAIN |
rewrite name a.lan db.lan;hosts /h | a.lan A | NOERROR | a.lan. 3600 A 10.0.0.7
rewrite name suffix .x .lan;hosts /h | db.x A | NOERROR | db.lan. 3600 A 10.0.0.7
rewrite name suffix .x .lan answer auto;hosts /h | db.x A | NOERROR | db.x. 3600 A 10.0.0.7
rewrite name regex (.*)-ip\\.lan {1}.lan answer name (.*)\\.lan {1}-ip.lan;hosts /h | db-ip.lan A | NOERROR | db-ip.lan. 3600 A 10.0.0.7
rewrite type ANY A;hosts /h | db ANY | NOERROR | db. 3600 A 10.0.0.7
rewrite ttl exact db 30-60;hosts /h | db A | NOERROR | db. 60 A 10.0.0.7
rewrite rcode exact nothing SERVFAIL NXDOMAIN;template ANY ANY lan { rcode NXDOMAIN };template ANY ANY { answer "{{ .Name }} 5 IN A 9.9.9.9" } | x.lan A | NXDOMAIN |
template IN A ip { match ^(\\d+)-(\\d+)\\.ip\\.$;answer "{{ .Name }} 60 IN A 10.0.{{ index .Match 1 }}.{{ index .Group `2` }}" } | 3-4.ip A | NOERROR | 3-4.ip. 60 A 10.0.3.4
template IN A ip { match ^nope$ };hosts /h | 3-4.ip A | SERVFAIL |
template IN A ip { match ^nope$;fallthrough };template IN A . { answer "{{ .Name }} 1 IN A 1.1.1.1" } | 3-4.ip A | NOERROR | 3-4.ip. 1 A 1.1.1.1
template IN AAAA . { rcode NXDOMAIN };hosts /h | db A | NOERROR | db. 3600 A 10.0.0.7
template IN AAAA . { rcode NXDOMAIN };hosts /h | db AAAA | NXDOMAIN |
acl { block type A net 10.0.0.0/24 };hosts /h | db A | REFUSED |
acl { block type A net 10.0.0.0/24 };hosts /h | web AAAA | NOERROR | web. 3600 AAAA ::1
acl { allow net 10.0.0.5;block };hosts /h | db A | NOERROR | db. 3600 A 10.0.0.7
acl { filter type A };hosts /h | db A | NOERROR |
acl lan { block };hosts /h | db A | NOERROR | db. 3600 A 10.0.0.7
acl lan { block };hosts /h | db.lan A | REFUSED |
header { response set ra };hosts /h | db A | NOERROR | db. 3600 A 10.0.0.7
view v { expr type() == 'A' };hosts /h | db A | NOERROR | db. 3600 A 10.0.0.7
view v { expr type() == 'A' };hosts /h | web AAAA | REFUSED |
view v { expr incidr(client_ip(), '192.168.0.0/16') };hosts /h | db A | REFUSED |
file /z example.org;minimal | www.example.org A | NOERROR | www.example.org. 300 A 10.0.0.2
"""


def lines(cell: str) -> str:
    return cell.replace("{ ", "{\n").replace(" }", "\n}").replace(";", "\n")


def block(cell: str) -> str:
    """`{{ … }}` of templates stays as it is."""
    kept = cell.replace("{{ ", "\0").replace(" }}", "\1")
    return ". {\n" + lines(kept).replace("\0", "{{ ").replace("\1", " }}") + "\n}\n"


@pytest.mark.parametrize("line", SIMPLE.strip().splitlines())
def test_answers(line: str) -> None:
    corefile, question, rcode, answer = [cell.strip() for cell in line.split(" | ")] if line.count(" | ") == 3 else [
        *(cell.strip() for cell in line.rstrip(" |").split(" | ")), ""
    ]  # fmt: skip
    world, engine = made(block(corefile))
    name, kind = question.split()
    found = ask(engine, name, kind)
    assert dns.rcode.to_text(found.rcode()) == rcode, world.logged
    assert [" ".join(map(str, row)) for row in rows(found.answer)] == [one.strip() for one in answer.split(";") if one.strip()]


# -- cache ---------------------------------------------------------------------------------------
def test_cache_keeps_answers_and_denials() -> None:
    up = Upstreams(**{"10_0_0_99": says("@ 600 A 1.2.3.4")})
    world, engine = made(". {\ncache 300\nforward . 10.0.0.99\n}\n", up)
    first = ask(engine, "www.test")
    assert (rows(first.answer), bool(first.flags & dns.flags.AA)) == ([("www.test.", 300, "A", "1.2.3.4")], False)
    world.now += 100 * SECOND
    again = ask(engine, "WWW.test")
    assert (rows(again.answer), bool(again.flags & dns.flags.AA)) == ([("WWW.test.", 200, "A", "1.2.3.4")], True)
    assert again.flags & dns.flags.RA and len(up.asked) == 1
    world.now += 200 * SECOND
    ask(engine, "www.test")
    assert len(up.asked) == 2
    up.servers["10.0.0.99"] = says(rcode=3, soa=60)
    for _ in range(2):
        assert ask(engine, "nx.test").rcode() == dns.rcode.NXDOMAIN
    assert len(up.asked) == 3
    world.now += 61 * SECOND
    ask(engine, "nx.test")
    assert len(up.asked) == 4


def test_cache_ttls_are_kept_within_bounds() -> None:
    up = Upstreams(**{"10_0_0_99": says("@ 1 A 1.2.3.4")})
    _, engine = made(". {\ncache {\nsuccess 10 1800 30\n}\nforward . 10.0.0.99\n}\n", up)
    assert rows(ask(engine, "www.test").answer)[0][1] == 30
    up.servers["10.0.0.99"] = says("@ 9999 A 1.2.3.4")
    assert rows(ask(engine, "b.test").answer)[0][1] == 1800


def test_cache_serves_stale_when_nobody_answers() -> None:
    up = Upstreams(**{"10_0_0_99": says("@ 10 A 1.2.3.4")})
    world, engine = made(". {\ncache {\nserve_stale 1h\n}\nforward . 10.0.0.99\n}\n", up)
    ask(engine, "www.test")
    world.now += 20 * SECOND
    up.servers["10.0.0.99"] = "silent"
    assert rows(ask(engine, "www.test").answer) == [("www.test.", 0, "A", "1.2.3.4")]
    world.now += 3700 * SECOND
    assert ask(engine, "www.test").rcode() == dns.rcode.SERVFAIL
    world.close()


def test_cache_keeps_failures_for_a_while() -> None:
    up = Upstreams(**{"10_0_0_99": says(rcode=2)})
    world, engine = made(". {\ncache\nforward . 10.0.0.99\n}\n", up)
    for _ in range(3):
        assert ask(engine, "www.test").rcode() == dns.rcode.SERVFAIL
    assert len(up.asked) == 1
    world.now += 6 * SECOND
    ask(engine, "www.test")
    assert len(up.asked) == 2


def test_cache_without_success_for_a_zone() -> None:
    up = Upstreams(**{"10_0_0_99": says("@ 600 A 1.2.3.4")})
    _, engine = made(". {\ncache {\ndisable success lan\n}\nforward . 10.0.0.99\n}\n", up)
    for name in ("a.lan", "a.lan", "b.net", "b.net"):
        ask(engine, name)
    assert len(up.asked) == 3


# -- forward -------------------------------------------------------------------------------------
def test_forward_goes_on_to_the_next_server() -> None:
    up = Upstreams(**{"10_0_0_1": "refuses", "10_0_0_2": says("@ 60 A 1.2.3.4")})
    world, engine = made(". {\nforward . 10.0.0.1 10.0.0.2 {\npolicy sequential\n}\nerrors\n}\n", up)
    assert rows(ask(engine, "www.test").answer)[0][3] == "1.2.3.4"
    assert [server for server, *_ in up.asked] == ["10.0.0.1", "10.0.0.2"]
    world.close()


def test_forward_gives_up_after_five_seconds_and_says_why() -> None:
    up = Upstreams(**{"10_0_0_1": "silent"})
    world, engine = made(". {\nforward . 10.0.0.1\nerrors\nlog\n}\n", up)
    began = world.now
    assert ask(engine, "WWW.test").rcode() == dns.rcode.SERVFAIL
    assert 5 * SECOND <= world.now - began <= 7 * SECOND
    error = [line for line in world.logged if line.startswith("[ERROR]")]
    assert error == ["[ERROR] plugin/errors: 2 www.test. A: read udp 10.0.0.1:40000->10.0.0.1:53: i/o timeout"]
    assert [line for line in world.logged if " - - 0 " in line]
    world.close()


def test_forward_checks_who_is_down_and_takes_it_back() -> None:
    up = Upstreams(**{"10_0_0_1": "refuses", "10_0_0_2": says("@ 60 A 1.2.3.4")})
    world, engine = made(". {\nforward . 10.0.0.1 10.0.0.2 {\npolicy sequential\nmax_fails 1\nhealth_check 1s domain probe.test\n}\n}\n", up)
    ask(engine, "a.test")
    probe = world.tasks.pop()

    async def checks(count: int) -> None:
        slept = 0

        async def sleep(ns: int) -> None:
            nonlocal slept
            slept += 1
            world.now += ns
            if slept >= count:
                up.servers["10.0.0.1"] = says("@ 60 A 9.9.9.9")
            await asyncio.sleep(0)

        world.environment.sleep = sleep
        await probe

    forward = engine.configs[0].plugins[0]
    asyncio.run(checks(3))
    assert ("10.0.0.1", "udp", "probe.test. NS") in up.asked
    assert forward.upstreams[0].fails == 0
    assert rows(ask(engine, "b.test").answer)[0][3] == "9.9.9.9"
    forward.upstreams[0].fails = 2  # one more than max_fails
    assert rows(ask(engine, "c.test").answer)[0][3] == "1.2.3.4"


@pytest.mark.parametrize(
    ("options", "name", "asked"),
    [
        ("", "a.test", ["udp"]),
        ("force_tcp", "a.test", ["tcp"]),
        ("prefer_udp", "cut.test", ["udp", "tcp"]),
        ("except lan", "db.lan", []),
    ],
)
def test_forward_protocols_and_exceptions(options: str, name: str, asked: list[str]) -> None:
    flags = dns.flags.TC if name.startswith("cut") else 0
    up = Upstreams(**{"10_0_0_1": says("@ 60 A 1.2.3.4", flags=flags)})
    _, engine = made(f". {{\nforward . 10.0.0.1 {{\n{options}\n}}\nwhoami\n}}\n", up)
    ask(engine, name)
    assert [protocol for _, protocol, _ in up.asked] == asked


def test_forward_policies() -> None:
    for policy, expected in (("round_robin", ["2", "3", "1", "2"]), ("sequential", ["1", "1", "1", "1"])):
        up = Upstreams(**{f"10_0_0_{n}": says("@ 60 A 1.2.3.4") for n in (1, 2, 3)})
        _, engine = made(f". {{\nforward . 10.0.0.1 10.0.0.2 10.0.0.3 {{\npolicy {policy}\n}}\n}}\n", up)
        for _ in range(4):
            ask(engine, "a.test")
        assert [server[-1] for server, *_ in up.asked] == expected


def test_forward_takes_servers_from_resolv_conf() -> None:
    up = Upstreams(**{"10_0_0_99": says("@ 60 A 1.2.3.4")})
    _, engine = made(". {\nforward . /etc/resolv.conf\n}\n", up)
    ask(engine, "a.test")
    assert up.asked[0][0] == "10.0.0.99"


# -- others --------------------------------------------------------------------------------------
def test_loadbalance_shuffles_addresses() -> None:
    _, engine = made("example.org {\nloadbalance\nfile /z\n}\n")
    seen = {tuple(data for *_, data in rows(ask(engine, "many.example.org").answer)) for _ in range(20)}
    assert len(seen) > 1 and {len(one) for one in seen} == {3}


def test_loadbalance_by_weight() -> None:
    weights = {"/w": "many.example.org\n10.0.1.3 254\n10.0.1.1 1\n10.0.1.2 1\n"}
    _, engine = made("example.org {\nloadbalance weighted /w\nfile /z\n}\n", files=weights)
    engine.check()
    first = [rows(ask(engine, "many.example.org").answer)[0][3] for _ in range(30)]
    assert first.count("10.0.1.3") > 25


def test_dns64_makes_addresses() -> None:
    _, engine = made(". {\ndns64\nfile /z example.org\n}\n")
    assert rows(ask(engine, "www.example.org", "AAAA", client="2001:db8::1").answer) == [
        ("www.example.org.", 300, "AAAA", "64:ff9b::a00:2")
    ]
    assert rows(ask(engine, "www.example.org", "AAAA").answer) == []  # asked over IPv4
    assert ask(engine, "nx.example.org", "AAAA", client="2001:db8::1").rcode() == dns.rcode.NXDOMAIN


def test_nsid_bufsize_chaos_and_acl_drop() -> None:
    world, engine = made(". {\nnsid one two\nbufsize 600\nchaos v1 me you\nfile /z example.org\n}\n")
    option = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")
    found = ask(engine, "www.example.org", edns=True, payload=4096, options=[option])
    assert [(int(one.otype), one.to_wire()) for one in found.options] == [(3, b"one two")]
    assert found.payload == 600
    assert [data for *_, data in rows(ask(engine, "version.bind", "TXT", rdclass="CH").answer)] == ['"v1"']
    assert [data for *_, data in rows(ask(engine, "authors.bind", "TXT", rdclass="CH").answer)] == ['"me"', '"you"']
    _, engine = made(". {\nacl {\ndrop net 10.0.0.5\n}\nwhoami\n}\n")
    with pytest.raises(AssertionError, match="no answer"):
        ask(engine, "a.test")
    assert ask(engine, "a.test", client="10.0.0.6").rcode() == 0


def test_log_formats_and_classes() -> None:
    world, engine = made(". {\nlog . \"{remote} {name} {rcode}\" {\nclass denial\n}\nfile /z example.org\n}\n")
    ask(engine, "www.example.org")
    ask(engine, "nx.example.org")
    assert world.logged == ["[INFO] 10.0.0.5 nx.example.org. NXDOMAIN"]
    world, engine = made(". {\nlog\nhosts /h\n}\n")
    ask(engine, "DB", edns=True)
    assert world.logged == ['[INFO] 10.0.0.5:40000 - 4711 "A IN DB. udp 31 false 1232" NOERROR qr,aa,rd 38 0s']


def test_errors_are_put_together() -> None:
    up = Upstreams(**{"10_0_0_1": "silent"})
    world, engine = made('. {\nerrors {\nconsolidate 5m ".* i/o timeout$" warning\n}\nforward . 10.0.0.1\n}\n', up)
    for _ in range(3):
        ask(engine, "a.test")
    report = [task for task in world.tasks if task.cr_code.co_name == "_report"]
    assert len(report) == 1 and not world.logged
    asyncio.run(report[0])
    assert world.logged == ["[WARNING] plugin/errors: 3 errors like '.* i/o timeout$' occurred in last 5m0s"]
    world.tasks = [task for task in world.tasks if task is not report[0]]
    world.close()


def test_metrics_have_coredns_names() -> None:
    world, engine = made(". {\nprometheus :9153\ncache\nfile /z example.org\n}\n")
    asyncio.run(engine.configs[0].plugins[0].start())
    for name in ("www.example.org", "www.example.org", "nx.example.org"):
        ask(engine, name)
    endpoint = engine.endpoints()[0]
    assert (endpoint.address, endpoint.port) == ("", 9153)
    status, kind, text = endpoint.pages["/metrics"]()
    assert (status, kind.split(";")[0]) == (200, "text/plain")
    for line in (
        'coredns_dns_requests_total{family="1",proto="udp",server="dns://:53",type="A",view="",zone="."} 3',
        'coredns_dns_responses_total{plugin="file",rcode="NXDOMAIN",server="dns://:53",view="",zone="."} 1',
        'coredns_cache_hits_total{server="dns://:53",type="success",view="",zones="."} 1',
        'coredns_cache_misses_total{server="dns://:53",view="",zones="."} 2',
        'coredns_cache_entries{server="dns://:53",type="denial",view="",zones="."} 1',
        'coredns_dns_request_duration_seconds_bucket{server="dns://:53",view="",zone=".",le="0.00025"} 3',
        'coredns_dns_request_size_bytes_count{proto="udp",server="dns://:53",view="",zone="."} 3',
        'coredns_plugin_enabled{name="cache",server="dns://:53",view="",zone="."} 1',
    ):
        assert line in text.splitlines(), text
    assert "# TYPE coredns_dns_requests_total counter" in text


def test_health_and_ready() -> None:
    world, engine = made(". {\nhealth localhost:8080 {\nlameduck 3s\n}\nready\nkubernetes cluster.local {\nendpoint http://1.2.3.4\n}\n}\n")
    pages = {page: function for endpoint in engine.endpoints() for page, function in endpoint.pages.items()}
    assert pages["/health"]() == (200, "text/plain; charset=utf-8", "OK")
    assert pages["/ready"]() == (503, "text/plain; charset=utf-8", "kubernetes")
    assert world.logged[-1] == '[INFO] plugin/ready: Still waiting on: "kubernetes"'
    began = world.now
    asyncio.run(engine.drain())
    assert world.now - began == 3 * SECOND
    assert world.logged[-1] == "[INFO] plugin/health: Going into lameduck mode for 3s"


def test_loop_ends_the_server() -> None:
    ended: list[str] = []
    world, engine = made(". {\nloop\nforward . 127.0.0.1\n}\n")
    world.environment.shutdown = ended.append

    async def itself(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        if ended:
            raise TimeoutError("read udp: i/o timeout")
        return await engine.answer(engine.servers[0], wire, "127.0.0.1", 4000) or b""

    world.upstream = itself
    asyncio.run(engine.start())
    asyncio.run(world.tasks.pop(0))
    assert ended and ended[0].startswith("[FATAL] plugin/loop: Loop (127.0.0.1:4000 -> :53) detected for zone \".\", see https://coredns.io")
    world.close()


def test_reload_names_its_configuration_as_kubeadms_is_named_everywhere() -> None:
    """The default Corefile of kubeadm 1.26 to 1.31 has a well-known hash in every cluster's logs."""
    corefile = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""
    world, engine = made(corefile, KUBERNETES_SERVICE_HOST="10.96.0.1")
    digest = engine.configs[0].handlers["reload"].digest(corefile, "Corefile")
    assert digest == (
        "591cf328cccc12bc490481273e738df59329c62c0b729d94e8b61db9961c2fa5f046dd37f1cf888b953814040d180f52594972691cd6ff41be96639138a43908"
    )


def test_views_choose_between_blocks_of_one_zone() -> None:
    _, engine = made(
        ". {\nview near {\nexpr incidr(client_ip(), '10.0.0.0/24')\n}\nhosts /near\n}\n. {\nhosts /far\n}\n",
        files={"/near": "10.0.0.1 www\n", "/far": "203.0.113.1 www\n"},
    )
    assert rows(ask(engine, "www").answer)[0][3] == "10.0.0.1"
    assert rows(ask(engine, "www", client="192.0.2.1").answer)[0][3] == "203.0.113.1"


def test_auto_serves_what_lies_in_a_folder() -> None:
    world, engine = made("org net {\nauto org net {\ndirectory /zones\n}\n}\n", files={"/zones/db.example.org": ZONE, "/zones/readme": "x"})
    assert rows(ask(engine, "www.example.org").answer)[0][3] == "10.0.0.2"
    assert ask(engine, "www.example.net", server=engine.servers[0]).rcode() == dns.rcode.SERVFAIL
    world.files["/zones/db.example.net"] = ZONE
    del world.files["/zones/db.example.org"]
    engine.configs[0].handlers["auto"].scan()
    assert rows(ask(engine, "www.example.net").answer)[0][3] == "10.0.0.2"
    assert world.logged[-2:] == [
        '[INFO] plugin/auto: Inserting zone "example.net." from: /zones/db.example.net',
        '[INFO] plugin/auto: Deleting zone "example.org."',
    ]


def test_a_secondary_fetches_its_zone_from_a_primary() -> None:
    _, primary = made("example.org {\nfile /z\ntransfer {\nto 10.0.0.5\n}\n}\n")
    world, engine = made("example.org {\nsecondary {\ntransfer from 10.0.0.1\n}\n}\n")
    assert ask(engine, "www.example.org").rcode() == dns.rcode.SERVFAIL

    async def exchange(server: str, port: int, wire: bytes, protocol: str, timeout: int) -> bytes:
        return await primary.answer(primary.servers[0], wire, "10.0.0.5", 4000) or b""

    def stream(server: str, port: int, wire: bytes, timeout: int) -> Any:
        return primary.answers(primary.servers[0], wire, "10.0.0.5", 4000, "10.0.0.1", 53)

    world.upstream, world.environment.stream = exchange, stream
    assert not asyncio.run(engine.configs[0].handlers["secondary"]._transfer("example.org."))
    assert rows(ask(engine, "www.example.org").answer) == [("www.example.org.", 300, "A", "10.0.0.2")]
    assert world.logged == ["[INFO] plugin/file: Transferred: example.org. from 10.0.0.1:53"]
    refused = dns.message.from_wire(asyncio.run(first(primary.answers(primary.servers[0], AXFR, "10.0.0.6", 1, "10.0.0.1", 53))))
    assert refused.rcode() == dns.rcode.REFUSED


AXFR = dns.message.make_query("example.org", "AXFR").to_wire()


async def first(answers: Any) -> bytes:
    return [wire async for wire in answers][0]


def test_snippets_imports_and_variables() -> None:
    world, engine = made(
        "(common) {\nerrors\nlog\n}\nimport /etc/blocks/*.conf\n{$ZONE}:{%PORT%} {\nimport common\nhosts {$HOSTS}\n}\n",
        files={"/etc/blocks/a.conf": "a.test {\nwhoami\n}\n", "/etc/blocks/b.conf": "b.test {\nwhoami\n}\n"},
        ZONE="lan", PORT="5353", HOSTS="/h",
    )  # fmt: skip
    assert [(server.port, sorted(server.zones)) for server in engine.servers] == [("53", ["a.test.", "b.test."]), ("5353", ["lan."])]
    assert [plugin.name for plugin in engine.servers[1].zones["lan."][0].plugins] == ["errors", "log", "hosts"]
    made(". {\nimport /none/*.conf\nwhoami\n}\n")


def test_erratic_drops_every_second_query() -> None:
    _, engine = made(". {\nerratic\n}\n")
    got = []
    for _ in range(4):
        wire = asyncio.run(engine.answer(engine.servers[0], dns.message.make_query("a.test", "A").to_wire(), "10.0.0.5"))
        got.append(wire is not None)
    assert got == [False, True, False, True]


#: What `weighted` and `prefer` make of addresses: from plugin/loadbalance/weighted_test.go and prefer_test.go.
WEIGHTS = {
    "": {},
    "w1,example.org\n192.168.1.15 10\n192.168.1.14 20\n": {"w1,example.org.": {"192.168.1.15": 10, "192.168.1.14": 20}},
    "# one\nW1.example.org\n192.168.1.15   10\n\nw2.example.org\n # three\n w3.example.org\n ::16 11\n": {
        "w1.example.org.": {"192.168.1.15": 10}, "w2.example.org.": {}, "w3.example.org.": {"::16": 11},
    },
    "w1,example.org\n192.168.1.14\n192.168.1.15 20\n": "wrong domain name",
    "# none\n192.168.1.14 10\nw2,example.org\n192.168.2.14 11\n": "missing domain name",
    "w1,example.org\n192.168.1.300 10\n": "wrong IP address",
    "w1,example.org\n192.168.1.14 300\n": "wrong weight value",
    "w1,example.org\n192.168.1.14 0\n": "wrong weight value",
}  # fmt: skip


@pytest.mark.parametrize("text", WEIGHTS)
def test_weight_files(text: str) -> None:
    expected = WEIGHTS[text]
    _, engine = made("example.org {\nloadbalance weighted /w\nfile /z\n}\n", files={"/w": text})
    if isinstance(expected, str):
        with pytest.raises(CorefileError, match=f"plugin/loadbalance: {expected}"):
            engine.check()
        return
    engine.check()
    found = engine.configs[0].handlers["loadbalance"].weights
    assert {name: {str(address): weight for address, weight in one.items()} for name, one in found.items()} == expected


MIXED = """$TTL 300
@ SOA ns hostmaster 1 7200 3600 1209600 60
@ NS ns
@ MX 10 ns
@ MX 20 ns
ns A 10.9.30.1
ns A 10.9.20.5
ns A 192.168.1.2
ns A 10.10.0.1
ns A 10.9.20.3
ns AAAA fd00::1
ns AAAA 2001:db8::1
alias CNAME ns
"""


@pytest.mark.parametrize("policy", ["round_robin", "weighted /w"])
def test_preferred_networks_come_first(policy: str) -> None:
    corefile = f"example.org {{\nloadbalance {policy} {{\nprefer 2001:db8::/32 10.9.20.0/24 10.9.30.0/24\n}}\nfile /m\n}}\n"
    _, engine = made(corefile, files={"/m": MIXED, "/w": ""})
    found = [data for *_, data in rows(ask(engine, "alias.example.org").answer)]
    assert found[0] == "ns.example.org."
    assert (set(found[1:3]), found[3]) == ({"10.9.20.3", "10.9.20.5"}, "10.9.30.1")
    extra = [data for *_, data in rows(ask(engine, "example.org", "MX").additional)]
    assert extra[0] == "2001:db8::1" and extra[3] == "10.9.30.1" and set(extra[4:]) == {"192.168.1.2", "10.10.0.1", "fd00::1"}


def test_loadbalance_leaves_refusals_alone_and_aliases_first() -> None:
    _, engine = made("example.org {\nloadbalance\nfile /m\n}\n", files={"/m": MIXED})
    seen = set()
    for _ in range(20):
        answer = rows(ask(engine, "alias.example.org").answer)
        assert answer[0][2] == "CNAME" and {kind for _, _, kind, _ in answer[1:]} == {"A"}
        seen.add(tuple(data for *_, data in rows(ask(engine, "example.org", "MX").answer)))
    assert len(seen) == 2
