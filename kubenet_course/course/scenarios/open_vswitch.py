"""One machine with Open vSwitch running, and two namespaces whose cables wait for a switch.

    red  veth-red  ── veth-red-br  (host)
    blue veth-blue ── veth-blue-br (host)
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "Two namespaces, and Open vSwitch beside them"

ENDS = (("red", "192.168.15.1/24"), ("blue", "192.168.15.2/24"))


def topology() -> Topology:
    """The lab, untouched."""
    commands = []
    for name, address in ENDS:
        commands += [
            f"ip netns add {name}",
            f"ip link add veth-{name} netns {name} type veth peer name veth-{name}-br",
            f"ip -n {name} addr add {address} dev veth-{name}",
            f"ip -n {name} link set veth-{name} up",
            f"ip link set veth-{name}-br up",
        ]
    return Topology("open-vswitch", title=title).host("host", daemons=("openvswitch",), commands=commands)
