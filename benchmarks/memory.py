"""How much memory and time do big labs take?

    python benchmarks/memory.py

Memory of a namespace and of a host (resident set, growth over many), and a network of 1,000 hosts on one
switch: built, all hosts asked for their address, 1,000 pings round the ring. The peer is Mininet's hosts
(their process and the kernel's memory, by the computer's free memory) where this computer has it.
Aims: 1,000 hosts in under a second and under 100 MB.

Where it goes: a host is 67 kB (a namespace alone 15), 83 after its first command. Settings of devices and the files of
machines are those of all until written. Building is 0.7 ms a host, however many there are: half of it IPv6 (addresses,
their detection, routes and groups of three devices), a quarter cables and ports, the rest IPv4 and sysctl.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time

PIECES = {
    "namespaces": """
with Lab(Topology("one").host("host")) as lab:
    before = rss()
    began = time.perf_counter()
    for number in range(COUNT):
        lab.run("host", ["ip", "netns", "add", f"n{number}"])
    print(json.dumps([rss() - before, time.perf_counter() - began]))
""",
    "hosts": """
Lab(star(4)).close()
before = rss()
began = time.perf_counter()
lab = Lab(star(COUNT))
built = time.perf_counter() - began
grown = rss() - before
began = time.perf_counter()
for number in range(1, COUNT + 1):
    there = number % COUNT
    done = lab.run(f"h{number}", ["ping", "-c1", f"10.0.{(there + 1) // 250}.{(there + 1) % 250 + 1}"])
    assert done.returncode == 0, done
print(json.dumps([grown, built, time.perf_counter() - began, rss() - before]))
""",
}
COMMON = """
import json, sys, time
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology
COUNT = int(sys.argv[1])
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
def star(hosts):
    topology = Topology("star").switch("s1")
    for number in range(1, hosts + 1):
        topology = topology.host(f"h{number}", f"10.0.{number // 250}.{number % 250 + 1}/16").link(f"h{number}", "s1")
    return topology
"""


def run(piece: str, count: int) -> list[float]:
    gc.collect()
    done = subprocess.run([sys.executable, "-c", COMMON + PIECES[piece], str(count)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def free() -> int:
    with open("/proc/meminfo") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def mininet(count: int) -> tuple[float, float]:
    """(bytes, seconds) for `count` hosts on the real kernel."""
    from build import star

    from kubenet_course.lab.lab import Lab

    before, began = free(), time.perf_counter()
    with Lab(star(count), backend="mininet"):
        return before - free(), time.perf_counter() - began


def main() -> None:
    from kubenet_course.lab.backends.real.probe import probe

    grown, seconds = run("namespaces", 1000)
    print(f"1,000 namespaces: {grown / 1e6:.1f} MB, {grown / 1e6:.1f} kB each; {seconds * 1e3:.0f} µs an `ip netns add`")
    grown, built, pinged, after = run("hosts", 1000)
    print(f"1,000 hosts on a switch: built in {built:.2f} s, {grown / 1e6:.0f} MB ({grown / 1e6:.0f} kB each)")
    print(f"1,000 pings round the ring: {pinged:.2f} s; {after / 1e6:.0f} MB then")
    if probe() is not None:
        size, took = mininet(100)
        _, ours, _, _ = run("hosts", 100)
        print(
            f"100 real hosts: {took:.2f} s, {size / 1e8:.2f} MB each: {took / ours:.0f} times the time, "
            f"{size / 100 / (grown / 1000):.0f} times the memory of ours"
        )


if __name__ == "__main__":
    main()
