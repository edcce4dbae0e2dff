"""A frame as a filter sees it: link type, VLAN tags, where the headers begin (libpcap's gencode.c: gen_load_*())."""

from __future__ import annotations

from collections.abc import Callable

from kubenet_course.wire.pcap import LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2


class OutOfPacket(Exception):
    """The filter reads beyond the frame: it does not match."""


class View:
    """A frame as a filter sees it. `outgoing` and `vlan` come from the capture itself."""

    __slots__ = ("data", "length", "link_type", "ethertype", "net", "vlans", "outgoing", "_transport")

    def __init__(self, data: bytes, link_type: int, length: int, outgoing: bool = False):
        self.data, self.link_type, self.length, self.outgoing = data, link_type, length, outgoing
        self.vlans: list[int] = []
        self._transport: tuple[int, int] | None | str = "unknown"
        if link_type == LINKTYPE_ETHERNET:
            self.net, self.ethertype = 14, int.from_bytes(data[12:14], "big")
            while self.ethertype in (0x8100, 0x88A8, 0x9100) and len(data) >= self.net + 4:
                self.vlans.append(int.from_bytes(data[self.net : self.net + 2], "big") & 0xFFF)
                self.ethertype = int.from_bytes(data[self.net + 2 : self.net + 4], "big")
                self.net += 4
        elif link_type == LINKTYPE_LINUX_SLL2:
            self.net, self.ethertype = 20, int.from_bytes(data[:2], "big")
        elif link_type == LINKTYPE_LINUX_SLL:
            self.net, self.ethertype = 16, int.from_bytes(data[14:16], "big")
        else:
            self.net, self.ethertype = 0, 0x86DD if data[:1] and data[0] >> 4 == 6 else 0x0800

    def read(self, at: int, size: int) -> int:
        if at < 0 or at + size > len(self.data):
            raise OutOfPacket
        return int.from_bytes(self.data[at : at + size], "big")

    @property
    def transport(self) -> tuple[int, int] | None:
        """(protocol number, offset of its header); None where there is no IP; offset -1 in later fragments."""
        if self._transport == "unknown":
            self._transport = self._find_transport()
        return self._transport  # type: ignore[return-value]

    def _find_transport(self) -> tuple[int, int] | None:
        net = self.net
        if self.ethertype == 0x0800 and len(self.data) >= net + 20:
            later = self.read(net + 6, 2) & 0x1FFF
            return self.data[net + 9], -1 if later else net + (self.data[net] & 15) * 4
        if self.ethertype == 0x86DD and len(self.data) >= net + 40:
            return self.data[net + 6], net + 40
        return None


Test = Callable[[View], bool]
Number = Callable[[View], int]
