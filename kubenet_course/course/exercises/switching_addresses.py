"""Give two hosts on one switch addresses of one network."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    for name in ("A", "B"):
        expect.up(name, "eth0", hint=3)
        has = any(
            entry["family"] == "inet"
            for link in expect.json(name, "ip -j addr show dev eth0")
            for entry in link["addr_info"]
        )
        expect.that(has, f"eth0 of {name} has an IPv4 address", (
            "Without an address it can neither ask nor answer."
        ), hint=1)
    network = [
        entry["local"] + "/" + str(entry["prefixlen"])
        for link in expect.json("B", "ip -j -4 addr show dev eth0")
        for entry in link["addr_info"]
    ]
    target = network[0].split("/")[0] if network else "192.168.1.11"
    expect.ping("A", target, hint=2)


EXERCISE = Exercise(
    title="Two hosts, one network",
    lab="switching",
    task="Give A and B addresses so that A can ping B. Any network will do, as long as both are in it.",
    check=check,
    hints=(
        "`ip addr add ADDRESS/LENGTH dev eth0` gives an interface an address. Do it on both hosts.",
        "Both addresses must be in the same network: with /24 the first three numbers must agree.",
        "An interface must be up: `ip link set eth0 up`.",
    ),
    solution=(("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.1.11/24 dev eth0")),
    wrong=(
        Wrong((("A", "ip addr add 192.168.1.10/24 dev eth0"),), hint=1, why="B was forgotten"),
        Wrong(
            (("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.2.11/24 dev eth0")),
            hint=2,
            why="two networks on one switch",
        ),
    ),
    minutes=3,
)
