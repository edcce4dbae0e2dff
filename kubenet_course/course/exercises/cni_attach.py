"""Two containers on a network that is there already."""

from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect

PATH = "CNI_PATH=/opt/cni/bin"


def address_of(expect: Expect, namespace: str, start: str) -> str:
    """The namespace's first address that begins so, "" where it has none."""
    for link in expect.json("host", f"ip -n {namespace} -j -4 addr show"):
        for entry in link.get("addr_info", ()):
            if entry["local"].startswith(start):
                return str(entry["local"])
    return ""


def check(expect: Expect) -> None:
    taken = set(expect.run("host", "ls /var/lib/cni/networks/bridge-net").stdout.split())
    found = {}
    for name in ("c1", "c2"):
        found[name] = address_of(expect, name, "10.22.0.")
        expect.that(
            bool(found[name]), f"{name} has an address of the network bridge-net (10.22.0.0/24)", "It has none.", hint=1
        )
    for name, address in found.items():
        if address:
            expect.that(
                address in taken,
                f"the plugin knows that {address} is {name}'s",
                "The address was given by hand: host-local would give it to the next container again.",
                hint=2,
            )
    if all(found.values()):
        for name, other in (("c1", "c2"), ("c2", "c1")):
            done = expect.run("host", f"ip netns exec {name} ping -c 3 -i 0.5 -W 1 {found[other]}")
            expect.that(done.returncode == 0, f"{name} can ping {other}", hint=3)


EXERCISE = Exercise(
    title="Two containers",
    lab="cni",
    setup=(("host", "ip netns add c1 && ip netns add c2"),),
    task="Attach the containers c1 and c2 (namespaces that are there) to the network bridge-net, so that they can ping each other.",
    check=check,
    hints=(
        "`cnitool add NETWORK /var/run/netns/NAME`, with the variable CNI_PATH=/opt/cni/bin. Once for each.",
        "Let the plugin choose the addresses. Take the one given by hand away first: `ip -n c1 addr flush dev eth0`.",
        "Are both in the same network? `ip -n c1 route`, and `bridge link` on the host.",
    ),
    solution=(
        ("host", f"{PATH} cnitool add bridge-net /var/run/netns/c1"),
        ("host", f"{PATH} cnitool add bridge-net /var/run/netns/c2"),
    ),
    others=(
        (("host", f"export {PATH}; for n in c1 c2; do cnitool add bridge-net /run/netns/$n; done"),),
        tuple(
            (
                "host",
                f"{PATH} CNI_COMMAND=ADD CNI_CONTAINERID={name} CNI_NETNS=/var/run/netns/{name} CNI_IFNAME=net0 "
                "/opt/cni/bin/bridge < /etc/cni/net.d/10-bridge.conf",
            )
            for name in ("c1", "c2")
        ),
    ),
    wrong=(
        Wrong((("host", f"{PATH} cnitool add bridge-net /var/run/netns/c1"),), hint=1, why="only one of them"),
        Wrong(
            (
                ("host", f"{PATH} cnitool add bridge-net /var/run/netns/c1"),
                ("host", "ip link add veth-c2 type veth peer name eth0 netns c2"),
                ("host", "ip link set veth-c2 master cni0 up"),
                ("host", "ip -n c2 addr add 10.22.0.3/24 dev eth0 && ip -n c2 link set eth0 up"),
            ),
            hint=2,
            why="the second one by hand",
        ),
    ),
)
