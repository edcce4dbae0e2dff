"""A router that does not route."""

from kubenet_course.course.expect import Expect
from kubenet_course.course.fault import Fault


def check(expect: Expect) -> None:
    expect.ping("A", "192.168.2.5", owner="C")


FAULT = Fault(
    title="The silent router",
    lab="linux-router",
    symptom=(
        "A and C have the right routes, both can ping B, and still A gets no answer from C (192.168.2.5). No "
        "error, just silence."
    ),
    setup=(
        ("A", "ip route add 192.168.2.0/24 via 192.168.1.6"),
        ("C", "ip route add 192.168.1.0/24 via 192.168.2.6"),
    ),
    breakage=(("B", "sysctl -qw net.ipv4.ip_forward=1"), ("B", "sysctl -qw net.ipv4.conf.eth0.forwarding=0")),
    check=check,
    clues=(
        "Silence means that somebody threw the packet away. Where? `%journey A ping -c 1 -W 1 192.168.2.5`.",
        "B drops it. `cat /proc/sys/net/ipv4/ip_forward` says 1, so look closer: `sysctl -a` and grep for "
        "forwarding.",
        "There is one switch for each interface: net.ipv4.conf.eth0.forwarding.",
    ),
    proof=("B", "sysctl net.ipv4.conf.eth0.forwarding"),
    mend=(("B", "sysctl -w net.ipv4.conf.eth0.forwarding=1"),),
    explanation=(
        "ip_forward sets the switch of every interface when it is written; each can be changed on its own "
        "afterwards."
    ),
)
