"""DNS messages from bytes and to bytes, for a server: quickly, and as CoreDNS sends them.

Reading: a plain query (one question, perhaps an OPT record) is taken apart here; dnspython reads the rest.
Writing (request.Scrub): plain while that fits, else compressed, else cut. dnspython always compresses;
servers do not, and a client sees the size.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any

import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

#: Options of a request that come back in the answer as they are (NSID, expire, cookie, keepalive, padding).
ECHOED = (3, 9, 10, 11, 12)
OPT, DO, QR, TC = 41, 0x8000, 0x8000, 0x0200
#: What dnspython raises for bytes that are no message.
MALFORMED = (dns.exception.DNSException, ValueError, struct.error, IndexError)


# -- reading ------------------------------------------------------------------------------------
@lru_cache(8192)
def names_of(labels: tuple[bytes, ...]) -> tuple[dns.name.Name, str, str]:
    """The name with these labels, its text, and that in lower case."""
    name = dns.name.Name(labels)
    text = name.to_text()
    return name, text, text.lower()


@lru_cache(1024)
def _kinds(rdtype: int, rdclass: int) -> tuple[dns.rdatatype.RdataType, dns.rdataclass.RdataClass]:
    return dns.rdatatype.RdataType.make(rdtype), dns.rdataclass.RdataClass.make(rdclass)


class Query(dns.message.QueryMessage):
    """A query of one question. Its OPT record stays bytes until somebody wants it as a record."""

    _opt: dns.rrset.RRset | None = None
    _raw: tuple[int, int, bytes] | None = None  # payload, TTL (version and flags), options

    @property  # type: ignore[override]
    def opt(self) -> dns.rrset.RRset | None:
        if self._raw is not None:
            payload, ttl, data = self._raw
            self._raw = None
            self._opt = self._make_opt(ttl, payload, list(_options(data)))
        return self._opt

    @opt.setter
    def opt(self, value: dns.rrset.RRset | None) -> None:
        self._opt, self._raw = value, None

    @property
    def edns(self) -> int:
        return self._raw[1] >> 16 & 255 if self._raw is not None else super().edns

    @property  # type: ignore[override]
    def ednsflags(self) -> int:
        return self._raw[1] if self._raw is not None else super().ednsflags

    @ednsflags.setter
    def ednsflags(self, value: int) -> None:
        if self.opt is not None:
            self.opt.ttl = value
        elif value:
            self.opt = self._make_opt(value)

    @property
    def payload(self) -> int:
        return self._raw[0] if self._raw is not None else super().payload


def _options(data: bytes) -> Any:
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("!HH", data, at)
        yield dns.edns.option_from_wire(code, data, at + 4, length)
        at += 4 + length


def read(wire: bytes) -> dns.message.Message:
    """A query's message; one of MALFORMED where it is none."""
    ident, flags, questions, answers, authority, additional = struct.unpack_from("!HHHHHH", wire)
    if questions == 1 and not answers and not authority and additional < 2 and not flags & 0x7800:
        found = _read_plain(wire, ident, flags, additional)
        if found is not None:
            return found
    return dns.message.from_wire(wire, ignore_trailing=True)


def _read_plain(wire: bytes, ident: int, flags: int, additional: int) -> Query | None:
    labels, at, end = [], 12, len(wire)
    while at < end and 0 < (length := wire[at]) < 64:
        labels.append(wire[at + 1 : at + 1 + length])
        at += 1 + length
    if at + 5 > end or wire[at] or at > 12 + 254:
        return None
    rdtype, rdclass = struct.unpack_from("!HH", wire, at + 1)
    at += 5
    raw = None
    if additional:
        if at + 11 > end or wire[at] or wire[at + 1 : at + 3] != b"\0\x29":
            return None
        payload, ttl, length = struct.unpack_from("!HIH", wire, at + 3)
        data = wire[at + 11 : at + 11 + length]
        if len(data) != length or not _whole(data):
            return None
        raw = (payload, ttl, data)
    labels.append(b"")
    query = Query(ident)
    query.flags = flags  # type: ignore[assignment]
    kind, klass = _kinds(rdtype, rdclass)
    query.question = [dns.rrset.RRset(names_of(tuple(labels))[0], klass, kind)]
    query._raw = raw
    return query


def _whole(data: bytes) -> bool:
    """Whether options fill their record exactly, and are of kinds that are taken as they come."""
    at = 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("!HH", data, at)
        if code not in ECHOED:
            return False
        at += 4 + length
    return at == len(data)


# -- records ------------------------------------------------------------------------------------
class Records(dns.rrset.RRset):
    """A set that shares its records, and their bytes, with others of another name or TTL."""

    shared: list[bytes]


def with_name(rrset: dns.rrset.RRset, name: dns.name.Name, ttl: int | None = None) -> dns.rrset.RRset:
    """The same records under another name, and with another TTL."""
    ttl = rrset.ttl if ttl is None else ttl
    if ttl == rrset.ttl and rrset.name.labels == name.labels:
        return rrset
    copy = Records.__new__(Records)
    copy.name, copy.deleting = name, None
    copy.rdclass, copy.rdtype, copy.covers, copy.ttl = rrset.rdclass, rrset.rdtype, rrset.covers, ttl
    copy.items = rrset.items
    copy.shared = rrset.shared if isinstance(rrset, Records) else []
    return copy


def fixed(rrset: dns.rrset.RRset) -> Records:
    """A set that will be sent often and not change any more."""
    copy = Records(rrset.name, rrset.rdclass, rrset.rdtype)
    copy.items, copy.ttl, copy.shared = rrset.items, rrset.ttl, []
    return copy


# -- writing ------------------------------------------------------------------------------------
@lru_cache(8192)
def _name_wire(labels: tuple[bytes, ...]) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels)


def code_of(message: dns.message.Message) -> int:
    """The whole response code, without an enumeration."""
    return message.flags & 15 | (message.ednsflags >> 20 & 0xFF0 if message.opt is not None else 0)


def encode(message: dns.message.Message, compress: bool = False, opt: bytes = b"") -> bytes:
    """The message with `opt` as its OPT record; TC and sizes are the caller's affair."""
    questions, *sections = message.sections
    if compress:
        wire = _compressed(message, questions, sections)
        return wire[:11] + bytes([wire[11] + 1]) + wire[12:] + opt if opt else wire
    counts = [0, 0, 0]
    parts = [b""]
    for question in questions:
        parts += (_name_wire(question.name.labels), _HALVES(question.rdtype, question.rdclass))
    for number, section in enumerate(sections):
        for rrset in section:
            start = _name_wire(rrset.name.labels) + _START(rrset.rdtype, rrset.rdclass, rrset.ttl)
            records = _data(rrset)
            counts[number] += len(records)
            for data in records:
                parts += (start, data)
    parts[0] = _HEAD(message.id, message.flags & 0xFFFF, len(questions), counts[0], counts[1], counts[2] + bool(opt))
    parts.append(opt)
    return b"".join(parts)


_HEAD, _HALVES, _START = struct.Struct("!HHHHHH").pack, struct.Struct("!HH").pack, struct.Struct("!HHI").pack


def _compressed(message: dns.message.Message, questions: list[dns.rrset.RRset], sections: list[list[dns.rrset.RRset]]) -> bytes:
    """RFC 1035 4.1.4, without the OPT record (which is counted, and has no name to compress)."""
    out = io.BytesIO()
    counts = [sum(map(len, section)) for section in sections]
    out.write(_HEAD(message.id, message.flags & 0xFFFF, len(questions), *counts))
    table: dict[dns.name.Name, int] = {}
    for question in questions:
        question.name.to_wire(out, table)
        out.write(_HALVES(question.rdtype, question.rdclass))
    for section in sections:
        for rrset in section:
            rrset.to_wire(out, table, want_shuffle=False)
    return out.getvalue()


def _data(rrset: dns.rrset.RRset) -> list[bytes]:
    """Each record's length and data, plain; kept where the set is to be sent again."""
    shared = rrset.shared if isinstance(rrset, Records) else None
    if shared:
        return shared
    found = [len(data := rdata.to_wire() or b"").to_bytes(2, "big") + data for rdata in rrset.items]
    if shared is not None:
        shared += found
    return found


def opt_record(response: dns.message.Message, request: dns.message.Message, size: int, *, echo: bool = True) -> bytes:
    """Request.SizeAndDo(): the answer's OPT is the request's: its size, its DO bit, options that are known; b"" without."""
    if request.edns < 0:
        return b""
    if isinstance(request, Query) and request._raw is not None and response.opt is None:
        data = request._raw[2] if echo else b""
    else:
        data = b""
        for option in response.options or [option for option in request.options if echo and int(option.otype) in ECHOED]:
            value = option.to_wire() or b""
            data += struct.pack("!HH", int(option.otype), len(value)) + value
    ttl = (code_of(response) >> 4) << 24 | request.ednsflags & DO
    return b"\0" + struct.pack("!HHIH", OPT, size, ttl, len(data)) + data


def fit(response: dns.message.Message, limit: int, opt: bytes, *, udp: bool, six: bool) -> bytes:
    """The answer's bytes, at most `limit`: records are left out from the end, additional ones first, and TC is set."""
    wire = encode(response, opt=opt)
    if len(wire) <= limit:
        if udp and len(wire) > (1220 if six else 1480):
            return encode(response, True, opt)
        return wire
    wire = encode(response, True, opt)
    if len(wire) <= limit:
        return wire
    wire = _longest(response, "additional", response.additional, limit, opt)
    if len(wire) <= limit:
        return wire
    response.additional, response.authority = [], []
    response.flags |= TC
    wire = encode(response, True, opt)
    if len(wire) <= limit:
        return wire
    return _longest(response, "answer", response.answer, limit, opt)


def _longest(response: dns.message.Message, section: str, rrsets: list[dns.rrset.RRset], limit: int, opt: bytes) -> bytes:
    """The message with as many single records of one section as fit, by bisection."""
    records = [(rrset, rdata) for rrset in rrsets for rdata in rrset]
    low, high = 0, len(records)
    while low < high:
        middle = (low + high + 1) // 2
        setattr(response, section, _joined(records[:middle]))
        if len(encode(response, True, opt)) <= limit:
            low = middle
        else:
            high = middle - 1
    setattr(response, section, _joined(records[:low]))
    return encode(response, True, opt)


def _joined(records: list[tuple[dns.rrset.RRset, Any]]) -> list[dns.rrset.RRset]:
    """Single records back into sets, in their order."""
    found: list[dns.rrset.RRset] = []
    last = None
    for rrset, rdata in records:
        if rrset is not last:
            found.append(dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype))
            last = rrset
        found[-1].add(rdata, rrset.ttl)
    return found


def plain_size(message: dns.message.Message) -> int:
    """Msg.Len(): how many bytes it would be without compression."""
    opt = opt_record(message, message, message.payload) if message.edns >= 0 and not message.flags & QR else b""
    return len(encode(message, opt=opt))
