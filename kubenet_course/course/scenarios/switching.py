"""Two machines on one switch. Their cables are in and up; giving them addresses is the lesson."""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "Two machines and a switch"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("switching", title=title)
        .switch("s1")
        .host("A", eth0=())
        .host("B", eth0=())
        .link("A", "s1")
        .link("B", "s1")
    )
