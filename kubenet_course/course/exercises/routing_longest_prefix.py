"""The longest prefix wins: refuse one address, keep the rest."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    expect.ping("A", "192.168.2.10", "The rest of network 2 must stay reachable.", hint=2)
    done = expect.run("A", "ip route get 192.168.2.11")
    expect.that(done.returncode != 0, "A has no way to 192.168.2.11", (
        "A route for this one address decides before the wider one does."
    ), hint=1)
    routes = expect.json("A", "ip -j route show default")
    expect.that(bool(routes), "A still has its default route", hint=2)


EXERCISE = Exercise(
    title="All but one",
    lab="routing",
    setup=(
        ("A", "ip route add default via 192.168.1.1"),
        ("C", "ip route add default via 192.168.2.1"),
        ("D", "ip route add default via 192.168.2.1"),
    ),
    task=(
        "Make A unable to send to D (192.168.2.11), with one route and no firewall. Everything else must go "
        "on as before."
    ),
    check=check,
    hints=(
        "A /32 route is longer than any other. Not every route leads somewhere: see `ip route add "
        "unreachable ADDRESS`.",
        "Leave the default route alone; add a route, take none away. `%undo` takes back what you did.",
    ),
    solution=(("A", "ip route add unreachable 192.168.2.11/32"),),
    wrong=(
        Wrong((("A", "ip route del default"),), hint=2, why="everything is gone"),
        Wrong((("A", "ip route add unreachable 192.168.2.0/24"),), hint=2, why="too wide"),
    ),
)
