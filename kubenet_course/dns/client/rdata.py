"""The data of records as BIND writes it (dns_rdata_tofmttext() and lib/dns/rdata/*): on one line or many.

dnspython's text serves where both agree; here is where they do not: long base64 and hexadecimal in
pieces, comments, SOA and keys over several lines, LOC's numbers.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import dns.dnssectypes
import dns.rdata
import dns.rdatatype

from kubenet_course.dns.client.wire import Record, type_text

#: dns_secalg_totext()
ALGORITHMS = {
    1: "RSAMD5", 2: "DH", 3: "DSA", 5: "RSASHA1", 6: "NSEC3DSA", 7: "NSEC3RSASHA1", 8: "RSASHA256", 10: "RSASHA512", 12: "ECCGOST",
    13: "ECDSAP256SHA256", 14: "ECDSAP384SHA384", 15: "ED25519", 16: "ED448", 252: "INDIRECT", 253: "PRIVATEDNS", 254: "PRIVATEOID",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """`split` is the length of the pieces of base64 and hexadecimal on one line; None is BIND's own, 0 no pieces."""

    multiline: bool = False
    comments: bool = False
    crypto: bool = True
    expand_aaaa: bool = False
    unknown: bool = False
    split: int | None = None
    linebreak: str = " "
    width: int = 48

    @property
    def room(self) -> int:
        if self.multiline:
            return self.width
        return 60 if self.split is None else self.split + 3 if self.split else 0


def ttl_text(seconds: int, words: bool = False) -> str:
    """dns_ttl_totext(): 90061 is "1d1h1m1s", in words "1 day 1 hour 1 minute 1 second"."""
    parts: list[str] = []
    for size, letter, word in (
        (604800, "w", "week"),
        (86400, "d", "day"),
        (3600, "h", "hour"),
        (60, "m", "minute"),
        (1, "s", "second"),
    ):
        number, seconds = divmod(seconds, size)
        if number or (size == 1 and not parts):
            parts.append(f"{number} {word}{'' if number == 1 else 's'}" if words else f"{number}{letter}")
    return (" " if words else "").join(parts)


def _pieces(text: str, unit: int, layout: Layout) -> str:
    """isc_base64_totext(), isc_hex_totext(): broken after as many units as fit the room."""
    room = layout.room
    if not room:
        return text
    length = max(unit, (room - 2 - 1) // unit * unit)
    return layout.linebreak.join(text[at : at + length] for at in range(0, len(text), length))


def _hex(data: bytes, layout: Layout) -> str:
    return _pieces(data.hex().upper(), 2, layout)


def _base64(data: bytes, layout: Layout) -> str:
    return _pieces(base64.b64encode(data).decode(), 4, layout)


def _bracketed(head: str, body: str, layout: Layout) -> str:
    """`head ( … )` over lines, or both on one."""
    return f"{head} ({layout.linebreak}{body} )" if layout.multiline else f"{head} {body}"


def unknown_text(record: Record, layout: Layout) -> str:
    """RFC 3597."""
    data = record.rdata.to_wire() or b""
    if not data:
        return "\\# 0"
    body = _hex(data, layout)
    return f"\\# {len(data)} ( {body} )" if layout.multiline else f"\\# {len(data)} {body}"


def rdata_text(record: Record, layout: Layout) -> str:
    """The record's data after its type."""
    rdata: Any = record.rdata
    if layout.unknown or isinstance(rdata, dns.rdata.GenericRdata):
        return unknown_text(record, layout)
    name = type_text(record.rdtype)
    writer = _WRITERS.get(name)
    if writer is not None:
        return writer(rdata, layout)
    return rdata.to_text()


def _soa(rdata: Any, layout: Layout) -> str:
    numbers = [
        (rdata.serial, "serial"),
        (rdata.refresh, "refresh"),
        (rdata.retry, "retry"),
        (rdata.expire, "expire"),
        (rdata.minimum, "minimum"),
    ]
    head = f"{rdata.mname.to_text()} {rdata.rname.to_text()}"
    if not layout.multiline:
        return head + "".join(f" {number}" for number, _ in numbers)
    lines = []
    for number, word in numbers:
        if layout.comments:
            meaning = "" if word == "serial" else f" ({ttl_text(number, True)})"
            lines.append(f"{number:<10} ; {word}{meaning}")
        else:
            lines.append(str(number))
    end = layout.linebreak + ")" if layout.comments else ")"
    return f"{head} (" + "".join(layout.linebreak + line for line in lines) + end


def _dnskey(rdata: Any, layout: Layout) -> str:
    head = f"{rdata.flags} {rdata.protocol} {int(rdata.algorithm)}"
    tag = _key_tag(rdata)
    if not layout.crypto:
        return f"{head} [key id = {tag}]"
    body = _base64(rdata.key, layout)
    kind = "KSK" if rdata.flags & 1 else "ZSK"
    if rdata.flags & 0x80:
        kind = "revoked " + kind
    note = f"; {kind}; alg = {ALGORITHMS.get(int(rdata.algorithm), int(rdata.algorithm))} ; key id = {tag}"
    if layout.multiline:
        return f"{head} ({layout.linebreak}{body}" + (
            f"{layout.linebreak}) {note}" if layout.comments else " )"
        )
    return f"{head} {body}" + (f"  {note}" if layout.comments else "")


def _key_tag(rdata: Any) -> int:
    """RFC 4034, appendix B."""
    wire = rdata.to_wire()
    if int(rdata.algorithm) == 1:
        return int.from_bytes(wire[-3:-1], "big")
    total = sum(byte << 8 if at % 2 == 0 else byte for at, byte in enumerate(wire))
    return (total + (total >> 16 & 0xFFFF)) & 0xFFFF


def _rrsig(rdata: Any, layout: Layout) -> str:
    from dns.rdtypes.rrsigbase import posixtime_to_sigtime

    head = f"{type_text(rdata.type_covered)} {int(rdata.algorithm)} {rdata.labels} {rdata.original_ttl}"
    middle = f"{posixtime_to_sigtime(rdata.expiration)} {posixtime_to_sigtime(rdata.inception)} {rdata.key_tag} {rdata.signer.to_text()}"
    body = _base64(rdata.signature, layout) if layout.crypto else "[omitted]"
    if layout.multiline:
        return f"{head} ({layout.linebreak}{middle}{layout.linebreak}{body} )"
    return f"{head} {middle} {body}"


def _ds(rdata: Any, layout: Layout) -> str:
    head = f"{rdata.key_tag} {int(rdata.algorithm)} {int(rdata.digest_type)}"
    return _bracketed(head, _hex(rdata.digest, layout) if layout.crypto else "[omitted]", layout)


def _tlsa(rdata: Any, layout: Layout) -> str:
    head = f"{rdata.usage} {rdata.selector} {rdata.mtype}"
    return _bracketed(head, _hex(rdata.cert, layout) if layout.crypto else "[omitted]", layout)


def _sshfp(rdata: Any, layout: Layout) -> str:
    head = f"{rdata.algorithm} {rdata.fp_type}"
    return _bracketed(head, _hex(rdata.fingerprint, layout) if layout.crypto else "[omitted]", layout)


def _aaaa(rdata: Any, layout: Layout) -> str:
    if not layout.expand_aaaa:
        return rdata.to_text()
    data = rdata.to_wire()
    return ":".join(data[at : at + 2].hex() for at in range(0, 16, 2))


def _loc(rdata: Any, layout: Layout) -> str:
    def angle(value: tuple[int, int, int, int, int], positive: str, negative: str) -> str:
        degrees, minutes, seconds, thousandths, sign = value
        return f"{degrees} {minutes} {seconds}.{thousandths:03d} {positive if sign > 0 else negative}"

    def metres(centimetres: float) -> str:
        whole = int(centimetres)
        return f"{whole // 100}m" if whole % 100 == 0 else f"{whole // 100}.{whole % 100:02d}m"

    altitude = int(rdata.altitude)
    sign = "-" if altitude < 0 else ""
    high = f"{sign}{abs(altitude) // 100}.{abs(altitude) % 100:02d}m"
    sizes = [
        f"{int(rdata.size) // 100}.{int(rdata.size) % 100:02d}m" if rdata.size < 100 else metres(rdata.size)
    ]
    sizes += [metres(rdata.horizontal_precision), metres(rdata.vertical_precision)]
    return f"{angle(rdata.latitude, 'N', 'S')} {angle(rdata.longitude, 'E', 'W')} {high} {' '.join(sizes)}"


def _svcb(rdata: Any, layout: Layout) -> str:
    """Parameters: only lists of protocols and unknown ones are quoted."""
    words = [str(rdata.priority), rdata.target.to_text()]
    for key in sorted(rdata.params):
        name = {
            0: "mandatory",
            1: "alpn",
            2: "no-default-alpn",
            3: "port",
            4: "ipv4hint",
            5: "ech",
            6: "ipv6hint",
            7: "dohpath",
        }.get(int(key), f"key{int(key)}")
        value = rdata.params[key]
        text = "" if value is None else value.to_text()
        if name in ("ipv4hint", "ipv6hint", "port", "mandatory", "ech"):
            text = text.strip('"')
        words.append(f"{name}={text}" if text else name)
    return " ".join(words)


_WRITERS = {
    "SOA": _soa, "DNSKEY": _dnskey, "CDNSKEY": _dnskey, "KEY": _dnskey, "RRSIG": _rrsig, "SIG": _rrsig, "DS": _ds, "CDS": _ds, "DLV": _ds,
    "TLSA": _tlsa, "SMIMEA": _tlsa, "SSHFP": _sshfp, "AAAA": _aaaa, "LOC": _loc, "SVCB": _svcb, "HTTPS": _svcb,
}  # fmt: skip
