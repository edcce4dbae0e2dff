"""What the real kernel saw: captures of every interface of every namespace, and its own TRACE of rules.

`Capture` starts `tcpdump -i any` in each namespace of the lab and, where there are rules of iptables or nft,
TRACE rules with `xtables-monitor --trace`; `stop` takes everything away again and returns what was
seen, by time. The clocks of all namespaces are one; `causal_order` settles what happened within a microsecond.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from kubenet_course.view import netmap
from kubenet_course.view.causal_order import End, causal_order
from kubenet_course.view.native_rules import FAMILIES, base_chains, is_native
from kubenet_course.view.records import Link
from kubenet_course.view.target import Target, containers
from kubenet_course.wire.arp import ArpHeader
from kubenet_course.wire.icmp import IcmpHeader
from kubenet_course.wire.icmpv6 import Icmpv6Header
from kubenet_course.wire.ipv4 import Ipv4Header
from kubenet_course.wire.ipv6 import Ipv6Header
from kubenet_course.wire.tcp import TcpHeader
from kubenet_course.wire.udp import UdpHeader

OUTGOING = 4  # PACKET_OUTGOING
#: Seconds: at most for tcpdump to listen; for the last packets to come; at most for what is late to be written.
READY, SETTLE, LATE = 5.0, 0.25, 3.0
# A packet's slot in the ring is as long as what is kept of it: with tcpdump's own 256 KiB there are
# eight slots, and the ninth packet of a burst is lost.
SLOTS = ("-s", "2048", "-B", "4096")
CLOCK = ("--immediate-mode", "--time-stamp-precision=nano")
WHOLE = ("-s", "65535", "-B", "16384")
#: Of /proc/net/netlink: the protocol, and NFNLGRP_NFTRACE.
NETFILTER, NFTRACE_GROUP = "12", 1 << 8
_TRANSPORTS: dict[int, Any] = {1: IcmpHeader, 6: TcpHeader, 17: UdpHeader, 58: Icmpv6Header}


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


class Traced(NamedTuple):
    """One line of the kernel's TRACE about the packet with this IP identification."""

    space: Target
    ident: int
    table: str
    chain: str
    kind: str
    verdict: str
    rule: str
    #: Of rules that iptables did not make: ``inet``, and the rule's handle.
    family: str = ""
    handle: int = 0


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
        self._monitors: list[tuple[Target, Any, bool]] = []
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
        """TRACE, where there are rules; the raw table is taken away again if it was not there before."""
        save = self.lab.query(space.machine, _inside(space, ["iptables-save"]))
        ruled = not save.returncode and ("\n-A" in save.stdout or " DROP [" in save.stdout)
        if not ruled and not base_chains(self.lab, space):
            return
        monitor = self._machine(space).spawn(_inside(space, ["xtables-monitor", "--trace"]))
        for chain in ("PREROUTING", "OUTPUT"):
            self._machine(space).run(_inside(space, ["iptables", "-t", "raw", "-I", chain, "-j", "TRACE"]))
        self._monitors.append((space, monitor, "*raw" in save.stdout))

    def _wait(self) -> None:
        end = time.monotonic() + READY
        for _, _, running in self._dumps:
            while (
                time.monotonic() < end and running.poll() is None and "listening" not in running.output()[1]
            ):
                time.sleep(0.02)
        for space, _, _ in self._monitors:
            while time.monotonic() < end and not self._listens(space):
                time.sleep(0.02)

    def _listens(self, space: Target) -> bool:
        """xtables-monitor does not say when it is ready: whether somebody hears of traced packets here."""
        sockets = self._machine(space).run(_inside(space, ["cat", "/proc/net/netlink"])).stdout
        rows = [line.split() for line in sockets.splitlines()[1:]]
        return any(row[1] == NETFILTER and int(row[3], 16) & NFTRACE_GROUP for row in rows if len(row) > 3)

    def _settled(self) -> None:
        """On a busy computer a reader may still have to read: it sleeps when there is nothing left."""
        readers = [(space, running) for space, _, running in self._dumps]
        readers += [(space, monitor) for space, monitor, _ in self._monitors]
        end = time.monotonic() + LATE
        for space, running in readers:
            while not self._sleeps(space, running.pid) and time.monotonic() < end:
                time.sleep(0.02)

    def _sleeps(self, space: Target, pid: int) -> bool:
        """Its state in /proc/PID/stat (proc(5)); one that has ended reads nothing any more."""
        stat = self._machine(space).run(["cat", f"/proc/{pid}/stat"]).stdout
        return stat.rpartition(")")[2].split()[:1] not in (["R"], ["D"])

    def stop(self) -> tuple[list[Seen], list[Traced]]:
        """End the captures, remove what was added, and read what was seen, in the order in which it happened."""
        time.sleep(SETTLE)
        self._settled()
        traced: list[Traced] = []
        for space, monitor, had_raw in self._monitors:
            for chain in ("PREROUTING", "OUTPUT"):
                self._machine(space).run(
                    _inside(space, ["iptables", "-t", "raw", "-D", chain, "-j", "TRACE"])
                )
            if not had_raw:
                self._machine(space).run(_inside(space, ["nft", "delete", "table", "ip", "raw"]))
            monitor.terminate()
            traced += parse_trace(space, monitor.output()[0])
        captures: list[list[Seen]] = []
        for space, path, running in self._dumps:
            running.terminate()
            _wait_end(running)
            machine = self._machine(space)
            if machine.exists(path):
                captures.append(list(parse_pcap(space, machine.read_bytes(path), self.links[space])))
                machine.run(["rm", "-f", path])
        return causal_order(captures, self._peers), traced


def _inside(space: Target, argv: list[str]) -> list[str]:
    return ["ip", "netns", "exec", space.namespace, *argv] if space.namespace else argv


def _wait_end(running: Any) -> None:
    end = time.monotonic() + 2
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


def decode(protocol: int, data: bytes) -> tuple[Any, Any, bytes]:
    """(network, transport, payload) of a packet; (None, None, b"") of one that cannot be read."""
    kind = {0x0800: Ipv4Header, 0x0806: ArpHeader, 0x86DD: Ipv6Header}.get(protocol)
    if kind is None:
        return None, None, b""
    try:
        network: Any = kind.decode(data)  # type: ignore[attr-defined]
    except ValueError:
        return None, None, b""
    if isinstance(network, ArpHeader):
        return network, None, b""
    body = data[network.header_length :]
    if isinstance(network, Ipv4Header) and network.fragment_offset:
        return network, None, body
    shape = _TRANSPORTS.get(network.protocol)
    if shape is None:
        return network, None, body
    try:
        transport = shape.decode(body)
    except ValueError:
        return network, None, body
    return network, transport, body[transport.header_length :]


_PACKET = re.compile(r"^PACKET: \d+ (\w+) .*\bID=(\d+)")
_TRACE = re.compile(r"^ ?TRACE: (\d+) (\w+) ([^:\s]+):([^:\s]+):(\w+)(?::0x(\w+))?:(\w+)(?::(\S+))?\s*(.*)$")
#: NFT_RETURN, which xtables-monitor has no word for.
_VERDICTS = {"0xfffffffb": "return"}


def parse_trace(space: Target, text: str) -> Iterator[Traced]:
    """Lines of `xtables-monitor --trace`; our own TRACE rules and the raw table's policy are left out."""
    idents: dict[str, int] = {}
    for line in text.splitlines():
        packet = _PACKET.match(line)
        if packet is not None:
            idents[packet[1]] = int(packet[2])
            continue
        found = _TRACE.match(line)
        if found is None:
            continue
        number, packet_id, table, chain, kind, handle, verdict, target, words = found.groups("")
        if table == "raw" and ("TRACE" in words or kind == "policy"):
            continue
        ident = idents.get(packet_id, -1)
        family = FAMILIES.get(number, "")
        if is_native(family, table, chain, kind, words):
            word = _VERDICTS.get(verdict, verdict.lower()) + (f" {target}" if target else "")
            yield Traced(space, ident, table, chain, kind, word, "", family, int(handle or "0", 16))
        else:
            rule = re.sub(r"^-[46] -t \w+ -A \S+ ?", "", words).strip()
            yield Traced(space, ident, table, chain, kind, verdict, rule)
