"""One machine on a LAN, the LAN's gateway, and the internet behind it.

    host 192.168.1.2 ─┐
    laptop       .3  ─┼─ s1 ── .1 gateway 203.0.113.2 ── 203.0.113.1 internet (8.8.8.8)

Nobody knows of the network 192.168.15.0/24 that the learner makes inside `host`: packets from there
come back only where `host` translates their addresses.
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "A machine, its LAN and the internet"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("bridge-nat", title=title)
        .switch("s1")
        .host("host", "192.168.1.2/24", default="192.168.1.1")
        .host("laptop", "192.168.1.3/24", default="192.168.1.1")
        .router("gateway", eth0="192.168.1.1/24", eth1="203.0.113.2/24", default="203.0.113.1")
        .host("internet", eth0=("203.0.113.1/24", "8.8.8.8/32"), routes=["192.168.1.0/24 via 203.0.113.2"])
        .link("host", "s1")
        .link("laptop", "s1")
        .link("gateway:eth0", "s1")
        .link("gateway:eth1", "internet", delay="5ms")
    )
