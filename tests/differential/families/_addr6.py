"""IPv6 addresses, routes, rules and neighbours on one machine and a namespace, with the mistakes people make.

Not counted among the families yet: seeds 2, 14 and 18 differ (`ifconfig add` with a length that is too long, neighbours
where IPv6 is off, a link-local address on two devices).
"""

from tests.differential.grammar import Family

POOLS = {
    "dev": ["v0", "v1", "br0", "lo", "v0", "eth0"],
    "anydev": ["{dev}", "{dev}", "{dev}", "nope"],
    "inns": ["", "", "-n red "],
    "addr": ["fd00:1::1", "fd00:1::2", "fd00:1::3", "fd00:2::1", "2001:db8::5", "fe80::77", "::1", "ff02::5", "fd00:1:0:0:0:0:0:1"],
    "plen": ["64", "64", "64", "128", "48", "127", "129"],
    "prefix": ["fd00:9::/48", "default", "fd00:9:9::/64", "fd00:9::5", "fd00:1::/64", "2001:db8::/32", "::/0", "fd00:9::1/48"],
    "gw": ["fd00:1::2", "fd00:1::1", "fd00:1::9", "fe80::77", "fd00:2::1", "2001:db8::1"],
    "target": ["fd00:1::1", "fd00:1::2", "fd00:1::3", "fd00:9::5", "::1", "2001:db8::5", "fd00:2::1", "fd00:1::9"],
    "type": ["unreachable", "blackhole", "prohibit", "throw"],
    "updown": ["up", "up", "down"],
    "metric": ["", "", " metric 10", " metric 2048"],
    "intable": ["", "", " table 100"],
    "onoff": ["0", "1"],
    "flags": ["", "", " nodad", " noprefixroute", " valid_lft 100 preferred_lft 50", " preferred_lft 0", " home", " scope link"],
    "mac": ["02:00:00:00:00:0a", "02:00:00:00:00:0b"],
}  # fmt: skip

TEMPLATES = [
    (9, "ip {inns}-6 addr add {addr}/{plen} dev {anydev}{flags}; sleep 2.2"),
    (2, "ip addr add {addr} dev {dev} nodad"),
    (3, "ip {inns}-6 addr del {addr}/{plen} dev {dev}"),
    (1, "ip -6 addr replace {addr}/{plen} dev {dev} nodad"),
    (1, "ip -6 addr change {addr}/{plen} dev {dev} preferred_lft 0"),
    (1, "ip -6 addr flush dev {dev} scope global"),
    (1, "ip -6 addr add fd00:1::zz/64 dev {dev}"),
    (5, "ip {inns}-6 addr show {dev}"),
    (3, "ip {inns}-br -6 addr"),
    (1, "ip -6 addr show scope global"),
    (1, "ip -6 -o addr"),
    (1, "ip -6 addr show to fd00:1::/64"),
    (5, "ip {inns}-6 route add {prefix} via {gw}{intable}{metric}"),
    (3, "ip {inns}-6 route add {prefix} via {gw} dev {dev}{intable}"),
    (2, "ip -6 route add {prefix} dev {anydev}{metric}"),
    (2, "ip -6 route add {type} {prefix}{metric}"),
    (2, "ip -6 route replace {prefix} via {gw}"),
    (1, "ip -6 route change {prefix} via {gw} dev {dev}"),
    (1, "ip -6 route append {prefix} via {gw}"),
    (1, "ip -6 route add {prefix} via {gw} src {addr}"),
    (1, "ip -6 route add {prefix} via {gw} mtu 1400"),
    (1, "ip -6 route add fd00:7::/48 nexthop via {gw} dev v0 nexthop via {gw} dev v0 weight 3"),
    (3, "ip {inns}-6 route del {prefix}{intable}"),
    (1, "ip -6 route del {prefix} via {gw}"),
    (1, "ip -6 route flush dev {dev}"),
    (5, "ip {inns}-6 route"),
    (1, "ip -6 route show table all | grep -v ff00 | sort"),
    (1, "ip -6 route show {prefix}"),
    (1, "ip -6 route show table 100"),
    (4, "ip {inns}-6 route get {target}"),
    (1, "ip -6 route get {target} from {addr}"),
    (1, "ip -6 route get {target} oif {dev}"),
    (1, "ip -6 rule add from {addr} table 100"),
    (1, "ip -6 rule add to {prefix} lookup 100 pref 200"),
    (1, "ip -6 rule del from {addr} table 100"),
    (1, "ip -6 rule"),
    (1, "ip -6 neigh add {gw} lladdr {mac} dev {dev}"),
    (1, "ip -6 neigh del {gw} dev {dev}"),
    (1, "ip -6 neigh show nud permanent"),
    (1, "ip -6 neigh add proxy {gw} dev {dev}"),
    (2, "ip {inns}link set {dev} {updown}; sleep 2.5"),
    (1, "sysctl -w net.ipv6.conf.v0.disable_ipv6={onoff}; sleep 2.2"),
    (1, "sysctl -w net.ipv6.conf.all.forwarding={onoff}"),
    (6, "ping -6 -c 1 -W 2 {target}"),
    (3, "ip netns exec red ping -6 -c 1 -W 2 {target}"),
    (1, "ping -6 -c 1 -W 2 fe80::77%v0"),
    (1, "ping -6 -c 1 -W 2 fe80::77"),
    (1, "ping -6 -c 1 -W 2 -I {dev} {target}"),
    (1, "timeout 1.5 nc -6 -zv -w 9 {target} 80"),
    (1, "ifconfig {dev} add {addr}/{plen}"),
]  # fmt: skip

PRELUDE = (
    ("host", "ip netns add red; ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 netns red address 02:00:00:00:00:02; ip link set v0 up; ip -n red link set v1 up; ip -n red link set lo up; sleep 2.5"),
    ("host", "ip link add br0 address 02:00:00:00:00:10 type bridge; ip -6 addr add fd00:1::1/64 dev v0 nodad; ip -n red -6 addr add fd00:1::2/64 dev v1 nodad; ip -n red -6 addr add fe80::77/64 dev v1 nodad"),
)  # fmt: skip

FAMILY = Family("addr6", "single", ["host"], TEMPLATES, POOLS, PRELUDE)
