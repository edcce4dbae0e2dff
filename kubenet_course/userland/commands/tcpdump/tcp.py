"""tcpdump's line about TCP (print-tcp.c)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kubenet_course.wire.tcp_options import walk

if TYPE_CHECKING:
    from kubenet_course.userland.commands.tcpdump.dissect import Printer

FLAGS = ((1, "F"), (2, "S"), (4, "R"), (8, "P"), (16, "."), (32, "U"), (64, "E"), (128, "W"), (256, "e"))
MASK = 0xFFFFFFFF
HTTP_PORTS = frozenset({80, 8080, 3128})
HTTP_COMMANDS = frozenset(
    "GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE NOTIFY BDELETE "
    "CONNECT OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY "
    "MKWORKSPACE UNSUBSCRIBE RPC_CONNECT VERSION-CONTROL BASELINE-CONTROL".split()
)
FTP_COMMANDS = frozenset(
    "ACCT APPE CWD DELE EPRT EPSV FEAT HELP LIST MDTM MKD MODE NLST NOOP OPTS PASS PASV PORT PWD QUIT RETR RMD RNFR RNTO STAT "
    "STOR STOU SYST TYPE USER".split()
)
SMTP_COMMANDS = frozenset(
    "ATRN AUTH BDAT DATA EHLO ETRN EXPN HELO HELP MAIL NOOP QUIT RCPT RSET SAML SEND SOML STARTTLS TURN VRFY".split()
)


def show(printer: Printer, body: bytes, length: int, source: Any, destination: Any, fragment: bool) -> str:
    names = f"{printer.host(source)} > {printer.host(destination)}: "
    if len(body) < 20:
        if len(body) >= 4:
            ports = struct.unpack(">HH", body[:4])
            names = _names(printer, source, destination, *ports)
        return names + "[|tcp]"
    sport, dport, seq, ack, offset, window, checksum, urgent = struct.unpack(">HHIIHHHH", body[:20])
    flags = offset & 0x1FF
    header = (offset >> 12) * 4
    names = _names(printer, source, destination, sport, dport)
    if header < 20:
        return names + f" tcp {length - header} [bad hdr length {header} - too short, < 20]"
    size = length - header
    if printer.quick:
        return names + f"tcp {size}"
    if not printer.absolute and flags & 16:
        seq, ack = _relative(printer, source, destination, sport, dport, seq, ack, bool(flags & 2))
    text = names + f"Flags [{''.join(letter for bit, letter in FLAGS if flags & bit) or 'none'}]"
    if printer.verbose and not printer.no_checksums and not fragment and len(body) >= length:
        text += _checksum(source, destination, body[:length], checksum)
    if printer.verbose > 1 or size > 0 or flags & 7:
        text += f", seq {seq}" + (f":{(seq + size) & MASK}" if size > 0 else "")
    if flags & 16:
        text += f", ack {ack}"
    text += f", win {window}"
    if flags & 32:
        text += f", urg {urgent}"
    if header > 20:
        text += f", options [{_options(body[20:header])}]"
    text += f", length {size}"
    if size <= 0 or len(body) <= header:
        return text
    data = body[header:length]
    if flags & 4:
        return text + (f" [RST {_readable(data)}]" if printer.verbose else "")
    return text + _application(printer, sport, dport, data, size)


def _names(printer: Printer, source: Any, destination: Any, sport: int, dport: int) -> str:
    return f"{printer.host(source)}.{printer.port(sport, 'tcp')} > {printer.host(destination)}.{printer.port(dport, 'tcp')}: "


def _relative(
    printer: Printer, source: Any, destination: Any, sport: int, dport: int, seq: int, ack: int, syn: bool
) -> tuple[int, int]:
    """Numbers counted from the conversation's first ones."""
    reverse = sport > dport if sport != dport else source.encode() > destination.encode()
    key = (source, sport, destination, dport) if not reverse else (destination, dport, source, sport)
    known = printer.conversations.get(key)
    if known is None or syn:
        printer.conversations[key] = [(ack - 1) & MASK, seq] if reverse else [seq, (ack - 1) & MASK]
        return seq, ack
    first, second = known
    if reverse:
        return (seq - second) & MASK, (ack - first) & MASK
    return (seq - first) & MASK, (ack - second) & MASK


def _checksum(source: Any, destination: Any, segment: bytes, given: int) -> str:
    from kubenet_course.userland.commands.tcpdump.dissect import transport_checksum

    right = transport_checksum(source, destination, 6, segment)
    if not right:
        return f", cksum 0x{given:04x} (correct)"
    wanted = transport_checksum(source, destination, 6, segment[:16] + b"\0\0" + segment[18:])
    return f", cksum 0x{given:04x} (incorrect -> 0x{wanted:04x})"


def _options(data: bytes) -> str:
    words = []
    for kind, value in walk(data):
        name = {
            0: "eol",
            1: "nop",
            2: "mss",
            3: "wscale",
            4: "sackOK",
            5: "sack",
            8: "TS",
            30: "mptcp",
            34: "tfo",
        }.get(kind)
        if value is None:
            words.append(f"{name or f'unknown-{kind}'}[|tcp]" if kind in (2, 3, 5, 8) else "[bad opt]")
            break
        if kind == 2 and len(value) == 2:
            words.append(f"mss {int.from_bytes(value, 'big')}")
        elif kind == 3 and len(value) == 1:
            words.append(f"wscale {value[0]}")
        elif kind == 8 and len(value) == 8:
            words.append("TS val {} ecr {}".format(*struct.unpack(">II", value)))
        elif kind == 5 and len(value) % 8 == 0:
            blocks = "".join("{{{}:{}}}".format(*block) for block in struct.iter_unpack(">II", value))
            words.append(f"sack {len(value) // 8} {blocks}")
        elif kind in (0, 1, 4):
            words.append(name or "")
        else:
            words.append(f"{name or f'unknown-{kind}'}" + (f" 0x{value.hex()}" if value else ""))
    return ",".join(words)


def _readable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


# -- what is inside -----------------------------------------------------------------------------
def _application(printer: Printer, sport: int, dport: int, data: bytes, size: int) -> str:
    ports = {sport, dport}
    if 53 in ports:
        from kubenet_course.userland.commands.tcpdump import dns

        if len(data) > 2:
            return " " + dns.show(printer, data[2:], size - 2)
        return " [|domain]"
    if ports & HTTP_PORTS:
        return ": " + text_protocol(printer, "HTTP", HTTP_COMMANDS, data, size)
    if 21 in ports:
        return ": " + text_protocol(printer, "FTP", FTP_COMMANDS, data, size)
    if 25 in ports:
        return ": " + text_protocol(printer, "SMTP", SMTP_COMMANDS, data, size)
    if 22 in ports:
        return ": " + _ssh(printer, data)
    return ""


def _ssh(printer: Printer, data: bytes) -> str:
    line = data.split(b"\n")[0].rstrip(b"\r")
    if data.startswith(b"SSH-"):
        return "SSH: " + _readable(line)
    return "SSH"


def text_protocol(printer: Printer, name: str, commands: frozenset[str], data: bytes, size: int) -> str:
    """txtproto_print(): the first line of a request or answer; with -v all its lines."""
    first = data.split(b"\n", 1)[0].rstrip(b"\r")
    tokens = first.split()
    known = bool(tokens) and tokens[0].decode("latin-1").upper() in commands
    if not known and tokens:
        codes = tokens[:2] if name == "HTTP" else tokens[:1]
        known = any(len(token) == 3 and token.isdigit() for token in codes)
    if not printer.verbose:
        line = _line_text(first) if known else None
        return name + (f": {line}" if line is not None else "")
    if not known:
        return name
    text = f"{name}, length: {size}"
    rest = data
    while rest:
        end = rest.find(b"\n")
        line_bytes = rest if end < 0 else rest[:end]
        shown = _line_text(line_bytes.rstrip(b"\r"))
        if shown is None:
            break
        text += f"\n\t{shown}"
        if end < 0:
            break
        rest = rest[end + 1 :]
    return text


def _line_text(line: bytes) -> str | None:
    """A line of text; None where it is binary."""
    if any(byte < 32 and byte != 9 for byte in line):
        return None
    return "".join(chr(byte) if 32 <= byte < 127 or byte == 9 else f"\\0x{byte:02x}" for byte in line)
