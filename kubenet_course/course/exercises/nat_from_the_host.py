"""A forwarded port that works from the machine itself, too."""

from kubenet_course.course.bridged import SERVED, page_at
from kubenet_course.course.exercise import Exercise, Wrong
from kubenet_course.course.expect import Expect

OUTSIDE = "iptables -t nat -A PREROUTING -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80"


def check(expect: Expect) -> None:
    page_at(expect, "laptop", "http://192.168.1.2", hint=1)
    page_at(expect, "host", "http://192.168.1.2", hint=2)
    done = expect.run("host", "curl -sS -m 2 http://192.168.1.3")
    expect.that(
        "Hello from blue" not in done.stdout,
        "what the host asks others for (192.168.1.3) goes to them",
        "It ends at blue: the rule takes every packet to a port 80, wherever it goes.",
        hint=3,
    )


EXERCISE = Exercise(
    title="From the host itself",
    lab="bridge-nat",
    setup=(*SERVED, ("host", OUTSIDE)),
    task=(
        "The laptop gets blue's page from http://192.168.1.2. Let `curl http://192.168.1.2` on the host get it, "
        "too, without bending its connections to other machines."
    ),
    check=check,
    hints=(
        "The rule in PREROUTING was right for the laptop; it must stay.",
        "The host's own packets pass the chain OUTPUT of the table nat.",
        "Match the destination: `-d 192.168.1.2`. Otherwise the host can reach no other web server any more.",
    ),
    solution=(
        (
            "host",
            "iptables -t nat -A OUTPUT -p tcp -d 192.168.1.2 --dport 80 -j DNAT --to-destination 192.168.15.2:80",
        ),
    ),
    others=(
        (("host", "iptables -t nat -A OUTPUT -p tcp -m addrtype --dst-type LOCAL --dport 80 -j DNAT --to 192.168.15.2:80"),),
        (("host", "iptables -t nat -A OUTPUT -o lo -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80"),),
        (
            ("host", "nft add table ip n && nft 'add chain ip n o { type nat hook output priority -100; }'"),
            ("host", "nft add rule ip n o ip daddr 192.168.1.2 tcp dport 80 dnat to 192.168.15.2"),
        ),
    ),
    wrong=(
        Wrong(
            (("host", "iptables -t nat -A OUTPUT -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80"),),
            hint=3,
            why="all web servers are blue now",
        ),
        Wrong(
            (("host", "iptables -t nat -A INPUT -p tcp --dport 80 -j SNAT --to-source 192.168.15.2"),),
            hint=2,
            why="INPUT comes after the decision that the packet is for the host",
        ),
        Wrong(
            (("host", "iptables -t nat -A OUTPUT -p tcp -d 192.168.1.0/24 --dport 80 -j DNAT --to-destination 192.168.15.2:80"),),
            hint=3,
            why="the whole LAN is blue now",
        ),
        Wrong(
            (("host", "python3 -m http.server 80 -d /srv/blue > /dev/null 2>&1 & sleep 1"),),
            hint=2,
            why="the same page from another server",
        ),
    ),
)
