"""Two namespaces and a virtual cable."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    names = {entry["name"] for entry in expect.json("host", "ip -j netns list")}
    for name in ("green", "yellow"):
        expect.that(name in names, f"there is a namespace {name}", (
            f"ip netns shows: {', '.join(sorted(names)) or 'nothing'}."
        ), hint=1)
    for name, address in (("green", "10.1.1.1"), ("yellow", "10.1.1.2")):
        found = [
            link["ifname"]
            for link in expect.json("host", f"ip -n {name} -j addr show")
            for entry in link["addr_info"]
            if entry["local"] == address
        ]
        why = (
            "An address is lost when its interface moves: give it after the move."
        ) if name in names else "There is no such namespace yet."
        if expect.that(bool(found), f"namespace {name} has {address}", why, hint=3 if name in names else 1):
            expect.up("host", found[0], hint=4, netns=name)
    done = expect.run("host", "ip netns exec green ping -c 2 -i 0.2 -W 1 10.1.1.2")
    expect.that(done.returncode == 0, "green can ping yellow", hint=4)


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
    ),
    minutes=8,
)
