"""A plugin that keeps every question to itself."""

from kubenet_course.course.exercises.coredns_hosts import ENTRIES, START, USE, answers, corefile, uses
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    answers(expect, "printer", "A", "192.168.1.50")
    answers(expect, "www.example.org", "A", "203.0.113.80")
    uses(expect, "www.example.org", "203.0.113.80")


FAULT = Fault(
    title="Nothing falls through",
    lab="coredns",
    symptom=(
        "client asks the CoreDNS on dns. It finds printer and nas, but no name of the internet, although the Corefile "
        "(/root/Corefile) has `forward . 8.8.8.8`, and `dig @8.8.8.8` works."
    ),
    setup=(ENTRIES, USE),
    breakage=(corefile(". {\\n    hosts /etc/hosts\\n    forward . 8.8.8.8\\n    log\\n    errors\\n}\\n"), START),
    check=check,
    clues=(
        "`dig @192.168.1.10 www.example.org` says SERVFAIL at once. Was 8.8.8.8 asked at all? "
        "`%journey client dig @192.168.1.10 www.example.org`, or the log of internet.",
        "It was not. Which plugin stands before forward, and gets every name first?",
        "What `hosts` does not know it hands on only with `fallthrough`.",
    ),
    proof=("client", "dig @192.168.1.10 +short www.example.org"),
    mend=(
        ("dns", "sed -i 's,hosts /etc/hosts,hosts /etc/hosts {\\n        fallthrough\\n    },' /root/Corefile"),
        ("dns", "pkill -USR1 coredns; sleep 2"),
    ),
    explanation="Without fallthrough a plugin is the last word for its zones.",
)
