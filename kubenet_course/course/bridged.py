"""The state that notebook 07 builds, as commands: what its exercises and faults begin with.

red 192.168.15.1 and blue 192.168.15.2 are namespaces of the machine `host` of the lab `bridge-nat`, on the
bridge v-net-0, where the host has 192.168.15.5.
"""

from __future__ import annotations

from kubenet_course.course.exercise import Command
from kubenet_course.course.expect import Expect

BRIDGE = "ip link add v-net-0 type bridge && ip link set v-net-0 up"
HOST_ADDRESS = "ip addr add 192.168.15.5/24 dev v-net-0"
MASQUERADE = "iptables -t nat -A POSTROUTING -s 192.168.15.0/24 -j MASQUERADE"
PAGE = "mkdir -p /srv/blue && echo 'Hello from blue' > /srv/blue/index.html"
SERVER = "ip netns exec blue python3 -m http.server 80 -d /srv/blue > /tmp/blue.log 2>&1 &"
#: A program takes a moment until it listens.
LISTENS = "for i in $(seq 50); do ip netns exec blue curl -s -o /dev/null http://192.168.15.2 && break; sleep 0.2; done"


def plugged(name: str, address: str, bridge: str = "v-net-0") -> str:
    """One line that makes a namespace and plugs it into the bridge."""
    return " && ".join(
        (
            f"ip netns add {name}",
            f"ip link add veth-{name} netns {name} type veth peer name veth-{name}-br",
            f"ip link set veth-{name}-br up master {bridge}",
            f"ip -n {name} addr add {address}/24 dev veth-{name}",
            f"ip -n {name} link set veth-{name} up",
            f"ip -n {name} link set lo up",
        )
    )


#: Bridge, red and blue, and the host's address: nothing leads out yet.
SWITCHED: tuple[Command, ...] = (
    ("host", BRIDGE),
    ("host", plugged("red", "192.168.15.1")),
    ("host", plugged("blue", "192.168.15.2")),
    ("host", HOST_ADDRESS),
)
#: What is missing for the way out, but for the rule.
ROUTED: tuple[Command, ...] = (
    ("host", "ip -n red route add default via 192.168.15.5 && ip -n blue route add default via 192.168.15.5"),
    ("host", "sysctl -qw net.ipv4.ip_forward=1"),
)
#: A page in blue, and all that lets it out.
SERVED: tuple[Command, ...] = (
    *SWITCHED, *ROUTED, ("host", MASQUERADE), ("host", PAGE), ("host", SERVER), ("host", LISTENS)
)  # fmt: skip


def answers_in(expect: Expect, namespace: str, address: str, hint: int = 0, *, why: str = "") -> bool:
    """`namespace` of the host can ping `address`."""
    done = expect.run("host", f"ip netns exec {namespace} ping -c 3 -i 0.5 -W 1 {address}")
    said = [line for line in done.output.splitlines() if "nreachable" in line or "packet loss" in line]
    return expect.that(
        done.returncode == 0,
        f"{namespace} can ping {address}",
        why or (f"It says: {said[0].strip()}" if said else ""),
        hint,
    )


def page_at(expect: Expect, machine: str, url: str, hint: int = 0, *, why: str = "") -> bool:
    """blue's page is what `machine` gets from a URL, and from blue itself: a copy on another server will not do."""
    before = _accepted(expect)
    done = expect.run(machine, f"curl -sS -m 2 {url}")
    if "Hello from blue" in done.stdout and _accepted(expect) == before:
        why = "It gets the page from another server: the request never came to blue."
        return expect.that(False, f"{machine} gets blue's page from {url}", why, hint)
    return expect.that(
        "Hello from blue" in done.stdout,
        f"{machine} gets blue's page from {url}",
        why or f"It says: {(done.output.strip().splitlines() or ['nothing'])[-1]}",
        hint,
    )


def _accepted(expect: Expect) -> int:
    """TCP connections that programs in blue have accepted so far (/proc/net/snmp: PassiveOpens)."""
    lines = [line.split() for line in expect.run("host", "ip netns exec blue grep ^Tcp: /proc/net/snmp").stdout.splitlines()]
    return int(dict(zip(*lines))["PassiveOpens"]) if len(lines) == 2 else 0
