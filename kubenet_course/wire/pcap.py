"""The classic capture file format (libpcap, version 2.4), with microseconds.

| magic 0xa1b2c3d4 | major 2 | minor 4 | zone 0 | accuracy 0 | snapshot length | link type |
then for each packet  | seconds | microseconds | captured length | length on the wire | bytes |
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

MAGIC = 0xA1B2C3D4
MAGIC_NANO = 0xA1B23C4D
LINKTYPE_ETHERNET = 1
LINKTYPE_RAW = 101
LINKTYPE_LINUX_SLL = 113
LINKTYPE_LINUX_SLL2 = 276
SNAPSHOT_LENGTH = 262144

#: pcap_datalink_val_to_name() and its description.
LINKTYPES = {
    LINKTYPE_ETHERNET: ("EN10MB", "Ethernet"),
    LINKTYPE_RAW: ("RAW", "Raw IP"),
    LINKTYPE_LINUX_SLL: ("LINUX_SLL", "Linux cooked v1"),
    LINKTYPE_LINUX_SLL2: ("LINUX_SLL2", "Linux cooked v2"),
}


class PcapError(ValueError):
    """The file is no capture, or ends in the middle; the words are libpcap's."""


class Record(NamedTuple):
    """`time` is nanoseconds since 1970; `data` may be cut, `length` is what was on the wire."""

    time: int
    data: bytes
    length: int


def file_header(link_type: int, snapshot_length: int = SNAPSHOT_LENGTH) -> bytes:
    return struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, snapshot_length, link_type)


def encode_record(record: Record) -> bytes:
    seconds, rest = divmod(record.time, 1_000_000_000)
    return (
        struct.pack("<IIII", seconds & 0xFFFFFFFF, rest // 1000, len(record.data), record.length)
        + record.data
    )


class Reader:
    """Reads a capture that is in memory: `link_type`, `snapshot_length`, then iterate."""

    def __init__(self, data: bytes):
        if len(data) < 24:
            raise PcapError(f"truncated dump file; tried to read 24 file header bytes, only got {len(data)}" if len(data) >= 4 else
                            f"truncated dump file; tried to read 4 file header bytes, only got {len(data)}")  # fmt: skip
        for order in ("<", ">"):
            (magic,) = struct.unpack(order + "I", data[:4])
            if magic in (MAGIC, MAGIC_NANO):
                self._order = order
                self._unit = 1 if magic == MAGIC_NANO else 1000
                break
        else:
            raise PcapError("unknown file format")
        major, minor, _, _, self.snapshot_length, link_type = struct.unpack(
            self._order + "HHiIII", data[4:24]
        )
        if (major, minor) != (2, 4) and major < 2:
            raise PcapError(f"archaic pcap savefile format version {major}.{minor}")
        self.link_type = link_type & 0x03FFFFFF
        self._data = data

    def __iter__(self) -> Iterator[Record]:
        at, data = 24, self._data
        while at < len(data):
            if len(data) - at < 16:
                raise PcapError(
                    f"truncated dump file; tried to read 16 header bytes, only got {len(data) - at}"
                )
            seconds, fraction, captured, length = struct.unpack(self._order + "IIII", data[at : at + 16])
            at += 16
            if captured > max(self.snapshot_length, SNAPSHOT_LENGTH):
                raise PcapError(
                    f"invalid packet capture length {captured}, bigger than snaplen of {self.snapshot_length}"
                )
            if len(data) - at < captured:
                raise PcapError(
                    f"truncated dump file; tried to read {captured} captured bytes, only got {len(data) - at}"
                )
            yield Record(
                seconds * 1_000_000_000 + fraction * self._unit, bytes(data[at : at + captured]), length
            )
            at += captured


def sll2_header(ethertype: int, ifindex: int, pkt_type: int, mac: bytes, hardware: int = 1) -> bytes:
    """The 20 bytes that stand for the link layer in captures of all devices (LINKTYPE_LINUX_SLL2)."""
    return struct.pack(">HHIHBB", ethertype, 0, ifindex, hardware, pkt_type, len(mac)) + mac.ljust(8, b"\0")
