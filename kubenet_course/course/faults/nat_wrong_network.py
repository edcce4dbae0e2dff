"""A rule that matches nobody."""

from kubenet_course.course.bridged import ROUTED, SWITCHED, answers_in
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    answers_in(expect, "red", "8.8.8.8")
    answers_in(expect, "blue", "8.8.8.8")


FAULT = Fault(
    title="Masked, but not these",
    lab="bridge-nat",
    symptom=(
        "red and blue have their default routes, the host forwards, a rule with MASQUERADE is there, and still "
        "`ping 8.8.8.8` gets no answer."
    ),
    setup=(*SWITCHED, *ROUTED),
    breakage=(("host", "iptables -t nat -A POSTROUTING -s 192.168.51.0/24 -j MASQUERADE"),),
    check=check,
    clues=(
        "How far does it get? `%journey host ip netns exec blue ping -c 1 -W 1 8.8.8.8`.",
        "The packet leaves the host with its own source address. Did the rule match? Look at its counter: "
        "`iptables -t nat -nvL POSTROUTING`.",
        "Compare the network in the rule with the addresses of red and blue, digit by digit.",
    ),
    proof=("host", "iptables -t nat -S POSTROUTING"),
    mend=(
        ("host", "iptables -t nat -D POSTROUTING -s 192.168.51.0/24 -j MASQUERADE"),
        ("host", "iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE"),
    ),
    explanation="A rule that matches nothing is no error. Its counter tells.",
)
