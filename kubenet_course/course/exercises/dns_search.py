"""Search domains: their order, and that there is one line for them."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.exercises.dns_hosts import known_as
from kubenet_course.course.expect import Expect


def _resolv(text: str) -> tuple[str, str]:
    return ("client", f"printf 'nameserver 8.8.8.8\\n{text}' > /etc/resolv.conf")


def check(expect: Expect) -> None:
    known_as(expect, "www.google.com", "142.250.74.36", hint=1, why="Without a name server nothing is found.")
    known_as(expect, "www", "142.250.74.36", hint=2)
    known_as(expect, "web", "203.0.113.80", hint=3)


EXERCISE = Exercise(
    title="Which www?",
    lab="dns",
    task=(
        "On client, let the short name www mean www.google.com. Short names of example.org, such as web, must go on "
        "working."
    ),
    check=check,
    hints=(
        "/etc/resolv.conf still needs its line `nameserver 8.8.8.8`.",
        "The domains of `search` are tried in their order, and both domains have a www.",
        "Several domains stand on one line: `search FIRST SECOND`. Of two such lines only the last counts.",
    ),
    solution=(_resolv("search google.com example.org\\n"),),
    others=(
        (("client", "sed -i 's/^search.*/search google.com example.org/' /etc/resolv.conf"),),
        (("client", "echo 'search google.com example.org' >> /etc/resolv.conf"),),
    ),
    wrong=(
        Wrong((("client", "echo 'search google.com example.org' > /etc/resolv.conf"),), hint=1, why="no name server any more"),
        Wrong((("client", "echo 'search google.com,example.org' >> /etc/resolv.conf"),), hint=2, why="a comma"),
        Wrong((_resolv("search example.org google.com\\n"),), hint=2, why="example.org first"),
        Wrong((_resolv("search example.org\\nsearch google.com\\n"),), hint=3, why="two lines"),
        Wrong((_resolv("search google.com\\n"),), hint=3, why="example.org is gone"),
    ),
)
