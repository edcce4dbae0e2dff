"""Programs that do not ask DNS at all."""

from kubenet_course.course.exercises.dns_hosts import known_as
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    known_as(expect, "www.example.org", "203.0.113.80")
    known_as(expect, "localhost", "127.0.0.1")


FAULT = Fault(
    title="dig can, ping cannot",
    lab="dns",
    symptom="On client `dig www.example.org` works, and `ping www.example.org` says at once: Name or service not known.",
    breakage=(("client", "sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf"),),
    check=check,
    clues=(
        "dig asks the server in /etc/resolv.conf, and nothing else. So the server and that file are right.",
        "Programs ask in an order that stands in a file. Which one?",
        "`grep hosts /etc/nsswitch.conf`: where is dns?",
    ),
    proof=("client", "grep hosts /etc/nsswitch.conf"),
    mend=(("client", "sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf"),),
    explanation="/etc/nsswitch.conf decides who is asked. Tools for DNS do not read it, programs do.",
)
