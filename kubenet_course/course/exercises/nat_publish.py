"""Forward a port of the host to another port in a namespace."""

from kubenet_course.course.bridged import SERVED, page_at
from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect


def check(expect: Expect) -> None:
    done = expect.run("host", "ip netns exec red curl -sS -m 2 http://192.168.15.2")
    expect.that("Hello from blue" in done.stdout, "blue serves its page on port 80", "Its server is gone.", hint=1)
    page_at(expect, "laptop", "http://192.168.1.2:8080", hint=_fitting(expect))
    done = expect.run("laptop", "curl -sS -m 2 http://192.168.1.2")
    expect.that(
        "Hello from blue" not in done.stdout,
        "port 80 of the host is as before",
        "It leads to blue as well: the rule matches more than port 8080.",
        hint=3,
    )


def _fitting(expect: Expect) -> int:
    """The hint for what is there: nothing yet, or a rule that sends the packet to the wrong port."""
    rules = expect.run("host", "iptables -t nat -S PREROUTING").stdout
    return 2 if "DNAT" in rules else 1


EXERCISE = Exercise(
    title="Published",
    lab="bridge-nat",
    setup=SERVED,
    task=(
        "blue (192.168.15.2) serves a page on port 80. Let the laptop get it from http://192.168.1.2:8080, the "
        "host's port 8080. The host's port 80 stays as it is."
    ),
    check=check,
    hints=(
        "What comes in from outside passes the chain PREROUTING of the table nat: `-p tcp --dport 8080 -j DNAT …`.",
        "blue does not listen on 8080. The new port stands behind the address: --to-destination ADDRESS:PORT.",
        "`--dport` must be the port that the laptop asks for, and only that one.",
    ),
    solution=(
        ("host", "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 192.168.15.2:80"),
    ),
    others=(
        (("host", "iptables -t nat -A PREROUTING -i eth0 -d 192.168.1.2 -p tcp --dport 8080 -j DNAT --to 192.168.15.2:80"),),
        (
            ("host", "nft add table ip n && nft 'add chain ip n p { type nat hook prerouting priority -100; }'"),
            ("host", "nft add rule ip n p tcp dport 8080 dnat to 192.168.15.2:80"),
        ),
    ),
    wrong=(
        Wrong(
            (("host", "iptables -t nat -A PREROUTING -p tcp --dport 8080 -j DNAT --to-destination 192.168.15.2"),),
            hint=2,
            why="the port stays 8080",
        ),
        Wrong(
            (("host", "iptables -t nat -A OUTPUT -p tcp --dport 8080 -j DNAT --to-destination 192.168.15.2:80"),),
            hint=1,
            why="OUTPUT sees the host's own packets only",
        ),
        Wrong(
            (("host", "iptables -t nat -A PREROUTING -p tcp -j DNAT --to-destination 192.168.15.2:80"),),
            hint=3,
            why="every port is forwarded",
        ),
        Wrong(
            (("host", "iptables -t nat -A PREROUTING -p udp --dport 8080 -j DNAT --to-destination 192.168.15.2:80"),),
            hint=2,
            why="UDP",
        ),
        Wrong(
            (("host", "python3 -m http.server 8080 -d /srv/blue > /dev/null 2>&1 & sleep 1"),),
            hint=1,
            why="the same page from another server: nothing was forwarded",
        ),
    ),
)
