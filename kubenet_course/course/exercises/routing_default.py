"""One default route instead of one route for each network in the world."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    for name, gateway in (("A", "192.168.1.1"), ("C", "192.168.2.1")):
        routes = expect.json(name, "ip -j route show default")
        hops = [route.get("gateway", f"{route.get('dev', 'nowhere')} itself") for route in routes]
        # Without a gateway it works as well, where the router answers ARP for all the world (proxy_arp).
        ok = gateway in hops or bool(routes) and expect.reaches(name, "8.8.8.8")
        why = f"Its default route leads to {', '.join(hops)}." if routes else (
            "It has none, and a route for one network does not lead to the rest of the world."
        )
        expect.that(ok, f"{name} has a default route via {gateway}", why, hint=1 if name == "A" else 2)
        added = [
            route["dst"]
            for route in expect.json(name, "ip -j route show")
            if route.get("protocol") != "kernel" and route["dst"] != "default"
        ]
        expect.that(not added, f"{name} has no other route that somebody added", (
            f"It has: {', '.join(added)}. `ip route del {added[0] if added else ''}` takes it away."
        ), hint=4)
    expect.ping("A", "8.8.8.8", hint=3, owner="internet")
    expect.ping("C", "8.8.8.8", hint=3, owner="internet")
    expect.ping("A", "192.168.2.10", hint=3, owner="C")


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
        "One route each: a default route leads everywhere, so no other one is needed.",
    ),
    solution=(("A", "ip route add default via 192.168.1.1"), ("C", "ip route add default via 192.168.2.1")),
    others=(
        (("A", "route add default gw 192.168.1.1"), ("C", "ip route add 0.0.0.0/0 via 192.168.2.1 dev eth0 metric 50")),
        (
            ("A", "ip route add default dev eth0"),
            ("C", "ip route add default dev eth0"),
            ("router", "sysctl -w net.ipv4.conf.all.proxy_arp=1"),
        ),
        (("A", "ip r a 0/0 via 192.168.1.1"), ("C", "ip route replace default via 192.168.2.1")),
    ),
    wrong=(
        Wrong((("A", "ip route add default via 192.168.1.1"),), hint=2, why="C was forgotten"),
        Wrong(
            (("A", "ip route add 8.8.8.8 via 192.168.1.1"), ("C", "ip route add 8.8.8.8 via 192.168.2.1")),
            hint=1,
            why="host routes only",
        ),
        Wrong(
            (("A", "ip route add default via 192.168.1.1"), ("C", "ip route add default via 192.168.2.11")),
            hint=2,
            why="D is no router",
        ),
        Wrong(
            (
                ("A", "ip route add default via 192.168.1.1 && ip route add 192.168.2.0/24 via 192.168.1.1"),
                ("C", "ip route add default via 192.168.2.1"),
            ),
            hint=4,
            why="more than one route",
        ),
    ),
)
