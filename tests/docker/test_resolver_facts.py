"""The name server at 127.0.0.11 and those behind it: what moby's integration tests and resolver_test.go hold of it."""

from __future__ import annotations

import pytest

from kubenet_course import Lab

COREFILE = """.:53 {
    bind 127.0.0.1 192.0.2.1
    hosts {
        10.11.12.13 test.example
        10.11.12.14 plain
        fallthrough
    }
    template ANY ANY refused.example {
        rcode REFUSED
    }
}
"""
DIG = "dig +noall +comments +answer"
FAILS = "server can't find test.example: SERVFAIL"


@pytest.fixture
def host() -> Lab:
    """A host with a name server of its own, at 127.0.0.1 and at an address that containers can reach."""
    lab = Lab.load("single")
    lab.machine("host").write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
    lab.machine("host").write("/Corefile", COREFILE)
    say(lab, "ip link add dns0 type dummy; ip addr add 192.0.2.1/32 dev dns0; ip link set dns0 up")
    say(lab, "coredns -conf /Corefile >/dev/null 2>&1 &")
    say(lab, "docker network create extnet; docker network create --internal intnet")
    return lab


def say(lab: Lab, command: str) -> str:
    done = lab.run("host", command)
    return done.stdout + done.stderr


def test_the_hosts_own_server_answers_while_a_network_leads_out(host: Lab) -> None:
    say(host, "docker run -d --name c1 --network extnet busybox sleep 900")
    ask = "docker exec c1 nslookup test.example"
    assert "10.11.12.13" in say(host, ask)
    assert say(host, "docker exec c1 dig +tcp +short test.example") == "10.11.12.13\n"
    say(host, "docker network connect intnet c1")
    assert "10.11.12.13" in say(host, ask)
    say(host, "docker network disconnect extnet c1")
    assert FAILS in say(host, ask)
    say(host, "docker network connect extnet c1")
    assert "10.11.12.13" in say(host, ask)


def test_a_network_of_ipv6_alone_still_asks_the_hosts_server(host: Lab) -> None:
    say(host, "docker network create --ipv4=false --ipv6 six")
    assert "10.11.12.13" in say(host, "docker run --rm --network six busybox nslookup test.example")


@pytest.mark.parametrize(
    ("servers", "answer"),
    [
        ("--dns 127.0.0.11", FAILS),
        ("--dns 127.0.0.11 --dns 192.0.2.1", "10.11.12.13"),
        ("--dns 127.0.0.1", FAILS),  # its own loopback, not the host's
        ("--dns 127.0.0.3 --dns 127.0.0.4 --dns 127.0.0.5 --dns 192.0.2.1", FAILS),  # three are tried
        ("--dns 127.0.0.11 --dns 127.0.0.4 --dns 127.0.0.5 --dns 192.0.2.1", "10.11.12.13"),
    ],
)
def test_servers_that_were_asked_for(host: Lab, servers: str, answer: str) -> None:
    assert answer in say(host, f"docker run --rm --network extnet {servers} busybox nslookup test.example")


def test_one_that_refuses_is_passed_over(host: Lab) -> None:
    done = say(host, "docker run --rm --network extnet busybox nslookup x.refused.example")
    assert "server can't find x.refused.example: SERVFAIL" in done


def test_kinds_of_questions(host: Lab) -> None:
    """A known name has no mail exchanger and no IPv6 address, and that is an answer; what is not kept is passed on."""
    say(host, "docker run -d --name c1 --network extnet --network-alias web busybox sleep 900")
    for kind in ("MX", "AAAA"):
        found = say(host, f"docker exec c1 {DIG} {kind} c1")
        assert "status: NOERROR" in found
        assert "flags: qr rd ra; QUERY: 1, ANSWER: 0, AUTHORITY: 0, ADDITIONAL: 0" in found
    assert "flags: qr aa rd;" in say(host, f"docker exec c1 {DIG} TXT plain")
    known = say(host, f"docker exec c1 {DIG} WEB.extnet")
    assert "ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0" in known and "\t600\tIN\tA\t172.18.0.2\n" in known
    assert say(host, "docker exec c1 dig +short -x 172.18.0.2") == "c1.extnet.\n"
    assert "status: SERVFAIL" in say(host, "docker run --rm --network intnet busybox dig nowhere.example")


def test_with_ndots_a_plain_name_stays_inside(host: Lab) -> None:
    assert say(host, "docker run --rm --network extnet busybox dig +short plain") == "10.11.12.14\n"
    found = say(host, f"docker run --rm --network extnet --dns-option ndots:1 busybox {DIG} plain")
    assert "status: NOERROR" in found and "ANSWER: 0" in found
    asked = "docker run --rm --network extnet --dns-option ndots:1 busybox dig +short test.example"
    assert say(host, asked) == "10.11.12.13\n"


def test_a_name_in_two_networks_means_the_one_in_the_first(host: Lab) -> None:
    say(host, "docker network create second")
    for network in ("second", "extnet"):
        say(host, f"docker run -d --network {network} --network-alias same busybox sleep 900")
    say(host, "docker run -d --name c1 --network second --network extnet busybox sleep 900")
    assert say(host, "docker exec c1 dig +short same") == "172.18.0.2\n"
    say(host, "docker run -d --name c2 --network name=second,gw-priority=1 --network extnet busybox sleep 900")
    assert say(host, "docker exec c2 dig +short same") == "172.20.0.2\n"
