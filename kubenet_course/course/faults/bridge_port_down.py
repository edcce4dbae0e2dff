"""A port of the bridge that is down."""

from kubenet_course.course.bridged import SWITCHED, answers_in
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    answers_in(expect, "red", "192.168.15.2")
    expect.ping("host", "192.168.15.2")


FAULT = Fault(
    title="A dead port",
    lab="bridge-nat",
    symptom="red and blue are on the bridge v-net-0. red can ping the host (192.168.15.5), and nobody can ping blue.",
    setup=SWITCHED,
    breakage=(("host", "ip link set veth-blue-br down"),),
    check=check,
    clues=(
        "The bridge is up, and red's port works. So look at what belongs to blue alone.",
        "`ip -n blue link` says NO-CARRIER or LOWERLAYERDOWN: blue's end is up, the other end of its cable is not.",
        "The other end is the bridge's port: `bridge link`, `ip link show veth-blue-br`.",
    ),
    proof=("host", "ip link show veth-blue-br"),
    mend=(("host", "ip link set veth-blue-br up"),),
    explanation="A cable carries only when both of its ends are up, also where one of them is a port of a bridge.",
)
