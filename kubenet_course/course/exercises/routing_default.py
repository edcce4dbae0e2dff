"""One default route instead of one route for each network in the world."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    for name, gateway in (("A", "192.168.1.1"), ("C", "192.168.2.1")):
        routes = expect.json(name, "ip -j route show default")
        ok = any(route.get("gateway") == gateway for route in routes)
        expect.that(ok, f"{name} has a default route via {gateway}", (
            "A route for one network does not lead to the rest of the world."
        ), hint=1 if name == "A" else 2)
    expect.ping("A", "8.8.8.8", hint=3)
    expect.ping("C", "8.8.8.8", hint=3)


EXERCISE = Exercise(
    title="The door to the rest of the world",
    lab="routing",
    task="Let A and C reach the host 8.8.8.8 on the internet, and each other, with one route each.",
    check=check,
    hints=(
        "`default` stands for 0.0.0.0/0, every address: `ip route add default via GATEWAY`.",
        "Each host needs its own default route; its gateway is the router's address in the host's network.",
        "The router knows the way to the internet, and the internet host knows the way back. `ip route get "
        "8.8.8.8` shows what A would do.",
    ),
    solution=(("A", "ip route add default via 192.168.1.1"), ("C", "ip route add default via 192.168.2.1")),
    wrong=(
        Wrong((("A", "ip route add default via 192.168.1.1"),), hint=2, why="C was forgotten"),
        Wrong(
            (("A", "ip route add 8.8.8.8 via 192.168.1.1"), ("C", "ip route add 8.8.8.8 via 192.168.2.1")),
            hint=1,
            why="host routes only",
        ),
    ),
)
