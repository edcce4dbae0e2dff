"""How long does a bridge ADD take, against the packaged plugin in the same run?

    python benchmarks/cni.py [CONTAINERS]        (30 if none is given; needs root and Debian's plugins)

`packaged` are Debian's plugins on the real kernel; `ours` are this package's as processes of the same
kernel (each starts a Python); `emulated` are ours on the emulated kernel. Each container is added and
deleted; medians. Aim: emulated no slower than packaged.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology

CONFIG = {
    "cniVersion": "1.0.0",
    "name": "bench",
    "type": "bridge",
    "bridge": "cni0",
    "isGateway": True,
    "ipam": {"type": "host-local", "subnet": "10.1.0.0/16", "routes": [{"dst": "0.0.0.0/0"}]},
}
OURS = """mkdir -p /tmp/ours
for name in bridge host-local; do
    sed "s/-m kubenet_course.cni /-m kubenet_course.cni.plugins $name /" /usr/local/bin/cnitool > /tmp/ours/$name
    chmod +x /tmp/ours/$name
done"""


def measure(backend: str, folder: str, count: int, masquerade: bool) -> tuple[float, float]:
    """Median seconds of an ADD and of a DEL."""
    text = json.dumps({**CONFIG, "ipMasq": masquerade})
    lab = Lab(Topology("bench").host("host"), backend=backend)
    try:
        lab.run("host", ["sh", "-c", OURS]) if folder == "/tmp/ours" else None
        lab.run("host", "ip netns add red")
        times: dict[str, list[float]] = {"ADD": [], "DEL": []}
        for number in range(count + 1):
            for command, taken in times.items():
                env: dict[str, Any] = {
                    "CNI_COMMAND": command,
                    "CNI_CONTAINERID": f"c{number}",
                    "CNI_NETNS": "/var/run/netns/red",
                    "CNI_IFNAME": "eth0",
                    "CNI_PATH": folder,
                }
                began = time.perf_counter()
                done = lab.run("host", [f"{folder}/bridge"], stdin=text, env=env)
                taken.append(time.perf_counter() - began)
                if done.returncode:
                    raise SystemExit(f"{folder} {command}: {done.stdout}{done.stderr}")
        return statistics.median(times["ADD"][1:]), statistics.median(times["DEL"][1:])
    finally:
        lab.close()


def main(count: int) -> None:
    print(f"{'':10} {'':12} {'ADD ms':>8} {'DEL ms':>8}   ADD / packaged   DEL / packaged")
    for masquerade in (False, True):
        peer: tuple[float, float] | None = None
        for name, backend, folder in (
            ("packaged", "mininet", "/usr/lib/cni"),
            ("ours", "mininet", "/tmp/ours"),
            ("emulated", "emulated", "/opt/cni/bin"),
        ):
            add, delete = measure(backend, folder, count, masquerade)
            peer = peer or (add, delete)
            what = "with ipMasq" if masquerade else "plain"
            ratios = f"{add / peer[0]:12.2f}     {delete / peer[1]:12.2f}"
            print(f"{name:10} {what:12} {add * 1e3:8.1f} {delete * 1e3:8.1f}   {ratios}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
