"""All pairs of 20 hosts ping each other: the emulated kernel against Mininet.

    python benchmarks/all_pairs_ping.py [HOSTS]

Aim: 20 times faster. Mininet's own pingAll, in namespaces of this benchmark's own, is the peer.
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
    run = subprocess.run([*mode.prefix, sys.executable, "-c", PEER, str(hosts)], capture_output=True, text=True, check=True)
    mininet = json.loads(run.stdout)[0]
    ours = {}
    for backend in ("mininet", "emulated"):
        with Lab(star(hosts), backend=backend) as lab, contextlib.redirect_stdout(io.StringIO()):
            lab.run("h1", "true")
            began = time.perf_counter()
            loss = lab.pingAll()
            ours[backend] = time.perf_counter() - began
            assert loss == 0
    pairs = hosts * (hosts - 1)
    print(f"{pairs} pings: mininet {mininet:.3f} s, real {ours['mininet']:.3f} s, emulated {ours['emulated']:.3f} s")
    print(f"emulated is faster than Mininet by {mininet / ours['emulated']:.1f} times")


if __name__ == "__main__":
    main()
