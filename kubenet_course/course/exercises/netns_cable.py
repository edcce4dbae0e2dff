"""Two namespaces and a virtual cable."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect

ADDRESSES = {"green": "10.1.1.1", "yellow": "10.1.1.2"}


def check(expect: Expect) -> None:
    names = {entry["name"] for entry in expect.json("host", "ip -j netns list")}
    for name in ADDRESSES:
        expect.that(name in names, f"there is a namespace {name}", (
            f"ip netns shows: {', '.join(sorted(names)) or 'nothing'}."
        ), hint=1)
    for name, address in ADDRESSES.items():
        has = expect.addresses("host", netns=name) if name in names else {}
        why = "An address is lost when its interface moves: give it after the move."
        if name not in names:
            why = "There is no such namespace yet."
        elif has:
            why = f"It has: {', '.join(has)}."
        if not expect.that(address in has, f"namespace {name} has {address}", why, hint=3 if name in names else 1):
            continue
        device = has[address]
        if expect.that(
            device != "lo", f"{address} is on {name}'s end of the cable", "It is on lo, and that leads nowhere.", hint=2
        ):
            expect.up("host", device, hint=4, netns=name)
    if not set(ADDRESSES) <= names:
        return
    for name, other in (("green", "yellow"), ("yellow", "green")):
        pings(expect, name, other, ADDRESSES[other])


def pings(
    expect: Expect,
    name: str,
    other: str,
    address: str,
    *,
    unanswered: str = "It gets no answer: do the two ends belong to one cable?",
    hints: tuple[int, int] = (3, 2),
) -> None:
    """Namespace `name` of the host can ping `other`'s address, and it is really `other` who answers."""
    wanted = f"{name} can ping {other} ({address})"
    route = expect.json("host", f"ip -n {name} -j route get {address}")
    if not route:
        expect.that(False, wanted, "It has no route there: is the prefix length 24?", hint=hints[0])
    elif route[0].get("type") == "local":
        expect.that(False, wanted, f"{address} is an address of {name} itself, too: take it away there.", hint=hints[0])
    else:
        done = expect.run("host", f"ip netns exec {name} ping -c 2 -i 0.2 -W 1 {address}")
        expect.that(done.returncode == 0, wanted, unanswered, hint=hints[1])


CABLE = (
    ("host", "ip netns add green && ip netns add yellow && ip link add v0 type veth peer name v1"),
    ("host", "ip link set v0 netns green up && ip link set v1 netns yellow up"),
)

EXERCISE = Exercise(
    title="Green and yellow",
    lab="netns",
    task=(
        "Make two namespaces, green (10.1.1.1/24) and yellow (10.1.1.2/24), and a virtual cable between them, "
        "so that green can ping 10.1.1.2."
    ),
    check=check,
    hints=(
        "`ip netns add NAME` makes a namespace.",
        "`ip link add END1 type veth peer name END2` makes a cable, `ip link set END1 netns NAME` plugs one "
        "end in.",
        "Inside a namespace: `ip -n NAME addr add ADDRESS/24 dev END`.",
        "Both ends must be up: `ip -n NAME link set END up`.",
    ),
    solution=(
        ("host", "ip netns add green"),
        ("host", "ip netns add yellow"),
        ("host", "ip link add veth-green type veth peer name veth-yellow"),
        ("host", "ip link set veth-green netns green"),
        ("host", "ip link set veth-yellow netns yellow"),
        ("host", "ip -n green addr add 10.1.1.1/24 dev veth-green"),
        ("host", "ip -n yellow addr add 10.1.1.2/24 dev veth-yellow"),
        ("host", "ip -n green link set veth-green up"),
        ("host", "ip -n yellow link set veth-yellow up"),
    ),
    others=(
        (
            ("host", "ip netns add green && ip netns add yellow"),
            ("host", "ip link add eth0 netns green type veth peer name eth0 netns yellow"),
            ("host", "ip netns exec green ifconfig eth0 10.1.1.1/24 up"),
            ("host", "ip netns exec yellow ifconfig eth0 10.1.1.2/24 up"),
        ),
        (
            ("host", "ip netns add yellow && ip netns add green && ip link add v0 type veth peer name v1"),
            ("host", "ip link set v0 netns yellow up && ip link set v1 netns green up"),
            ("host", "ip -n green a a 10.1.1.1/24 dev v1 && ip -n yellow a a 10.1.1.2/24 dev v0"),
        ),
    ),
    wrong=(
        Wrong((("host", "ip netns add green"),), hint=1, why="only one namespace"),
        Wrong(
            (
                ("host", "ip netns add green"),
                ("host", "ip netns add yellow"),
                ("host", "ip link add veth-green type veth peer name veth-yellow"),
                ("host", "ip addr add 10.1.1.1/24 dev veth-green"),
                ("host", "ip addr add 10.1.1.2/24 dev veth-yellow"),
                ("host", "ip link set veth-green netns green"),
                ("host", "ip link set veth-yellow netns yellow"),
            ),
            hint=3,
            why="addresses given before the move are lost",
        ),
        Wrong(
            (
                ("host", "ip netns add green"),
                ("host", "ip netns add yellow"),
                ("host", "ip link add veth-green type veth peer name veth-yellow"),
                ("host", "ip link set veth-green netns green"),
                ("host", "ip link set veth-yellow netns yellow"),
                ("host", "ip -n green addr add 10.1.1.1/24 dev veth-green"),
                ("host", "ip -n yellow addr add 10.1.1.2/24 dev veth-yellow"),
                ("host", "ip -n green link set veth-green up"),
            ),
            hint=4,
            why="one end is down",
        ),
        Wrong(
            (
                *CABLE,
                ("host", "ip -n green addr add 10.1.1.1 dev v0 && ip -n yellow addr add 10.1.1.2 dev v1"),
            ),
            hint=3,
            why="no prefix length",
        ),
        Wrong(
            (
                *CABLE,
                ("host", "ip -n green addr add 10.1.1.1/24 dev v0 && ip -n green addr add 10.1.1.2/24 dev v0"),
                ("host", "ip -n yellow addr add 10.1.1.2/24 dev v1"),
            ),
            hint=3,
            why="green pings itself",
        ),
        Wrong(
            (
                ("host", "ip netns add green && ip netns add yellow"),
                ("host", "ip -n green link set lo up && ip -n green addr add 10.1.1.1/24 dev lo"),
                ("host", "ip -n yellow link set lo up && ip -n yellow addr add 10.1.1.2/24 dev lo"),
            ),
            hint=2,
            why="no cable at all",
        ),
    ),
    minutes=8,
)
