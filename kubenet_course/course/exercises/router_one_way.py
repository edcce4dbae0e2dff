"""Forwarding per interface: let packets in from one side only."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    expect.ping("B", "192.168.1.5", "B itself must still reach A.", hint=3)
    expect.ping("B", "192.168.2.5", "B itself must still reach C.", hint=3)
    expect.that(
        expect.receives("C", "eth0", "A", "192.168.2.5"),
        "what comes in at eth0 of B is forwarded: A's pings arrive at C",
        "They do not get there.",
        hint=1,
    )
    expect.that(
        expect.receives("B", "eth1", "C", "192.168.1.5"),
        "C still sends to A through B: its pings come in at eth1 of B",
        "They do not: C's own route and interface must stay as they are.",
        hint=3,
    )
    expect.that(
        not expect.receives("A", "eth0", "C", "192.168.1.5"),
        "what comes in at eth1 of B is not: C's pings do not arrive at A",
        "They do.",
        hint=2,
    )


EXERCISE = Exercise(
    title="One interface at a time",
    lab="linux-router",
    setup=(("A", "ip route add default via 192.168.1.6"), ("C", "ip route add default via 192.168.2.6")),
    task=(
        "On B, allow forwarding of packets that come in at eth0 (A's side), and of no others. (So no ping between A "
        "and C gets an answer: the check looks which packets arrive.)"
    ),
    check=check,
    hints=(
        "Each interface has its own switch: net.ipv4.conf.eth0.forwarding.",
        "net.ipv4.ip_forward sets all interfaces at once. Set it to 0, then switch on the one you want.",
        "Forwarding has no say in what a host sends or receives itself: leave interfaces, addresses and routes alone.",
    ),
    solution=(("B", "sysctl -w net.ipv4.ip_forward=0 net.ipv4.conf.eth0.forwarding=1"),),
    others=(
        (("B", "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 0 > /proc/sys/net/ipv4/conf/eth1/forwarding"),),
        (("B", "sysctl -w net.ipv4.ip_forward=1 && iptables -A FORWARD ! -i eth0 -j DROP"),),
        (("B", "sysctl -w net.ipv4.ip_forward=1 && ip rule add iif eth1 to 192.168.1.0/24 blackhole"),),
        (("B", "sysctl -w net.ipv4.ip_forward=1 && iptables -P FORWARD DROP && iptables -A FORWARD -i eth0 -j ACCEPT"),),
    ),
    wrong=(
        Wrong((("B", "sysctl -w net.ipv4.ip_forward=1"),), hint=2, why="all interfaces"),
        Wrong((("B", "sysctl -w net.ipv4.conf.eth1.forwarding=1"),), hint=1, why="the wrong side"),
        Wrong((("B", "sysctl -w net.ipv4.conf.eth0.forwarding=1; iptables -P FORWARD DROP"),), hint=1, why="shut altogether"),
        Wrong(
            (("B", "sysctl -w net.ipv4.conf.eth0.forwarding=1"), ("C", "ip route del default")),
            hint=3,
            why="C does not send any more",
        ),
        Wrong((("B", "sysctl -w net.ipv4.conf.eth0.forwarding=1; ip link set eth1 down"),), hint=3, why="C is cut off"),
    ),
)
