"""A line in /etc/hosts that was right once."""

from kubenet_course.course.exercises.dns_hosts import known_as
from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    known_as(expect, "www.example.org", "203.0.113.80")
    done = expect.run("client", "curl -sS -m 3 http://www.example.org")
    expect.that("www.example.org" in done.stdout, "client gets the page of http://www.example.org")


FAULT = Fault(
    title="It was right once",
    lab="dns",
    symptom="client does not get http://www.example.org. Other machines do, and `dig www.example.org` is right, too.",
    breakage=(("client", "echo '203.0.113.26 www.example.org' >> /etc/hosts"),),
    check=check,
    clues=(
        "Compare `dig +short www.example.org` with `getent hosts www.example.org`.",
        "They differ: what programs see does not come from DNS. Who is asked before it?",
        "`grep example /etc/hosts`.",
    ),
    proof=("client", "getent ahostsv4 www.example.org"),
    mend=(("client", "sed -i '/example/d' /etc/hosts"),),
    explanation="A line in /etc/hosts beats DNS, for ever, and nobody tells it when the server moves.",
)
