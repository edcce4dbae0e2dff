"""A cable from a namespace to its host: the start of every container network."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    names = {entry["name"] for entry in expect.json("host", "ip -j netns list")}
    if not expect.that("red" in names, "there is a namespace red", hint=1):
        return
    done = expect.run("host", "ip netns exec red ping -c 2 -i 0.2 -W 1 10.9.0.1")
    local = any(e["local"] == "10.9.0.1" for link in expect.json("host", (
        "ip -j addr show"
    )) for e in link["addr_info"])
    expect.that(local, "the host itself has 10.9.0.1", (
        "One end of the cable stays on the host and has the host's address."
    ), hint=2)
    expect.that(done.returncode == 0, "red can ping the host at 10.9.0.1", hint=3)


EXERCISE = Exercise(
    title="A cable to the host",
    lab="netns",
    task=(
        "Make a namespace red with the address 10.9.0.2/24, and connect it with the host, which has "
        "10.9.0.1/24 on its end of the cable."
    ),
    check=check,
    hints=(
        "Begin with `ip netns add red` and a veth pair.",
        "Move only one end into red. The other end stays here, and gets 10.9.0.1/24.",
        "Set both ends up, each where it is. Pinging one's own address inside of red would need `lo` up as "
        "well.",
    ),
    solution=(
        ("host", "ip netns add red"),
        ("host", "ip link add to-red type veth peer name eth0 netns red"),
        ("host", "ip addr add 10.9.0.1/24 dev to-red"),
        ("host", "ip link set to-red up"),
        ("host", "ip -n red addr add 10.9.0.2/24 dev eth0"),
        ("host", "ip -n red link set eth0 up"),
    ),
    wrong=(
        Wrong(
            (
                ("host", "ip netns add red"),
                ("host", "ip -n red addr add 10.9.0.1/24 dev lo"),
                ("host", "ip -n red link set lo up"),
            ),
            hint=2,
            why="pings itself",
        ),
        Wrong(
            (
                ("host", "ip netns add red"),
                ("host", "ip link add to-red type veth peer name eth0 netns red"),
                ("host", "ip addr add 10.9.0.1/24 dev to-red"),
                ("host", "ip -n red addr add 10.9.0.2/24 dev eth0"),
                ("host", "ip -n red link set eth0 up"),
            ),
            hint=3,
            why="the host's end is down",
        ),
    ),
    minutes=6,
)
