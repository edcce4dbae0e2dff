"""tcpdump's lines about ICMP and IGMP (print-icmp.c, print-igmp.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kubenet_course.wire.addresses import IPv4Address
from kubenet_course.wire.checksum import internet_checksum

if TYPE_CHECKING:
    from kubenet_course.userland.commands.tcpdump.dissect import Printer

QUOTING = frozenset({3, 4, 5, 11, 12})


def show(printer: Printer, body: bytes, length: int, source: Any, fragment: bool) -> str:
    if len(body) < 8:
        return "[|icmp]"
    kind, code, checksum, rest = struct.unpack(">BBHI", body[:8])
    text = "ICMP " + _words(printer, kind, code, rest, body) + f", length {length}"
    if printer.verbose and not printer.no_checksums and not fragment and len(body) >= length:
        if internet_checksum(body[:length]):
            right = internet_checksum(body[:2] + b"\0\0" + body[4:length])
            text += f" (wrong icmp cksum {checksum:x} (->{right:x})!)"
    if printer.verbose and kind in QUOTING and len(body) >= 28:
        quoted = body[8:]
        total = int.from_bytes(quoted[2:4], "big")
        shown = _quiet(printer, quoted, total)
        text += "\n\t" + ("" if printer.link else "IP ") + shown
    return text


def _quiet(printer: Printer, quoted: bytes, total: int) -> str:
    """The quoted packet: its header says more bytes than are quoted, and that is no fault."""
    return printer.ipv4(quoted, max(total, len(quoted)))


def _words(printer: Printer, kind: int, code: int, rest: int, body: bytes) -> str:
    if kind in (0, 8):
        return f"echo {'reply' if kind == 0 else 'request'}, id {rest >> 16}, seq {rest & 0xFFFF}"
    if kind == 3:
        return _unreachable(printer, code, rest, body)
    if kind == 5:
        what = (
            "redirect %s to net %s",
            "redirect %s to host %s",
            "redirect-tos %s to net %s",
            "redirect-tos %s to host %s",
        )
        if code < 4 and len(body) >= 28:
            return what[code] % (printer.host(IPv4Address.decode(body[24:])), printer.host(IPv4Address(rest)))
        return f"redirect-#{code}"
    if kind == 11:
        return {0: "time exceeded in-transit", 1: "ip reassembly time exceeded"}.get(
            code, f"time exceeded-#{code}"
        )
    if kind == 12:
        return f"parameter problem - code {code}" if code else f"parameter problem - octet {rest >> 24}"
    if kind in (13, 14):
        if len(body) >= 20:
            org, recv, xmit = struct.unpack(">III", body[8:20])
            if kind == 13:
                return f"time stamp query id {rest >> 16} seq {rest & 0xFFFF}"
            return f"time stamp reply id {rest >> 16} seq {rest & 0xFFFF}: org {_clock(org)}, recv {_clock(recv)}, xmit {_clock(xmit)}"
        return "time stamp"
    return {4: "source quench", 9: "router advertisement", 10: "router solicitation", 17: "address mask request",
            18: "address mask is 0x%08x" % int.from_bytes(body[8:12], "big")}.get(kind, f"type-#{kind}")  # fmt: skip


def _clock(ms: int) -> str:
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def _unreachable(printer: Printer, code: int, rest: int, body: bytes) -> str:
    if len(body) < 28:
        return "unreachable"
    target = printer.host(IPv4Address.decode(body[24:]))
    if code == 2:
        return f"{target} protocol {body[17]} unreachable"
    if code == 3:
        at = 8 + (body[8] & 15) * 4
        if len(body) < at + 4:
            return "[|icmp]"
        (port,) = struct.unpack(">H", body[at + 2 : at + 4])
        name = {6: "tcp", 17: "udp"}.get(body[17])
        if name is None:
            return f"{target} protocol {body[17]} port {port} unreachable"
        return f"{target} {name} port {printer.port(port, name)} unreachable"
    if code == 4:
        mtu = rest & 0xFFFF
        return f"{target} unreachable - need to frag" + (f" (mtu {mtu})" if mtu else "")
    return {
        0: f"net {target} unreachable", 1: f"host {target} unreachable", 5: f"{target} unreachable - source route failed",
        6: f"net {target} unreachable - unknown", 7: f"host {target} unreachable - unknown",
        8: f"{target} unreachable - source host isolated", 9: f"net {target} unreachable - admin prohibited",
        10: f"host {target} unreachable - admin prohibited", 11: f"net {target} unreachable - tos prohibited",
        12: f"host {target} unreachable - tos prohibited", 13: f"host {target} unreachable - admin prohibited filter",
        14: f"host {target} unreachable - host precedence violation", 15: f"host {target} unreachable - precedence cutoff",
    }.get(code, f"{target} unreachable - #{code}")  # fmt: skip


# -- IGMP ---------------------------------------------------------------------------------------
_RECORDS = {1: "is_in", 2: "is_ex", 3: "to_in", 4: "to_ex", 5: "allow", 6: "block"}


def igmp(printer: Printer, body: bytes, length: int) -> str:
    if len(body) < 8:
        return "[|igmp]"
    kind = body[0]
    group = IPv4Address.decode(body[4:])
    if kind == 0x11:
        version = "v3" if length >= 12 else "v1" if not body[1] else "v2"
        text = f"igmp query {version}" + (
            f" [max resp time {body[1] / 10:g}s]" if body[1] and version == "v3" else ""
        )
        text = (
            text
            if not body[1] or version != "v2"
            else f"igmp query v2 [max resp time {body[1]}]"
            if body[1] != 100
            else "igmp query v2"
        )
        return text + (f" [gaddr {group}]" if group else "")
    if kind == 0x16:
        return f"igmp v2 report {group}"
    if kind == 0x12:
        return f"igmp v1 report {group}"
    if kind == 0x17:
        return f"igmp leave {group}"
    if kind == 0x22:
        count = int.from_bytes(body[6:8], "big")
        text = f"igmp v3 report, {count} group record(s)"
        if printer.verbose:
            at = 8
            for _ in range(count):
                if len(body) < at + 8:
                    break
                record, sources = body[at], int.from_bytes(body[at + 2 : at + 4], "big")
                text += f" [gaddr {IPv4Address.decode(body[at + 4 :])} {_RECORDS.get(record, f'[v3-report-#{record}]')}, {sources} source(s)]"  # noqa: E501
                at += 8 + 4 * sources
        return text
    return f"igmp-{kind}"
