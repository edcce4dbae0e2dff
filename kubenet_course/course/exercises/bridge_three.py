"""A switch for three namespaces, and the host as its fourth member."""

from __future__ import annotations

from kubenet_course.course.bridged import answers_in
from kubenet_course.course.exercise import Command, Exercise, Wrong
from kubenet_course.course.expect import Expect

SPACES = ("green", "yellow", "violet")


def check(expect: Expect) -> None:
    switches = expect.run("host", "ovs-vsctl list-br").stdout.split()
    bridges = [link["ifname"] for link in expect.json("host", "ip -j link show type bridge")] + switches
    if not expect.that(bool(bridges), "host has a bridge", "It has none: three cannot share one cable.", hint=1):
        return
    up = [b for b in bridges for link in expect.json("host", f"ip -j link show {b}") if "UP" in link["flags"]]
    expect.that(bool(up), "the bridge is up", "A bridge that is down passes nothing on.", hint=1)
    addresses = {name: _address(expect, f"-n {name} ") for name in SPACES}
    for name, address in addresses.items():
        expect.that(bool(address), f"{name} has an address in 10.1.1.0/24", "It has none.", hint=3)
    ports = {link["ifname"] for b in bridges for link in expect.json("host", f"ip -j link show master {b}")}
    ports |= {port for switch in switches for port in expect.run("host", f"ovs-vsctl list-ports {switch}").stdout.split()}
    expect.that(
        len(ports) >= len(SPACES),
        "three cables end in the bridge",
        f"Its ports: {', '.join(sorted(ports)) or 'none'}. A cable joins the bridge with `master`.",
        hint=2,
    )
    twice = sorted({a for a in addresses.values() if a and list(addresses.values()).count(a) > 1})
    expect.that(not twice, "each has an address of its own", f"{', '.join(twice)} was given more than once.", hint=3)
    given = [(name, address) for name, address in addresses.items() if address]
    for (name, _), (other, address) in zip(given, given[1:] + given[:1]):
        if name != other:
            answers_in(expect, name, address, hint=4, why=f"{name} gets no answer from {other}.")
    own = _address(expect, "")
    same = [name for name, address in given if address == own]
    why = f"{own} is {' and '.join(same)}'s: a ping to it never leaves the host." if same else "It is no member of that network."
    expect.that(bool(own) and not same, "host has an address of its own in 10.1.1.0/24", why, hint=5)
    if own and given and not same:
        expect.ping("host", given[0][1], hint=5)


def _address(expect: Expect, inside: str) -> str:
    for link in expect.json("host", f"ip {inside}-j -4 addr show"):
        for entry in link.get("addr_info", ()):
            if entry["local"].startswith("10.1.1.") and link["ifname"] != "lo":
                return str(entry["local"])
    return ""


def cable(name: str) -> list[Command]:
    return [
        ("host", f"ip link add veth-{name} type veth peer name veth-{name}-br"),
        ("host", f"ip link set veth-{name} netns {name}"),
    ]


def address(name: str, number: int) -> list[Command]:
    return [
        ("host", f"ip -n {name} addr add 10.1.1.{number}/24 dev veth-{name}"),
        ("host", f"ip -n {name} link set veth-{name} up"),
        ("host", f"ip link set veth-{name}-br up"),
    ]


MADE = [("host", "ip link add br0 type bridge"), ("host", "ip link set br0 up")]
CABLES = [command for name in SPACES for command in cable(name)]
PLUGGED = [("host", f"ip link set veth-{name}-br master br0") for name in SPACES]
ADDRESSES = [command for number, name in enumerate(SPACES, 1) for command in address(name, number)]
OWN = [("host", "ip addr add 10.1.1.254/24 dev br0")]

EXERCISE = Exercise(
    title="Three on a bridge",
    lab="bridge-nat",
    setup=(("host", "ip netns add green && ip netns add yellow && ip netns add violet"),),
    task=(
        "The namespaces green, yellow and violet are there. Connect them by a bridge, each with an address of "
        "10.1.1.0/24, so that each can ping the others, and the host too."
    ),
    check=check,
    hints=(
        "`ip link add NAME type bridge`, and set it up.",
        "A veth pair for each: one end into the namespace, the other `ip link set END master BRIDGE`.",
        "Give addresses after the move: `ip -n NAME addr add 10.1.1.1/24 dev END`.",
        "Up must be: the bridge, the end in the namespace, and the end at the bridge.",
        "The host's place in that network is the bridge itself: `ip addr add 10.1.1.254/24 dev BRIDGE`.",
    ),
    solution=(*MADE, *CABLES, *PLUGGED, *ADDRESSES, *OWN),
    others=(
        (
            ("host", "brctl addbr sw && ip link set sw up && ip addr add 10.1.1.100/24 dev sw"),
            *(
                ("host", f"ip link add {name} type veth peer name eth0 netns {name} && ip link set {name} up master sw && "
                         f"ip netns exec {name} ifconfig eth0 10.1.1.{number}/24 up")
                for number, name in enumerate(SPACES, 1)
            ),
        ),
    ),
    wrong=(
        Wrong((*MADE[:1], *CABLES, *PLUGGED, *ADDRESSES, *OWN), hint=1, why="the bridge is down"),
        Wrong((*MADE, *CABLES, *ADDRESSES, *OWN), hint=2, why="the cables end nowhere"),
        Wrong(
            (*MADE, *CABLES, *PLUGGED, *(c for c in ADDRESSES if not c[1].endswith("-br up")), *OWN),
            hint=4,
            why="the ends at the bridge are down",
        ),
        Wrong(
            (*MADE, *CABLES, *PLUGGED, *ADDRESSES, ("host", "ip addr add 10.1.1.254/24 dev veth-green-br")),
            hint=5,
            why="the host's address is on a port of the bridge",
        ),
        Wrong(
            (*MADE, *CABLES, *PLUGGED, *ADDRESSES, ("host", "ip addr add 10.1.1.1/24 dev br0")),
            hint=5,
            why="the host's address is green's: it pings itself",
        ),
        Wrong(
            (*MADE, *CABLES, *PLUGGED, *address("green", 1), *address("yellow", 1), *address("violet", 3), *OWN),
            hint=3,
            why="two have the same address",
        ),
    ),
    minutes=10,
)
