"""A cable from a namespace to its host: the start of every container network."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect, last_words


def check(expect: Expect) -> None:
    names = {entry["name"] for entry in expect.json("host", "ip -j netns list")}
    if not expect.that("red" in names, "there is a namespace red", f"ip netns shows: {', '.join(names) or 'nothing'}.", hint=1):
        return
    own, inside = expect.addresses("host"), expect.addresses("host", netns="red")
    for who, has, address, other in (("the host", own, "10.9.0.1", "10.9.0.2"), ("red", inside, "10.9.0.2", "10.9.0.1")):
        expect.that(address in has, f"{who} has {address}", (
            f"It has: {', '.join(has) or 'none'}. One end of the cable stays on the host, the other is in red."
        ), hint=2)
        expect.that(other not in has, f"{who} has not the other's address, {other}", (
            "It would ping itself."
        ), hint=2)
    for who, command, address in (
        ("red", "ip netns exec red ping -c 2 -i 0.2 -W 1 10.9.0.1", "10.9.0.1"),
        ("the host", "ping -c 2 -i 0.2 -W 1 10.9.0.2", "10.9.0.2"),
    ):
        done = expect.run("host", command)
        expect.that(done.returncode == 0, f"{who} can ping {address}", last_words(done), hint=3)


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
    others=(
        (
            ("host", "ip netns add red && ip link add cable type veth peer name plug && ip link set plug netns red"),
            ("host", "ifconfig cable 10.9.0.1/24 up && ip netns exec red ifconfig plug 10.9.0.2/24 up"),
        ),
        (
            ("host", "ip netns add red && ip link add port type veth peer name eth0 netns red"),
            ("host", "ip link add br0 type bridge && ip link set port up master br0 && ip link set br0 up"),
            ("host", "ip a a 10.9.0.1/24 dev br0 && ip -n red a a 10.9.0.2/24 dev eth0 && ip -n red link set eth0 up"),
        ),
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
        Wrong(
            (
                ("host", "ip netns add red && ip -n red link set lo up"),
                ("host", "ip addr add 10.9.0.1/24 dev lo && ip -n red addr add 10.9.0.1/24 dev lo"),
            ),
            hint=2,
            why="no cable: each pings itself",
        ),
        Wrong(
            (
                ("host", "ip netns add red && ip link add port type veth peer name eth0 netns red"),
                ("host", "ifconfig port 10.9.0.1/24 up && ip netns exec red ifconfig eth0 10.9.0.3/24 up"),
            ),
            hint=2,
            why="red has another address",
        ),
    ),
    minutes=6,
)
