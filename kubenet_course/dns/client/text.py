"""Records, questions and OPT as text in columns (lib/dns/masterdump.c, dns_message_pseudosectiontotext())."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import dns.name

from kubenet_course.dns.client.rdata import Layout, rdata_text, ttl_text
from kubenet_course.dns.client.wire import Edns, Message, Question, Record, class_text, type_text
from kubenet_course.wire.addresses import IPv4Address, IPv6Address

#: Flags of the header in the order in which dig names them.
FLAGS = (
    (0x8000, "qr"),
    (0x0400, "aa"),
    (0x0200, "tc"),
    (0x0100, "rd"),
    (0x0080, "ra"),
    (0x0020, "ad"),
    (0x0010, "cd"),
)
#: RFC 8914
EXTENDED_ERRORS = (
    "Other", "Unsupported DNSKEY Algorithm", "Unsupported DS Digest Type", "Stale Answer", "Forged Answer", "DNSSEC Indeterminate",
    "DNSSEC Bogus", "Signature Expired", "Signature Not Yet Valid", "DNSKEY Missing", "RRSIGs Missing", "No Zone Key Bit Set",
    "NSEC Missing", "Cached Error", "Not Ready", "Blocked", "Censored", "Filtered", "Prohibited", "Stale NXDOMAIN Answer",
    "Not Authoritative", "Not Supported", "No Reachable Authority", "Network Error", "Invalid Data",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Columns of TTL, class, type and data (dns_master_style_t)."""

    ttl_column: int = 24
    class_column: int = 32
    type_column: int = 40
    rdata_column: int = 48
    ttl: bool = True
    ttl_units: bool = False
    rdclass: bool = True
    layout: Layout = Layout()


class _Line:
    def __init__(self, text: str):
        self.text = text
        self.column = len(text)

    def to(self, column: int) -> None:
        """indent(): tabs up to the column, one blank at least."""
        column = max(column, self.column + 1)
        tabs = max(0, column // 8 - self.column // 8)
        if tabs:
            self.text += "\t" * tabs
            self.column = column // 8 * 8
        self.text += " " * (column - self.column)
        self.column = column

    def add(self, text: str) -> None:
        self.text += text
        self.column += len(text)


def record_line(record: Record, style: Style) -> str:
    line = _Line(record.name.to_text())
    if style.ttl:
        line.to(style.ttl_column)
        line.add(ttl_text(record.ttl) if style.ttl_units else str(record.ttl))
    if style.rdclass:
        line.to(style.class_column)
        line.add(f"CLASS{record.rdclass}" if style.layout.unknown else class_text(record.rdclass))
    line.to(style.type_column)
    line.add(f"TYPE{record.rdtype}" if style.layout.unknown else type_text(record.rdtype))
    line.to(style.rdata_column)
    return line.text + rdata_text(record, style.layout)


def question_line(question: Question, style: Style) -> str:
    """What follows the semicolon; the class is told whatever the style (dns_master_questiontotext())."""
    unknown = style.layout.unknown
    line = _Line(question.name.to_text())
    line.to(style.class_column)
    line.add(f"CLASS{question.rdclass}" if unknown else class_text(question.rdclass))
    line.to(style.type_column)
    line.add(f"TYPE{question.rdtype}" if unknown else type_text(question.rdtype))
    return line.text


def edns_flags(edns: Edns) -> tuple[str, int]:
    """The flags of an OPT record that have names (with a blank before each), and the rest as a number."""
    return (" do" if edns.flags & 0x8000 else "") + (" co" if edns.flags & 0x4000 else ""), edns.flags & 0x3FFF


def short_name(name: dns.name.Name) -> str:
    """A name without the dot at its end; "." for the root."""
    return name.to_text(omit_final_dot=True) if name != dns.name.root else "."


def flag_words(message: Message) -> list[str]:
    return [word for mask, word in FLAGS if message.flags & mask]


# -- OPT ----------------------------------------------------------------------------------------
def _bytes(data: bytes) -> str:
    return " ".join(f"{byte:02x}" for byte in data)


def _dump(data: bytes) -> str:
    """Bytes in hexadecimal, and as text in brackets."""
    shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)
    return f'{_bytes(data)} ("{shown}")'


def _subnet(data: bytes) -> str | None:
    if len(data) < 4:
        return None
    family, source, scope = struct.unpack("!HBB", data[:4])
    rest = data[4:]
    if family == 0 and source == 0:
        return "0.0.0.0/0/0" if scope == 0 and not rest else None
    if (
        family not in (1, 2)
        or len(rest) > (4 if family == 1 else 16)
        or source > (32 if family == 1 else 128)
    ):
        return None
    size = 4 if family == 1 else 16
    value = int.from_bytes(rest[: (source + 7) // 8].ljust(size, b"\0"), "big")
    address = IPv4Address(value) if family == 1 else IPv6Address(value)
    return f"{address}/{source}/{scope}"


def option_lines(edns: Edns, cookie: str, yaml: bool = False, sending: bool = False) -> list[str]:
    """The options of an OPT record, each as dig shows it (without the leading `; `)."""
    lines = []
    for code, data in edns.options:
        if code == 15 and len(data) >= 2:
            lines += _extended_error(data, yaml)
            continue
        name, value = _option(code, data, cookie, yaml, sending)
        lines.append(f"{name}:{' ' + value if value else ''}")
    return lines


def _option(code: int, data: bytes, cookie: str, yaml: bool, sending: bool) -> tuple[str, str]:
    if code == 3:
        return "NSID", _dump(data) if data else ""
    if code == 8:
        text = _subnet(data)
        return "CLIENT-SUBNET", text if text is not None else "".join(f"{byte:02x} " for byte in data)
    if code == 10:
        return "COOKIE", data.hex() + (f" ({cookie})" if cookie else "")
    if code == 9:
        if len(data) != 4:
            return "EXPIRE", _dump(data) if data else ""
        seconds = int.from_bytes(data, "big")
        return "EXPIRE", f"{seconds} ({ttl_text(seconds, True)})"
    if code == 11:
        name = "TCP-KEEPALIVE" if yaml else "TCP KEEPALIVE"
        if len(data) != 2:
            return name, _dump(data) if data else ""
        tenths = int.from_bytes(data, "big")
        return name, f"{tenths // 10}.{tenths % 10} secs"
    if code == 12:
        if not data or sending:
            return "PAD", ""
        return "PAD", _dump(data) if yaml else f"({len(data)} bytes)"
    if code == 14 and data and len(data) % 2 == 0:
        return "KEY-TAG", ", ".join(str(number) for (number,) in struct.iter_unpack("!H", data))
    if code in (16, 17) and len(data) == 2:
        return OPTION_NAMES[code], str(int.from_bytes(data, "big"))
    return OPTION_NAMES.get(code, f"OPT={code}"), _dump(data) if data else ""


OPTION_NAMES = {1: "LLQ", 14: "KEY-TAG", 15: "EDE", 16: "CLIENT-TAG", 17: "SERVER-TAG"}


def _extended_error(data: bytes, yaml: bool) -> list[str]:
    code = int.from_bytes(data[:2], "big")
    meaning = f" ({EXTENDED_ERRORS[code]})" if code < len(EXTENDED_ERRORS) else ""
    text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data[2:].rstrip(b"\0"))
    if yaml:
        lines = ["EDE:", f"  INFO-CODE: {code}{meaning}"]
        return lines + [f'  EXTRA-TEXT: "{text}"' if text else ""]
    return [f"EDE: {code}{meaning}" + (f": ({text})" if text else "")]
