"""All pairs of 20 hosts ping each other: the emulated kernel against Mininet.

    python benchmarks/all_pairs_ping.py [HOSTS]

Aim: 20 times faster. Mininet's own pingAll, in namespaces of this benchmark's own, is the peer; the best of three runs each (of five, where they are short).

Where the time goes: a ping of a new lab is 15,400 bytecodes of CPython 3.11, of which 8,700 are left when everybody
knows everybody. 19 % send and receive frames, 15 % start and end ping's process, 15 % are its own words and sums, 14 %
look up routes, 13 % IP, ICMP and the socket, 12 % ask 19 hosts for an address (every second ping does, at 200 bytecodes
a host), 6 % ARP and neighbours, 6 % the loop. No part of it stands out, so 20 times needs another way, not a
quicker part. Counting bytecodes (`sys.settrace` with `f_trace_opcodes`) gives the same number on a busy computer.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time

from build import PLAIN, star

from kubenet_course.lab.backends.real.probe import probe
from kubenet_course.lab.lab import Lab

PEER = PLAIN.replace("net.stop()", "loss = net.pingAll(); assert loss == 0; pinged = time.perf_counter(); net.stop()").replace(
    "[built - began, time.perf_counter() - built]", "[pinged - built]"
)


def main() -> None:
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    mode = probe()
    if mode is None:
        raise SystemExit("real namespaces cannot be had here, so there is nothing to compare with")
    argv = [*mode.prefix, sys.executable, "-c", PEER, str(hosts)]
    runs = [subprocess.run(argv, capture_output=True, text=True, check=True) for _ in range(3)]
    mininet = min(json.loads(run.stdout)[0] for run in runs)
    ours = {backend: min(seconds(hosts, backend) for _ in range(times)) for backend, times in (("mininet", 1), ("emulated", 5))}
    pairs = hosts * (hosts - 1)
    print(f"{pairs} pings: mininet {mininet:.3f} s, real {ours['mininet']:.3f} s, emulated {ours['emulated']:.3f} s")
    print(f"a ping, with its process and ARP: {ours['emulated'] / pairs * 1e6:.0f} µs emulated, {mininet / pairs * 1e6:.0f} µs on Mininet")
    print(f"emulated is faster than Mininet by {mininet / ours['emulated']:.1f} times")


def seconds(hosts: int, backend: str) -> float:
    """The time for all pairs in a new lab, nothing known to anybody."""
    with Lab(star(hosts), backend=backend) as lab, contextlib.redirect_stdout(io.StringIO()):
        lab.run("h1", "true")
        began = time.perf_counter()
        loss = lab.pingAll()
        assert loss == 0
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
