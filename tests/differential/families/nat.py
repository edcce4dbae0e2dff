"""NAT, filtering and connections: a host between its namespaces and a LAN, rules added and taken away."""

from tests.differential.grammar import Family

POOLS = {
    "target": ["192.168.1.1", "192.168.1.3", "8.8.8.8", "192.168.15.2", "192.168.15.5", "192.168.1.2", "127.0.0.1"],
    "net": ["192.168.15.0/24", "192.168.15.2", "192.168.1.0/24", "192.168.1.3/32", "8.8.8.8/32"],
    "chain": ["INPUT", "FORWARD", "OUTPUT", "WEB", "FORWARD", "NOPE"],
    "natchain": ["PREROUTING", "POSTROUTING", "OUTPUT", "INPUT"],
    "verdict": ["ACCEPT", "DROP", "REJECT", "RETURN", "LOG", "WEB"],
    "proto": ["-p icmp", "-p tcp --dport 80", "-p udp --dport 53", "-p tcp -m multiport --dports 80,443", "-m conntrack --ctstate NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", ""],
    "number": ["1", "2", "3", "9"],
    "port": ["80", "81"],
}  # fmt: skip

TEMPLATES = [
    (3, "iptables -A {chain} {proto} -s {net} -j {verdict}"),
    (3, "iptables -A {chain} {proto} -j {verdict}"),
    (2, "iptables -I {chain} -d {net} -j {verdict}"),
    (1, "iptables -A FORWARD ! -s {net} {proto} -j {verdict}"),
    (2, "iptables -D {chain} {number}"),
    (1, "iptables -D {chain} {proto} -j {verdict}"),
    (1, "iptables -C {chain} {proto} -j {verdict}"),
    (1, "iptables -R {chain} {number} {proto} -j ACCEPT"),
    (1, "iptables -N WEB"),
    (1, "iptables -X WEB"),
    (1, "iptables -F {chain}"),
    (1, "iptables -P FORWARD {verdict}"),
    (1, "iptables -Z"),
    (2, "iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE"),
    (1, "iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -o eth0 -j SNAT --to-source 192.168.1.2"),
    (1, "iptables -t nat -A PREROUTING -p tcp --dport {port} -j DNAT --to-destination 192.168.15.2:80"),
    (1, "iptables -t nat -A OUTPUT -d 9.9.9.9 -j DNAT --to-destination {target}"),
    (1, "iptables -t nat -A {natchain} -p tcp --dport 80 -j REDIRECT --to-ports 8080"),
    (1, "iptables -t nat -F"),
    (1, "iptables -t nat -D {natchain} {number}"),
    (3, "iptables -S"),
    (3, "iptables -nvL"),
    (2, "iptables -t nat -nvL"),
    (1, "iptables -nL --line-numbers"),
    (2, "iptables-save"),
    (1, "iptables-save -c -t nat"),
    (1, "iptables-save > /tmp/r; iptables-restore < /tmp/r; echo $?"),
    (4, "ping -c 1 -W 1 {target}"),
    (4, "ip netns exec blue ping -c 1 -W 1 {target}"),
    (1, "ping -c 1 -W 1 9.9.9.9"),
    (2, "laptop:: ping -c 1 -W 1 192.168.1.2"),
    (2, "laptop:: timeout 1.5 nc -zv -w 9 192.168.1.2 {port}"),
    (2, "ip netns exec blue timeout 1.5 nc -zv -w 9 {target} {port}"),
    (1, "timeout 1.5 nc -zv -w 9 192.168.15.2 {port}"),
    (1, "conntrack -F"),
    (1, "conntrack -C"),
    (1, "conntrack -L -p icmp"),
    (1, "sysctl -w net.ipv4.ip_forward=1"),
    (1, "ip netns exec blue ip route replace default via 192.168.15.5"),
    (1, "iptables -A INPUT --dport 80 -j ACCEPT"),
    (1, "iptables -A INPUT -m frob -j ACCEPT"),
    (1, "iptables -t nat -A PREROUTING --dport 80 --to-destination 192.168.15.2:80 -j DNAT"),
    (1, "iptables -L NOPE"),
    (1, "iptables -A INPUT -s 300.1.1.1 -j DROP"),
]

PRELUDE = (
    ("host", "ip netns add blue; ip link add v-net-0 type bridge; ip link set v-net-0 up; ip addr add 192.168.15.5/24 dev v-net-0"),
    ("host", "ip link add veth-blue netns blue type veth peer name veth-blue-br; ip link set veth-blue-br master v-net-0 up"),
    ("host", "ip -n blue addr add 192.168.15.2/24 dev veth-blue; ip -n blue link set veth-blue up; ip -n blue link set lo up"),
    ("host", "ip -n blue route add default via 192.168.15.5; sysctl -qw net.ipv4.ip_forward=1; sleep 2"),
)

FAMILY = Family("nat", "bridge-nat", ["host"], TEMPLATES, POOLS, PRELUDE)
