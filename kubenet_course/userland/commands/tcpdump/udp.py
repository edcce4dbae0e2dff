"""tcpdump's line about UDP (print-udp.c), and about VXLAN, DHCP and NTP in it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kubenet_course.wire.addresses import IPv4Address, MacAddress

if TYPE_CHECKING:
    from kubenet_course.userland.commands.tcpdump.dissect import Printer

DHCP_MESSAGES = {
    1: "Discover",
    2: "Offer",
    3: "Request",
    4: "Decline",
    5: "ACK",
    6: "NACK",
    7: "Release",
    8: "Inform",
}


def show(printer: Printer, body: bytes, length: int, source: Any, destination: Any, fragment: bool) -> str:
    if len(body) < 8:
        return f"{printer.host(source)} > {printer.host(destination)}: [|udp]"
    sport, dport, size, checksum = struct.unpack(">HHHH", body[:8])
    names = f"{printer.host(source)}.{printer.port(sport, 'udp')} > {printer.host(destination)}.{printer.port(dport, 'udp')}: "
    data = body[8:size] if size >= 8 else body[8:]
    inner = length - 8 if size < 8 else size - 8
    if printer.quick:
        return names + f"UDP, length {inner}"
    text = names
    verbose_from = 2 if source.family == 4 else 1
    if printer.verbose >= verbose_from and not printer.no_checksums and not fragment and len(body) >= size:
        text += _checksum(source, destination, body[:size], checksum)
    ports = {sport, dport}
    if 53 in ports or 5353 in ports:
        from kubenet_course.userland.commands.tcpdump import dns

        return text + dns.show(printer, data, inner, multicast=5353 in ports)
    if ports & {67, 68}:
        return text + _bootp(printer, data, inner)
    if dport == 4789:
        return text + _vxlan(printer, data, inner)
    if dport == 8472:
        return text + _otv(printer, data, inner)
    if 123 in ports and data:
        return text + f"NTPv{data[0] >> 3 & 7}, {_ntp_mode(data[0] & 7)}, length {inner}"
    return text + f"UDP, length {inner}"


def _ntp_mode(mode: int) -> str:
    return (
        "Reserved",
        "symmetric active",
        "symmetric passive",
        "Client",
        "Server",
        "Broadcast",
        "Control Message",
        "Reserved",
    )[mode]


def _checksum(source: Any, destination: Any, datagram: bytes, given: int) -> str:
    from kubenet_course.userland.commands.tcpdump.dissect import transport_checksum

    if not given:
        return "[no cksum] "
    if not transport_checksum(source, destination, 17, datagram):
        return "[udp sum ok] "
    wanted = transport_checksum(source, destination, 17, datagram[:6] + b"\0\0" + datagram[8:])
    return f"[bad udp cksum 0x{given:04x} -> 0x{wanted:04x}!] "


def _vxlan(printer: Printer, data: bytes, length: int) -> str:
    if len(data) < 8:
        return "[|vxlan]"
    flags, vni = data[0], int.from_bytes(data[4:7], "big")
    letters = "I" if flags & 8 else "."
    return f"VXLAN, flags [{letters}] (0x{flags:02x}), vni {vni}\n" + printer.ethernet(data[8:], length - 8)


def _otv(printer: Printer, data: bytes, length: int) -> str:
    """Port 8472, which flannel's VXLAN uses, is OTV to tcpdump."""
    if len(data) < 8:
        return "[|otv]"
    letters = "I" if data[0] & 8 else "."
    overlay, instance = int.from_bytes(data[1:4], "big"), int.from_bytes(data[4:7], "big")
    return (
        f"OTV, flags [{letters}] (0x{data[0]:02x}), overlay {overlay}, instance {instance}\n"
        + printer.ethernet(data[8:], length - 8)
    )


def _bootp(printer: Printer, data: bytes, length: int) -> str:
    """bootp_print()."""
    if len(data) < 236:
        return "[|bootp]"
    operation, htype, hlen, hops = data[:4]
    kind = {1: "Request", 2: "Reply"}.get(operation, f"unknown (0x{operation:02x})")
    mac = MacAddress.decode(data[28:])
    text = f"BOOTP/DHCP, {kind}"
    if operation == 1 and htype == 1 and hlen == 6:
        text += f" from {mac}"
    text += f", length {length}"
    if not printer.verbose:
        return text
    xid, seconds, flags = struct.unpack(">IHH", data[4:12])
    text += f", hops {hops}" if hops else ""
    text += f", xid 0x{xid:x}" if xid else ""
    text += f", secs {seconds}" if seconds else ""
    text += f", Flags [{'Broadcast' if flags & 0x8000 else 'none'}]"
    text += f" (0x{flags:04x})" if printer.verbose > 1 else ""
    for at, word in ((12, "Client-IP"), (16, "Your-IP"), (20, "Server-IP"), (24, "Gateway-IP")):
        address = IPv4Address.decode(data[at:])
        if address:
            text += f"\n\t  {word} {printer.host(address)}"
    if htype == 1 and hlen == 6:
        text += f"\n\t  Client-Ethernet-Address {mac}"
    if data[236:240] == b"\x63\x82\x53\x63":
        text += "\n\t  Vendor-rfc1048 Extensions\n\t    Magic Cookie 0x63825363"
        text += _dhcp_options(printer, data[240:])
    return text


_OPTION_NAMES = {
    1: ("Subnet-Mask", "i"), 3: ("Default-Gateway", "i"), 6: ("Domain-Name-Server", "i"), 12: ("Hostname", "a"), 15: ("Domain-Name", "a"),
    26: ("MTU", "s"), 28: ("BR", "i"), 50: ("Requested-IP", "i"), 51: ("Lease-Time", "l"), 54: ("Server-ID", "i"), 57: ("MSZ", "s"),
    58: ("RN", "l"), 59: ("RB", "l"), 60: ("Vendor-Class", "a"), 61: ("Client-ID", "c"), 55: ("Parameter-Request", "p"), 53: ("DHCP-Message", "m"),  # noqa: E501
}  # fmt: skip
_PARAMETERS = {1: "Subnet-Mask", 2: "Time-Zone", 3: "Default-Gateway", 6: "Domain-Name-Server", 12: "Hostname", 15: "Domain-Name", 26: "MTU",  # noqa: E501
               28: "BR", 33: "Static-Route", 42: "NTP", 44: "Netbios-Name-Server", 47: "Netbios-Scope", 119: "Unknown (119)",
               121: "Classless-Static-Route", 249: "Classless-Static-Route-Microsoft", 252: "Unknown (252)"}  # fmt: skip


def _dhcp_options(printer: Printer, data: bytes) -> str:
    text = ""
    at = 0
    while at < len(data):
        tag = data[at]
        if tag == 0:
            at += 1
            continue
        if tag == 255:
            return text + ("\n\t    END (255), length 0" if printer.verbose > 1 else "")
        size = data[at + 1] if at + 1 < len(data) else 0
        value = data[at + 2 : at + 2 + size]
        at += 2 + size
        name, kind = _OPTION_NAMES.get(tag, ("Unknown", "b"))
        text += f"\n\t    {name} ({tag}), length {size}: {_dhcp_value(printer, kind, value)}"
    return text


def _dhcp_value(printer: Printer, kind: str, value: bytes) -> str:
    if kind == "i" and len(value) % 4 == 0:
        return ",".join(printer.host(IPv4Address.decode(value[at:])) for at in range(0, len(value), 4))
    if kind == "a":
        return f'"{value.decode("latin-1")}"'
    if kind in ("l", "s"):
        return str(int.from_bytes(value, "big"))
    if kind == "m" and value:
        return DHCP_MESSAGES.get(value[0], str(value[0]))
    if kind == "c" and value[:1] == b"\x01" and len(value) == 7:
        return f"ether {MacAddress.decode(value[1:])}"
    if kind == "p":
        lines = ""
        for number, tag in enumerate(value):
            lines += (
                "\n\t      " if number % 4 == 0 else ", "
            ) + f"{_PARAMETERS.get(tag, 'Unknown')} ({tag})".replace(f"({tag}) ({tag})", f"({tag})")
        return lines
    return ".".join(str(byte) for byte in value) if len(value) < 8 else "0x" + value.hex()
