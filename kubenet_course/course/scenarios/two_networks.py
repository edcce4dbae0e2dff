"""Two networks and a router between them, everything set up: for looking, and for breaking.

A 192.168.1.10 ── s1 ── .1 router .1 ── s2 ── B 192.168.2.10
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "Two networks and a router that work"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("two-networks", title=title)
        .switch("s1")
        .switch("s2")
        .host("A", "192.168.1.10/24", default="192.168.1.1")
        .host("B", "192.168.2.10/24", default="192.168.2.1")
        .router("router", eth0="192.168.1.1/24", eth1="192.168.2.1/24")
        .link("A", "s1")
        .link("router:eth0", "s1")
        .link("router:eth1", "s2")
        .link("B", "s2")
    )
