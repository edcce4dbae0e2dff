"""Where packets come from: a device, all devices, or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.errno import ENODEV
from kubenet_course.errors import KernelError
from kubenet_course.kernel.skbuff import PACKET_OUTGOING
from kubenet_course.kernel.socket import AF_PACKET, SOCK_RAW
from kubenet_course.kernel.socket.packet import ETH_P_ALL, Captured
from kubenet_course.sim.loop import EPOCH
from kubenet_course.userland.sockets import open_socket
from kubenet_course.wire.pcap import (
    LINKTYPE_ETHERNET,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_RAW,
    LINKTYPES,
    PcapError,
    Reader,
    Record,
    sll2_header,
)

if TYPE_CHECKING:
    from kubenet_course.kernel.netns import NetNamespace
    from kubenet_course.userland.process import Process

LINK_LENGTHS = {LINKTYPE_ETHERNET: 14, LINKTYPE_LINUX_SLL2: 20, LINKTYPE_LINUX_SLL: 16, LINKTYPE_RAW: 0}


class Source:
    """`next()` gives (record or None at the end, whether the frame went out)."""

    live = False
    netmask: int | None = None

    def __init__(self, name: str, link_type: int, snapshot: int):
        self.name, self.link_type, self.snapshot = name, link_type, snapshot
        self.device_names: dict[int, str] = {}
        #: Frames that passed the filter.
        self.matched = 0

    @property
    def link_length(self) -> int:
        return LINK_LENGTHS.get(self.link_type, 0)

    async def next(self) -> tuple[Record | None, bool]:
        raise NotImplementedError

    def received(self) -> int:
        return self.matched

    def close(self) -> None:
        """No more packets are wanted."""


class FileSource(Source):
    def __init__(self, proc: Process, name: str, reader: Reader):
        super().__init__(name, reader.link_type, reader.snapshot_length)
        # libpcap, too, takes the names from the machine that reads.
        self.device_names = {index: dev.name for index, dev in proc.net.by_index.items()}
        self.records = iter(reader)

    async def next(self) -> tuple[Record | None, bool]:
        record = next(self.records, None)
        outgoing = (
            self.link_type == LINKTYPE_LINUX_SLL2 and record is not None and record.data[10:11] == b"\x04"
        )
        return record, outgoing


class LiveSource(Source):
    live = True

    def __init__(self, proc: Process, name: str, snapshot: int, promiscuous: bool):
        self.proc = proc
        self.device = proc.net.devices.get(name)
        if self.device is None and name != "any":
            raise KernelError(ENODEV, f"{name}: No such device exists\n(No such device exists)")
        ethernet = self.device is None or self.device.header_length == 14
        super().__init__(
            name,
            LINKTYPE_LINUX_SLL2 if self.device is None else LINKTYPE_ETHERNET if ethernet else LINKTYPE_RAW,
            snapshot,
        )
        self.socket: Any = open_socket(proc, AF_PACKET, SOCK_RAW, ETH_P_ALL)
        self.promiscuous = promiscuous and self.device is not None
        if self.device is not None:
            self.socket.bind(name)
            addresses = proc.net.ipv4.device_addresses(self.device)
            if addresses:
                self.netmask = (0xFFFFFFFF << (32 - addresses[0].prefixlen)) & 0xFFFFFFFF
        if self.promiscuous and self.device is not None:
            self.device.promiscuity += 1
        proc.owns(self)

    async def next(self) -> tuple[Record | None, bool]:
        frame: Captured = await self.socket.next_frame()
        while frame.dev.is_loopback and frame.pkt_type == PACKET_OUTGOING:  # it will come in again
            frame = await self.socket.next_frame()
        self.device_names[frame.dev.ifindex] = frame.dev.name
        return self._record(frame), frame.pkt_type == PACKET_OUTGOING

    def _record(self, frame: Captured) -> Record:
        data = frame.frame_bytes()
        if self.link_type == LINKTYPE_ETHERNET:
            if frame.eth is None:
                data = bytes(12) + frame.ethertype.to_bytes(2, "big") + data
        elif frame.eth is not None:
            data = data[18 if frame.vlan_tci is not None else 14 :]
        if self.link_type == LINKTYPE_LINUX_SLL2:
            mac = frame.eth.source.encode() if frame.eth is not None else bytes(6)
            kind = 0 if frame.dev.is_loopback and frame.pkt_type != PACKET_OUTGOING else frame.pkt_type
            data = (
                sll2_header(
                    frame.ethertype, frame.dev.ifindex, kind, mac, 772 if frame.dev.is_loopback else 1
                )
                + data
            )
        return Record(EPOCH + frame.time, data, len(data))

    def received(self) -> int:
        """What the kernel's filter let through, those not yet read included."""
        waiting = sum(
            not (frame.dev.is_loopback and frame.pkt_type == PACKET_OUTGOING) for frame in self.socket.frames
        )
        return self.matched + waiting

    def close(self) -> None:
        if self.promiscuous and self.device is not None:
            self.device.promiscuity -= 1
        self.promiscuous = False
        self.socket.close()


def live(proc: Process, name: str | None, snapshot: int, promiscuous: bool) -> Source:
    """A device by name or by its number in `tcpdump -D`; the first one where none is named."""
    names = [line.partition(".")[2].split(" ")[0] for line in device_list(proc.net)]
    if name is None:
        name = names[0]
    elif name.isdigit() and name not in proc.net.devices:
        if not 1 <= int(name) <= len(names):
            raise KernelError(ENODEV, "Invalid adapter index")
        name = names[int(name) - 1]
    return LiveSource(proc, name, snapshot, promiscuous)


async def from_file(proc: Process, path: str) -> Source:
    if path == "-":
        data = await proc.stdin.read()
    else:
        try:
            data = proc.files.read(path, proc, proc.cwd)
        except KernelError as failure:
            raise KernelError(failure.errno, f"{path}: {failure.strerror}") from None
    reader = Reader(data)
    if reader.link_type not in LINKTYPES:
        raise PcapError(f"packet printing is not supported for link type {reader.link_type}: use -w")
    return FileSource(proc, path, reader)


def device_list(net: NetNamespace) -> list[str]:
    """The lines of ``tcpdump -D``: running ones, "any", lo, those without a carrier, the rest."""
    devices = list(net.devices.values())
    running = [dev for dev in devices if dev.running and not dev.is_loopback]
    loops = [dev for dev in devices if dev.is_loopback and dev.up]
    cut = [dev for dev in devices if dev.up and not dev.carrier]
    down = [dev for dev in devices if not dev.up]
    entries = [f"{dev.name} [Up, Running, Connected]" for dev in running]
    entries.append("any (Pseudo-device that captures on all interfaces) [Up, Running]")
    entries += [f"{dev.name} [Up, Running, Loopback]" for dev in loops]
    entries += [f"{dev.name} [Up, Disconnected]" for dev in cut]
    entries += [
        "bluetooth-monitor (Bluetooth Linux Monitor) [Wireless]",
        "nflog (Linux netfilter log (NFLOG) interface) [none]",
        "nfqueue (Linux netfilter queue (NFQUEUE) interface) [none]",
        "dbus-system (D-Bus system bus) [none]",
        "dbus-session (D-Bus session bus) [none]",
    ]
    entries += [
        f"{dev.name} [Loopback]" if dev.is_loopback else f"{dev.name} [none, Disconnected]" for dev in down
    ]
    return [f"{number}.{entry}" for number, entry in enumerate(entries, 1)]
