"""A name server for a LAN: its own names, and all others from somebody else."""

from __future__ import annotations

from kubenet_course.course.exercise import Command, Exercise, Wrong
from kubenet_course.course.expect import Expect

SERVER = "192.168.1.10"


def answers(expect: Expect, name: str, kind: str, answer: str, hint: int = 0) -> bool:
    """The server on dns answers a question with this text, as `dig +short` shows it."""
    done = expect.run("client", f"dig @{SERVER} +timeout=2 +tries=1 +short {name} {kind}")
    said = done.stdout.split("\n")[0].strip()
    why = f"It says: {said}." if said and not said.startswith(";") else "It says nothing."
    return expect.that(answer in done.stdout.splitlines(), f"dns answers {name} {kind} with {answer}", why, hint)


def listens(expect: Expect, hint: int = 0) -> bool:
    done = expect.run("client", f"dig @{SERVER} +timeout=2 +tries=1 version.bind")
    return expect.that(
        "status:" in done.stdout, f"a name server answers at {SERVER}", "Nobody listens on port 53 of dns.", hint
    )


def uses(expect: Expect, name: str, address: str, hint: int = 0) -> bool:
    """Programs on client find a name."""
    done = expect.run("client", f"getent ahostsv4 {name}")
    found = done.stdout.split()[0] if done.stdout.strip() else ""
    return expect.that(found == address, f"client finds {name} at {address}", f"It finds: {found or 'nothing'}.", hint)


def check(expect: Expect) -> None:
    if not listens(expect, hint=1):
        return
    answers(expect, "printer", "A", "192.168.1.50", hint=2)
    answers(expect, "nas", "A", "192.168.1.60", hint=2)
    answers(expect, "www.example.org", "A", "203.0.113.80", hint=3)
    uses(expect, "printer", "192.168.1.50", hint=4)
    uses(expect, "www.example.org", "203.0.113.80", hint=4)


def corefile(text: str) -> Command:
    return ("dns", f"printf '{text}' > /root/Corefile")


ENTRIES: Command = ("dns", "printf '192.168.1.50 printer\\n192.168.1.60 nas\\n' >> /etc/hosts")
HOSTS = "    hosts /etc/hosts {\\n        fallthrough\\n    }\\n"
WHOLE = corefile(". {\\n" + HOSTS + "    forward . 8.8.8.8\\n}\\n")
START: Command = (
    "dns",
    "coredns -conf /root/Corefile > /root/coredns.log 2>&1 &"
    " for i in $(seq 40); do ss -Hlun 'sport = :53' | grep -q . && break; sleep 0.25; done",
)
USE: Command = ("client", f"echo 'nameserver {SERVER}' > /etc/resolv.conf")

EXERCISE = Exercise(
    title="Names for the house",
    lab="coredns",
    task=(
        "Let dns (192.168.1.10) be the name server of client: it knows printer (192.168.1.50) and nas (192.168.1.60), and "
        "gets all other names from 8.8.8.8. (`coredns` is installed on dns already.)"
    ),
    check=check,
    hints=(
        "Start it in the background: `coredns > coredns.log 2>&1 &`, in the folder of the Corefile. The log says why it "
        "ends, if it ends.",
        "The names go into /etc/hosts of dns, and a line `hosts /etc/hosts` into the block `. { … }`.",
        "`forward . 8.8.8.8`, and `fallthrough` in the braces of hosts: `hosts /etc/hosts { fallthrough }`, each on its line.",
        "Which server does client ask? /etc/resolv.conf.",
    ),
    solution=(ENTRIES, WHOLE, START, USE),
    others=(
        (
            corefile(
                ". {\\n hosts {\\n 192.168.1.50 printer\\n 192.168.1.60 nas\\n fallthrough\\n }\\n forward . 8.8.8.8\\n}\\n"
            ),
            START,
            USE,
        ),
        (ENTRIES, corefile("printer nas {\\n hosts\\n}\\n. {\\n forward . 8.8.8.8\\n cache\\n}\\n"), START, USE),
    ),
    wrong=(
        Wrong((ENTRIES, WHOLE, USE), hint=1, why="it was not started"),
        Wrong((WHOLE, START, USE), hint=2, why="no names"),
        Wrong(
            (ENTRIES, corefile(". {\\n    hosts /etc/hosts\\n    forward . 8.8.8.8\\n}\\n"), START, USE),
            hint=3,
            why="no fallthrough",
        ),
        Wrong((ENTRIES, corefile(". {\\n" + HOSTS + "}\\n"), START, USE), hint=3, why="no forward"),
        Wrong((ENTRIES, WHOLE, START), hint=4, why="client asks somebody else"),
    ),
    minutes=10,
)
