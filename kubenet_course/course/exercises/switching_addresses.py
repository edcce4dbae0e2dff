"""Give two hosts on one switch addresses of one network."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    has = {name: expect.addresses(name, device="eth0") for name in ("A", "B")}
    for name in ("A", "B"):
        expect.up(name, "eth0", hint=3)
        expect.that(bool(has[name]), f"eth0 of {name} has an IPv4 address", (
            "Without an address it can neither ask nor answer."
        ), hint=1)
    both = sorted(set(has["A"]) & set(has["B"]))
    expect.that(not both, "no address is on both hosts", f"{', '.join(both)} is: A's ping to it never leaves A.", hint=2)
    # B may have several; one that A can ping is enough.
    own = [address for address in has["B"] if address not in both]
    if own:
        target = next((address for address in own if expect.reaches("A", address)), own[0])
        expect.ping("A", target, hint=2, owner="B")
    else:
        expect.that(False, "A can ping B", "B has no address of its own that A could ping.", hint=2)


EXERCISE = Exercise(
    title="Two hosts, one network",
    lab="switching",
    task="Give A and B addresses so that A can ping B. Any network will do, as long as both are in it.",
    check=check,
    hints=(
        "`ip addr add ADDRESS/LENGTH dev eth0` gives an interface an address. Do it on both hosts.",
        "Both addresses must be in the same network, and differ: with /24 the first three numbers must agree, the last "
        "must not.",
        "An interface must be up: `ip link set eth0 up`.",
    ),
    solution=(("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.1.11/24 dev eth0")),
    others=(
        (("A", "ip addr add 10.0.0.1/8 dev eth0"), ("B", "ip addr add 10.9.9.9/8 dev eth0")),
        (("A", "ifconfig eth0 172.16.0.1/16"), ("B", "ifconfig eth0 172.16.0.2/16")),
        (
            ("B", "ip addr add 10.0.0.1/24 dev eth0"),
            ("B", "ip addr add 192.168.1.11/24 dev eth0"),
            ("A", "ip addr add 192.168.1.10/24 dev eth0"),
        ),
    ),
    wrong=(
        Wrong((("A", "ip addr add 192.168.1.10/24 dev eth0"),), hint=1, why="B was forgotten"),
        Wrong(
            (("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.2.11/24 dev eth0")),
            hint=2,
            why="two networks on one switch",
        ),
        Wrong(
            (("A", "ip addr add 192.168.1.10/24 dev eth0"), ("B", "ip addr add 192.168.1.10/24 dev eth0")),
            hint=2,
            why="the same address twice: A pings itself",
        ),
        Wrong(
            (("A", "ip addr add 192.168.1.10 dev eth0"), ("B", "ip addr add 192.168.1.11 dev eth0")),
            hint=2,
            why="no prefix length: each is alone in its network",
        ),
        Wrong(
            (
                ("A", "ip addr add 192.168.1.10/24 dev eth0"),
                ("B", "ip addr add 192.168.1.11/24 dev eth0 && ip link set eth0 down"),
            ),
            hint=3,
            why="B's interface is down",
        ),
    ),
    minutes=3,
)
