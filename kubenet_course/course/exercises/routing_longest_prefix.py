"""The longest prefix wins: refuse one address, keep the rest."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    expect.ping("A", "192.168.2.10", "The rest of network 2 must stay reachable.", hint=2, owner="C")
    expect.ping("A", "8.8.8.8", "The internet must stay reachable.", hint=2, owner="internet")
    rules = expect.json("A", "ip -j rule show")
    added = [rule for rule in rules if rule.get("table") not in ("local", "main", "default")]
    expect.that(not added, "A has only the rules that it had", (
        "A rule (`ip rule`) decides before any route is looked at. Here a route is to do it: take the rule away."
    ), hint=1)
    # Refused, or sent to where nobody passes it on: both are decisions of A's routing table.
    decided = expect.json("A", "ip -j route get 192.168.2.11")
    usual = expect.json("A", "ip -j route get 192.168.2.10")
    aside = not decided or _hop(decided[0]) != (_hop(usual[0]) if usual else None)
    expect.that(aside and not expect.reaches("A", "192.168.2.11"), "A's routes lead it nowhere to 192.168.2.11", (
        "A route for this one address decides before the wider one does."
    ), hint=1)
    expect.ping("D", "192.168.2.10", "Only A's routes may change: D must work as before.", hint=2)
    expect.ping("D", "8.8.8.8", "Only A's routes may change: D must work as before.", hint=2)


def _hop(route: dict[str, object]) -> tuple[object, object]:
    return route.get("gateway"), route.get("dev")


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
        "Of all routes that fit, the longest prefix decides, and a /32 is longer than any other. Which route would A need "
        "for D's address alone?",
        "Leave the default route and the other machines alone; add a route on A, take none away. `%undo` takes back "
        "what you did.",
        "Not every route leads somewhere: `ip route add unreachable ADDRESS` (or `blackhole`, `prohibit`).",
    ),
    solution=(("A", "ip route add unreachable 192.168.2.11/32"),),
    others=(
        (("A", "ip route add blackhole 192.168.2.11"),),
        (("A", "ip route add prohibit 192.168.2.11/32"),),
        (("A", "ip route add throw 192.168.2.11/32"),),
        (("A", "route add -host 192.168.2.11 reject"),),
        (("A", "ip route add 192.168.2.11 via 192.168.1.11"),),
    ),
    wrong=(
        Wrong((("A", "ip route del default"),), hint=2, why="everything is gone"),
        Wrong((("A", "ip route add unreachable 192.168.2.0/24"),), hint=2, why="too wide"),
        Wrong((("A", "iptables -A OUTPUT -d 192.168.2.11 -j DROP"),), hint=1, why="a firewall"),
        Wrong((("A", "ip rule add to 192.168.2.11 blackhole"),), hint=1, why="a rule, no route"),
        Wrong((("router", "ip route add unreachable 192.168.2.11/32"),), hint=1, why="on another machine"),
        Wrong(
            (("A", "ip route add unreachable 192.168.2.11/32"), ("D", "ip link set eth0 down")),
            hint=2,
            why="D is cut off altogether",
        ),
    ),
)
