"""Routes to the other network, on both sides."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    works = expect.reaches("A", "192.168.2.10") and expect.reaches("C", "192.168.1.10")
    expect.way("A", "C", "192.168.2.10", "192.168.1.1", hint=1, works=works)
    expect.way("C", "A", "192.168.1.10", "192.168.2.1", hint=2, works=works)
    expect.ping("A", "192.168.2.10", hint=3, owner="C")
    expect.ping("C", "192.168.1.10", hint=3, owner="A")


THERE = ("A", "ip route add 192.168.2.0/24 via 192.168.1.1")
BACK = ("C", "ip route add 192.168.1.0/24 via 192.168.2.1")

EXERCISE = Exercise(
    title="There and back again",
    lab="routing",
    task="Let A (192.168.1.10) and C (192.168.2.10) reach each other through the router.",
    check=check,
    hints=(
        "A knows its own network only. Tell it who leads to the other one: `ip route add NETWORK/24 via "
        "ROUTER`.",
        "The answer needs a way back: C too must know who leads to A's network.",
        "The gateway must be an address of the router in the host's own network: 192.168.1.1 for A, "
        "192.168.2.1 for C. Leave the addresses of the hosts as they are.",
    ),
    solution=(THERE, BACK),
    others=(
        (("A", "ip route add default via 192.168.1.1"), ("C", "route add default gw 192.168.2.1")),
        (("A", "ip route add 192.168.2.10 via 192.168.1.1"), ("C", "ip route add 192.168.0.0/16 via 192.168.2.1")),
    ),
    wrong=(
        Wrong((THERE,), hint=2, why="no way back"),
        Wrong((BACK,), hint=1, why="no way there"),
        Wrong((("A", "ip route add 192.168.2.0/24 via 192.168.1.11"), BACK), hint=1, why="B is no router"),
        Wrong((("A", "ip route add 192.168.2.0/24 dev eth0"), BACK), hint=1, why="C is not on A's link"),
        Wrong((THERE, BACK, ("A", "ip addr add 192.168.2.10/32 dev lo")), hint=1, why="A pings itself"),
    ),
)
