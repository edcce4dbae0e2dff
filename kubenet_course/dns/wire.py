"""DNS messages to bytes as CoreDNS sends them (request.Scrub): plain while that fits, else compressed, else cut.

dnspython always compresses; servers do not, and a client sees the size.
"""

from __future__ import annotations

import io
import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset

#: Options of a request that come back in the answer as they are (NSID, expire, cookie, keepalive, padding).
ECHOED = (3, 9, 10, 11, 12)


def encode(message: dns.message.Message, compress: bool = False) -> bytes:
    """The whole message; TC and sizes are the caller's affair."""
    out = io.BytesIO()
    table: dict[dns.name.Name, int] | None = {} if compress else None
    flags = message.flags & 0xFFF0 | message.rcode() & 15
    sections = [message.answer, message.authority, message.additional]
    counts = [sum(map(len, section)) for section in sections]
    counts[2] += message.opt is not None
    out.write(struct.pack("!HHHHHH", message.id, flags, len(message.question), *counts))
    for question in message.question:
        question.name.to_wire(out, table)
        out.write(struct.pack("!HH", question.rdtype, question.rdclass))
    for section in sections:
        for rrset in section:
            if compress:
                rrset.to_wire(out, table, want_shuffle=False)
            else:
                _plain(rrset, out)
    if message.opt is not None:
        message.opt.to_wire(out, table)
    return out.getvalue()


def _plain(rrset: dns.rrset.RRset, out: io.BytesIO) -> None:
    """The records of a set one after the other, without compression."""
    owner = rrset.name.to_wire() or b""
    head = struct.pack("!HHI", rrset.rdtype, rrset.rdclass, rrset.ttl)
    for rdata in rrset:
        data = rdata.to_wire() or b""
        out.write(owner + head + len(data).to_bytes(2, "big") + data)


def set_opt(response: dns.message.Message, request: dns.message.Message, size: int) -> None:
    """Request.SizeAndDo(): the answer's OPT is the request's: its size, its DO bit, options that are known."""
    if request.edns < 0:
        response.use_edns(-1)
        return
    options = list(response.options) or [option for option in request.options if int(option.otype) in ECHOED]
    flags = request.ednsflags & dns.flags.DO
    rcode = int(response.rcode())
    response.use_edns(0, flags, payload=size, options=options)
    if rcode > 15:
        response.set_rcode(rcode)  # type: ignore[arg-type]


def fit(response: dns.message.Message, limit: int, *, udp: bool, six: bool) -> bytes:
    """The answer's bytes, at most `limit`: records are left out from the end, additional ones first, and TC is set."""
    wire = encode(response)
    if len(wire) <= limit:
        if udp and len(wire) > (1220 if six else 1480):
            return encode(response, True)
        return wire
    wire = encode(response, True)
    if len(wire) <= limit:
        return wire
    whole = response.additional
    wire = _longest(response, "additional", whole, limit)
    if len(wire) <= limit:
        return wire
    response.additional, response.authority = [], []
    response.flags |= dns.flags.TC
    wire = encode(response, True)
    if len(wire) <= limit:
        return wire
    return _longest(response, "answer", response.answer, limit)


def _longest(response: dns.message.Message, section: str, rrsets: list[dns.rrset.RRset], limit: int) -> bytes:
    """The message with as many single records of one section as fit, by bisection."""
    records = [(rrset, rdata) for rrset in rrsets for rdata in rrset]
    low, high = 0, len(records)
    while low < high:
        middle = (low + high + 1) // 2
        setattr(response, section, _joined(records[:middle]))
        if len(encode(response, True)) <= limit:
            low = middle
        else:
            high = middle - 1
    setattr(response, section, _joined(records[:low]))
    return encode(response, True)


def _joined(records: list) -> list[dns.rrset.RRset]:
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
    return len(encode(message))
