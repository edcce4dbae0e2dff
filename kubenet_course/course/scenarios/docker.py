"""A machine with a Docker Engine, a client in the same LAN, and a host on the internet.

    host 192.168.1.10 ─┐
    client       .20  ─┼─ s1 ── .1 gateway 203.0.113.2 ── 203.0.113.1 internet (8.8.8.8)

dockerd runs on `host` and has made docker0, 172.17.0.0/16. Nobody else knows of that network. `internet`
runs a web server that says who asked.
"""

from __future__ import annotations

from kubenet_course.lab.topology import Topology

title = "A Docker host, a client in its LAN, and the internet"


def topology() -> Topology:
    """The lab, untouched."""
    return (
        Topology("docker", title=title)
        .switch("s1")
        .host("host", "192.168.1.10/24", default="192.168.1.1", daemons=["docker"])
        .host("client", "192.168.1.20/24", default="192.168.1.1")
        .router("gateway", eth0="192.168.1.1/24", eth1="203.0.113.2/24", default="203.0.113.1")
        .host(
            "internet",
            eth0=("203.0.113.1/24", "8.8.8.8/32"),
            routes=["192.168.1.0/24 via 203.0.113.2"],
            commands=["docker-app whoami -name internet > /dev/null 2>&1 &"],
        )
        .link("host", "s1")
        .link("client", "s1")
        .link("gateway:eth0", "s1")
        .link("gateway:eth1", "internet", delay="5ms")
    )
