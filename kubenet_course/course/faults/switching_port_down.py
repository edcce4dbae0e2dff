"""A switch port that is switched off."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    expect.ping("A", "192.168.1.11", owner="B")


FAULT = Fault(
    title="No carrier",
    lab="switching",
    symptom="A (192.168.1.10) cannot ping B (192.168.1.11) any more. Nobody touched A or B.",
    setup=(("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.1.11/24 dev eth0")),
    breakage=(("s1", "ip link set s1-eth2 down"),),
    check=check,
    clues=(
        "Look at the cables first: `ip link` on A and on B. Which one says NO-CARRIER?",
        "NO-CARRIER means that the other end is down. The other end of B's cable is a port of s1.",
        "`bridge link` on s1 shows the state of each port.",
    ),
    proof=("B", "ip link show eth0"),
    mend=(("s1", "ip link set s1-eth2 up"),),
    explanation="An interface that is up but has no carrier is fine itself: its cable or the other end is not.",
)
