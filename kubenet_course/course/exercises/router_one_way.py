"""Forwarding per interface: let packets in from one side only."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    expect.sysctl("B", "net.ipv4.conf.eth0.forwarding", "1", hint=1)
    expect.sysctl("B", "net.ipv4.conf.eth1.forwarding", "0", hint=2)
    expect.ping("B", "192.168.2.5", "B itself must still reach C.", hint=3)


EXERCISE = Exercise(
    title="One interface at a time",
    lab="linux-router",
    setup=(("A", "ip route add default via 192.168.1.6"), ("C", "ip route add default via 192.168.2.6")),
    task="On B, allow forwarding of packets that come in at eth0 (A's side), and of no others.",
    check=check,
    hints=(
        "Each interface has its own switch: net.ipv4.conf.eth0.forwarding.",
        "net.ipv4.ip_forward sets all interfaces at once. Set it to 0, then switch on the one you want.",
        "Forwarding has no say in what a host sends or receives itself.",
    ),
    solution=(("B", "sysctl -w net.ipv4.ip_forward=0 net.ipv4.conf.eth0.forwarding=1"),),
    wrong=(Wrong((("B", "sysctl -w net.ipv4.ip_forward=1"),), hint=2, why="all interfaces"),),
)
