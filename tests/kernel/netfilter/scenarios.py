"""What is captured on both kernels where a router filters and translates (see tests/kernel/inet/scenarios.py).

Of a TCP connection all is compared up to the first FIN: who is first to close the other half is a matter of chance.
"""

from __future__ import annotations

from tests.kernel.inet.scenarios import Scenario, Step

MASQUERADE = ("r", "iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE")
TRACKED = ("r", "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP")
SERVER = ("b", "nc -lk 80 </dev/null >/dev/null 2>&1 & until ss -Htln | grep -q ':80 '; do sleep 0.1; done")
PING = ("a", "ping -c 1 -W 0.5 10.0.2.2")


def _forward(to: str, port: int = 8080, protocol: str = "tcp") -> Step:
    return ("r", f"iptables -t nat -A PREROUTING -d 10.0.1.1 -p {protocol} --dport {port} -j DNAT --to-destination {to}")


def _reject(kind: str, protocol: str = "icmp") -> Step:
    return ("r", f"iptables -A FORWARD -i eth0 -p {protocol} -j REJECT --reject-with {kind}")


SCENARIOS: dict[str, Scenario] = {
    "masquerade, outside": Scenario("b", "eth0", 4, [MASQUERADE, PING]),
    "masquerade, inside": Scenario("a", "eth0", 4, [MASQUERADE, PING]),
    "masqueraded TCP, outside": Scenario("b", "eth0", 4, [MASQUERADE, SERVER, ("a", "nc -z 10.0.2.2 80")]),
    "SNAT to another address": Scenario(
        "b",
        "eth0",
        4,
        [
            ("r", "ip addr add 10.0.2.50/24 dev eth1; iptables -t nat -A POSTROUTING -o eth1 -j SNAT --to-source 10.0.2.50"),
            PING,
        ],
    ),
    "DNAT, inside": Scenario("b", "eth0", 4, [_forward("10.0.2.2:80"), SERVER, ("a", "nc -z 10.0.1.1 8080")]),
    "DNAT, outside": Scenario("a", "eth0", 4, [_forward("10.0.2.2:80"), SERVER, ("a", "nc -z 10.0.1.1 8080")]),
    "DNAT to a closed port": Scenario("a", "eth0", 4, [_forward("10.0.2.2:81"), ("a", "nc -z 10.0.1.1 8080")]),
    "DNAT to nobody": Scenario("a", "eth0", 4, [_forward("10.0.2.77:80"), ("a", "timeout 2.5 nc -z 10.0.1.1 8080"), 1.2]),
    "DNAT of UDP to a closed port": Scenario(
        "a", "eth0", 4, [_forward("10.0.2.2:99", 5353, "udp"), ("a", "echo x | nc -u -w 1 10.0.1.1 5353")]
    ),
    "ICMP error through SNAT": Scenario("a", "eth0", 4, [MASQUERADE, ("a", "echo x | nc -u -w 1 10.0.2.2 99")]),
    "ICMP error through SNAT, outside": Scenario("b", "eth0", 4, [MASQUERADE, ("a", "echo x | nc -u -w 1 10.0.2.2 99")]),
    "time exceeded at a router that translates": Scenario("a", "eth0", 4, [MASQUERADE, ("a", "ping -c 1 -W 0.5 -t 1 10.0.2.2")]),
    "path MTU through NAT": Scenario(
        "a", "eth0", 4, [MASQUERADE, ("r", "ip link set eth1 mtu 1300"), ("a", "ping -c 2 -i 0.3 -W 0.5 -s 1400 -M do 10.0.2.2")]
    ),
    "fragments that are tracked": Scenario("b", "eth0", 4, [TRACKED, ("a", "ping -c 1 -W 0.5 -s 3000 10.0.2.2")]),
    "fragments that are translated": Scenario("b", "eth0", 4, [MASQUERADE, ("a", "ping -c 1 -W 0.5 -s 3000 10.0.2.2")]),
    "fragments to a router that tracks": Scenario(
        "a", "eth0", 4, [("r", "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP"), ("a", "ping -c 1 -W 0.5 -s 3000 10.0.1.1")]
    ),
    **{
        f"REJECT with {kind}": Scenario("a", "eth0", 4, [_reject(kind), PING])
        for kind in (
            "icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable", "icmp-port-unreachable",
            "icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited",
        )
    },
    "REJECT of TCP with tcp-reset": Scenario("a", "eth0", 4, [_reject("tcp-reset", "tcp"), ("a", "nc -z 10.0.2.2 80")]),
    "REJECT of TCP with an error": Scenario("a", "eth0", 4, [_reject("icmp-port-unreachable", "tcp"), ("a", "nc -z 10.0.2.2 80")]),
    "REJECT in INPUT with tcp-reset": Scenario(
        "a", "eth0", 4, [("b", "iptables -A INPUT -p tcp --dport 80 -j REJECT --reject-with tcp-reset"), ("a", "nc -z 10.0.2.2 80")]
    ),
    "REJECT of the answer": Scenario(
        "b", "eth0", 4, [("r", "iptables -A FORWARD -i eth1 -p icmp -j REJECT --reject-with icmp-host-prohibited"), PING]
    ),
    "REJECT of fragments": Scenario("a", "eth0", 4, [TRACKED, _reject("icmp-port-unreachable"), ("a", "ping -c 1 -W 0.5 -s 3000 10.0.2.2")]),
    "REJECT of a datagram": Scenario("a", "eth0", 4, [_reject("icmp-port-unreachable", "udp"), ("a", "echo x | nc -u -w 1 10.0.2.2 53")]),
    "a policy that drops": Scenario("a", "eth0", 4, [("r", "iptables -P FORWARD DROP"), PING]),
    "hairpin with masquerade": Scenario(
        "a",
        "eth0",
        4,
        [
            _forward("10.0.1.2:80"),
            ("r", "iptables -t nat -A POSTROUTING -s 10.0.1.0/24 -d 10.0.1.2 -j MASQUERADE"),
            ("a", "nc -lk 80 </dev/null >/dev/null 2>&1 & until ss -Htln | grep -q ':80 '; do sleep 0.1; done; sleep 0.2 | nc -N 10.0.1.1 8080"),
        ],
    ),
    "hairpin without masquerade": Scenario(
        "a", "eth0", 4, [_forward("10.0.1.2:80"), ("a", "timeout 0.5 nc -z 10.0.1.1 8080")]
    ),
    "redirected to the router": Scenario(
        "a",
        "eth0",
        4,
        [
            ("r", "iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8000; nc -lk 8000 </dev/null >/dev/null 2>&1 & until ss -Htln | grep -q ':8000 '; do sleep 0.1; done"),
            ("a", "nc -z 10.0.2.2 80"),
        ],
    ),
    "DNAT of what the sender sends": Scenario(
        "a", "eth0", 4, [("a", "iptables -t nat -A OUTPUT -d 10.9.9.9 -j DNAT --to-destination 10.0.2.2; ping -c 1 -W 0.5 10.9.9.9")]
    ),
    "NETMAP": Scenario(
        "b", "eth0", 4, [("r", "iptables -t nat -A PREROUTING -d 10.8.0.0/24 -j NETMAP --to 10.0.2.0/24"), ("a", "ping -c 1 -W 0.5 10.8.0.2")]
    ),
    "TTL set on the way": Scenario("b", "eth0", 4, [("r", "iptables -t mangle -A FORWARD -j TTL --ttl-set 10"), PING]),
    "DSCP set on the way": Scenario("b", "eth0", 4, [("r", "iptables -t mangle -A FORWARD -j DSCP --set-dscp 46"), PING]),
    "the segment size clamped": Scenario(
        "b",
        "eth0",
        4,
        [
            ("r", "ip link set eth1 mtu 1300; iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"),
            SERVER,
            ("a", "nc -z 10.0.2.2 80"),
        ],
    ),
    "not tracked": Scenario("b", "eth0", 4, [MASQUERADE, ("r", "iptables -t raw -A PREROUTING -j NOTRACK"), PING]),
    **{
        f"IPv6 REJECT with {kind}": Scenario(
            "a", "eth0", 6, [("r", f"ip6tables -A FORWARD -i eth0 -p icmpv6 -j REJECT --reject-with {kind}"), ("a", "ping -c 1 -W 0.5 fd00:2::2")]
        )
        for kind in ("icmp6-no-route", "icmp6-adm-prohibited", "icmp6-addr-unreachable", "icmp6-port-unreachable")
    },
    "IPv6 masquerade, outside": Scenario(
        "b", "eth0", 6, [("r", "ip6tables -t nat -A POSTROUTING -o eth1 -j MASQUERADE"), ("a", "ping -c 1 -W 0.5 fd00:2::2")]
    ),
    "IPv6 ICMP error through SNAT": Scenario(
        "a", "eth0", 6, [("r", "ip6tables -t nat -A POSTROUTING -o eth1 -j MASQUERADE"), ("a", "echo x | nc -u -w 1 fd00:2::2 99")]
    ),
    "IPv6 REJECT of TCP with tcp-reset": Scenario(
        "a", "eth0", 6, [("r", "ip6tables -A FORWARD -i eth0 -p tcp -j REJECT --reject-with tcp-reset"), ("a", "nc -z fd00:2::2 80")]
    ),
}  # fmt: skip
