"""The right rules in the wrong order."""

from kubenet_course.course.bridged import MASQUERADE, ROUTED, SWITCHED, answers_in
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    answers_in(expect, "blue", "8.8.8.8")
    done = expect.run("host", "ip netns exec red ping -c 1 -W 1 8.8.8.8")
    expect.that(done.returncode != 0, "red (192.168.15.1) still may not", "The rule that keeps red in is gone.")


FAULT = Fault(
    title="First come, first served",
    lab="bridge-nat",
    symptom=(
        "On the host, the rules of FORWARD should keep red in and let everybody else out. But blue (192.168.15.2) "
        "cannot ping 8.8.8.8 either."
    ),
    setup=(*SWITCHED, *ROUTED, ("host", MASQUERADE)),
    breakage=(
        ("host", "iptables -A FORWARD -s 192.168.15.0/24 -o eth0 -j DROP"),
        ("host", "iptables -A FORWARD -s 192.168.15.1 -j DROP"),
        ("host", "iptables -A FORWARD -s 192.168.15.0/24 -j ACCEPT"),
    ),
    check=check,
    clues=(
        "`%explain host ip netns exec blue ping -c 1 -W 1 8.8.8.8` names the rule that drops it.",
        "Rules are read from the top: `iptables -nvL FORWARD --line-numbers`. The first that matches decides.",
        "Delete the first rule (`iptables -D FORWARD 1`), or insert one for blue before it (`-I FORWARD 1`).",
    ),
    proof=("host", "iptables -S FORWARD"),
    mend=(("host", "iptables -D FORWARD 1"),),
    explanation="An ACCEPT below a DROP that matches the same packet is never read.",
)
