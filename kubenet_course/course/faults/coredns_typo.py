"""A Corefile that cannot be read."""

from kubenet_course.course.exercises.coredns_hosts import (
    ENTRIES,
    HOSTS,
    START,
    USE,
    answers,
    corefile,
    listens,
    uses,
)
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    if listens(expect):
        answers(expect, "nas", "A", "192.168.1.60")
        answers(expect, "www.example.org", "A", "203.0.113.80")
        uses(expect, "nas", "192.168.1.60")


FAULT = Fault(
    title="It was only one letter",
    lab="coredns",
    symptom="client finds no name any more. Somebody edited /root/Corefile on dns, and started CoreDNS anew.",
    setup=(ENTRIES, USE),
    breakage=(corefile(". {\\n" + HOSTS + "    foward . 8.8.8.8\\n    errors\\n}\\n"), START),
    check=check,
    clues=(
        "Does anybody listen? `ss -lun` on dns.",
        "Nobody does. `cat /root/coredns.log` says why: a file, a line, a word.",
        "`sed -i s/foward/forward/ /root/Corefile`, and start it: `coredns -conf /root/Corefile > /root/coredns.log 2>&1 &`.",
    ),
    proof=("dns", "cat /root/coredns.log"),
    mend=(("dns", "sed -i s/foward/forward/ /root/Corefile"), START),
    explanation="A program that runs keeps its old configuration when a reload fails; one that is started anew has none.",
)
