"""What is asked for, and of whom: the values that the engine works on (struct dig_lookup, dig_query)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from typing import Any

import dns.name
import dns.rdata
import dns.rdatatype

from kubenet_course.dns.client.wire import AUTHORITY, Edns, Message, Question, Record
from kubenet_course.wire.addresses import IpAddress

A, NS, SOA, PTR, MX, AAAA, IXFR, AXFR, ANY = 1, 2, 6, 12, 15, 28, 251, 252, 255
DEFAULT_BUFSIZE = 1232
NSID, CLIENT_SUBNET, EXPIRE, COOKIE, KEEPALIVE, PADDING = 3, 8, 9, 10, 11, 12


@dataclass(frozen=True)
class Server:
    """A server to ask; `name` is how it was named."""

    address: IpAddress
    name: str
    scope: str = ""
    zone: str = ""

    @property
    def number(self) -> str:
        """How it was named, where that was by an address; else its address."""
        return self.name if ":" in self.name or not self.name.strip("0123456789.") else self.text

    @property
    def text(self) -> str:
        return f"{self.address}{self.zone or (f'%{self.scope}' if self.scope else '')}"


@dataclass
class Lookup:
    """One question and how it is to be asked and shown.

    `edns` is -1 for none; `bufsize` -1 where it was not given. `origins` are the names to append in
    turn (None: the name as it stands). `tries` goes down with every failure.
    """

    textname: str = ""
    rdtype: int = A
    rdclass: int = 1
    asked_type: int = A
    type_set: bool = False
    class_set: bool = False
    tcp: bool = False
    tcp_set: bool = False
    ignore: bool = False
    recurse: bool = True
    ad: bool = False
    cd: bool = False
    aa: bool = False
    z: bool = False
    ra: bool = False
    tc: bool = False
    co: bool = False
    opcode: int = 0
    id: int | None = None
    header_only: bool = False
    edns: int = -1
    bufsize: int = -1
    edns_flags: int = 0
    negotiate: bool = True
    dnssec: bool = False
    cookie: bool = False
    cookie_text: bytes = b""
    badcookie: bool = True
    show_badcookie: bool = False
    nsid: bool = False
    expire: bool = False
    keepalive: bool = False
    padding: int = 0
    subnet: tuple[int, int, bytes] | None = None
    options: list[tuple[int, bytes]] = field(default_factory=list)
    ixfr_serial: int = 0
    best_effort: bool = False
    fail: bool = True
    tries: Any = None
    servers: list[Server] = field(default_factory=list)
    # how it is shown
    question: bool = True
    answer: bool = True
    authority: bool = True
    additional: bool = True
    comments: bool = True
    stats: bool = True
    rrcomments: int = 0
    multiline: bool = False
    ttl: bool = True
    ttl_units: bool = False
    show_class: bool = True
    crypto: bool = True
    expand_aaaa: bool = False
    unknown: bool = False
    onesoa: bool = False
    identify: bool = False
    qr: bool = False
    yaml: bool = False
    usec: bool = False
    show_search: bool = False
    banner: str = ""
    # where it stands
    trace: bool = False
    trace_root: bool = False
    ns_search: bool = False
    new_search: bool = True
    origins: list[str | None] = field(default_factory=lambda: [None])
    origin: int = 0
    need_search: bool = False
    level: int = -1
    cookie_tries: int = 0
    name: dns.name.Name = dns.name.root

    def clone(self, **changes: Any) -> Lookup:
        return replace(self, **{"servers": list(self.servers), "options": list(self.options), **changes})

    @property
    def transfer(self) -> bool:
        """Whether many messages may come (doing_xfr); over UDP IXFR is answered with one."""
        return self.rdtype in (AXFR, IXFR) and self.tcp

    @property
    def absolute(self) -> bool:
        return self.textname.endswith(".")

    @property
    def suffix(self) -> str | None:
        return self.origins[self.origin]

    def query_message(self, identity: int, cookie: bytes) -> Message:
        """The message to send. `cookie` is the client's eight bytes."""
        flags = 0
        recurse = self.trace_root if self.trace else self.recurse
        for on, mask in (
            (self.aa, 0x400), (self.tc, 0x200), (recurse and self.rdtype not in (AXFR, IXFR), 0x100), (self.ra, 0x80), (self.z, 0x40),
            (self.ad and self.rdtype != IXFR, 0x20), (self.cd, 0x10),
        ):  # fmt: skip
            flags |= mask if on else 0
        message = Message(identity, flags, self.opcode)
        if not self.header_only:
            message.questions.append(Question(self.name, self.rdtype, self.rdclass))
        if self.rdtype == IXFR:
            data = struct.pack("!BBIIIII", 0, 0, self.ixfr_serial, 0, 0, 0, 0)
            rdata = dns.rdata.from_wire(dns.rdataclass.IN, dns.rdatatype.SOA, data, 0, len(data))
            message.sections[AUTHORITY].append(Record(self.name, SOA, 1, 0, rdata))
        if self.edns >= 0 or self.bufsize >= 0 or self.dnssec or self.subnet is not None:
            message.edns = Edns(
                max(self.edns, 0),
                self.edns_flags & ~0x8000 | (0x8000 if self.dnssec else 0) | (0x4000 if self.co else 0),
                DEFAULT_BUFSIZE if self.bufsize < 0 else self.bufsize,
                self._edns_options(cookie),
            )
        return message

    def _edns_options(self, cookie: bytes) -> list[tuple[int, bytes]]:
        options: list[tuple[int, bytes]] = []
        if self.nsid:
            options.append((NSID, b""))
        if self.subnet is not None:
            family, prefix, address = self.subnet
            options.append((CLIENT_SUBNET, struct.pack("!HBB", family, prefix, 0) + address))
        if self.cookie:
            options.append((COOKIE, self.cookie_text or cookie))
        if self.expire:
            options.append((EXPIRE, b""))
        if self.keepalive:
            options.append((KEEPALIVE, b""))
        options += self.options
        if self.padding:
            options.append((PADDING, b""))
        return options


@dataclass
class Query:
    """One question on its way to one server; `sent` and `elapsed` are ns, `bytes` what came so far."""

    lookup: Lookup
    server: Server
    port: int
    message: Message
    wire: bytes
    following: bool = False
    sent: int = 0
    elapsed: int = 0
    bytes: int = 0
    messages: int = 0
    records: int = 0
    soas: int = 0
    serial: int = 0
    incremental: bool = False
    soa_shown: bool = False

    @property
    def place(self) -> str:
        """10.0.0.1#53"""
        return f"{self.server.text}#{self.port}"

    def more(self, message: Message) -> bool | None:
        """check_for_more_data(): True if the transfer goes on, False at its end, None where it failed."""
        self.messages += 1
        self.bytes += message.size
        if message.rcode:
            return None
        for record in message.answers:
            self.records += 1
            if record.rdtype != SOA:
                if not self.soas:
                    return None
                continue
            serial = int(record.rdata.serial)  # type: ignore[attr-defined]
            if not self.soas:
                self.soas, self.serial = 1, serial
                if self.lookup.rdtype == IXFR and serial <= self.lookup.ixfr_serial:
                    return False
                continue
            if self.records == 2 and self.lookup.rdtype == IXFR:
                self.incremental = True
            if serial == self.serial:
                self.soas += 1
                if self.soas == (3 if self.incremental else 2):
                    return False
        return True if self.soas else None
