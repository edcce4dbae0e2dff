"""One machine called `host` that knows nothing but itself: only `lo`."""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "One machine"


def topology() -> Topology:
    """The lab, untouched."""
    return Topology("single", title=title).host("host")
