"""A request that arrives, and an answer that has no way home."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    expect.ping("A", "192.168.2.10", owner="C")


FAULT = Fault(
    title="No way back",
    lab="routing",
    symptom="A can reach the internet, but `ping 192.168.2.10` (C) gets no answer. A's routes are right.",
    setup=(("A", "ip route add default via 192.168.1.1"), ("D", "ip route add default via 192.168.2.1")),
    breakage=(("C", "ip route flush root 0.0.0.0/0 scope global"),),
    check=check,
    clues=(
        "A ping needs two journeys. `%journey A ping -c 1 -W 1 192.168.2.10` shows how far the first one "
        "gets.",
        "The request arrives at C. What does C do with its answer? Read `ip route` on C.",
        "C needs a route to 192.168.1.0/24, or a default route.",
    ),
    proof=("C", "ip route get 192.168.1.10"),
    mend=(("C", "ip route add default via 192.168.2.1"),),
    explanation=(
        "Routing is not symmetric: each host decides for itself, and the answer is a packet like any other."
    ),
)
