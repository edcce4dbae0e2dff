"""Two networks, a router between them, and the internet behind it.

    A 192.168.1.10, B .11 ── s1 ── .1 router .1 ── s2 ── C 192.168.2.10, D .11
                                      │ 203.0.113.2
                                      └── .1 internet (8.8.8.8)

Every machine has its address; nobody but the router knows a way out of its own network: to tell
them is the lesson.
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "Two networks, a router and the internet"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("routing", title=title)
        .switch("s1")
        .switch("s2")
        .host("A", "192.168.1.10/24")
        .host("B", "192.168.1.11/24")
        .host("C", "192.168.2.10/24")
        .host("D", "192.168.2.11/24")
        .router(
            "router",
            eth0="192.168.1.1/24",
            eth1="192.168.2.1/24",
            eth2="203.0.113.2/24",
            default="203.0.113.1",
        )
        .host("internet", eth0=("203.0.113.1/24", "8.8.8.8/32"), routes=["192.168.0.0/16 via 203.0.113.2"])
        .link("A", "s1")
        .link("B", "s1")
        .link("C", "s2")
        .link("D", "s2")
        .link("router:eth0", "s1")
        .link("router:eth1", "s2")
        .link("router:eth2", "internet", delay="5ms")
    )
