"""What goes wrong on the way: links down, routes gone, TTL, MTU and path MTU, filters on either side."""

from tests.differential.grammar import Family

POOLS = {
    "target": ["192.168.2.10", "192.168.2.1", "192.168.1.1", "192.168.1.10", "192.168.2.77"],
    "size": ["1372", "1373", "1472", "1473", "2000", "56", "1272"],
    "mtu": ["1400", "1500", "1300", "1280", "576", "1400"],
    "rdev": ["eth0", "eth1"],
    "updown": ["up", "up", "down"],
    "onoff": ["0", "1"],
    "ttl": ["1", "2", "3"],
    "net": ["192.168.2.0/24", "192.168.1.0/24", "default", "10.9.0.0/16"],
    "kind": ["unreachable", "prohibit", "blackhole", "throw"],
    "port": ["80", "81"],
}  # fmt: skip

TEMPLATES = [
    (8, "ping -c 1 -W 1 {target}"),
    (5, "ping -c 1 -W 1 -s {size} {target}"),
    (5, "ping -c 2 -i 0.2 -W 1 -s {size} -M do {target}"),
    (1, "ping -c 1 -W 1 -s {size} -M dont {target}"),
    (2, "ping -c 1 -W 1 -t {ttl} {target}"),
    (2, "traceroute -n -q 1 -w 1 -m 4 {target}"),
    (1, "traceroute -n -T -p 80 -q 1 -w 1 -m 4 192.168.2.10"),
    (1, "traceroute -n -I -q 1 -w 1 -m 4 {target}"),
    (3, "timeout 1.5 nc -zv -w 9 192.168.2.10 {port}"),
    (1, "A:: curl -sS -m 2.5 http://192.168.2.10/ -i | head -1"),
    (1, "A:: nc -zuv -w 1 192.168.2.10 5353"),
    (3, "router:: ip link set {rdev} mtu {mtu}"),
    (1, "ip link set eth0 mtu {mtu}"),
    (1, "router:: ip link set {rdev} {updown}; sleep 1.2"),
    (1, "s1:: ip link set s1-eth1 {updown}; sleep 1.2"),
    (1, "s1:: ip link set s1 mtu {mtu}"),
    (1, "ip link set eth0 down; sleep 0.2; ip link set eth0 up; sleep 1.2; ip route add default via 192.168.{n}.1"),
    (2, "ip route del {net}"),
    (1, "ip route add default via 192.168.{n}.1"),
    (1, "router:: ip route add {kind} 10.9.0.0/16"),
    (1, "router:: ip route del 10.9.0.0/16"),
    (1, "router:: sysctl -w net.ipv4.ip_forward={onoff}"),
    (1, "router:: iptables -A FORWARD -p icmp -j {drop}"),
    (1, "router:: iptables -A FORWARD -p tcp --dport 80 -j {drop}"),
    (1, "router:: iptables -A OUTPUT -p icmp --icmp-type 3 -j DROP"),
    (1, "B:: iptables -A INPUT -p tcp --dport 80 -j {drop}"),
    (2, "router:: iptables -F"),
    (1, "B:: iptables -F"),
    (1, "router:: iptables -nvL"),
    (2, "ip route get {target}"),
    (2, "ping -c 1 -W 1 10.9.9.9; sleep 1"),
    (1, "ip route flush cache"),
    (1, "ip route"),
    (1, "ip route replace 192.168.{n}.0/24 via 192.168.1.1 mtu 1000"),
    (1, "ip -br addr"),
    (1, "ip -br link"),
    (1, "router:: ip -br link"),
    (1, "ip neigh flush all"),
    (1, "B:: sysctl -w net.ipv4.icmp_echo_ignore_all={onoff}"),
    (1, "router:: sysctl -w net.ipv4.conf.all.rp_filter={onoff}"),
]  # fmt: skip

POOLS["n"] = ["1", "2"]
POOLS["drop"] = ["DROP", "REJECT", "REJECT --reject-with icmp-net-prohibited", "REJECT --reject-with icmp-host-unreachable", "ACCEPT"]

PRELUDE = (
    ("router", "sysctl -qw net.ipv4.icmp_ratelimit=0"),
    ("B", "mkdir -p /tmp/w; echo hello > /tmp/w/index.html; cd /tmp/w; python3 -m http.server 80 >/dev/null 2>&1 & until ss -tln | grep -q :80; do sleep 0.1; done"),
    ("A", "ping -c 1 -W 2 192.168.2.10 >/dev/null"),
)  # fmt: skip

FAMILY = Family("failures", "two-networks", ["A", "A", "B"], TEMPLATES, POOLS, PRELUDE)
