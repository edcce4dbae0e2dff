"""What is captured on both kernels: (host to listen on, its device, what counts, what is done).

Steps are (host, command); a number lets so many seconds pass. `kind` is 4 (IPv4 and ARP), 6 (ICMPv6
and UDP without the periodic reports and solicitations) or "link" (everything, as a set).
"""

from __future__ import annotations

from typing import NamedTuple

Step = tuple[str, str] | float


class Scenario(NamedTuple):
    host: str
    device: str
    kind: int | str
    steps: list[Step]


SCENARIOS: dict[str, Scenario] = {
    "arp and ping": Scenario("a", "eth0", 4, [("a", "ping -c 2 -i 0.2 10.0.1.1")]),
    "routed ping": Scenario("b", "eth0", 4, [("a", "ping -c 1 10.0.2.2")]),
    "tos and ttl exceeded": Scenario(
        "a", "eth0", 4, [("a", "ping -c 1 -t 1 -Q 0x10 10.0.2.2"), ("a", "ping -c 1 -t 1 -Q 0xfc 10.0.2.2")]
    ),
    "no route": Scenario("a", "eth0", 4, [("a", "ping -c 1 10.0.9.9")]),
    "host unreachable": Scenario("a", "eth0", 4, [("a", "ping -c 1 10.0.2.99")]),
    "unresolved neighbour of the sender": Scenario("a", "eth0", 4, [("a", "ping -c 1 10.0.1.99")]),
    "error routes": Scenario(
        "a",
        "eth0",
        4,
        [
            ("r", "ip route add unreachable 10.7.0.0/16; ip route add prohibit 10.8.0.0/16"),
            ("r", "ip route add blackhole 10.9.0.0/16; ip route add throw 10.10.0.0/16"),
            *[("a", f"ping -c 1 -W 0.3 10.{net}.0.1") for net in (7, 8, 9, 10)],
        ],
    ),
    "port unreachable": Scenario("a", "eth0", 4, [("a", "traceroute -n -q 1 -m 3 -N 1 10.0.2.2")]),
    "protocol unreachable and closed port": Scenario(
        "a", "eth0", 4, [("a", "traceroute -n -I -q 1 -m 2 10.0.2.2")]
    ),
    "fragments": Scenario("a", "eth0", 4, [("a", "ping -c 1 -s 3000 10.0.2.2")]),
    "do not fragment": Scenario(
        "a",
        "eth0",
        4,
        [
            ("r", "ip link set eth1 mtu 1300"),
            ("a", "ping -c 1 -s 1400 -M do 10.0.2.2"),
            ("a", "ping -c 1 -W 0.3 -s 1400 10.0.2.2"),
            ("a", "ping -c 1 -W 0.3 -s 1400 -M dont 10.0.2.2"),
        ],
    ),
    "fragmented on the way": Scenario(
        "b",
        "eth0",
        4,
        [("r", "ip link set eth1 mtu 1300"), ("a", "ping -c 1 -W 0.3 -s 1400 -M dont 10.0.2.2")],
    ),
    "redirect": Scenario(
        "a",
        "eth0",
        4,
        [
            ("r", "ip addr add 10.0.1.9/24 dev eth0; ip route add 10.3.0.0/16 via 10.0.1.77"),
            ("r", "ip neigh add 10.0.1.77 lladdr 02:00:00:00:01:77 dev eth0"),
            ("a", "ping -c 2 -i 0.3 -W 0.3 10.3.0.9"),
        ],
    ),
    "broadcast and multicast ping": Scenario(
        "a",
        "eth0",
        4,
        [
            ("a", "ping -c 1 -W 0.3 -b 10.0.1.255"),
            ("a", "ping -c 1 -W 0.3 224.0.0.1"),
            ("r", "sysctl -qw net.ipv4.icmp_echo_ignore_broadcasts=0"),
            ("a", "ping -c 1 -W 0.3 -b 10.0.1.255"),
            ("a", "ping -c 1 -W 0.3 224.0.0.1"),
        ],
    ),
    "arping": Scenario(
        "a",
        "eth0",
        4,
        [
            ("a", "arping -c 1 -I eth0 10.0.1.1"),
            ("a", "arping -D -c 1 -I eth0 10.0.1.1"),
            ("a", "arping -U -c 1 -I eth0 10.0.1.2"),
            ("a", "arping -A -c 1 -I eth0 10.0.1.2"),
        ],
    ),
    "arp for another interface's address": Scenario(
        "a",
        "eth0",
        4,
        [
            ("a", "ip route add 10.0.2.1/32 dev eth0; ping -c 1 -W 0.3 10.0.2.1"),
            ("r", "sysctl -qw net.ipv4.conf.all.arp_ignore=1"),
            ("a", "ip neigh flush all; ping -c 1 -W 0.3 10.0.2.1"),
        ],
    ),
    "proxy arp": Scenario(
        "a",
        "eth0",
        4,
        [
            ("r", "sysctl -qw net.ipv4.conf.eth0.proxy_arp=1"),
            ("a", "ip route add 10.0.2.0/24 dev eth0; ping -c 1 -W 2 10.0.2.2"),
        ],
    ),
    "reverse path filter": Scenario(
        "b",
        "eth0",
        4,
        [
            ("r", "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1"),
            ("a", "ip addr add 10.5.5.5/32 dev lo"),
            ("a", "ping -c 1 -W 0.3 -I 10.5.5.5 10.0.2.2"),
            ("r", "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0"),
            ("a", "ping -c 1 -W 0.3 -I 10.5.5.5 10.0.2.2"),
        ],
    ),
    "forwarding off": Scenario(
        "a", "eth0", 4, [("r", "sysctl -qw net.ipv4.ip_forward=0"), ("a", "ping -c 1 -W 0.3 10.0.2.2")]
    ),
    "rate limit": Scenario("a", "eth0", 4, [("a", "ping -c 10 -i 0.01 -W 0.3 10.0.9.9")]),
    "ping over IPv6": Scenario("a", "eth0", 6, [("a", "ping -c 2 -i 0.2 fd00:1::1")]),
    "routed ping over IPv6": Scenario("b", "eth0", 6, [("a", "ping -c 1 fd00:2::2")]),
    "IPv6 errors": Scenario(
        "a",
        "eth0",
        6,
        [
            ("a", "ping -c 1 -t 1 -Q 0x10 fd00:2::2"),
            ("a", "ping -c 1 fd00:9::9"),
            ("a", "traceroute -n -q 1 -m 2 -N 1 fd00:2::2"),
        ],
    ),
    "IPv6 neighbour of the router unreachable": Scenario("a", "eth0", 6, [("a", "ping -c 1 fd00:2::99")]),
    "IPv6 neighbour unreachable": Scenario("a", "eth0", 6, [("a", "ping -c 1 fd00:1::99")]),
    "IPv6 error routes": Scenario(
        "a",
        "eth0",
        6,
        [
            ("r", "ip -6 route add unreachable fd00:7::/32; ip -6 route add prohibit fd00:8::/32"),
            ("r", "ip -6 route add blackhole fd00:a::/32; ip -6 route add throw fd00:b::/32"),
            *[("a", f"ping -c 1 -W 0.3 fd00:{net}::1") for net in "78ab"],
        ],
    ),
    "IPv6 packet too big": Scenario(
        "a",
        "eth0",
        6,
        [
            ("r", "ip link set eth1 mtu 1300"),
            ("a", "ping -c 2 -i 0.2 -W 0.3 -s 1400 fd00:2::2"),
            ("a", "ping -c 1 -s 3000 fd00:1::1"),
        ],
    ),
    "IPv6 redirect": Scenario(
        "a",
        "eth0",
        6,
        [
            ("r", "ip -6 route add fd00:3::/32 via fe80::77 dev eth0"),
            ("r", "ip -6 neigh add fe80::77 lladdr 02:00:00:00:01:77 dev eth0"),
            ("a", "ping -c 2 -i 0.3 -W 0.3 fd00:3::9"),
        ],
    ),
    "all nodes": Scenario("a", "eth0", 6, [("a", "ping -c 1 -W 0.3 ff02::1%eth0"), 0.3]),
    "duplicate address": Scenario("r", "eth0", 6, [("a", "ip -6 addr add fd00:1::1/64 dev eth0"), 2.2]),
    "IPv6 proxy": Scenario(
        "a",
        "eth0",
        6,
        [
            ("r", "sysctl -qw net.ipv6.conf.eth0.proxy_ndp=1; ip -6 neigh add proxy fd00:2::2 dev eth0"),
            ("a", "ip -6 route add fd00:2::2/128 dev eth0; ping -c 1 -W 2 fd00:2::2"),
        ],
    ),
    "link up": Scenario(
        "b", "eth0", "link", [("b", "ip link set eth0 down"), 0.5, ("b", "ip link set eth0 up"), 5.0]
    ),
}
