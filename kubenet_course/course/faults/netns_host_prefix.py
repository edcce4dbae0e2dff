"""An address that brings no network with it."""

from kubenet_course.course.exercises.netns_cable import pings
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    pings(expect, "red", "blue", "192.168.15.2", unanswered="It gets no answer.", hints=(0, 0))


FAULT = Fault(
    title="Alone on the cable",
    lab="netns",
    symptom=(
        "red (192.168.15.1) and blue (192.168.15.2) are connected by a virtual cable, and red's ping gets no "
        "answer."
    ),
    setup=(
        ("host", "ip netns add red && ip netns add blue"),
        ("host", "ip link add veth-red netns red type veth peer name veth-blue netns blue"),
        ("host", "ip -n red addr add 192.168.15.1/24 dev veth-red && ip -n red link set veth-red up"),
    ),
    breakage=(
        ("host", "ip -n blue addr add 192.168.15.2/32 dev veth-blue && ip -n blue link set veth-blue up"),
    ),
    check=check,
    clues=(
        "Both ends are up: `ip -n red link` and `ip -n blue link` agree. So look one layer higher, at "
        "addresses and routes on both sides.",
        "blue gets the request, but can it answer? `ip -n blue route` is empty.",
        "A /32 address says: nobody else is on this cable.",
    ),
    proof=("host", "ip -n blue route get 192.168.15.1"),
    mend=(
        ("host", "ip -n blue addr del 192.168.15.2/32 dev veth-blue"),
        ("host", "ip -n blue addr add 192.168.15.2/24 dev veth-blue"),
    ),
    explanation="Without a prefix length `ip addr add` assumes /32, which brings no route to the network.",
)
