"""Turn a Linux host into a router: routes at the ends, forwarding in the middle."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    expect.route("A", "192.168.2.0/24", via="192.168.1.6", hint=1)
    expect.route("C", "192.168.1.0/24", via="192.168.2.6", hint=1)
    expect.sysctl("B", "net.ipv4.ip_forward", "1", (
        "B throws away every packet that is not for itself."
    ), hint=2)
    expect.ping("A", "192.168.2.5", hint=3)
    expect.ping("C", "192.168.1.5", hint=3)


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
    solution=(
        ("A", "ip route add 192.168.2.0/24 via 192.168.1.6"),
        ("C", "ip route add 192.168.1.0/24 via 192.168.2.6"),
        ("B", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
    ),
    wrong=(
        Wrong(
            (
                ("A", "ip route add 192.168.2.0/24 via 192.168.1.6"),
                ("C", "ip route add 192.168.1.0/24 via 192.168.2.6"),
            ),
            hint=2,
            why="forwarding is off",
        ),
        Wrong((("B", "sysctl -w net.ipv4.ip_forward=1"),), hint=1, why="no routes"),
    ),
)
