"""A resolver that does not exist."""

from kubenet_course.course.exercises.dns_hosts import known_as
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    known_as(expect, "www.example.org", "203.0.113.80")
    known_as(expect, "www.google.com", "142.250.74.36")


FAULT = Fault(
    title="Nobody answers",
    lab="dns",
    symptom="On client no name is found any more. It takes long, and then: Temporary failure in name resolution.",
    breakage=(("client", "sed -i 's/8.8.8.8/8.8.4.4/' /etc/resolv.conf"),),
    check=check,
    clues=(
        "Is it the network or the names? Try an address: `ping -c 1 142.250.74.36`.",
        "Ask a server that you know: `dig @8.8.8.8 www.example.org`. That works, so the question is whom client asks.",
        "`cat /etc/resolv.conf`, and `ping` the server that it names.",
    ),
    proof=("client", "grep nameserver /etc/resolv.conf"),
    mend=(("client", "sed -i 's/8.8.4.4/8.8.8.8/' /etc/resolv.conf"),),
    explanation="The resolver's address is the one thing that cannot be looked up by name.",
)
