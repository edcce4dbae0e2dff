"""What the real kernel saw: captures of every interface of every namespace, and its own trace of rules.

`Capture` starts `tcpdump -i any` in each namespace of the lab and, where there are chains of iptables, ip6tables
or nft, `kubenet-nftrace` (`lab/backends/real/nftrace.py`); `stop` takes everything away again and returns what was
seen, by time. The clocks of all namespaces are one; `causal_order` settles what happened within a microsecond.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kubenet_course.view import netmap
from kubenet_course.view.causal_order import End, causal_order
from kubenet_course.view.kernel_trace import Pass, parse_trace
from kubenet_course.view.native_rules import all_base_chains
from kubenet_course.view.packet_decode import decode
from kubenet_course.view.records import Link
from kubenet_course.view.target import Target, containers

OUTGOING = 4  # PACKET_OUTGOING
#: Seconds: at most for tcpdump to listen; for the last packets to come; at most for what is late to be written.
READY, SETTLE, LATE = 20.0, 0.25, 10.0
# A packet's slot in the ring is as long as what is kept of it: with tcpdump's own 256 KiB there are
# eight slots, and the ninth packet of a burst is lost.
SLOTS = ("-s", "2048", "-B", "4096")
CLOCK = ("--immediate-mode", "--time-stamp-precision=nano")
WHOLE = ("-s", "65535", "-B", "16384")
#: The table that `kubenet-nftrace` makes for chains of these families.
TRACED = {"inet": {"inet", "ip", "ip6"}, "bridge": {"bridge"}}


class Seen(NamedTuple):
    """One packet at one interface: `time` in ns since 1970; `out` where it leaves."""

    time: int
    space: Target
    device: str
    out: bool
    pkt_type: int
    source_mac: str
    network: Any
    transport: Any
    payload: bytes
    length: int


@contextmanager
def containers_named(lab: Any) -> Iterator[None]:
    """For as long as it lasts, `ip netns` knows the namespaces that a container engine keeps elsewhere."""
    linked = []
    for machine in lab.machines:
        for one in containers(lab, machine):
            if not one.linked:
                lab.query(machine, ["mkdir", "-p", "/run/netns"])
                lab.query(machine, ["ln", "-s", one.file, f"/run/netns/{one.space}"])
                linked.append((machine, one.space))
    try:
        yield
    finally:
        for machine, name in linked:
            lab.query(machine, ["rm", "-f", f"/run/netns/{name}"])


class Capture:
    """Between making it and `stop`, everything is taken down; the rules too, without `only`.

    `only` is a filter of tcpdump: then whole packets are kept, of a connection's segments as well.
    """

    def __init__(self, lab: Any, only: str = ""):
        self.lab = lab
        found = netmap.read(lab)
        self.links = {
            Target(machine.name, space.name): {link.index: link for link in space.links}
            for machine in found.machines
            for space in machine.spaces
        }
        self.spaces = list(self.links)
        self._peers: dict[End, End] = {}
        for cable in found.cables:
            a, b = ((Target(port.machine, port.namespace), port.device) for port in (cable.a, cable.b))
            self._peers.update({a: b, b: a})
        self._dumps: list[tuple[Target, str, Any]] = []
        self._tracers: list[tuple[Target, Any]] = []
        #: What the tracers could not do, in their words.
        self.problems: list[str] = []
        for space in () if only else self.spaces:
            self._trace(space)
        for number, space in enumerate(self.spaces):
            path = f"/tmp/kubenet-journey-{number}.pcap"
            slots = WHOLE if only else SLOTS
            argv = ["tcpdump", "-U", *CLOCK, *slots, "-n", "-Z", "root", "-i", "any", "-w", path, *only.split()]
            self._dumps.append((space, path, self._machine(space).spawn(_inside(space, argv))))
        self._wait()

    def _machine(self, space: Target) -> Any:
        return self.lab.backend.machines[space.machine]

    def _trace(self, space: Target) -> None:
        """Where there is a chain for packets to go through."""
        families = {chain[0] for chain in all_base_chains(self.lab, space)}
        wanted = [name for name, among in TRACED.items() if families & among]
        if wanted:
            argv = _inside(space, ["kubenet-nftrace", *wanted])
            self._tracers.append((space, self._machine(space).spawn(argv)))

    def _wait(self) -> None:
        end = time.monotonic() + READY
        for running in (*(dump for _, _, dump in self._dumps), *(tracer for _, tracer in self._tracers)):
            while (
                time.monotonic() < end and running.poll() is None and "listening" not in running.output()[1]
            ):
                time.sleep(0.02)

    def _settled(self) -> None:
        """On a busy computer a reader may still have to read: it sleeps when there is nothing left."""
        readers = [(space, running) for space, _, running in self._dumps]
        readers += self._tracers
        end = time.monotonic() + LATE
        for space, running in readers:
            while not self._sleeps(space, running.pid) and time.monotonic() < end:
                time.sleep(0.02)

    def _sleeps(self, space: Target, pid: int) -> bool:
        """Its state in /proc/PID/stat (proc(5)); one that has ended reads nothing any more."""
        stat = self._machine(space).run(["cat", f"/proc/{pid}/stat"]).stdout
        return stat.rpartition(")")[2].split()[:1] not in (["R"], ["D"])

    def stop(self) -> tuple[list[Seen], list[Pass]]:
        """End the captures, remove what was added, and read what was seen, in the order in which it happened."""
        time.sleep(SETTLE)
        self._settled()
        passes: list[Pass] = []
        for _, tracer in self._tracers:
            tracer.terminate()
        for space, tracer in self._tracers:
            _wait_end(tracer)
            said, errors = tracer.output()
            passes += parse_trace(space, said)
            wrong = [line for line in errors.splitlines() if line not in ("listening", "done")]
            self.problems += [f"{space}: {line}" for line in wrong]
        captures: list[list[Seen]] = []
        for space, path, running in self._dumps:
            running.terminate()
            _wait_end(running)
            machine = self._machine(space)
            if machine.exists(path):
                captures.append(list(parse_pcap(space, machine.read_bytes(path), self.links[space])))
                machine.run(["rm", "-f", path])
        return causal_order(captures, self._peers), passes


def _inside(space: Target, argv: list[str]) -> list[str]:
    return ["ip", "netns", "exec", space.namespace, *argv] if space.namespace else argv


def _wait_end(running: Any) -> None:
    end = time.monotonic() + LATE
    while running.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


# -- parsing --------------------------------------------------------------------------------------
def parse_pcap(space: Target, data: bytes, links: dict[int, Link]) -> Iterator[Seen]:
    """Packets of a capture of `-i any` (LINKTYPE_LINUX_SLL2); what is cut short or unknown is left out."""
    if len(data) < 24:
        return
    magic = data[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1 if magic in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1000
    if struct.unpack(order + "I", data[20:24])[0] & 0xFFFF != 276:
        return
    at = 24
    while at + 16 <= len(data):
        seconds, fraction, size, _ = struct.unpack(order + "IIII", data[at : at + 16])
        frame = data[at + 16 : at + 16 + size]
        at += 16 + size
        if len(frame) < 20:
            continue
        protocol, index, pkt_type = struct.unpack(">HxxIxxB", frame[:11])
        mac = ":".join(f"{byte:02x}" for byte in frame[12:18])
        network, transport, payload = decode(protocol, frame[20:])
        if network is None:
            continue
        name = links[index].name if index in links else f"if{index}"
        when = seconds * 1_000_000_000 + fraction * unit
        out = pkt_type == OUTGOING
        if name == "lo" and not out:  # libpcap shows one of the two sightings of a packet on loopback
            yield Seen(when, space, name, True, OUTGOING, mac, network, transport, payload, len(frame) - 20)
        yield Seen(when, space, name, out, pkt_type, mac, network, transport, payload, len(frame) - 20)
