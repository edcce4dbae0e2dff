"""One machine with a cable to its gateway, for network namespaces inside it.

    host 192.168.1.2 ── 192.168.1.1 gateway

The gateway is there so that the machine has a neighbour and a default route of its own, which its
namespaces then do not have.
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "One machine, for network namespaces"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("netns", title=title)
        .host("host", "192.168.1.2/24", default="192.168.1.1")
        .host("gateway", "192.168.1.1/24")
        .link("host", "gateway")
    )
