"""IPv6 on both kernels: the same rules named, the same ends of packets, the same explanation.

A row: what breaks the lab (machine, script), the command on A, words of the explanation, and what mends it. The
emulated kernel is asked for the words alone; with real namespaces both are asked, and compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from kubenet_course.lab.lab import Lab
from kubenet_course.view import netmap
from kubenet_course.view.explain import explain
from kubenet_course.view.journey import Journey, Packet

PING = "ping -c1 -W1 2001:db8:2::10"
PATIENT = "ping -c1 -W5 2001:db8:2::10"
NETWORK = {
    "router": "sysctl -qw net.ipv6.conf.all.forwarding=1"
    " && ip -6 addr add 2001:db8:1::1/64 dev eth0 nodad && ip -6 addr add 2001:db8:2::1/64 dev eth1 nodad",
    "A": "ip -6 addr add 2001:db8:1::10/64 dev eth0 nodad && ip -6 route add default via 2001:db8:1::1",
    "B": "ip -6 addr add 2001:db8:2::10/64 dev eth0 nodad && ip -6 route add default via 2001:db8:2::1",
}
ECHO, REPLY = "-p icmpv6 --icmpv6-type echo-request", "-p icmpv6 --icmpv6-type echo-reply"
FLUSH = "nft flush ruleset"
OWN = "ip -6 addr flush dev eth0 scope global && ip -6 addr add {} dev eth0 nodad && ip -6 route replace default via {}"
Row = tuple[str, str, str, list[str], str]
CASES: dict[str, Row] = {
    "it works": ("A", "true", PING, ["It works", "A → s1 → router → s2 → B"], "true"),
    "dropped in INPUT": (
        "B", f"ip6tables -A INPUT -s 2001:db8:77::/64 -j ACCEPT; ip6tables -A INPUT {ECHO} -j DROP", PING,
        ["comes as far as B", "rule 2 of the chain INPUT (table filter) drops it", "B$ ip6tables -nvL INPUT"], FLUSH,
    ),
    "rejected in INPUT": ("B", f"ip6tables -A INPUT {ECHO} -j REJECT", PING, ["rejects it (and tells the sender)"], FLUSH),
    "dropped in FORWARD": ("router", f"ip6tables -A FORWARD {ECHO} -j DROP", PING, ["comes as far as router", "FORWARD"], FLUSH),
    "rejected in FORWARD": (
        "router", "ip6tables -A FORWARD -p icmpv6 -j REJECT --reject-with icmp6-adm-prohibited", PING,
        ["comes as far as router", "--reject-with icmp6-adm-prohibited"], FLUSH,
    ),
    "a port rejected": (
        "router", "ip6tables -A FORWARD -p tcp -m tcp --dport 80 -j REJECT --reject-with tcp-reset",
        "nc -z -w1 2001:db8:2::10 80", ["comes as far as router", "--dport 80 -j REJECT --reject-with tcp-reset"], FLUSH,
    ),
    "dropped in OUTPUT": (
        "A", f"ip6tables -A OUTPUT {ECHO} -j DROP", PING, ["does not leave A", "rule 1 of the chain OUTPUT"], FLUSH,
    ),
    "the answer dropped in OUTPUT": (
        "B", f"ip6tables -A OUTPUT {REPLY} -j DROP", PING, ["its answer comes as far as B", "chain OUTPUT"], FLUSH,
    ),
    "the answer dropped in INPUT": (
        "A", f"ip6tables -A INPUT {REPLY} -j DROP", PING, ["its answer comes as far as A", "chain INPUT"], FLUSH,
    ),
    "a policy": ("router", "ip6tables -P FORWARD DROP", PING, ["chain's policy is DROP"], FLUSH),
    "chains of the user's": (
        "router",
        "ip6tables -N mine && ip6tables -N sub && ip6tables -A sub -s 2001:db8:1::/64 -j RETURN"
        " && ip6tables -A mine -p tcp -j ACCEPT && ip6tables -A mine -p icmpv6 && ip6tables -A mine -g sub"
        " && ip6tables -A FORWARD -j mine && ip6tables -A FORWARD -p icmpv6 -j ACCEPT && ip6tables -P FORWARD DROP",
        PING, ["It works"], FLUSH,
    ),
    "a mark": (
        "router",
        "ip6tables -t mangle -A PREROUTING -p icmpv6 -j MARK --set-mark 7 && ip6tables -A FORWARD -m mark --mark 7 -j DROP",
        PING, ["rule 1 of the chain FORWARD", "-m mark --mark 0x7 -j DROP"], FLUSH,
    ),
    "masquerading": (
        "router", "ip6tables -t nat -A POSTROUTING -o eth1 -j MASQUERADE", PING,
        ["It works", "source 2001:db8:1::10 becomes 2001:db8:2::1"], FLUSH,
    ),
    "another destination": (
        "router", "ip6tables -t nat -A PREROUTING -d 2001:db8:2::99 -j DNAT --to-destination 2001:db8:2::10",
        "ping -c1 -W1 2001:db8:2::99", ["destination 2001:db8:2::99 becomes 2001:db8:2::10"], FLUSH,
    ),
    "a forwarded port that nobody serves": (
        "router", "ip6tables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination [2001:db8:2::10]:80",
        "nc -z -w1 2001:db8:1::1 8080", ["arrives at B", "no program listens on TCP port 80 there"], FLUSH,
    ),
    "translated to where nobody is": (
        "router", "ip6tables -t nat -A PREROUTING -d 2001:db8:2::99 -j DNAT --to-destination 2001:db8:2::77",
        "ping -c1 -W5 2001:db8:2::99", ["router asks on eth1 who has 2001:db8:2::77"], FLUSH,
    ),
    "a port that nobody serves": ("A", "true", "nc -z -w1 2001:db8:2::10 81", ["no program listens on TCP port 81"], "true"),
    "a name server that is not there": (
        "A", "true", "dig +tries=1 +time=1 @2001:db8:2::10 www.example", ["no program listens on UDP port 53"], "true",
    ),
    "nft's own rules": (
        "router",
        "nft 'table ip6 f { chain c { type filter hook forward priority 0; policy drop;"
        " icmpv6 type echo-request counter accept; }; }'",
        PING, ["its answer comes as far as router", "the chain's policy is DROP", "nft -a list chain ip6 f c"],
        FLUSH,
    ),
    "no route": (
        "A", "ip -6 route del default", PING, ["A has no route to 2001:db8:2::10", "via 2001:db8:1::1 (router)"],
        "ip -6 route add default via 2001:db8:1::1",
    ),
    "no way back": (
        "B", "ip -6 route del default", PING, ["the answer cannot be sent: B has no route to 2001:db8:1::10"],
        "ip -6 route add default via 2001:db8:2::1",
    ),
    "forwarding off": (
        "router", "sysctl -qw net.ipv6.conf.all.forwarding=0", PING, ["net.ipv6.conf.all.forwarding is 0"],
        "sysctl -qw net.ipv6.conf.all.forwarding=1",
    ),
    "hop limit": ("A", "true", "ping -c1 -W1 -t1 2001:db8:2::10", ["its hop limit is used up there after 1 hop"], "true"),
    "the router has no route": (
        "A", "true", "ping -c1 -W1 2001:db8:77::1", ["router has no route to 2001:db8:77::1"], "true",
    ),
    **{
        f"{kind} route": (
            "router", f"ip -6 route add {kind} 2001:db8:9::/64", "ping -c1 -W1 2001:db8:9::1",
            [f"{kind} route of router is for 2001:db8:9::1", f"`ip -6 route del {kind} 2001:db8:9::/64`"],
            f"ip -6 route del {kind} 2001:db8:9::/64",
        )
        for kind in ("unreachable", "prohibit", "blackhole")
    },
    "one's own unreachable route": (
        "A", "ip -6 route add unreachable 2001:db8:2::/64", PING, ["the route `unreachable 2001:db8:2::/64` forbids it"],
        "ip -6 route del unreachable 2001:db8:2::/64",
    ),
    "nobody there": (
        "A", "true", "ping -c1 -W5 2001:db8:2::77",
        ["router asks on eth1 who has 2001:db8:2::77, and nobody answers", "No machine of this lab has"], "true",
    ),
    "wrong gateway": (
        "A", "ip -6 route replace default via 2001:db8:1::99", PATIENT, ["A asks on eth0 who has gateway 2001:db8:1::99"],
        "ip -6 route replace default via 2001:db8:1::1",
    ),
    "mask too wide": (
        "A", OWN.format("2001:db8:1::10/32", "2001:db8:1::1"), PATIENT,
        ["not on the same link: with 2001:db8:1::10/32", "prefix length"], OWN.format("2001:db8:1::10/64", "2001:db8:1::1"),
    ),
    "pings ignored": (
        "B", "sysctl -qw net.ipv6.icmp.echo_ignore_all=1", PING, ["told not to answer pings", "net.ipv6.icmp.echo_ignore_all"],
        "sysctl -qw net.ipv6.icmp.echo_ignore_all=0",
    ),
    "too big": (
        "router", "ip link set eth1 mtu 1280", "ping -c1 -W1 -M do -s 1300 2001:db8:2::10", ["larger than the MTU"],
        "ip link set eth1 mtu 1500",
    ),
}  # fmt: skip
#: No capture shows a packet that waits for a MAC address, nor what the kernel then says to the program.
UNSEEN = ("wrong gateway", "mask too wide")


def prepared(backend: str) -> Lab:
    lab = Lab.load("two-networks", backend=backend)
    for machine, script in NETWORK.items():
        done = lab.run(machine, script)
        assert done.returncode == 0, done
    return lab


def meet(lab: Lab) -> None:
    """Until A and B know each other's ways (a real bridge passes nothing on in its first second), and no more than that."""
    done = lab.run("A", f"ip -6 route flush cache; for i in 1 2 3 4 5 6 7 8 9 10; do {PING} && exit; done; exit 1")
    assert done.returncode == 0, done


@pytest.fixture(scope="module")
def emulated() -> Iterator[Lab]:
    with prepared("emulated") as lab:
        yield lab


@pytest.fixture(scope="module")
def real() -> Iterator[Lab]:
    with prepared("mininet") as lab:
        yield lab


def told(lab: Lab, name: str) -> tuple[Journey, str]:
    """The journey through the broken lab and its explanation; the lab is mended again."""
    where, breaking, command, _, mending = CASES[name]
    meet(lab)
    done = lab.run(where, breaking)
    assert done.returncode == 0, done
    try:
        journey = lab.journey("A", command).journey
        return journey, str(explain(journey, netmap.read(lab)))
    finally:
        lab.run(where, mending)


def facts(journey: Journey) -> list[Any]:
    """What both kernels must say of it: who made which packet, what matched, what was rewritten, how it ended."""
    packets = [packet for packet in journey.packets if not packet.is_helper]
    places = {packet.number: place for place, packet in enumerate(packets, 1)}
    found: list[Any] = []
    for packet in packets:
        found.append((same(packet.summary), packet.why, places.get(packet.cause, 0), *end(packet)))
        found += [
            (s.machine, s.kind, s.spot, s.table, s.chain, s.rule, s.ok, same(s.text))
            for s in packet.stages
            if s.kind in ("rule", "policy", "nat", "forward") and "does not match" not in s.text
        ]
    return found


def end(packet: Packet) -> tuple[str, ...]:
    """A capture shows that a packet arrives: that nothing could be answered is another matter."""
    if packet.reason == "IP_OUTNOROUTES":
        return "delivered", "", packet.end_place
    return packet.outcome, packet.reason, packet.end_place


def same(text: str) -> str:
    """Without the numbers that each kernel chooses for itself: ids and ports."""
    return re.sub(r"\b(3[2-9]|[45]\d|6[0-5])\d{3}\b", "PORT", re.sub(r"\bid \d+", "id N", text))


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_of_ipv6_says_what_is_wrong(name: str, emulated: Lab) -> None:
    _, said = told(emulated, name)
    for words in CASES[name][3]:
        assert words in said, f"{words!r} is not said in: {said}"


@pytest.mark.real
@pytest.mark.parametrize("name", CASES)
def test_both_kernels_tell_the_same_of_ipv6(name: str, emulated: Lab, real: Lab) -> None:
    ours, said = told(emulated, name)
    theirs, real_said = told(real, name)
    assert real_said == said
    assert [str(unsent) for unsent in theirs.unsent] == [str(unsent) for unsent in ours.unsent]
    if name not in UNSEEN:
        assert facts(theirs) == facts(ours)
