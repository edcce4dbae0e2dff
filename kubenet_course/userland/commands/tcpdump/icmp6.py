"""tcpdump's lines about ICMPv6: echo, errors, neighbour discovery, MLD (print-icmp6.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kubenet_course.wire.addresses import IPv6Address, MacAddress

if TYPE_CHECKING:
    from kubenet_course.userland.commands.tcpdump.dissect import Printer

NAMES = {
    1: "destination unreachable", 2: "packet too big", 3: "time exceeded in-transit", 4: "parameter problem", 128: "echo request",
    129: "echo reply", 130: "multicast listener query", 131: "multicast listener report", 132: "multicast listener done",
    133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect",
    143: "multicast listener report v2",
}  # fmt: skip


def show(printer: Printer, body: bytes, length: int, source: Any, destination: Any, fragment: bool) -> str:
    from kubenet_course.userland.commands.tcpdump.dissect import transport_checksum

    if len(body) < 4:
        return "[|icmp6]"
    kind, code, checksum = struct.unpack(">BBH", body[:4])
    text = ""
    if printer.verbose and not printer.no_checksums and not fragment and len(body) >= length:
        if transport_checksum(source, destination, 58, body[:length]):
            wanted = transport_checksum(source, destination, 58, body[:2] + b"\0\0" + body[4:length])
            text = f"[bad icmp6 cksum 0x{checksum:04x} -> 0x{wanted:04x}!] "
        else:
            text = "[icmp6 sum ok] "
    text += f"ICMP6, {NAMES.get(kind, f'type-#{kind}')}"
    if kind in NAMES and len(body) < 8:
        return text + " [|icmp6]"
    if 133 <= kind <= 137 and printer.verbose:
        return text + f", length {length}" + _discovery(printer, kind, body, length)
    if kind in (128, 129):
        text += f", id {int.from_bytes(body[4:6], 'big')}, seq {int.from_bytes(body[6:8], 'big')}"
    elif kind == 1:
        text += _unreachable(printer, code, body)
    elif kind == 2:
        text += f", mtu {int.from_bytes(body[4:8], 'big')}"
    elif kind == 3:
        inner = _inner(printer, body)
        text = text.replace("time exceeded in-transit", "") + (
            "time exceeded in-transit" if code == 0 else "ip reassembly time exceeded"
        )
        text += f" for {inner[1]}" if inner is not None else ""
    elif kind == 4:
        words = {0: "erroneous", 1: "next header", 2: "option"}
        text += f", {words.get(code, f'code-#{code}')} - octet {int.from_bytes(body[4:8], 'big')}"
    elif kind in (135, 136) and len(body) >= 24:
        text += f", {'who has' if kind == 135 else 'tgt is'} {printer.host(IPv6Address.decode(body[8:]))}"
    elif kind == 137 and len(body) >= 40:
        text += (
            f", {printer.host(IPv6Address.decode(body[24:]))} to {printer.host(IPv6Address.decode(body[8:]))}"
        )
    elif kind == 143:
        text += _mld2(printer, body)
    elif kind in (130, 131, 132) and len(body) >= 24:
        text += _mld1(printer, kind, body, length)
    if printer.verbose and kind in (128, 129):
        return text
    if printer.verbose and kind in (1, 2, 3, 4, 143, 130, 131, 132):
        return text
    return text + f", length {length}"


def _inner(printer: Printer, body: bytes) -> tuple[int, str] | None:
    """(next header, destination) of the quoted packet."""
    if len(body) < 48:
        return None
    return body[14], printer.host(IPv6Address.decode(body[32:]))


def _unreachable(printer: Printer, code: int, body: bytes) -> str:
    inner = _inner(printer, body)
    if inner is None:
        return f", unreachable code-#{code}"
    protocol, target = inner
    if code == 4:
        at = 48
        (port,) = struct.unpack(">H", body[at + 2 : at + 4]) if len(body) >= at + 4 else (0,)
        name = {6: "tcp", 17: "udp"}.get(protocol)
        if name is None:
            return f", unreachable port, {target} protocol {protocol} port {port} unreachable"
        return f", unreachable port, {target} {name} port {printer.port(port, name)}"
    word = {
        0: "unreachable route",
        1: "unreachable prohibited",
        2: "beyond scope",
        3: "unreachable address",
    }.get(code)
    if word is None:
        return f", unreachable code-#{code}"
    if code == 2:
        return f", beyond scope {target}, source address {printer.host(IPv6Address.decode(body[16:]))}"
    return f", {word} {target}"


def _discovery(printer: Printer, kind: int, body: bytes, length: int) -> str:
    """Neighbour discovery with -v: its fields, then its options one a line."""
    text = ""
    at = 8
    if kind == 134 and len(body) >= 16:
        hops, flags, lifetime, reachable, retransmit = struct.unpack(">BBHII", body[4:16])
        words = [
            word
            for bit, word in ((0x80, "managed"), (0x40, "other stateful"), (0x20, "home agent"))
            if flags & bit
        ]
        text += f"\n\thop limit {hops}, Flags [{', '.join(words) or 'none'}], pref {('medium', 'high', 'reserved', 'low')[flags >> 3 & 3]}, "  # noqa: E501
        text += f"router lifetime {lifetime}s, reachable time {reachable}ms, retrans timer {retransmit}ms"
        at = 16
    elif kind in (135, 136) and len(body) >= 24:
        text += f", {'who has' if kind == 135 else 'tgt is'} {printer.host(IPv6Address.decode(body[8:]))}"
        if kind == 136:
            words = [
                word
                for bit, word in ((0x80, "router"), (0x40, "solicited"), (0x20, "override"))
                if body[4] & bit
            ]
            text += f", Flags [{', '.join(words) or 'none'}]"
        at = 24
    elif kind == 137 and len(body) >= 40:
        text += (
            f", {printer.host(IPv6Address.decode(body[24:]))} to {printer.host(IPv6Address.decode(body[8:]))}"
        )
        at = 40
    return text + _options(printer, body[at:length])


def _options(printer: Printer, data: bytes) -> str:
    names = {1: "source link-address", 2: "destination link-address", 3: "prefix info", 4: "redirected header", 5: "mtu", 24: "route info",
             25: "rdnss", 31: "dnssl"}  # fmt: skip
    text = ""
    at = 0
    while at + 2 <= len(data):
        kind, size = data[at], data[at + 1] * 8
        if not size:
            break
        value = data[at + 2 : at + size]
        text += f"\n\t  {names.get(kind, 'unknown')} option ({kind}), length {size} ({data[at + 1]}): "
        if kind in (1, 2) and len(value) >= 6:
            text += str(MacAddress.decode(value))
        elif kind == 5 and len(value) >= 6:
            text += f" {int.from_bytes(value[2:6], 'big')}"
        elif kind == 3 and len(value) >= 30:
            flags = [
                word for bit, word in ((0x80, "onlink"), (0x40, "auto"), (0x20, "router")) if value[1] & bit
            ]
            valid, preferred = _lifetime(value[2:6]), _lifetime(value[6:10])
            text += f"{printer.host(IPv6Address.decode(value[14:]))}/{value[0]}, Flags [{', '.join(flags) or 'none'}], valid time {valid}, pref. time {preferred}"  # noqa: E501
        elif kind not in names:
            text += _indented(value, "\t  ") if printer.verbose == 1 else ""
        if printer.verbose > 1:
            text += _indented(value, "\t    ")
        at += size
    return text


def _indented(value: bytes, indent: str) -> str:
    from kubenet_course.userland.commands.tcpdump.hexdump import lines

    return "\n" + "\n".join(
        line.replace("\t", indent, 1) for line in lines(value, ascii_too=False).split("\n")
    )


def _lifetime(data: bytes) -> str:
    value = int.from_bytes(data, "big")
    return "infinity" if value == 0xFFFFFFFF else f"{value}s"


_RECORDS = {1: "is_in", 2: "is_ex", 3: "to_in", 4: "to_ex", 5: "allow", 6: "block"}


def _mld2(printer: Printer, body: bytes) -> str:
    count = int.from_bytes(body[6:8], "big")
    text = f", {count} group record(s)"
    if not printer.verbose:
        return text
    at = 8
    for _ in range(count):
        if len(body) < at + 20:
            return text + " [|icmp6]"
        kind, sources = body[at], int.from_bytes(body[at + 2 : at + 4], "big")
        text += f" [gaddr {printer.host(IPv6Address.decode(body[at + 4 :]))} {_RECORDS.get(kind, f'[v2-report-#{kind}]')}"
        if printer.verbose > 1:
            text += (
                " {"
                + "".join(
                    f" {printer.host(IPv6Address.decode(body[at + 20 + 16 * index :]))}"
                    for index in range(sources)
                )
                + " }"
            )
        else:
            text += f", {sources} source(s)"
        text += "]"
        at += 20 + 16 * sources
    return text


def _mld1(printer: Printer, kind: int, body: bytes, length: int) -> str:
    group = printer.host(IPv6Address.decode(body[8:]))
    delay = int.from_bytes(body[4:6], "big")
    if kind == 130:
        if length >= 28:
            text = " v2"
            if printer.verbose:
                text += f" [max resp delay={delay}]"
            return text + f" [gaddr {group}]"
        return f"max resp delay: {delay} addr: {group}"
    return f"max resp delay: {delay} addr: {group}"
