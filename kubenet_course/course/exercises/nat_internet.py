"""From a private network to the internet: route, forwarding, translation."""

from kubenet_course.course.bridged import MASQUERADE, ROUTED, SWITCHED, answers_in
from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect

SPACES = (("red", "192.168.15.1"), ("blue", "192.168.15.2"))


def check(expect: Expect) -> None:
    for name, _ in SPACES:
        expect.route("host", "8.8.8.8/32", netns=name, hint=1)
    forwards = expect.run("host", "sysctl -n net.ipv4.conf.v-net-0.forwarding").stdout.strip()
    expect.that(forwards == "1", "host forwards what comes in at v-net-0", "A host forwards nothing by itself.", hint=2)
    for name, address in SPACES:
        answers_in(expect, name, "8.8.8.8", hint=3)
        tracked = expect.run("host", f"conntrack -L -s {address} -d 8.8.8.8").stdout
        expect.that(
            "dst=192.168.1.2" in tracked,
            f"to the internet, {name}'s packets come from the host's address 192.168.1.2",
            "The host tracks no connection whose source it has changed.",
            hint=3,
        )


EXERCISE = Exercise(
    title="The way out",
    lab="bridge-nat",
    setup=SWITCHED,
    task=(
        "red (192.168.15.1) and blue (192.168.15.2) are on the bridge v-net-0, where the host is 192.168.15.5. Let "
        "both reach 8.8.8.8. The gateway and the internet are not yours to change."
    ),
    check=check,
    hints=(
        "Each namespace needs a default route. Who is the door? `ip -n red route add default via …`",
        "The host must pass on what is not its own: net.ipv4.ip_forward.",
        "Nobody outside knows 192.168.15.0/24. Translate the source in the last hook: table nat, chain "
        "POSTROUTING, `-s` for the network the packets come from.",
        "All of it is there, and still no answer? `%explain host ip netns exec blue ping -c 1 -W 1 8.8.8.8` says who drops it.",
    ),
    solution=(*ROUTED, ("host", MASQUERADE)),
    others=(
        (
            ("host", "ip netns exec red route add default gw 192.168.15.5 && ip -n blue route add 8.8.8.8 via 192.168.15.5"),
            ("host", "sysctl -w net.ipv4.conf.all.forwarding=1"),
            ("host", "iptables -t nat -A POSTROUTING -o eth0 -j SNAT --to-source 192.168.1.2"),
        ),
        (
            *ROUTED,
            ("host", "nft add table ip n && nft 'add chain ip n p { type nat hook postrouting priority 100; }'"),
            ("host", "nft add rule ip n p ip saddr 192.168.15.0/24 masquerade"),
        ),
    ),
    wrong=(
        Wrong((ROUTED[1], ("host", MASQUERADE)), hint=1, why="no default route"),
        Wrong((ROUTED[0], ("host", MASQUERADE)), hint=2, why="forwarding is off"),
        Wrong(
            (*ROUTED, ("host", "iptables -t nat -A POSTROUTING -d 192.168.15.0/24 -j MASQUERADE")),
            hint=3,
            why="the wrong direction: what goes to the namespaces is translated",
        ),
        Wrong(
            (*ROUTED, ("host", "iptables -t nat -A POSTROUTING -s 192.168.15.1 -j MASQUERADE")), hint=3, why="red only"
        ),
        Wrong((*ROUTED, ("host", MASQUERADE), ("host", "iptables -P FORWARD DROP")), hint=3, why="the filter drops it"),
    ),
    minutes=6,
)
