"""What tcpdump 4.99 says about a packet, from its bytes: link layer, ARP, IPv4, IPv6.

`Printer.frame()` gives the whole line. Protocol files: `tcp.py`, `udp.py`, `dns.py`, `icmp.py`, `icmp6.py`.
Bytes that end too early are said as tcpdump says them, ``[|proto]``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress
from kubenet_course.wire.checksum import internet_checksum, pseudo_header
from kubenet_course.wire.pcap import LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2, LINKTYPE_RAW

ETHERTYPES = {
    0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x8100: "802.1Q", 0x88A8: "802.1Q-QinQ", 0x8035: "Reverse ARP", 0x8847: "MPLS unicast",
    0x88CC: "LLDP", 0x8864: "PPPoE S", 0x8863: "PPPoE D", 0x9000: "Loopback", 0x88E5: "802.1AE MACsec", 0x888E: "EAPOL",
}  # fmt: skip
PROTOCOLS = {
    0: "Options", 1: "ICMP", 2: "IGMP", 4: "IPIP", 6: "TCP", 17: "UDP", 41: "IPv6", 43: "Routing", 44: "Fragment", 47: "GRE",
    50: "ESP", 51: "AH", 58: "ICMPv6", 59: "No next header", 60: "Destination Options", 89: "OSPF", 103: "PIM", 112: "VRRP", 132: "SCTP",
}  # fmt: skip


class Truncated(Exception):
    """The bytes end before the header does; the text so far is already written."""


class Printer:
    """Options of the command line and what is remembered between packets (sequence numbers)."""

    def __init__(self) -> None:
        self.verbose = 0
        self.link = False
        self.quick = False
        self.absolute = False
        self.no_checksums = False
        self.device_names: dict[int, str] = {}
        self.host: Callable[[Any], str] = str
        self.port: Callable[[int, str], str] = lambda port, protocol: str(port)
        self.conversations: dict[tuple, list[int]] = {}
        self.depth = 0

    # -- link layer -------------------------------------------------------------------------
    def frame(self, link_type: int, data: bytes, length: int) -> str:
        try:
            if link_type == LINKTYPE_ETHERNET:
                return self.ethernet(data, length)
            if link_type == LINKTYPE_LINUX_SLL2:
                return self._sll2(data, length)
            if link_type == LINKTYPE_LINUX_SLL:
                return self._sll(data, length)
            if link_type == LINKTYPE_RAW:
                return self._raw(data, length)
        except Truncated as cut:
            return str(cut)
        return f"Unknown link type {link_type}, length {length}"

    def ethernet(self, data: bytes, length: int) -> str:
        if len(data) < 14:
            return "[|ether]"
        (ethertype,) = struct.unpack(">H", data[12:14])
        text = ""
        if self.link:
            text = f"{MacAddress.decode(data[6:])} > {MacAddress.decode(data)}"
        if ethertype <= 1500:
            text += f", 802.3, length {ethertype}: " if self.link else ""
            return text + self._llc(data[14:], ethertype)
        if self.link:
            text += f", ethertype {_ethertype(ethertype)}, length {length}: "
        return text + self.payload(ethertype, data[14:], length - 14)

    def _llc(self, data: bytes, length: int) -> str:
        if data[:3] == b"\x42\x42\x03":
            bridge = data[3:]
            if len(bridge) >= 35 and bridge[3] in (0, 2):
                kind = "STP 802.1d, Config" if bridge[2] == 0 else "STP 802.1w, Rapid STP"
                flags = "[none]" if not bridge[4] else f"[0x{bridge[4]:02x}]"
                root = f"{bridge[17]:02x}{bridge[18]:02x}"
                identity = f"{root}.{MacAddress.decode(bridge[19:])}.{bridge[25]:02x}{bridge[26]:02x}"
                return f"{kind}, Flags {flags}, bridge-id {identity}, length {length - 3}"
            return "STP"
        if len(data) < 3:
            return "[|llc]"
        return f"LLC, dsap 0x{data[0]:02x}, ssap 0x{data[1]:02x}, ctrl 0x{data[2]:02x}: Unnumbered, length {length}"

    def _sll2(self, data: bytes, length: int) -> str:
        if len(data) < 20:
            return "[|sll2]"
        ethertype, _, ifindex, _, kind, size = struct.unpack(">HHIHBB", data[:12])
        name = self.device_names.get(ifindex, f"if{ifindex}")
        direction = {0: "In", 1: "B", 2: "M", 3: "P", 4: "Out"}.get(kind, "?")
        text = f"{name:<5s} {direction:<3s} "
        if self.link:
            mac = f"{MacAddress.decode(data[12:])} " if size == 6 else ""
            text += f"ifindex {ifindex} {mac}ethertype {_ethertype(ethertype)}, length {length}: "
        return text + self.payload(ethertype, data[20:], length - 20)

    def _sll(self, data: bytes, length: int) -> str:
        if len(data) < 16:
            return "[|sll]"
        kind, _, size = struct.unpack(">HHH", data[:6])
        (ethertype,) = struct.unpack(">H", data[14:16])
        text = ""
        if self.link:
            direction = {0: "In", 1: "B", 2: "M", 3: "P", 4: "Out"}.get(kind, "?")
            text = f"{direction:>3s} {MacAddress.decode(data[6:])} " if size == 6 else f"{direction:>3s} "
            text += f"ethertype {_ethertype(ethertype)}, length {length}: "
        return text + self.payload(ethertype, data[16:], length - 16)

    def _raw(self, data: bytes, length: int) -> str:
        if not data:
            return "[|ip]"
        text = "ip: " if self.link else ""
        return text + self.payload(0x86DD if data[0] >> 4 == 6 else 0x0800, data, length)

    def payload(self, ethertype: int, data: bytes, length: int) -> str:
        """ethertype_print()."""
        if ethertype == 0x0800:
            return ("" if self.link else "IP ") + self.ipv4(data, length)
        if ethertype == 0x86DD:
            return ("" if self.link else "IP6 ") + self.ipv6(data, length)
        if ethertype == 0x0806:
            return ("" if self.link else "ARP, ") + self.arp(data, length)
        if ethertype in (0x8100, 0x88A8, 0x9100):
            return self._vlan(data, length)
        name = ETHERTYPES.get(ethertype, "Unknown")
        if self.link:
            return f"\n{_hex(data, '	0x')}" if data else ""
        return (
            f"ethertype {name} (0x{ethertype:04x}), length {length + 14}: \n{_hex(data, '	0x')}"
            if name == "Unknown"
            else f"{name}, length {length}"
        )

    def _vlan(self, data: bytes, length: int) -> str:
        if len(data) < 4:
            return "[|vlan]"
        tag, ethertype = struct.unpack(">HH", data[:4])
        text = ""
        if self.link:
            dei = ", DEI" if tag & 0x1000 else ""
            text = f"vlan {tag & 0xFFF}, p {tag >> 13}{dei}, ethertype {_ethertype(ethertype)}, "
        return text + self.payload(ethertype, data[4:], length - 4)

    # -- ARP --------------------------------------------------------------------------------
    def arp(self, data: bytes, length: int) -> str:
        if len(data) < 8:
            return "[|arp]"
        hardware, protocol, hlen, plen, operation = struct.unpack(">HHBBH", data[:8])
        text = ""
        if self.verbose or (hardware, protocol, hlen, plen) != (1, 0x0800, 6, 4):
            names = {1: "Ethernet"}
            protocols = {0x0800: "IPv4"}
            text = f"{names.get(hardware, f'Unknown Hardware ({hardware})')} (len {hlen}), {protocols.get(protocol, f'Unknown Protocol (0x{protocol:04x})')} (len {plen}), "  # noqa: E501
        if (hlen, plen) != (6, 4) or len(data) < 28:
            return text + "[|arp]"
        sender, target = MacAddress.decode(data[8:]), MacAddress.decode(data[18:])
        sender_ip, target_ip = (
            self.host(IPv4Address.decode(data[14:])),
            self.host(IPv4Address.decode(data[24:])),
        )
        if operation == 1:
            shown = f" ({target})" if target != 0 else ""
            text += f"Request who-has {target_ip}{shown} tell {sender_ip}"
        elif operation == 2:
            text += f"Reply {sender_ip} is-at {sender}"
        elif operation in (3, 4):
            text += (
                f"Reverse Request who-is {target} tell {sender}"
                if operation == 3
                else f"Reverse Reply {target} at {target_ip}"
            )
        else:
            return text + f"Unknown (0x{operation:04x}), length {length}"
        return text + f", length {length}"

    # -- IPv4 -------------------------------------------------------------------------------
    def ipv4(self, data: bytes, length: int) -> str:
        if len(data) < 20:
            return "[|ip]"
        header = (data[0] & 15) * 4
        if data[0] >> 4 != 4:
            return f"version error: 4 != {data[0] >> 4}"
        if header < 20:
            return f"bad-hlen {header}"
        tos, total, ident, flags, ttl, protocol, checksum = struct.unpack(">xBHHHBBH", data[:12])
        text = ""
        if self.verbose:
            text = self._ipv4_header(data, header, tos, total, ident, flags, ttl, protocol, checksum)
        if total > length:
            text += f"truncated-ip - {total - length} bytes missing! "
        if total < header:
            return text + f"bad-len {total}"
        source, destination = IPv4Address.decode(data[12:]), IPv4Address.decode(data[16:])
        names = f"{self.host(source)} > {self.host(destination)}: "
        body = data[header:total]
        if flags & 0x1FFF:
            return text + names + _protocol_name(protocol)
        more = bool(flags & 0x2000)
        return text + self.transport(protocol, body, total - header, source, destination, more)

    def _ipv4_header(
        self,
        data: bytes,
        header: int,
        tos: int,
        total: int,
        ident: int,
        flags: int,
        ttl: int,
        protocol: int,
        checksum: int,
    ) -> str:
        words = [word for bit, word in ((0x8000, "rsvd"), (0x4000, "DF"), (0x2000, "+")) if flags & bit]
        ecn = {1: ",ECT(1)", 2: ",ECT(0)", 3: ",CE"}.get(tos & 3, "")
        text = f"(tos 0x{tos:x}{ecn}, ttl {ttl}, id {ident}, offset {(flags & 0x1FFF) * 8}, flags [{', '.join(words) or 'none'}], "
        text += f"proto {PROTOCOLS.get(protocol, 'unknown')} ({protocol}), length {total}"
        if header > 20:
            text += f", options ({_ip_options(data[20:header])})"
        if not self.no_checksums and len(data) >= header and internet_checksum(data[:header]):
            right = internet_checksum(data[:10] + b"\0\0" + data[12:header])
            text += f", bad cksum {checksum:x} (->{right:x})!"
        return text + ")\n    "

    def transport(
        self, protocol: int, body: bytes, length: int, source: Any, destination: Any, fragment: bool
    ) -> str:
        """ip_demux_print(): `length` is what the IP header says, `body` what was captured of it."""
        from kubenet_course.userland.commands.tcpdump import icmp, icmp6, tcp, udp

        names = f"{self.host(source)} > {self.host(destination)}: "
        self.depth += 1
        try:
            if self.depth > 8:
                return names + "[nested too deeply]"
            if protocol == 6:
                return tcp.show(self, body, length, source, destination, fragment)
            if protocol == 17:
                return udp.show(self, body, length, source, destination, fragment)
            if protocol == 1:
                return names + icmp.show(self, body, length, source, fragment)
            if protocol == 58:
                return names + icmp6.show(self, body, length, source, destination, fragment)
            if protocol == 2:
                return names + icmp.igmp(self, body, length)
            if protocol == 4:
                return names + (f"IP {self.ipv4(body, length)}")
            if protocol == 41:
                return names + f"IP6 {self.ipv6(body, length)}"
            if protocol == 47:
                return names + self._gre(body, length)
        except Truncated as cut:
            return names + str(cut) if not str(cut).startswith(names[:5]) else str(cut)
        finally:
            self.depth -= 1
        name = {89: "OSPFv2", 112: "VRRPv2", 50: "ESP", 51: "AH", 103: "PIMv2", 132: "sctp"}.get(protocol)
        return names + (f"{name}, length {length}" if name else f"{_protocol_name(protocol)} {length}")

    def _gre(self, body: bytes, length: int) -> str:
        if len(body) < 4:
            return "[|gre]"
        flags, protocol = struct.unpack(">HH", body[:4])
        at = 4 + (4 if flags & 0x8000 else 0)
        text = f"GREv{flags & 7}"
        if flags & 0x2000 and len(body) >= at + 4:
            (key,) = struct.unpack(">I", body[at : at + 4])
            text += f", key=0x{key:x}"
            at += 4
        if flags & 0x1000:
            at += 4
        text += f", length {length}: "
        inner = body[at:]
        if protocol == 0x0800:
            return text + "IP " + self.ipv4(inner, length - at)
        if protocol == 0x86DD:
            return text + "IP6 " + self.ipv6(inner, length - at)
        if protocol == 0x6558:
            return text + self.ethernet(inner, length - at)
        return text + f"gre-proto-0x{protocol:x}"

    # -- IPv6 -------------------------------------------------------------------------------
    def ipv6(self, data: bytes, length: int) -> str:
        if len(data) < 40:
            return "[|ip6]"
        first, payload, next_header, hops = struct.unpack(">IHBB", data[:8])
        if first >> 28 != 6:
            return f"version error: {first >> 28} != 6"
        text = ""
        if self.verbose:
            traffic, flow = first >> 20 & 255, first & 0xFFFFF
            text = "("
            text += f"class 0x{traffic:02x}, " if traffic else ""
            text += f"flowlabel 0x{flow:05x}, " if flow else ""
            text += f"hlim {hops}, next-header {PROTOCOLS.get(next_header, 'unknown')} ({next_header}) payload length: {payload}) "
        source, destination = IPv6Address.decode(data[8:]), IPv6Address.decode(data[24:])
        if payload + 40 > length:
            text += f"truncated-ip6 - {payload + 40 - length} bytes missing!"
        body = data[40 : 40 + payload]
        return text + self._ipv6_chain(next_header, body, payload, source, destination)

    def _ipv6_chain(self, header: int, body: bytes, length: int, source: Any, destination: Any) -> str:
        names = f"{self.host(source)} > {self.host(destination)}: "
        extra = ""
        while header in (0, 43, 44, 60):
            if len(body) < 8:
                return names + extra + "[|ip6]"
            if header == 44:
                (offset,) = struct.unpack(">H", body[2:4])
                size = length - 8
                ident = f"0x{int.from_bytes(body[4:8], 'big'):08x}:" if self.verbose else ""
                extra += f"frag ({ident}{offset & ~7}|{size})"
                if offset & ~7:
                    return names + extra
                extra += " "
                following, step, fragment = body[0], 8, bool(offset & 1)
                inner = self._without_names(following, body[step:], size, source, destination, fragment)
                return names + extra + inner
            step = (body[1] + 1) * 8
            extra += _options6(self, header, body[:step])
            header, body, length = body[0], body[step:], length - step
        if header == 59:
            return names + extra + "no next header"
        if not extra:
            return self.transport(header, body, length, source, destination, False)
        return names + extra + self._without_names(header, body, length, source, destination, False)

    def _without_names(
        self, header: int, body: bytes, length: int, source: Any, destination: Any, fragment: bool
    ) -> str:
        """The transport's text after an extension header; TCP and UDP repeat the names with ports."""
        text = self.transport(header, body, length, source, destination, fragment)
        names = f"{self.host(source)} > {self.host(destination)}: "
        return text.removeprefix(names)


def _options6(printer: Printer, header: int, data: bytes) -> str:
    """Hop-by-hop and destination options."""
    name = {0: "HBH", 60: "DSTOPT", 43: "srcrt"}[header]
    if header == 43:
        return f"{name} (len={data[1]}, type={data[2]}, segleft={data[3]}) "
    text = f"{name} "
    if printer.verbose:
        at = 2
        while at < len(data):
            kind = data[at]
            if kind == 0:
                if at + 1 >= len(data) or data[at + 1 : at + 2] == b"\0":
                    text += "(pad1)"
                    at += 1
                    continue
                text += "(pad1)"
                at += 1
                continue
            size = data[at + 1] if at + 1 < len(data) else 0
            if kind == 1:
                text += "(padn)"
            elif kind == 5:
                text += f"(rtalert: 0x{int.from_bytes(data[at + 2 : at + 4], 'big'):04x}) "
            else:
                text += f"(opt_type 0x{kind:02x}: len={size})"
            at += size + 2
        text = text.rstrip(" ") + " "
    return text


def _ethertype(number: int) -> str:
    return f"{ETHERTYPES.get(number, 'Unknown')} (0x{number:04x})"


def _protocol_name(protocol: int) -> str:
    return f"ip-proto-{protocol}"


def _ip_options(data: bytes) -> str:
    names = {
        0: "EOL",
        1: "NOP",
        7: "RR",
        68: "timestamp",
        130: "security",
        131: "LSRR",
        137: "SSRR",
        148: "RA",
    }
    words = []
    at = 0
    while at < len(data):
        kind = data[at]
        words.append(names.get(kind, f"unknown {kind}"))
        if kind == 0:
            break
        if kind != 1:
            size = data[at + 1] if at + 1 < len(data) else 0
            if size < 2:
                break
            at += size
        else:
            at += 1
    return ",".join(words)


def _hex(data: bytes, prefix: str) -> str:
    from kubenet_course.userland.commands.tcpdump.hexdump import lines

    return lines(data, ascii_too=True)


def transport_checksum(source: Any, destination: Any, protocol: int, body: bytes) -> int:
    """0 where the checksum in `body` is right."""
    return internet_checksum(pseudo_header(source.encode(), destination.encode(), protocol, len(body)) + body)
