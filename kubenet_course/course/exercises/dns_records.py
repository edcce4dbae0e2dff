"""Read records: from a domain to the address of the server that takes its mail."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    said = expect.run("client", "cat /root/answer").stdout.strip()
    if not expect.that(bool(said), "/root/answer holds something", "There is no such file yet.", hint=1):
        return
    is_address = said.replace(".", "").isdigit()
    seen = said.splitlines()[0] + (" …" if "\n" in said else "")
    expect.that(is_address, "it is an address, and nothing else", f"It is: {seen}", hint=3)
    if is_address:
        expect.that(
            said == "203.0.113.25", "it is that of the server which is asked first", f"It is {said}.", hint=2
        )


EXERCISE = Exercise(
    title="Where the mail goes",
    lab="dns",
    task=(
        "Mail for somebody@example.org: which server is tried first? Write its address (nothing else) into the file "
        "/root/answer on client."
    ),
    check=check,
    hints=(
        "Mail servers are in the MX records of the domain: `dig example.org MX`. Write with `echo … > /root/answer`.",
        "The number before the name is its preference. The lowest is tried first.",
        "An MX record holds a name. Ask for that name's A record.",
    ),
    solution=(("client", "dig +short mail.example.org > /root/answer"),),
    others=(
        (("client", "echo 203.0.113.25 | tee ~/answer"),),
        (("client", "dig +short $(dig +short example.org MX | sort -n | head -1 | cut -d' ' -f2) > /root/answer"),),
    ),
    wrong=(
        Wrong((("client", "echo mail.example.org > /root/answer"),), hint=3, why="the name, not the address"),
        Wrong((("client", "echo 203.0.113.26 > /root/answer"),), hint=2, why="the backup server"),
        Wrong((("client", "echo 203.0.113.80 > /root/answer"),), hint=2, why="the web server"),
    ),
)
