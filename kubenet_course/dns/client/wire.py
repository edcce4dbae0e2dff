"""DNS messages: a query's bytes, and an answer taken apart as BIND's dns_message_parse() does it.

Records keep the order of the message. What is wrong with an answer is told in BIND's words
(`BadMessage`); in best effort some faults are only noted (`Message.malformed`), as dig does.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from kubenet_course.errors import KubenetError

QUESTION, ANSWER, AUTHORITY, ADDITIONAL = range(4)
OPT, TSIG, SIG, ANY_CLASS = 41, 250, 24, 255
UNEXPECTED_END = "unexpected end of input"

#: dns_rcode_totext(), dns_opcode_totext()
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN", 7: "YXRRSET",
    8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS", 23: "BADCOOKIE",
}  # fmt: skip
OPCODES = [
    "QUERY",
    "IQUERY",
    "STATUS",
    "RESERVED3",
    "NOTIFY",
    "UPDATE",
    *(f"RESERVED{n}" for n in range(6, 16)),
]


def rcode_text(rcode: int) -> str:
    """As dig's header has it: RESERVED11 for one that has no name, a number for a large one."""
    return RCODES.get(rcode) or (f"RESERVED{rcode}" if rcode < 16 else str(rcode))


class BadMessage(KubenetError):
    """An answer that cannot be read; str() is BIND's word for why."""


@dataclass
class Question:
    name: dns.name.Name
    rdtype: int
    rdclass: int


@dataclass
class Record:
    name: dns.name.Name
    rdtype: int
    rdclass: int
    ttl: int
    rdata: dns.rdata.Rdata


@dataclass
class Edns:
    """The OPT record. `options` are (code, data) in order."""

    version: int = 0
    flags: int = 0
    size: int = 1232
    options: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def do(self) -> bool:
        return bool(self.flags & 0x8000)

    def encode(self, rcode: int = 0) -> bytes:
        data = b"".join(struct.pack("!HH", code, len(value)) + value for code, value in self.options)
        return (
            b"\0"
            + struct.pack("!HHBBHH", OPT, self.size, rcode >> 4, self.version, self.flags, len(data))
            + data
        )


@dataclass
class Message:
    """`counts` are those of the header, whatever was found; `extra` are bytes behind the last record."""

    id: int = 0
    flags: int = 0
    opcode: int = 0
    rcode: int = 0
    counts: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    questions: list[Question] = field(default_factory=list)
    sections: dict[int, list[Record]] = field(default_factory=lambda: {1: [], 2: [], 3: []})
    edns: Edns | None = None
    malformed: bool = False
    extra: int = 0
    size: int = 0
    #: What became of our COOKIE option: "good", "bad", "echoed" or "".
    cookie: str = ""

    def flag(self, mask: int) -> bool:
        return bool(self.flags & mask)

    @property
    def answers(self) -> list[Record]:
        return self.sections[ANSWER]


def encode_name(name: dns.name.Name) -> bytes:
    return name.to_wire() or b""


def encode_query(message: Message) -> bytes:
    """The bytes of a query: questions, an SOA for IXFR in the authority section, OPT."""
    flags = message.flags | message.opcode << 11 | message.rcode & 15
    counts = [len(message.questions), 0, len(message.sections[AUTHORITY]), 1 if message.edns else 0]
    message.counts = counts
    wire = struct.pack("!HHHHHH", message.id, flags, *counts)
    for question in message.questions:
        wire += encode_name(question.name) + struct.pack("!HH", question.rdtype, question.rdclass)
    for record in message.sections[AUTHORITY]:
        data = record.rdata.to_wire() or b""
        wire += (
            encode_name(record.name)
            + struct.pack("!HHIH", record.rdtype, record.rdclass, record.ttl, len(data))
            + data
        )
    if message.edns is not None:
        wire += message.edns.encode(message.rcode)
    message.size = len(wire)
    return wire


# -- answers ------------------------------------------------------------------------------------
class _Parser:
    def __init__(self, wire: bytes, best_effort: bool):
        self.wire = wire
        self.at = 12
        self.best_effort = best_effort
        self.message = Message(size=len(wire))

    def problem(self) -> None:
        """DO_ERROR(): a fault that best effort forgives."""
        if not self.best_effort:
            raise BadMessage("FORMERR")
        self.message.malformed = True

    def name(self) -> dns.name.Name:
        try:
            name, used = dns.name.from_wire(self.wire, self.at)
        except dns.name.BadPointer:
            raise BadMessage("bad compression pointer") from None
        except dns.name.BadLabelType:
            raise BadMessage("bad label type") from None
        except dns.name.NameTooLong:
            raise BadMessage("name too long") from None
        except dns.exception.DNSException:
            raise BadMessage(UNEXPECTED_END) from None
        self.at += used
        return name

    def take(self, size: int) -> bytes:
        if len(self.wire) - self.at < size:
            raise BadMessage(UNEXPECTED_END)
        data = self.wire[self.at : self.at + size]
        self.at += size
        return data

    def parse(self) -> Message:
        message = self.message
        message.id, flags, *counts = struct.unpack("!HHHHHH", self.wire[:12])
        message.counts = list(counts)
        message.flags = flags & 0x87F0
        message.opcode, message.rcode = flags >> 11 & 15, flags & 15
        try:
            for _ in range(counts[QUESTION]):
                self._question()
            for section in (ANSWER, AUTHORITY, ADDITIONAL):
                for number in range(counts[section]):
                    self._record(section, number == counts[section] - 1)
        except BadMessage as failure:
            # DNS_MESSAGEPARSE_IGNORETRUNCATION
            if not self.best_effort or str(failure) != UNEXPECTED_END:
                raise
            message.malformed = True
        message.extra = len(self.wire) - self.at
        return message

    def _question(self) -> None:
        name = self.name()
        rdtype, rdclass = struct.unpack("!HH", self.take(4))
        if self.message.questions and rdclass != self.message.questions[0].rdclass:
            self.problem()
        self.message.questions.append(Question(name, rdtype, rdclass))

    def _record(self, section: int, last: bool) -> None:
        message = self.message
        name = self.name()
        rdtype, rdclass, ttl, size = struct.unpack("!HHIH", self.take(10))
        if len(self.wire) - self.at < size:
            raise BadMessage(UNEXPECTED_END)
        start, self.at = self.at, self.at + size
        if rdtype == OPT:
            if section != ADDITIONAL or name != dns.name.root or message.edns is not None:
                self.problem()
            message.edns = Edns(ttl >> 16 & 0xFF, ttl & 0xFFFF, rdclass, _options(self.wire[start : self.at]))
            message.rcode |= ttl >> 24 << 4
            return
        if rdtype == TSIG and section == ADDITIONAL:
            if not last:
                self.problem()
            return
        asked = message.questions[0].rdclass if message.questions else rdclass
        if asked not in (ANY_CLASS, rdclass) and rdtype != SIG:
            self.problem()
        message.sections[section].append(
            Record(
                name, rdtype, rdclass, ttl if ttl < 1 << 31 else 0, self._rdata(rdclass, rdtype, start, size)
            )
        )

    def _rdata(self, rdclass: int, rdtype: int, start: int, size: int) -> dns.rdata.Rdata:
        try:
            return dns.rdata.from_wire(
                dns.rdataclass.RdataClass.make(rdclass),
                dns.rdatatype.RdataType.make(rdtype),
                self.wire,
                start,
                size,
            )
        except dns.name.BadPointer:
            raise BadMessage("bad compression pointer") from None
        except dns.name.BadLabelType:
            raise BadMessage("bad label type") from None
        except (dns.exception.DNSException, ValueError, struct.error, IndexError):
            raise BadMessage("FORMERR") from None


def _options(data: bytes) -> list[tuple[int, bytes]]:
    options = []
    while len(data) >= 4:
        code, size = struct.unpack("!HH", data[:4])
        if len(data) < 4 + size:
            raise BadMessage("FORMERR")
        options.append((code, data[4 : 4 + size]))
        data = data[4 + size :]
    if data:
        raise BadMessage("FORMERR")
    return options


def decode(wire: bytes, best_effort: bool = False) -> Message:
    """Take an answer of at least 12 bytes apart; BadMessage."""
    return _Parser(wire, best_effort).parse()


def hex_dump(wire: bytes) -> str:
    """hex_dump(): what dig prints of a packet that it cannot read."""
    lines = [f"{len(wire)} bytes"]
    for start in range(0, len(wire), 16):
        row = wire[start : start + 16]
        shown = "".join(chr(byte) if 32 < byte < 127 else "." for byte in row)
        lines.append("".join(f"{byte:02x} " for byte in row).ljust(48) + "         " + shown)
    return "\n".join(lines) + "\n"


# -- names as text ------------------------------------------------------------------------------
def name_from_text(text: str, origin: dns.name.Name | None = None) -> dns.name.Name:
    """dns_name_fromtext(): absolute; BadMessage with BIND's word for what is wrong."""
    if not text:
        raise BadMessage(UNEXPECTED_END)
    try:
        return dns.name.from_text(
            text.encode("utf-8", "surrogateescape"), dns.name.root if origin is None else origin
        )
    except dns.name.EmptyLabel:
        raise BadMessage("empty label") from None
    except dns.name.LabelTooLong:
        raise BadMessage("label too long") from None
    except dns.name.NameTooLong:
        raise BadMessage("ran out of space") from None
    except (dns.name.BadEscape, ValueError):
        raise BadMessage("bad escape") from None
    except dns.exception.DNSException:
        raise BadMessage("bad name") from None


def type_from_text(text: str) -> int | None:
    """A record type's number by its name or TYPEnnn, in any case; None for none."""
    return _number(text, dns.rdatatype.from_text)


def class_from_text(text: str) -> int | None:
    return 0 if text.lower() == "reserved0" else _number(text, dns.rdataclass.from_text)


def _number(text: str, reader: object) -> int | None:
    try:
        return int(reader(text)) if text else None  # type: ignore[operator]
    except (dns.exception.DNSException, ValueError):
        return None


def type_text(rdtype: int) -> str:
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rdtype))


def class_text(rdclass: int) -> str:
    return "RESERVED0" if rdclass == 0 else dns.rdataclass.to_text(dns.rdataclass.RdataClass.make(rdclass))
