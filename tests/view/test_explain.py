"""What `lab.explain` says of a lab that was broken in one way: the place, the fact, and what mends it.

A row: the lab, what breaks it (machine, command), the command that is explained, words that must be
said, and the command that mends it (tried: afterwards the same command works).
"""

from __future__ import annotations

import pytest

from kubenet_course import Lab

PING = "ping -c1 -W1 192.168.2.10"
CASES = {
    "it works": (
        "two-networks",
        (),
        "A",
        PING,
        ["It works", "A → s1 → router → s2 → B", "answer comes back"],
        (),
    ),
    "no route": (
        "two-networks",
        [("A", "ip route del default")],
        "A",
        PING,
        ["A has no route to 192.168.2.10", "A$ ip route get 192.168.2.10", "via 192.168.1.1 (router)"],
        [("A", "ip route add default via 192.168.1.1")],
    ),
    "forwarding off": (
        "two-networks",
        [("router", "sysctl -w net.ipv4.ip_forward=0")],
        "A",
        PING,
        ["comes as far as router", "net.ipv4.ip_forward is 0", "sysctl -w net.ipv4.ip_forward=1"],
        [("router", "sysctl -w net.ipv4.ip_forward=1")],
    ),
    "forwarding off where it came in": (
        "two-networks",
        [("router", "sysctl -w net.ipv4.conf.eth0.forwarding=0")],
        "A",
        PING,
        ["comes as far as router", "net.ipv4.conf.eth0.forwarding is 0", "sysctl -w net.ipv4.conf.eth0.forwarding=1"],
        [("router", "sysctl -w net.ipv4.conf.eth0.forwarding=1")],
    ),
    "no way back": (
        "two-networks",
        [("B", "ip route del default")],
        "A",
        PING,
        [
            "arrives at B",
            "answer cannot be sent",
            "B has no route to 192.168.1.10",
            "B$ ip route get 192.168.1.10",
        ],
        [("B", "ip route add default via 192.168.2.1")],
    ),
    "wrong gateway": (
        "two-networks",
        [("A", "ip route replace default via 192.168.1.99")],
        "A",
        "ping -c1 -W5 192.168.2.10",
        ["A asks on eth0 who has gateway 192.168.1.99", "No machine of this lab has", "ip route"],
        [("A", "ip route replace default via 192.168.1.1")],
    ),
    "link down": (
        "two-networks",
        [("B", "ip link set eth0 down")],
        "A",
        "ping -c1 -W5 192.168.2.10",
        [
            "router asks on eth1 who has 192.168.2.10",
            "B:eth0 has that address, but it is down",
            "ip link set eth0 up",
        ],
        [("B", "ip link set eth0 up; ip route add default via 192.168.2.1")],
    ),
    "own link down": (
        "two-networks",
        [("A", "ip link set eth0 down")],
        "A",
        PING,
        ["A has no interface that is up and has an address", "eth0 down"],
        [("A", "ip link set eth0 up; ip route add default via 192.168.1.1")],
    ),
    "mask too wide": (
        "two-networks",
        [
            (
                "A",
                "ip addr flush dev eth0; ip addr add 192.168.1.10/16 dev eth0; ip route add default via 192.168.1.1",
            )
        ],
        "A",
        "ping -c1 -W5 192.168.2.10",
        ["nobody answers", "not on the same link", "192.168.1.10/16", "prefix length"],
        [
            (
                "A",
                "ip addr flush dev eth0; ip addr add 192.168.1.10/24 dev eth0; ip route add default via 192.168.1.1",
            )
        ],
    ),
    "dropped by a rule": (
        "two-networks",
        [("router", "iptables -A FORWARD -p icmp -j DROP")],
        "A",
        PING,
        [
            "comes as far as router",
            "rule 1 of the chain FORWARD (table filter) drops it",
            "-p icmp -j DROP",
            "router$ iptables -nvL FORWARD",
        ],
        [("router", "iptables -F")],
    ),
    "rejected by a rule": (
        "two-networks",
        [("B", "iptables -A INPUT -p icmp -j REJECT")],
        "A",
        PING,
        ["comes as far as B", "rejects it (and tells the sender)", "chain INPUT"],
        [("B", "iptables -F")],
    ),
    "policy drop": (
        "two-networks",
        [("router", "iptables -P FORWARD DROP")],
        "A",
        PING,
        ["chain's policy is DROP", "FORWARD"],
        [("router", "iptables -P FORWARD ACCEPT")],
    ),
    "answer dropped": (
        "two-networks",
        [("A", "iptables -A INPUT -p icmp --icmp-type echo-reply -j DROP")],
        "A",
        PING,
        ["its answer comes as far as A", "rule 1 of the chain INPUT"],
        [("A", "iptables -F")],
    ),
    "ttl": (
        "two-networks",
        (),
        "A",
        "ping -c1 -W1 -t1 192.168.2.10",
        ["TTL is used up", "after 1 hop", "traceroute"],
        (),
    ),
    "routing loop": (
        "two-networks",
        [
            ("B", "sysctl -w net.ipv4.ip_forward=1"),
            ("router", "ip route add 10.9.9.0/24 via 192.168.2.10"),
            ("B", "sysctl -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0"),
        ],
        "A",
        "ping -c1 -W1 10.9.9.9",
        ["goes round in circles between router and B"],
        (),
    ),
    "rp_filter": (
        "two-networks",
        [
            ("router", "sysctl -w net.ipv4.conf.eth0.rp_filter=1"),
            ("A", "ip addr add 172.16.5.5/32 dev eth0"),
            ("A", "ping -c1 192.168.2.10"),
        ],
        "A",
        "ping -c1 -W1 -I 172.16.5.5 192.168.2.10",
        ["reverse path filter", "ip route get 172.16.5.5"],
        [("router", "ip route add 172.16.5.5 via 192.168.1.10"), ("B", "true")],
    ),
    "nobody listens": (
        "two-networks",
        (),
        "A",
        "nc -z -w1 192.168.2.10 81",
        ["arrives at B", "no program listens on TCP port 81", "B$ ss -tlnp"],
        (),
    ),
    "pings ignored": (
        "two-networks",
        [("B", "sysctl -w net.ipv4.icmp_echo_ignore_all=1")],
        "A",
        PING,
        ["told not to answer pings", "icmp_echo_ignore_all"],
        [("B", "sysctl -w net.ipv4.icmp_echo_ignore_all=0")],
    ),
    "too big": (
        "two-networks",
        [("router", "ip link set eth1 mtu 1000")],
        "A",
        "ping -c1 -W1 -M do -s 1200 192.168.2.10",
        ["larger than the MTU"],
        [("router", "ip link set eth1 mtu 1500"), ("A", "ip route flush cache")],
    ),
    "unreachable route": (
        "two-networks",
        [("A", "ip route add unreachable 192.168.2.0/24")],
        "A",
        PING,
        ["A sends nothing to 192.168.2.10", "unreachable 192.168.2.0/24", "forbids it"],
        [("A", "ip route del unreachable 192.168.2.0/24")],
    ),
    "different networks on one switch": (
        "switching",
        [
            ("A", "ip addr add 192.168.1.10/24 dev eth0; ip link set eth0 up"),
            ("B", "ip addr add 192.168.2.11/24 dev eth0; ip link set eth0 up"),
        ],
        "A",
        "ping -c1 -W1 192.168.2.11",
        ["on the same link as B:eth0", "not in each other's network"],
        [
            ("B", "ip addr flush dev eth0; ip addr add 192.168.2.11/16 dev eth0"),
            ("A", "ip addr flush dev eth0; ip addr add 192.168.1.10/16 dev eth0"),
        ],
    ),
    "the answer goes astray": (
        "bridge-nat",
        [
            (
                "host",
                "ip netns add blue; ip link add veth-blue netns blue type veth peer name veth-blue-br;"
                " ip link set veth-blue-br up; ip addr add 192.168.15.5/24 dev veth-blue-br;"
                " ip -n blue addr add 192.168.15.2/24 dev veth-blue; ip -n blue link set veth-blue up;"
                " ip -n blue route add default via 192.168.15.5; sysctl -w net.ipv4.ip_forward=1",
            ),
            ("host", "for i in 1 2 3 4 5; do ping -c1 -W1 192.168.1.1 && break; done"),
        ],
        "host",
        "ip netns exec blue ping -c1 -W1 192.168.1.1",
        ["answer goes astray", "gateway has no route of its own", "gateway$ ip route get 192.168.15.2", "MASQUERADE"],
        [("host", "iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE")],
    ),
    "a container on another bridge": (
        "docker",
        [
            (
                "host",
                "docker run -d --name web nginx && docker network create shop"
                " && docker run -d --network shop --name app busybox sleep 1000 && sleep 1",
            )
        ],
        "host",
        "docker exec app ping -c1 -W1 172.17.0.2",
        ["rule 1 of the chain PREROUTING (table raw) drops it", "-d 172.17.0.2/32 ! -i docker0 -j DROP"],
        (),
    ),
    "an answer to a private address": (
        "docker",
        [("host", "docker run -d --name web nginx"), ("host", "iptables -t nat -F POSTROUTING")],
        "host",
        "docker exec web ping -c1 -W1 8.8.8.8",
        ["internet has no route to 172.17.0.2", "translate the source address 172.17.0.2 (MASQUERADE)"],
        [("host", "iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE")],
    ),
    "an address that nobody has, beyond a host that does not forward": (
        "linux-router",
        [("A", "ip route add default via 192.168.1.6"), ("B", "ip route add default via 192.168.2.5")],
        "A",
        "ping -c1 -W1 10.9.9.9",
        ["does not forward packets", "No machine of this lab has the address 10.9.9.9", "is it the right one?"],
        (),
    ),
    "no such name": ("two-networks", (), "A", "ping -c1 nosuchname", ["name could not be looked up"], ()),
    "no such command": ("two-networks", (), "A", "pnig 1.2.3.4", ["sent no packet", "command not found"], ()),
}


@pytest.mark.parametrize("name", CASES)
def test_an_explanation_names_the_place_the_fact_and_what_mends_it(name):
    explain_and_mend(name, "emulated")


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_same_is_said_of_real_namespaces(name):
    explain_and_mend(name, "mininet")


def explain_and_mend(name: str, backend: str) -> None:
    """Break the lab, look whether the explanation says what it must, mend it and try again."""
    lab_name, breaking, machine, command, expected, mending = CASES[name]
    with Lab.load(lab_name, backend=backend) as lab:
        if backend == "mininet" and lab_name == "two-networks":  # the first second of a real bridge
            lab.run("A", "for i in 1 2 3 4 5; do ping -c1 -W1 192.168.2.10 && break; done")
            for machine_name in lab.machines:
                lab.run(machine_name, "ip neigh flush all")
        for where, line in breaking:
            done = lab.run(where, line)
            assert done.returncode == 0, done
        said = str(lab.explain(machine, command))
        for words in expected:
            assert words in said, f"{words!r} is not said in: {said}"
        assert said.count(". ") <= 6
        for where, line in mending:
            lab.run(where, line)
        if mending:
            done = lab.run(machine, command)
            assert done.returncode == 0, f"not mended: {done}"
