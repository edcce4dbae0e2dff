"""How does a packet's cost grow with what a router has to look through?

    python benchmarks/growth.py

One router, filled with 1 to 10,000 rules (the kernel scans them; ours looks up rules that name addresses, see
`kernel/netfilter/lookups.py`, and scans others), elements of an ipset, conntrack entries and IPVS services
(look-ups: flat). The cost of a packet is measured as in `hops.py`; the real kernel
is the peer where this computer has what is asked for. Printed: µs a packet, and how many times the
cost of the smallest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from hops import SENDER, routers

from kubenet_course.kernel.socket import AF_INET, SOCK_DGRAM, make_socket
from kubenet_course.lab.backends.real.probe import probe
from kubenet_course.lab.lab import Lab
from kubenet_course.wire.addresses import IPv4Address

SIZES = (1, 10, 100, 1_000, 10_000)
LAST = "10.0.1.2"


def address(number: int) -> str:
    return f"10.{100 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def rules(lab: Lab, size: int) -> None:
    lines = [f"-A FORWARD -s {address(number)}/32 -p tcp -m tcp --dport 80 -j DROP" for number in range(size)]
    restore(lab, ["*filter", ":FORWARD ACCEPT [0:0]", *lines, "COMMIT", ""])


def restore(lab: Lab, lines: list[str]) -> None:
    lab.machine("r0").write("/tmp/rules", "\n".join(lines))
    done = lab.run("r0", "iptables-restore < /tmp/rules")
    assert done.returncode == 0, done.stderr


def ipset(lab: Lab, size: int) -> None:
    lines = [f"create s hash:ip maxelem {max(size, 64)}", *(f"add s {address(number)}" for number in range(size)), ""]
    lab.machine("r0").write("/tmp/set", "\n".join(lines))
    done = lab.run("r0", "ipset restore < /tmp/set && iptables -A FORWARD -m set --match-set s src -j DROP")
    assert done.returncode == 0, done.stderr


def connections(lab: Lab, size: int) -> None:
    restore(lab, ["*nat", ":POSTROUTING ACCEPT [0:0]", "-A POSTROUTING -j MASQUERADE", "COMMIT", ""])
    for number in range(0, size, 1000):
        script = "".join(
            f"import socket\ns=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            f"for port in range({10_000 + number}, {10_000 + min(size, number + 1000)}): s.sendto(b'x', ('{LAST}', port))\n"
        )
        lab.machine("A").write("/tmp/open.py", script)
        if lab.backend_name == "mininet":
            assert lab.run("A", "python3 /tmp/open.py").returncode == 0
    if lab.backend_name == "emulated":
        sock = make_socket(lab.backend.machines["A"].net, AF_INET, SOCK_DGRAM, 0)  # type: ignore[attr-defined]
        for port in range(10_000, 10_000 + size):
            sock.sendto(b"x", IPv4Address.parse(LAST), port)
            lab.backend.loop.run_soon()  # type: ignore[attr-defined]


def services(lab: Lab, size: int) -> None:
    lines = [f"-A -u {address(number)}:80 -s rr" for number in range(size)]
    lab.machine("r0").write("/tmp/ipvs", "\n".join([*lines, ""]))
    done = lab.run("r0", "ipvsadm -R < /tmp/ipvs")
    assert done.returncode == 0, done.stderr


def emulated(fill: Callable[[Lab, int], None], size: int, packets: int = 1_000) -> float:
    with Lab(routers(1)[0]) as lab:
        assert lab.run("A", f"ping -c1 -W1 {LAST}").returncode == 0
        fill(lab, size)
        sink = make_socket(lab.backend.machines["B"].net, AF_INET, SOCK_DGRAM, 0)  # type: ignore[attr-defined]
        sink.bind(None, 9)
        sock = make_socket(lab.backend.machines["A"].net, AF_INET, SOCK_DGRAM, 0)  # type: ignore[attr-defined]
        run_soon, target, times = lab.backend.loop.run_soon, IPv4Address.parse(LAST), []  # type: ignore[attr-defined]
        packets = packets if size < 5_000 else packets // 10
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(packets):
                sock.sendto(b"x" * 64, target, 9)
                run_soon()
            times.append((time.perf_counter() - began) / packets * 1e6)
        return median(times)


def real(fill: Callable[[Lab, int], None], size: int, packets: int = 20_000) -> float:
    with Lab(routers(1)[0], backend="mininet") as lab:
        assert lab.run("A", f"ping -c1 -W1 {LAST}").returncode == 0
        fill(lab, size)
        lab.machine("A").write("/tmp/send.py", SENDER)
        packets = packets if size < 5_000 else packets // 10
        return median(float(lab.run("A", f"python3 /tmp/send.py {LAST} {packets}").stdout) / packets * 1e6 for _ in range(3))


def main() -> None:
    for name, fill, peer in (
        ("rules", rules, True),
        ("elements of a set", ipset, True),
        ("connections", connections, True),
        ("IPVS services", services, False),
    ):
        for who, measure in (("emulated", emulated), *([("real", real)] if peer and probe() is not None else [])):
            cost = {size: measure(fill, size) for size in SIZES}
            text = ", ".join(f"{size:,}: {cost[size]:.1f} µs ({cost[size] / cost[1]:.1f})" for size in SIZES)
            print(f"{name}, {who}: {text}", flush=True)


if __name__ == "__main__":
    main()
