"""What does one more machine on a packet's way cost?

    python benchmarks/hops.py [PACKETS]

A sends UDP datagrams to B, straight and through a chain of machines of one kind; the difference, by the
number of machines and packets, is a hop. Kinds: a router; a router with 50 rules that do not match; a
router that masquerades (conntrack and NAT); a bridge. The same chain is measured on the real kernel
(the sender's system call carries a packet through all of it), and in the same run two peers in pure
Python: simpy's events, and ns.py's packets through a switch.

Aims: a router 2.5 µs, with conntrack and NAT 6 µs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

from kubenet_course.kernel.socket import AF_INET, SOCK_DGRAM, make_socket
from kubenet_course.lab.backends.real.probe import probe
from kubenet_course.lab.lab import Lab
from kubenet_course.lab.topology import Topology
from kubenet_course.wire.addresses import IPv4Address

CHAIN = 8
RULES = "\n".join(
    ["*filter", ":FORWARD ACCEPT [0:0]"]
    + [f"-A FORWARD -s 10.99.{number}.0/24 -p tcp -m tcp --dport {1000 + number} -j DROP" for number in range(50)]
    + ["COMMIT", ""]
)
SENDER = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
count = int(sys.argv[2])
for _ in range(200):
    sock.sendto(b"x" * 64, (sys.argv[1], 9))
began = time.perf_counter()
for _ in range(count):
    sock.sendto(b"x" * 64, (sys.argv[1], 9))
print(time.perf_counter() - began)
"""


def routers(count: int) -> tuple[Topology, str]:
    topology = Topology("chain").host("A", eth0="10.0.0.1/24", default="10.0.0.254" if count else "")
    for number in range(count):
        topology = topology.router(
            f"r{number}",
            eth0=f"10.0.{number}.254/24",
            eth1=f"10.0.{number + 1}.1/24",
            default=f"10.0.{number + 1}.254" if number < count - 1 else "",
            routes=[f"10.0.0.0/24 via 10.0.{number}.1"] if number else [],
        )
    last = f"10.0.{count}.2" if count else "10.0.0.2"
    topology = topology.host("B", eth0=f"{last}/24", default=f"10.0.{count}.1" if count else "")
    before = "A"
    for number in range(count):
        topology = topology.link(before, f"r{number}:eth0")
        before = f"r{number}:eth1"
    return topology.link(before, "B"), last


def bridges(count: int) -> tuple[Topology, str]:
    topology = Topology("chain").host("A", "10.0.0.1/24").host("B", "10.0.0.2/24")
    before = "A"
    for number in range(count):
        topology = topology.switch(f"s{number}").link(before, f"s{number}")
        before = f"s{number}"
    return topology.link(before, "B"), "10.0.0.2"


def prepare(lab: Lab, kind: str) -> None:
    for name in lab.machines if kind != "router" else ():
        if name.startswith("r") and kind == "router, 50 rules":
            lab.machine(name).write("/tmp/rules", RULES)
            assert lab.run(name, "iptables-restore < /tmp/rules").returncode == 0
        elif name.startswith("r") and kind == "router, conntrack and NAT":
            assert lab.run(name, "iptables -t nat -A POSTROUTING -j MASQUERADE").returncode == 0


def emulated(build: Callable[[int], tuple[Topology, str]], kind: str, packets: int) -> Callable[[int], float]:
    def seconds(count: int) -> float:
        topology, last = build(count)
        with Lab(topology) as lab:
            prepare(lab, kind)
            assert lab.run("A", f"ping -c1 -W1 {last}").returncode == 0
            net = lab.backend.machines["A"].net  # type: ignore[attr-defined]
            loop = lab.backend.loop  # type: ignore[attr-defined]
            sink = make_socket(lab.backend.machines["B"].net, AF_INET, SOCK_DGRAM, 0)  # type: ignore[attr-defined]
            sink.bind(None, 9)
            sock = make_socket(net, AF_INET, SOCK_DGRAM, 0)
            target = IPv4Address.parse(last)
            send = sock.sendto
            data = b"x" * 64
            for _ in range(20):
                send(data, target, 9)
                loop.run_soon()
            began = time.perf_counter()
            for _ in range(packets):
                send(data, target, 9)
                loop.run_soon()
            return time.perf_counter() - began

    return seconds


def real(build: Callable[[int], tuple[Topology, str]], kind: str, packets: int) -> Callable[[int], float]:
    def seconds(count: int) -> float:
        topology, last = build(count)
        with Lab(topology, backend="mininet") as lab:
            prepare(lab, kind)
            lab.machine("A").write("/tmp/send.py", SENDER)
            assert lab.run("A", f"ping -c3 -W1 {last}").returncode == 0
            done = lab.run("A", f"python3 /tmp/send.py {last} {packets}")
            return float(done.stdout)

    return seconds


def hop(seconds: Callable[[int], float], packets: int, rounds: int = 5) -> float:
    """µs that one more machine on the way costs."""
    return median(seconds(CHAIN) - seconds(0) for _ in range(rounds)) / CHAIN / packets * 1e6


def simpy_events(count: int = 200_000) -> float:
    """Seconds for one event of simpy (a process that waits)."""
    import simpy

    env = simpy.Environment()

    def ticks():
        for _ in range(count):
            yield env.timeout(1)

    env.process(ticks())
    began = time.perf_counter()
    env.run()
    return (time.perf_counter() - began) / count


def ns_py_hop(packets: int) -> float:
    """Seconds for one packet through one more switch of ns.py."""
    import simpy
    from ns.packet.packet import Packet
    from ns.switch.switch import SimplePacketSwitch

    class Sink:
        def put(self, packet: Packet) -> None:
            pass

    def seconds(count: int) -> float:
        env = simpy.Environment()
        first: object = Sink()
        for number in range(count):
            switch = SimplePacketSwitch(env, 2, 1e9, 1000, str(number))
            switch.demux.fib = {0: 0}
            switch.ports[0].out = first
            first = switch

        def source():
            for number in range(packets):
                yield env.timeout(1)
                first.put(Packet(env.now, 92, number, flow_id=0))

        env.process(source())
        began = time.perf_counter()
        env.run()
        return time.perf_counter() - began

    return (seconds(CHAIN) - seconds(0)) / CHAIN / packets


def main() -> None:
    packets = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    can = probe() is not None
    event, switch = simpy_events(), ns_py_hop(packets)
    print(f"peers: an event of simpy {event * 1e6:.2f} µs, a switch of ns.py {switch * 1e6:.2f} µs")
    for kind, build in (
        ("router", routers),
        ("router, 50 rules", routers),
        ("router, conntrack and NAT", routers),
        ("bridge", bridges),
    ):
        ours = hop(emulated(build, kind, packets), packets)
        text = f"{kind}: {ours:.2f} µs a hop, {1e6 / ours:,.0f} hops/s; {switch * 1e6 / ours:.1f} times faster than ns.py"
        if can:
            there = hop(real(build, kind, packets * 4), packets * 4, 3)
            text += f"; the real kernel {there:.2f} µs, {ours / there:.1f} times faster than us"
        print(text, flush=True)


if __name__ == "__main__":
    main()
