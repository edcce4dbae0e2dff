"""A prefix length that makes a neighbour look far away."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    expect.ping("A", "192.168.1.130", owner="B")


FAULT = Fault(
    title="The host that thinks it is alone",
    lab="switching",
    symptom="A (192.168.1.10) and B (192.168.1.130) are on one switch, both are up, and yet `ping 192.168.1.130` fails on A at once: Network is unreachable.",  # noqa: E501
    setup=(("B", "ip addr add 192.168.1.130/24 dev eth0"),),
    breakage=(("A", "ip addr add 192.168.1.10/25 dev eth0"),),
    check=check,
    clues=(
        "The failure comes at once, without any packet: A found no route. Read `ip route` on A.",
        "Which addresses are in A's network? `ip addr show eth0` shows the prefix length.",
        "With /25 A's network ends at 192.168.1.127.",
    ),
    proof=("A", "ip route"),
    mend=(("A", "ip addr del 192.168.1.10/25 dev eth0"), ("A", "ip addr add 192.168.1.10/24 dev eth0")),
    explanation="A prefix length is a host's own belief about who is near. A believed that its network ended at .127.",
)
