"""Names in a file."""

from __future__ import annotations

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def known_as(expect: Expect, name: str, address: str, hint: int = 0, *, why: str = "") -> bool:
    """Programs on client find `address` under `name` (files and DNS, as they do)."""
    done = expect.run("client", f"getent ahostsv4 {name}")
    found = done.stdout.split()[0] if done.stdout.strip() else ""
    reason = f"It means {found}." if found else "Nobody knows the name."
    return expect.that(found == address, f"{name} means {address}", why or reason, hint)


def check(expect: Expect) -> None:
    local = expect.run("client", "grep -w localhost /etc/hosts").returncode == 0
    expect.that(local, "what was in /etc/hosts is still there", "`>` writes a file anew; `>>` adds to it.", hint=2)
    known_as(expect, "db", "192.168.1.11", hint=1)
    known_as(expect, "router", "192.168.1.1", hint=1)
    known_as(expect, "www.example.org", "203.0.113.80", hint=3)


EXERCISE = Exercise(
    title="Who is who at home",
    lab="dns",
    task=(
        "Give two machines of the LAN a name on client: db is 192.168.1.11, router is 192.168.1.1. Everything else "
        "stays as it is."
    ),
    check=check,
    hints=(
        "A line of /etc/hosts: first the address, then the name.",
        "Take the lab back (`%lab reset`), and add with `>>`.",
        "The names of the internet come from DNS. They need no line here.",
    ),
    solution=(("client", "echo '192.168.1.11 db' >> /etc/hosts"), ("client", "echo '192.168.1.1 router' >> /etc/hosts")),
    others=(
        (("client", "sed -i '1i 192.168.1.11 db' /etc/hosts && sed -i '$a 192.168.1.1 gw router' /etc/hosts"),),
        (("client", "cat >> /etc/hosts <<END\n192.168.1.11\tdb # data\n192.168.1.1\trouter\nEND"),),
    ),
    wrong=(
        Wrong((("client", "echo 'db 192.168.1.11' >> /etc/hosts"),), hint=1, why="the name before the address"),
        Wrong(
            (("client", "printf '192.168.1.11 db\\n192.168.1.1 router\\n' > /etc/hosts"),),
            hint=2,
            why="the file was written anew",
        ),
        Wrong((("client", "echo '192.168.1.1 db router' >> /etc/hosts"),), hint=1, why="both names at one address"),
    ),
)
