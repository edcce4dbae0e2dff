"""Turn a Linux host into a router: routes at the ends, forwarding in the middle."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    works = expect.reaches("A", "192.168.2.5") and expect.reaches("C", "192.168.1.5")
    expect.way("A", "C", "192.168.2.5", "192.168.1.6", hint=1, works=works)
    expect.way("C", "A", "192.168.1.5", "192.168.2.6", hint=1, works=works)
    keys = " ".join(f"net.ipv4.conf.{device}.forwarding" for device in ("eth0", "eth1"))
    forwards = expect.run("B", f"sysctl -n {keys}").stdout.split() == ["1", "1"]
    expect.that(works or forwards, "B forwards packets, in both directions", (
        "B throws away packets that are not for itself."
    ), hint=2)
    expect.ping("A", "192.168.2.5", hint=3, owner="C")
    expect.ping("C", "192.168.1.5", hint=3, owner="A")


THERE = ("A", "ip route add 192.168.2.0/24 via 192.168.1.6")
BACK = ("C", "ip route add 192.168.1.0/24 via 192.168.2.6")
ON = ("B", "sysctl -w net.ipv4.ip_forward=1")

EXERCISE = Exercise(
    title="B becomes a router",
    lab="linux-router",
    task="Let A (192.168.1.5) and C (192.168.2.5) reach each other through B.",
    check=check,
    hints=(
        "A and C each need a route to the other's network, via B's address on their own side.",
        "B must be allowed to forward: read /proc/sys/net/ipv4/ip_forward, and write 1 to it.",
        "Follow the packet: `%journey A ping -c 1 192.168.2.5` tells where it ends, and why.",
    ),
    solution=(THERE, BACK, ("B", "echo 1 > /proc/sys/net/ipv4/ip_forward")),
    others=(
        (("A", "ip route add default via 192.168.1.6"), ("C", "route add default gw 192.168.2.6"), ON),
        (
            ("A", "ip route add 192.168.2.5 via 192.168.1.6"),
            ("C", "ip route add 192.168.1.5 via 192.168.2.6"),
            ("B", "sysctl -w net.ipv4.conf.eth0.forwarding=1 net.ipv4.conf.eth1.forwarding=1"),
        ),
        (
            ("A", "ip route add 192.168.2.0/24 dev eth0"),
            ("C", "ip route add 192.168.1.0/24 dev eth0"),
            ("B", "sysctl -w net.ipv4.conf.eth0.proxy_arp=1 net.ipv4.conf.eth1.proxy_arp=1"),
            ON,
        ),
    ),
    wrong=(
        Wrong((THERE, BACK), hint=2, why="forwarding is off"),
        Wrong((ON,), hint=1, why="no routes"),
        Wrong((THERE, ON), hint=1, why="no way back"),
        Wrong((THERE, BACK, ("B", "sysctl -w net.ipv4.conf.eth0.forwarding=1")), hint=2, why="one direction only"),
        Wrong((THERE, BACK, ON, ("B", "iptables -P FORWARD DROP")), hint=3, why="the firewall lets nothing through"),
        Wrong(
            (THERE, BACK, ("B", "ip addr add 192.168.2.5/32 dev lo && ip addr add 192.168.1.5/32 dev lo")),
            hint=2,
            why="B answers in the place of A and C",
        ),
    ),
)
