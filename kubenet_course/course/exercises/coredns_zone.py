"""A zone of one's own, served from a file."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.exercises.coredns_hosts import START, answers, corefile, listens
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    if not listens(expect, hint=1):
        return
    answers(expect, "web.lab.example", "A", "192.168.1.20", hint=2)
    answers(expect, "www.lab.example", "CNAME", "web.lab.example.", hint=3)
    answers(expect, "www.lab.example", "A", "192.168.1.20", hint=3)
    done = expect.run("client", "dig @192.168.1.10 +timeout=2 +tries=1 nosuch.lab.example")
    expect.that(
        "status: NXDOMAIN" in done.stdout, "other names of lab.example do not exist (NXDOMAIN)", "It says otherwise.", hint=4
    )


HEAD = "@ IN SOA ns.lab.example. admin.lab.example. 1 3600 600 86400 60\\n@ IN NS ns.lab.example.\\n"
WEB, WWW = "web IN A 192.168.1.20\\n", "www IN CNAME web\\n"
SERVE = corefile("lab.example {\\n    file /root/db.lab.example\\n    errors\\n}\\n")


def zone(text: str) -> tuple[str, str]:
    return ("dns", f"printf '{text}' > /root/db.lab.example")


EXERCISE = Exercise(
    title="A zone in a file",
    lab="coredns",
    task=(
        "Let dns (192.168.1.10) answer for the domain lab.example, from a zone file: web.lab.example is 192.168.1.20, and "
        "www.lab.example is another name of it (CNAME). `dig @192.168.1.10 www.lab.example` on client shows both."
    ),
    check=check,
    hints=(
        "Is coredns running? Its log says why not: a zone must have a SOA record, `@ IN SOA ns admin 1 3600 600 86400 60`.",
        "The block begins with the zone's name, and has a line `file /root/db.lab.example`. In the zone file: `web IN A "
        "192.168.1.20`.",
        "`www IN CNAME web`. A name without a dot at its end gets the zone's name behind it; with a dot it is whole.",
        "Let nothing else answer for the zone: no `hosts`, no `forward` that sends such names elsewhere, no wildcard.",
    ),
    solution=(zone(HEAD + WEB + WWW), SERVE, START),
    others=(
        (zone(HEAD + WEB + "www 60 IN CNAME web.lab.example.\\n"), SERVE, START),
        (zone(HEAD + WEB + WWW), corefile(". {\\n file /root/db.lab.example lab.example\\n forward . 8.8.8.8\\n}\\n"), START),
    ),
    wrong=(
        Wrong((zone(HEAD + WWW), SERVE, START), hint=2, why="no A record"),
        Wrong((zone(HEAD + WEB + "www IN CNAME web.lab.example\\n"), SERVE, START), hint=3, why="the last dot is missing"),
        Wrong((zone(HEAD + WEB + "www IN A 192.168.1.20\\n"), SERVE, START), hint=3, why="a second address, no other name"),
        Wrong((zone(WEB + WWW), SERVE, START), hint=1, why="no SOA record"),
        Wrong((zone(HEAD + WEB + WWW + "* IN A 192.168.1.20\\n"), SERVE, START), hint=4, why="a wildcard"),
    ),
    minutes=8,
)
