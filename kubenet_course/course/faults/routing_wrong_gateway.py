"""A gateway that nobody has."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    expect.ping("A", "8.8.8.8", owner="internet")
    expect.ping("A", "192.168.2.10", owner="C")


FAULT = Fault(
    title="The gateway that is not there",
    lab="routing",
    symptom="A cannot reach anything outside of its own network: after three seconds it says Destination Host Unreachable.",
    setup=(("C", "ip route add default via 192.168.2.1"),),
    breakage=(("A", "ip route add default via 192.168.1.254"),),
    check=check,
    clues=(
        "Who says so? The address after `From` is A's own: A itself gave up.",
        "A asked for a MAC address and nobody answered. For which IP address? `ip neigh` on A.",
        "The router's address in A's network is 192.168.1.1.",
    ),
    proof=("A", "ip route"),
    mend=(("A", "ip route replace default via 192.168.1.1"),),
    explanation="A route may name any address of the network as its gateway; whether anybody has it shows only when ARP asks.",
)
