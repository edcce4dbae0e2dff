"""The first exercise: a second address on lo, to see how a check works."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    there = expect.addresses("host", device="lo")
    expect.address("host", "lo", "10.0.0.1/32", hint=2 if "10.0.0.1" in there else 1)
    expect.ping("host", "10.0.0.1", hint=2)


EXERCISE = Exercise(
    title="A second address",
    lab="single",
    task="Give lo a second address, 10.0.0.1/32, so that the machine can ping it.",
    check=check,
    hints=("`ip addr add ADDRESS/LENGTH dev DEVICE`", "The prefix length is 32: one address, no network."),
    solution=(("host", "ip addr add 10.0.0.1/32 dev lo"),),
    others=(
        (("host", "ip a a 10.0.0.1 dev lo"),),
        (("host", "ifconfig lo:1 10.0.0.1 netmask 255.255.255.255"),),
    ),
    wrong=(
        Wrong((("host", "ip addr add 10.0.0.2/32 dev lo"),), hint=1, why="another address"),
        Wrong((("host", "ip addr add 10.0.0.1/24 dev lo"),), hint=2, why="another prefix length"),
    ),
    minutes=2,
)
