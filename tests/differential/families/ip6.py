"""IPv6: ip6tables, routes, pings across a router, errors."""

from tests.differential.grammar import Family

POOLS = {
    "target": ["fd00:1::1", "fd00:1::10", "fd00:2::1", "fd00:2::10", "fd00:9::1", "::1", "192.168.2.10"],
    "chain": ["INPUT", "FORWARD", "OUTPUT", "FORWARD", "WEB"],
    "net": ["fd00:1::/64", "fd00:2::10", "fd00:2::/64", "::/0", "fd00:1::10/128"],
    "verdict": ["ACCEPT", "DROP", "REJECT", "REJECT --reject-with {reject}", "WEB", "LOG"],
    "reject": ["icmp6-adm-prohibited", "icmp6-no-route", "icmp6-addr-unreachable", "icmp6-port-unreachable", "tcp-reset", "icmp-port-unreachable"],
    "match": ["-p icmpv6", "-p ipv6-icmp --icmpv6-type echo-request", "-p tcp --dport 80", "-p tcp", "-p udp", "-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "-m hl --hl-lt 64", "-m hl --hl-eq 64", "", "-i eth0", "-o eth1", "-p tcp -m multiport --dports 80,81"],
    "number": ["1", "2", "9"],
    "port": ["80", "81"],
    "onoff": ["0", "1", "1"],
    "gw": ["fd00:1::1", "fd00:2::1", "fd00:1::99"],
}  # fmt: skip

TEMPLATES = [
    (6, "router:: ip6tables -A {chain} -s {net} {match} -j {verdict}"),
    (4, "router:: ip6tables -A {chain} {match} -j {verdict}"),
    (2, "ip6tables -A {chain} {match} -j {verdict}"),
    (2, "router:: ip6tables -I {chain} {number} -d {net} -j {verdict}"),
    (2, "router:: ip6tables -D {chain} {number}"),
    (1, "router:: ip6tables -N WEB"),
    (1, "router:: ip6tables -F {chain}"),
    (1, "router:: ip6tables -t nat -A PREROUTING -p tcp --dport 81 -j DNAT --to-destination [fd00:2::10]:80"),
    (1, "router:: ip6tables -t nat -A POSTROUTING -o eth1 -j MASQUERADE"),
    (1, "router:: ip6tables -t nat -A PREROUTING -d fd00:9::1 -j DNAT --to-destination fd00:2::10"),
    (1, "router:: ip6tables -t nat -F"),
    (1, "router:: ip6tables -t mangle -A FORWARD -j HL --hl-set 1"),
    (1, "router:: ip6tables -t mangle -F"),
    (3, "router:: ip6tables -S"),
    (3, "router:: ip6tables -nvL"),
    (1, "router:: ip6tables -t nat -nvL"),
    (2, "router:: ip6tables-save -c"),
    (1, "router:: ip6tables-save > /tmp/r; ip6tables-restore < /tmp/r; echo $?"),
    (1, "router:: ip6tables -A INPUT -s 10.0.0.1 -j DROP"),
    (1, "router:: ip6tables -A INPUT -p icmp -j DROP"),
    (1, "router:: ip6tables -A INPUT -p icmpv6 --icmpv6-type nope -j DROP"),
    (1, "router:: iptables -A INPUT -s fd00::1 -j DROP"),
    (1, "router:: sysctl -w net.ipv6.conf.all.forwarding={onoff}"),
    (8, "ping -c 1 -W 1 {target}"),
    (1, "ping -c 1 -W 1 -t 1 {target}"),
    (1, "ping -c 1 -W 1 -s 2000 {target}"),
    (2, "timeout 1.5 nc -zv -w 9 fd00:2::10 {port}"),
    (2, "timeout 1.5 nc -zv -w 9 fd00:1::1 {port}"),
    (1, "A:: ip -6 route replace default via {gw}"),
    (1, "ip -6 route get {target}"),
    (1, "ip -6 route show default"),
    (1, "router:: ip -6 route add unreachable fd00:9::/32"),
    (1, "router:: ip -6 route del unreachable fd00:9::/32"),
    (1, "router:: conntrack -F; conntrack -C"),
    (1, "router:: conntrack -F >/dev/null 2>&1; sleep 0.1; conntrack -L -f ipv6 -p tcp"),
]  # fmt: skip

PRELUDE = (
    ("router", "sysctl -qw net.ipv6.conf.all.forwarding=1; ip -6 addr add fd00:1::1/64 dev eth0 nodad; ip -6 addr add fd00:2::1/64 dev eth1 nodad"),
    ("A", "ip -6 addr add fd00:1::10/64 dev eth0 nodad; ip -6 route add default via fd00:1::1; nc -6 -lk 80 </dev/null >/dev/null 2>&1 & sleep 0.2"),
    ("B", "ip -6 addr add fd00:2::10/64 dev eth0 nodad; ip -6 route add default via fd00:2::1; nc -6 -lk 80 </dev/null >/dev/null 2>&1 & sleep 2.5"),
)  # fmt: skip

FAMILY = Family("ip6", "two-networks", ["A", "A", "B"], TEMPLATES, POOLS, PRELUDE)
