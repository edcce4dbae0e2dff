"""A – B – C: a Linux machine with two cables, that could be a router and is not yet.

    A 192.168.1.5 ── 192.168.1.6 B 192.168.2.6 ── 192.168.2.5 C

No routes but each machine's own networks, and forwarding is off in B: both are the lesson.
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "A Linux machine between two networks"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("linux-router", title=title)
        .host("A", "192.168.1.5/24")
        .host("B", eth0="192.168.1.6/24", eth1="192.168.2.6/24")
        .host("C", "192.168.2.5/24")
        .link("A", "B:eth0")
        .link("B:eth1", "C")
    )
