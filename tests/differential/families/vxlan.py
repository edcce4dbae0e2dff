"""VXLAN between two hosts with a router in between: learning, static entries, MTU, a wrong VNI or port."""

from tests.differential.grammar import Family

POOLS = {
    "here": ["192.168.1.10", "192.168.2.10"],
    "vni": ["42", "42", "42", "43"],
    "mac": ["02:66:00:00:00:01", "02:66:00:00:00:02", "00:00:00:00:00:00", "02:66:00:00:00:99"],
    "overlay": ["10.66.0.1", "10.66.0.2", "10.66.0.9", "10.66.0.1", "10.66.0.2"],
    "updown": ["up", "up", "down"],
    "size": ["56", "1400", "1422", "1423", "2000"],
    "onoff": ["0", "1"],
}  # fmt: skip

MAKE = {"A": ("192.168.1.10", "192.168.2.10", "1"), "B": ("192.168.2.10", "192.168.1.10", "2")}
KINDS = ("id 42 remote {far} dstport 4789", "id {{vni}} local {near} remote {far} dstport 4789 dev eth0", "id 42 local {near} dstport 4789 nolearning", "id 42 remote {far} dstport 8472", "id 42 remote {far} dstport 4789 ttl 1", "id 42 dstport 4789 local {near} l2miss l3miss proxy", "id 42 remote {far} dstport 4789 df set")  # fmt: skip


def _make(machine: str, kind: str) -> str:
    near, far, number = MAKE[machine]
    options = kind.format(near=near, far=far)
    return (
        f"{machine}:: ip link del vx0 2>/dev/null; ip link add vx0 address 02:66:00:00:00:0{number} type vxlan {options} && "
        f"ip addr add 10.66.0.{number}/24 dev vx0; ip link set vx0 up; sleep 0.2"
    )


TEMPLATES = [
    *[(0.5, _make(machine, kind)) for machine in "AB" for kind in KINDS],
    (2, "A:: bridge fdb append {mac} dev vx0 dst 192.168.2.10"),
    (2, "B:: bridge fdb append {mac} dev vx0 dst 192.168.1.10"),
    (1, "bridge fdb add {mac} dev vx0 dst 192.168.2.10 port 8472"),
    (1, "bridge fdb add {mac} dev vx0"),
    (1, "bridge fdb replace {mac} dev vx0 dst {here} vni {vni}"),
    (2, "bridge fdb del {mac} dev vx0"),
    (1, "bridge fdb del {mac} dev vx0 dst {here}"),
    (1, "bridge fdb append {mac} dev vx0 dst 300.1.1.1"),
    (4, "bridge fdb show dev vx0"),
    (10, "ping -c 1 -W 1 {overlay}"),
    (3, "ping -c 1 -W 1 -s {size} {overlay}"),
    (2, "ping -c 2 -i 0.2 -W 1 -s {size} -M do {overlay}"),
    (2, "ping -c 1 -W 1 {here}"),
    (1, "ip link set vx0 {updown}"),
    (1, "ip link set vx0 mtu 1400"),
    (1, "router:: ip link set eth0 mtu 1400"),
    (1, "router:: ip link set eth0 mtu 1500"),
    (1, "router:: iptables -A FORWARD -p udp --dport 4789 -j DROP"),
    (1, "router:: iptables -A FORWARD -p udp --dport 4789 -j ACCEPT"),
    (1, "router:: iptables -F"),
    (1, "router:: iptables -nvL FORWARD"),
    (2, "ip -d link show vx0"),
    (1, "ip -br addr"),
    (1, "ip neigh show dev vx0"),
    (1, "ip neigh replace 10.66.0.2 lladdr 02:66:00:00:00:02 dev vx0 nud permanent"),
    (1, "ip neigh flush dev vx0"),
    (1, "ip link set vx0 type vxlan id {vni}"),
    (1, "ip link add vx1 type vxlan id 42 dstport 4789"),
    (1, "ip link add vx1 type vxlan dstport 4789"),
    (1, "ip link add vx1 type vxlan id 99999999 dstport 4789"),
    (1, "ip link add vx1 type vxlan id 50 remote 224.1.1.1 dstport 4789"),
    (1, "ip link del vx1"),
    (1, "timeout 1.5 nc -zv -w 9 {overlay} 80"),
    (1, "ss -uln"),
]  # fmt: skip

PRELUDE = (("A", "sysctl -qw net.ipv6.conf.default.disable_ipv6=1; nc -lk 80 </dev/null >/dev/null 2>&1 & ip route add unreachable 10.66.0.0/16; ping -c 1 -W 2 192.168.2.10 >/dev/null"), ("B", "sysctl -qw net.ipv6.conf.default.disable_ipv6=1; nc -lk 80 </dev/null >/dev/null 2>&1 & ip route add unreachable 10.66.0.0/16; sleep 0.3"))

FAMILY = Family("vxlan", "two-networks", ["A", "B"], TEMPLATES, POOLS, PRELUDE)
