"""Routes to the other network, on both sides."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    expect.route("A", "192.168.2.0/24", via="192.168.1.1", hint=1)
    expect.route("C", "192.168.1.0/24", via="192.168.2.1", hint=2)
    expect.ping("A", "192.168.2.10", hint=3)


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
        "192.168.2.1 for C.",
    ),
    solution=(
        ("A", "ip route add 192.168.2.0/24 via 192.168.1.1"),
        ("C", "ip route add 192.168.1.0/24 via 192.168.2.1"),
    ),
    wrong=(
        Wrong((("A", "ip route add 192.168.2.0/24 via 192.168.1.1"),), hint=2, why="no way back"),
        Wrong((("C", "ip route add 192.168.1.0/24 via 192.168.2.1"),), hint=1, why="no way there"),
    ),
)
