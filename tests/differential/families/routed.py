"""Several machines: routes, pings across routers, failures on the way, switches.

After a link has been set up or down a script waits: the kernel tells the other end's change of carrier
up to a second later where both ends happen to have the same index (linkwatch_urgent_event()).
"""

from tests.differential.grammar import Family

POOLS = {
    "net": ["192.168.1.0/24", "192.168.2.0/24", "203.0.113.0/24", "8.8.8.8/32", "default", "192.168.2.10/32", "192.168.0.0/16"],
    "gw": ["192.168.1.1", "192.168.2.1", "203.0.113.1", "192.168.1.11", "192.168.2.11", "192.168.1.99"],
    "target": ["192.168.1.10", "192.168.1.11", "192.168.2.10", "192.168.2.11", "192.168.1.1", "192.168.2.1", "8.8.8.8", "203.0.113.1", "192.168.2.77"],
    "updown": ["up", "up", "down"],
    "rdev": ["eth0", "eth1", "eth2"],
    "host": ["A", "B", "C", "D"],
    "onoff": ["0", "1", "1"],
}  # fmt: skip

TEMPLATES = [
    (5, "ip route add {net} via {gw}"),
    (2, "ip route del {net}"),
    (2, "ip route replace {net} via {gw}"),
    (1, "ip route add unreachable {net}"),
    (1, "ip route add blackhole {net}"),
    (3, "ip route"),
    (2, "ip route get {target}"),
    (8, "ping -c 1 -W 1 {target}"),
    (1, "ping -c 1 -W 1 -t 1 {target}"),
    (1, "ping -c 1 -W 1 -s 1472 -M do {target}"),
    (1, "ping -c 2 -i 0.2 -W 1 {target}"),
    (1, "traceroute -n -q 1 -w 1 -m 4 {target}"),
    (1, "A:: ip link set eth0 {updown}; sleep 1.2"),
    (1, "router:: ip link set {rdev} {updown}; sleep 1.2"),
    (1, "router:: sysctl -w net.ipv4.ip_forward={onoff}"),
    (1, "router:: sysctl -w net.ipv4.conf.{rdev}.forwarding={onoff}"),
    (1, "router:: ip route"),
    (1, "router:: ip link set {rdev} mtu 1300"),
    (1, "router:: ip route add {net} via {gw}"),
    (1, "router:: ip route add prohibit {target}/32"),
    (1, "s1:: ip link set s1-eth1 {updown}; sleep 1.2"),
    (1, "s1:: bridge link"),
    (1, "ip -br addr"),
    (1, "ip addr"),
    (1, "sysctl net.ipv4.ip_forward"),
]

FAMILY = Family("routed", "routing", ["A", "B", "C", "D"], TEMPLATES, POOLS)
