"""Labs broken in one way each: the explanation names the cause, what shows it and what mends it, on both kernels.

A row: what breaks the lab (machine, script), the command on A, words that must be said, and what mends it (tried:
afterwards the same command works). On real namespaces the whole explanation must be the same as the emulated kernel's.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kubenet_course.lab.lab import Lab

PING, PATIENT = "ping -c1 -W1 192.168.2.10", "ping -c1 -W5 192.168.2.10"
PING6 = "ping -c1 -W5 2001:db8:2::10"
IPV6 = (
    ("router", "ip -6 addr add 2001:db8:1::1/64 dev eth0 nodad; ip -6 addr add 2001:db8:2::1/64 dev eth1 nodad"),
    ("router", "sysctl -qw net.ipv6.conf.all.forwarding=1"),
    ("A", "ip -6 addr add 2001:db8:1::10/64 dev eth0 nodad; ip -6 route add default via 2001:db8:1::1"),
    ("B", "ip -6 addr add 2001:db8:2::10/64 dev eth0 nodad; ip -6 route add default via 2001:db8:2::1"),
)
NAME = "ping -c1 -W1 www.example.com"


class Row(NamedTuple):
    breaking: tuple[tuple[str, str], ...]
    command: str
    words: tuple[str, ...]
    mending: tuple[tuple[str, str], ...] = ()
    #: Tried on real namespaces, too: not what they lack (VLANs, a table of connections of one's own), nor what is like another.
    real: bool = True


CASES: dict[str, Row] = {
    "a wrong MAC address of the gateway": Row(
        (("A", "ip neigh replace 192.168.1.1 lladdr 02:00:00:00:00:99 nud permanent dev eth0"),), PING,
        ("comes as far as router, but the frame is for the MAC address 02:00:00:00:00:99", "A has a wrong entry",
         "A$ ip neigh show 192.168.1.1", "ip neigh del 192.168.1.1 dev eth0"),
        (("A", "ip neigh del 192.168.1.1 dev eth0"),),
    ),
    "a wrong MAC address on the router": Row(
        (("router", "ip neigh replace 192.168.2.10 lladdr 02:00:00:00:00:99 nud permanent dev eth1"),), PING,
        ("comes as far as B", "router has a wrong entry for its neighbour 192.168.2.10"),
        (("router", "ip neigh del 192.168.2.10 dev eth1"),),
    ),
    "one's own MAC address for the gateway's": Row(
        (("A", "ip neigh replace 192.168.1.1 lladdr $(cat /sys/class/net/eth0/address) nud permanent dev eth0"),), PING,
        ("comes as far as s1, but the frame is for the MAC address", "A has a wrong entry for its neighbour 192.168.1.1"),
        (("A", "ip neigh del 192.168.1.1 dev eth0"),), real=False,
    ),
    "isolated ports": Row(
        (("s1", "for p in s1-eth1 s1-eth2; do ip link set $p type bridge_slave isolated on; done"),), PATIENT,
        ("the question gets no further than s1", "s1$ bridge -d link show", "`isolated`"),
        (("s1", "for p in s1-eth1 s1-eth2; do ip link set $p type bridge_slave isolated off; done"),),
    ),
    "another VLAN": Row(
        (("s1", "ip link set s1 type bridge vlan_filtering 1; bridge vlan del dev s1-eth1 vid 1"),), PATIENT,
        ("the VLANs of the bridge's ports keep it out: it came in by s1-eth1", "s1$ bridge vlan show"),
        (("s1", "bridge vlan add dev s1-eth1 vid 1 pvid untagged"),), real=False,
    ),
    "a switch that is down": Row(
        (("s2", "ip link set s2 down"),), PATIENT, ("s2 is down", "`ip link set s2 up` on s2"), (("s2", "ip link set s2 up"),),
        real=False,
    ),
    "a switch's port that is down": Row(
        (("s2", "ip link set s2-eth2 down"),), PATIENT,
        ("B:eth0 has that address, but it has no carrier: the other end of its cable, s2:s2-eth2, is down",
         "`ip link set s2-eth2 up` on s2"),
        (("s2", "ip link set s2-eth2 up"),),
    ),
    "a router's interface that is down": Row(
        (("router", "ip link set eth1 down"),), PING,
        ("router has no route to 192.168.2.10. router:eth1 with 192.168.2.1/24 would lead there, but router:eth1 is down",
         "`ip link set eth1 up` on router"),
        (("router", "ip link set eth1 up"),),
    ),
    "ARP switched off": Row(
        (("B", "ip link set eth0 arp off"),), PATIENT,
        ("B:eth0 has that address and gets the question, but does not answer it", "arp_ignore", "ip link set eth0 arp on"),
        (("B", "ip link set eth0 arp on"),),
    ),
    "an address twice on one link": Row(
        (("B", "ip addr add 192.168.2.1/24 dev eth0"),), PATIENT,
        ("The question comes from 192.168.2.1, and B:eth0 has that address, too", "only one machine may have it"),
        (("B", "ip addr del 192.168.2.1/24 dev eth0"),),
    ),
    "the sender's address twice": Row(
        (("B", "ip addr add 192.168.1.10/32 dev lo"),), PING, ("B has the packet's source address 192.168.1.10 itself",),
        (("B", "ip addr del 192.168.1.10/32 dev lo"),),
    ),
    "MTUs that differ on one cable": Row(
        (("B", "ip link set eth0 mtu 1000"),), "ping -c1 -W1 -s 1200 192.168.2.10",
        ("larger than the MTU of B:eth0 (1000), which drops it without a word", "both ends of that cable"),
        (("B", "ip link set eth0 mtu 1500"),),
    ),
    "a black hole for large packets": Row(
        (("router", "ip link set eth1 mtu 1000; iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP"),),
        "ping -c1 -W1 -M do -s 1200 192.168.2.10",
        ("larger than the MTU", "The error message about it does not leave router: rule 1 of the chain OUTPUT"),
        (("router", "ip link set eth1 mtu 1500; iptables -F"),),
    ),
    "a black hole for large packets of IPv6": Row(
        (*IPV6, ("router", "ip link set eth1 mtu 1280; ip6tables -A OUTPUT -p icmpv6 --icmpv6-type packet-too-big -j DROP")),
        "ping -c1 -W1 -M do -s 1400 2001:db8:2::10",
        ("The error message about it does not leave router: rule 1 of the chain OUTPUT", "ip6tables"),
        (("router", "ip link set eth1 mtu 1500; ip6tables -F"),),
    ),
    "neighbour discovery forbidden": Row(
        (*IPV6, ("B", "ip6tables -P INPUT DROP; ip6tables -A INPUT -p icmpv6 --icmpv6-type echo-request -j ACCEPT")), PING6,
        ("router asks on eth1 who has 2001:db8:2::10", "The question comes as far as B, but no rule of the chain INPUT allows it"),
        (("B", "ip6tables -P INPUT ACCEPT"),),
    ),
    "a route of another table": Row(
        (("router", "ip rule add iif eth0 table 100 pref 100; ip route add unreachable default table 100"),), PING,
        ("router$ ip route show table all type unreachable", "`ip route del unreachable default table 100`"),
        (("router", "ip route del unreachable default table 100"),),
    ),
    "a route of another table of IPv6": Row(
        (*IPV6, ("router", "ip -6 rule add to 2001:db8:2::/64 table 66 pref 10; ip -6 route add blackhole default table 66")),
        PING6, ("`ip -6 route del blackhole default table 66`",), (("router", "ip -6 route del blackhole default table 66"),),
    ),
    "a black hole": Row(
        (("router", "ip route add blackhole 192.168.2.10"),), PING, ("`ip route del blackhole 192.168.2.10`",),
        (("router", "ip route del blackhole 192.168.2.10"),), real=False,
    ),
    "a rule that prohibits": Row(
        (("router", "ip rule add to 192.168.2.10 prohibit pref 50"),), PING,
        ("a rule of router's routing policy forbids the way", "router$ ip rule"), (("router", "ip rule del pref 50"),),
    ),
    "a rule that swallows": Row(
        (("router", "ip rule add to 192.168.2.10 blackhole pref 50"),), PING,
        ("a rule of router's routing policy forbids the way", "router$ ip rule"), (("router", "ip rule del pref 50"),),
        real=False,
    ),
    "one's own rule": Row(
        (("A", "ip rule add to 192.168.2.10 blackhole pref 50"),), PING,
        ("A sends nothing to 192.168.2.10: a rule of its routing policy", "A$ ip rule"), (("A", "ip rule del pref 50"),),
    ),
    "a rule that sets the TTL": Row(
        (("A", "iptables -t mangle -A POSTROUTING -j TTL --ttl-set 1"),), PING,
        ("a rule of A changes it", "A$ iptables -t mangle -nvL POSTROUTING"), (("A", "iptables -t mangle -F"),),
    ),
    "a table of connections that is full": Row(
        (("router", "iptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT; sysctl -qw net.netfilter.nf_conntrack_max=1"),
         ("A", "ping -c1 -W1 192.168.1.1")),
        PING, ("no rule of a chain does", "router$ sysctl net.netfilter.nf_conntrack_count"),
        (("router", "sysctl -qw net.netfilter.nf_conntrack_max=65536"),), real=False,
    ),
    "nft rejects": Row(
        (("router", "nft 'table ip f { chain c { type filter hook forward priority 0; icmp type echo-request reject; }; }'"),),
        PING, ("rule 1 of the chain c (table ip f) rejects it (and tells the sender)",), (("router", "nft delete table ip f"),),
        real=False,
    ),
    "a name server that nobody is": Row(
        (("A", "echo nameserver 192.168.2.99 > /etc/resolv.conf"),), NAME,
        ("The name server that A asks is 192.168.2.99", "No machine of this lab has the address 192.168.2.99",
         "Or at the `nameserver` lines in /etc/resolv.conf of A"), real=False,
    ),
    "a name server without a way": Row(
        (("A", "echo nameserver 10.9.9.9 > /etc/resolv.conf; ip route del default"),), NAME,
        ("The name server that A asks is 10.9.9.9. A has no route to 10.9.9.9",),
    ),
    "no name server": Row(
        (("A", "echo > /etc/resolv.conf"),), NAME,
        ("127.0.0.1, as where /etc/resolv.conf names none", "A$ cat /etc/resolv.conf"),
    ),
    "a name server that does not run": Row(
        (("A", "echo nameserver 192.168.2.10 > /etc/resolv.conf"),), "curl -s -m4 http://www.example.com/",
        ("The name server that A asks is 192.168.2.10", "no program listens on UDP port 53 there"),
    ),
}  # fmt: skip


def broken(name: str, backend: str) -> Lab:
    """The lab, in which A and B have met (a real bridge passes nothing on in its first second), and then broken."""
    lab = Lab.load("two-networks", backend=backend)
    met = lab.run("A", f"for i in 1 2 3 4 5 6 7 8 9 10; do {PING} && exit; done; exit 1")
    assert met.returncode == 0, met
    for machine in lab.machines:
        lab.run(machine, "ip neigh flush all")
    for machine, script in CASES[name].breaking:
        done = lab.run(machine, script)
        assert done.returncode == 0, done
    return lab


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_named_and_what_mends_it(name: str) -> None:
    row = CASES[name]
    with broken(name, "emulated") as lab:
        said = str(lab.explain("A", row.command))
        for words in row.words:
            assert words in said, f"{words!r} is not said in: {said}"
        for machine, script in row.mending:
            done = lab.run(machine, script)
            assert done.returncode == 0, done
        if row.mending:
            assert lab.explain("A", row.command).works


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, row in CASES.items() if row.real])
def test_real_namespaces_are_explained_in_the_same_words(name: str) -> None:
    command = CASES[name].command
    with broken(name, "emulated") as ours, broken(name, "mininet") as real:
        assert str(real.explain("A", command)) == str(ours.explain("A", command))


def test_a_name_that_the_server_does_not_have() -> None:
    with Lab.load("dns") as lab:
        said = str(lab.explain("client", "ping -c1 -W1 nosuch.example.com"))
    assert "the name server answers that it does not have it (Name or service not known)" in said
