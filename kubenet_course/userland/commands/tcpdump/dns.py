"""tcpdump's line about DNS (print-domain.c): ``12345+ [1au] A? example.com. (40)``."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kubenet_course.wire.addresses import IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.userland.commands.tcpdump.dissect import Printer

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV", 35: "NAPTR", 39: "DNAME",
    41: "OPT", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 52: "TLSA", 64: "SVCB", 65: "HTTPS", 99: "SPF", 251: "IXFR",
    252: "AXFR", 255: "ANY", 257: "CAA",
}  # fmt: skip
CLASSES = {1: "", 3: " CHAOS", 4: " Hesiod", 255: " ANY"}
OPCODES = ("", " inv_q", " stat", " op3", " notify", " update", " op6", " op7", " op8", " updateA", " updateD", " updateDA", " updateM",
           " updateMA", " zoneInit", " zoneRef")  # fmt: skip
RCODES = ("", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused", " YXDomain", " YXRRSet", " NXRRSet", " NotAuth", " NotZone",
          " Resp11", " Resp12", " Resp13", " Resp14", " NoChange")  # fmt: skip


class _Cut(Exception):
    pass


class _Message:
    def __init__(self, data: bytes):
        self.data = data
        self.at = 12

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) < size:
            raise _Cut
        self.at += size
        return piece

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def name(self) -> str:
        """A domain name, with compression; it ends in a dot."""
        labels: list[str] = []
        back = -1
        jumps = 0
        while True:
            size = self.take(1)[0]
            if size & 0xC0 == 0xC0:
                target = (size & 0x3F) << 8 | self.take(1)[0]
                if back < 0:
                    back = self.at
                jumps += 1
                if jumps > 64 or target >= len(self.data):
                    self.at = back
                    return ".".join(labels) + "<LOOP>"
                self.at = target
                continue
            if not size:
                break
            labels.append(
                "".join(
                    chr(byte) if 32 < byte < 127 else f"^{chr(byte ^ 0x40)}" if byte < 32 else f"\\{byte:03o}"
                    for byte in self.take(size)
                )
            )
            if len(labels) > 128:
                raise _Cut
        if back >= 0:
            self.at = back
        return "".join(f"{label}." for label in labels) or "."


def show(printer: Printer, data: bytes, length: int, multicast: bool = False) -> str:
    if len(data) < 12:
        return "[|domain]"
    ident, flags, questions, answers, authorities, additionals = struct.unpack(">HHHHHH", data[:12])
    message = _Message(data)
    opcode, rcode = flags >> 11 & 15, flags & 15
    text = "" if multicast and not ident else str(ident)
    try:
        if flags & 0x8000:
            text += OPCODES[opcode] + RCODES[rcode]
            text += ("*" if flags & 0x0400 else "") + ("-" if not flags & 0x0080 and not multicast else "")
            text += ("|" if flags & 0x0200 else "") + ("$" if flags & 0x0020 else "")
            text += _response(printer, message, questions, answers, authorities, additionals)
        else:
            text += OPCODES[opcode] + ("+" if flags & 0x0100 else "") + ("%" if flags & 0x0010 else "")
            text += _query(printer, message, flags, questions, answers, authorities, additionals)
    except _Cut:
        return text + " [|domain]"
    return f"{text} ({length})"


def _query(
    printer: Printer,
    message: _Message,
    flags: int,
    questions: int,
    answers: int,
    authorities: int,
    additionals: int,
) -> str:
    text = ""
    if flags & 0x06CF:
        text += f" [b2&3=0x{flags:x}]"
    for count, usual, word in (
        (answers, 0, "a"),
        (questions, 1, "q"),
        (authorities, 0, "n"),
        (additionals, 0, "au"),
    ):
        if count != usual:
            text += f" [{count}{word}]"
    for _ in range(min(questions, 64)):
        text += _question(message)
    if printer.verbose > 1:
        text += _records(printer, message, answers, " an:")
        text += _records(printer, message, authorities, " ns:")
        text += _records(printer, message, additionals, " ar:")
    return text


def _question(message: _Message) -> str:
    name = message.name()
    kind, family = message.number(), message.number()
    unicast = " (QU)" if family & 0x8000 else ""
    shown = TYPES.get(kind, f"Type{kind}")
    return f" {shown}{unicast}{CLASSES.get(family & 0x7FFF, f' Class {family & 0x7FFF}')}? {name}"


def _response(
    printer: Printer, message: _Message, questions: int, answers: int, authorities: int, additionals: int
) -> str:
    text = ""
    if questions != 1:
        text += f" [{questions}q]"
    for number in range(min(questions, 64)):
        shown = _question(message)
        if printer.verbose > 1:
            text += (" q:" if number == 0 else ",") + shown
    text += f" {answers}/{authorities}/{additionals}"
    text += _records(printer, message, answers, "")
    if printer.verbose > 1:
        text += _records(printer, message, authorities, " ns:")
        text += _records(printer, message, additionals, " ar:")
    return text


def _records(printer: Printer, message: _Message, count: int, title: str) -> str:
    text = title if count else ""
    for number in range(min(count, 256)):
        text += ("," if number else "") + _record(printer, message)
    return text


def _record(printer: Printer, message: _Message) -> str:
    name = message.name()
    kind, family = message.number(), message.number()
    text = f" {name}" if printer.verbose else ""
    if kind == 41:
        ttl = message.take(4)
        size = message.number()
        payload = message.take(size)
        return text + f" OPT UDPsize={family}" + (" DO" if ttl[2] & 0x80 else "") + _edns(payload)
    flush = " (Cache flush)" if family & 0x8000 else ""
    text += CLASSES.get(family & 0x7FFF, f" Class {family & 0x7FFF}") + flush
    ttl_value = int.from_bytes(message.take(4), "big")
    if printer.verbose > 2:
        text += f" [{_ttl(ttl_value)}]"
    size = message.number()
    end = message.at + size
    text += f" {TYPES.get(kind, f'Type{kind}')}"
    text += _data(message, kind, size, bool(printer.verbose))
    message.at = end
    return text


def _edns(data: bytes) -> str:
    """opt_print(): EDNS options."""
    names = {
        3: "NSID",
        8: "ECS",
        9: "EXPIRE",
        10: "COOKIE",
        11: "KEEPALIVE",
        12: "PADDING",
        13: "CHAIN",
        14: "KEY-TAG",
    }
    text = ""
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack(">HH", data[at : at + 4])
        value = data[at + 4 : at + 4 + size]
        text += f" [{names.get(code, f'Opt{code}')}{' ' + value.hex() if value else ''}]"
        at += 4 + size
    return text


def _ttl(seconds: int) -> str:
    """unsigned_relts_print()."""
    if not seconds:
        return "0s"
    text = ""
    for letter, size in (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if seconds >= size:
            text += f"{seconds // size}{letter}"
            seconds %= size
    return text


def _data(message: _Message, kind: int, size: int, verbose: bool) -> str:
    if kind == 1 and size == 4:
        return f" {IPv4Address.decode(message.take(4))}"
    if kind == 28 and size == 16:
        return f" {IPv6Address.decode(message.take(16))}"
    if kind in (2, 5, 12, 39):
        return f" {message.name()}"
    if kind == 6:
        text = f" {message.name()} {message.name()}"
        if verbose:
            text += "".join(f" {int.from_bytes(message.take(4), 'big')}" for _ in range(5))
        return text if verbose else ""
    if kind == 15:
        preference = message.number()
        return f" {message.name()} {preference}"
    if kind == 16:
        end = message.at + size
        text = ""
        while message.at < end:
            piece = message.take(message.take(1)[0])
            text += (
                ' "' + "".join(chr(byte) if 32 <= byte < 127 else f"\\0x{byte:02x}" for byte in piece) + '"'
            )
        return text
    if kind == 33:
        priority, weight, port = message.number(), message.number(), message.number()
        return f" {message.name()}:{port} {priority} {weight}"
    return ""
