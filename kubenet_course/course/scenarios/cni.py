"""A container host on a LAN, with networks for CNI in /etc/cni/net.d and the plugins in /opt/cni/bin.

    host 192.168.1.2 ─┐
    laptop       .3  ─┼─ s1 ── .1 gateway 203.0.113.2 ── 203.0.113.1 internet (8.8.8.8)

`bridge-net` is one plugin, `web-net` a list (bridge, portmap), `lo` the loopback, and `script-net` names a
plugin `net-script` that nobody has written yet. Containers are network namespaces that the learner makes.
"""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.lab.topology import Topology

title = "A container host with CNI"

IPAM = {"type": "host-local", "subnet": "10.22.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]}
NETWORKS: dict[str, dict[str, Any]] = {
    "10-bridge.conf": {
        "cniVersion": "1.0.0",
        "name": "bridge-net",
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "ipam": IPAM,
    },
    "20-web.conflist": {
        "cniVersion": "1.0.0",
        "name": "web-net",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni1",
                "isGateway": True,
                "ipMasq": True,
                "ipam": {**IPAM, "subnet": "10.23.0.0/24"},
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    },
    "30-script.conf": {
        "cniVersion": "1.0.0",
        "name": "script-net",
        "type": "net-script",
        "bridge": "cni2",
        "ipam": {"type": "host-local", "subnet": "10.24.0.0/24"},
    },
    "99-loopback.conf": {"cniVersion": "1.0.0", "name": "lo", "type": "loopback"},
}


def topology() -> Topology:
    """The lab, untouched."""
    files = {f"/etc/cni/net.d/{name}": json.dumps(data, indent=2) + "\n" for name, data in NETWORKS.items()}
    return (
        Topology("cni", title=title)
        .switch("s1")
        .host("host", "192.168.1.2/24", default="192.168.1.1", files=files)
        .host("laptop", "192.168.1.3/24", default="192.168.1.1")
        .router("gateway", eth0="192.168.1.1/24", eth1="203.0.113.2/24", default="203.0.113.1")
        .host("internet", eth0=("203.0.113.1/24", "8.8.8.8/32"), routes=["192.168.1.0/24 via 203.0.113.2"])
        .link("host", "s1")
        .link("laptop", "s1")
        .link("gateway:eth0", "s1")
        .link("gateway:eth1", "internet", delay="5ms")
    )
