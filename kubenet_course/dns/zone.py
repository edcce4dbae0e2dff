"""Authoritative zones: how a name is looked up in one (RFC 1034 4.3.2, RFC 4592; plugin/file/lookup.go).

    the apex's SOA or NS             → it                                       AA
    exact name with the type         → the records, and the zone's NS           AA
    exact name, other types only     → nothing, and the SOA                     AA, NOERROR
    a CNAME                          → it, and what it leads to                 AA
    below a DNAME                    → it, and the CNAME made from it           AA
    below a delegation               → its NS records, and glue                 not AA
    a wildcard above                 → its records under the name asked for     AA
    an empty non-terminal            → nothing, and the SOA                     AA, NOERROR
    nothing                          → the SOA                                  AA, NXDOMAIN

Names are lower-case text with a dot at the end, and so are the names of records and most names in them
(plugin/file/zone.go: Insert()): an answer does not have its question's case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rrset
import dns.tokenizer
import dns.zone
import dns.zonefile

from kubenet_course.dns.names import fqdn, is_subdomain, parent
from kubenet_course.dns.plugin import Request
from kubenet_course.dns.wire import fixed, with_name
from kubenet_course.errors import KubenetError

MAX_CNAMES = 8
DEFAULT_TTL = 3600
MAX_INCLUDES = 7
A, NS, CNAME, SOA, MX, AAAA, SRV, DNAME, DS, SVCB, HTTPS = 1, 2, 5, 6, 15, 28, 33, 39, 43, 64, 65

Node = dict[int, dns.rrset.RRset]


class ZoneError(KubenetError):
    """A zone file cannot be read."""


#: The names in records that are kept in lower case, by type.
LOWERED = {NS: ("target",), CNAME: ("target",), SOA: ("mname", "rname"), MX: ("exchange",)}


def _lower(name: dns.name.Name) -> dns.name.Name:
    return name.canonicalize()


def _in_lower_case(rdata: dns.rdata.Rdata) -> dns.rdata.Rdata:
    fields = LOWERED.get(int(rdata.rdtype), ())
    return rdata.replace(**{field: _lower(getattr(rdata, field)) for field in fields}) if fields else rdata


class Zone:
    """A zone's nodes by name. `origin` ends with a dot, lower case."""

    def __init__(self, origin: str, records: Iterator[tuple[dns.name.Name, int, dns.rdata.Rdata]], file: str = ""):
        self.origin = fqdn(origin)
        self.file = file
        self.nodes: dict[str, Node] = {}
        for owner, ttl, rdata in records:
            key = owner.to_text().lower()
            if not is_subdomain(self.origin, key):
                continue
            node = self.nodes.setdefault(key, {})
            rrset = node.get(rdata.rdtype)
            if rrset is None:
                rrset = node[rdata.rdtype] = dns.rrset.RRset(_lower(owner), rdata.rdclass, rdata.rdtype)
            rrset.add(_in_lower_case(rdata), ttl)
        self.nodes = {key: {kind: fixed(rrset) for kind, rrset in node.items()} for key, node in self.nodes.items()}
        if SOA not in self.nodes.get(self.origin, {}):
            raise ZoneError(f'file "{file}" has no SOA record for origin {self.origin}')
        #: Nothing but the apex's SOA and NS records, which the tree of names does not hold: CoreDNS finds no name then.
        self.bare = set(self.nodes) == {self.origin} and set(self.nodes[self.origin]) <= {SOA, NS}
        self.inner: set[str] = set()
        for key in self.nodes:
            while key != self.origin:
                key = parent(key)
                self.inner.add(key)
        self.cuts = any(NS in node or DNAME in node for key, node in self.nodes.items() if key != self.origin) or (
            DNAME in self.nodes[self.origin]
        )

    @classmethod
    def parse(cls, text: str, origin: str, file: str = "", read: Callable[[str], str | None] | None = None) -> Zone:
        """Read a zone file's text (RFC 1035 5); `read` gives the files that $INCLUDE names. ZoneError."""
        text = _included(text, fqdn(origin), file, read, 0)
        origin_name = dns.name.from_text(fqdn(origin))
        zone = dns.zone.Zone(origin_name, relativize=False)
        try:
            with zone.writer(True) as changes:
                tokens = dns.tokenizer.Tokenizer(text, filename=file or None)
                reader = dns.zonefile.Reader(
                    tokens, dns.rdataclass.IN, changes, allow_include=False, default_ttl=DEFAULT_TTL
                )
                reader.read()
        except (dns.exception.DNSException, ValueError) as problem:
            raise ZoneError(f"dns: {problem}") from None
        return cls(origin, ((name.derelativize(origin_name), ttl, rdata) for name, ttl, rdata in zone.iterate_rdatas()), file)

    # -- reading ----------------------------------------------------------------------------
    @property
    def soa(self) -> dns.rrset.RRset:
        return self.nodes[self.origin][SOA]

    @property
    def ns(self) -> list[dns.rrset.RRset]:
        """The zone's own NS records."""
        found = self.nodes[self.origin].get(NS)
        return [found] if found is not None else []

    @property
    def serial(self) -> int:
        return int(self.soa[0].serial)

    def records(self) -> Iterator[dns.rrset.RRset]:
        """Every record set but the SOA, the apex first (as a zone transfer gives them)."""
        for rdtype, rrset in self.nodes[self.origin].items():
            if rdtype != SOA:
                yield rrset
        for key in sorted(self.nodes, key=lambda name: name.split(".")[::-1]):
            if key != self.origin:
                yield from self.nodes[key].values()

    def exists(self, name: str) -> bool:
        """Whether the name has records, or is an empty non-terminal above one that has."""
        return name in self.nodes or name in self.inner

    def ancestors(self, name: str) -> list[str]:
        """The names from just below the origin down to `name`."""
        chain = []
        while name != self.origin:
            chain.append(name)
            name = parent(name)
        return chain[::-1]

    def wildcard(self, name: str) -> Node | None:
        """The records of `*` below the closest encloser of a name that does not exist (RFC 4592 3.3.1)."""
        while name != self.origin:
            name = parent(name)
            if self.exists(name):
                return self.nodes.get(f"*.{name}" if name != "." else "*.")
        return None

    def addresses(self, target: dns.name.Name) -> list[dns.rrset.RRset]:
        """A and AAAA of a name of this zone, glue included."""
        node = self.nodes.get(target.to_text().lower(), {})
        return [node[kind] for kind in (A, AAAA) if kind in node]


_INCLUDE = re.compile(r"^\$INCLUDE\s+(\S+)(?:\s+(\S+))?\s*(?:;.*)?$", re.I)
_ORIGIN = re.compile(r"^\$ORIGIN\s+(\S+)", re.I)


def _included(text: str, origin: str, file: str, read: Callable[[str], str | None] | None, depth: int) -> str:
    """The text with each $INCLUDE replaced by its file; the origin is what it was afterwards."""
    if "$" not in text:
        return text
    lines = []
    for line in text.split("\n"):
        named = _ORIGIN.match(line)
        if named:
            origin = named[1] if named[1].endswith(".") else f"{named[1]}.{origin}".replace("..", ".")
        match = _INCLUDE.match(line)
        if match is None:
            lines.append(line)
            continue
        path = match[1].strip('"')
        if not path.startswith("/") and "/" in file:
            path = f"{file.rpartition('/')[0]}/{path}"
        content = read(path) if read is not None and depth < MAX_INCLUDES else None
        if content is None:
            why = "too deeply nested $INCLUDE" if depth >= MAX_INCLUDES else f'failed to open "{path}"'
            raise ZoneError(f"dns: {why}")
        inner = fqdn(match[2]) if match[2] and match[2].endswith(".") else f"{match[2]}.{origin}" if match[2] else origin
        lines += [f"$ORIGIN {inner}", _included(content, inner, path, read, depth + 1), f"$ORIGIN {origin}"]
    return "\n".join(lines)


async def answer_from(zone: Zone, request: Request) -> dns.message.Message:
    """What an authoritative server says to a request about a name of its zone."""
    answer = request.reply(authoritative=True)
    name, rdtype = request.name, request.qtype
    owner = _lower(request.question)
    node: Node | None
    if name == zone.origin and rdtype in (SOA, NS):
        node = zone.nodes[name]
        if rdtype == SOA:
            answer.answer.append(with_name(node[SOA], owner))
            answer.authority += zone.ns
        elif NS in node:
            answer.answer.append(with_name(node[NS], owner))
            answer.additional += [found for record in node[NS] for found in zone.addresses(record.target)]
        else:
            answer.authority.append(zone.soa)
        return answer
    if zone.cuts and await _cut(zone, request, answer):
        return answer
    node = zone.nodes.get(name)
    if node is None and name not in zone.inner:
        node = zone.wildcard(name)
    if zone.bare or (node is None and name not in zone.inner):
        answer.set_rcode(dns.rcode.NXDOMAIN)
        answer.authority.append(zone.soa)
        return answer
    await _from_node(zone, request, answer, node or {})
    return answer


async def _from_node(zone: Zone, request: Request, answer: dns.message.Message, node: Node) -> None:
    rdtype = request.qtype
    if CNAME in node and rdtype != CNAME:
        answer.answer.append(with_name(node[CNAME], _lower(request.question)))
        answer.authority += zone.ns
        await _follow(zone, request, answer, node[CNAME][0].target)
        return
    found = node.get(rdtype)
    if found is None:
        answer.authority.append(zone.soa)
        return
    answer.answer.append(with_name(found, _lower(request.question)))
    answer.authority += zone.ns
    if rdtype in (MX, SRV, SVCB, HTTPS):
        for record in found:
            target = record.exchange if rdtype == MX else record.target
            if target == dns.name.root and rdtype in (SVCB, HTTPS):
                target = _lower(request.question)  # RFC 9460 2.5: the owner itself
            answer.additional += [one for one in zone.addresses(target) if one not in answer.additional]


async def _follow(zone: Zone, request: Request, answer: dns.message.Message, target: dns.name.Name) -> None:
    """externalLookup(): the alias's target, in this zone or by asking this very server for it."""
    for _ in range(MAX_CNAMES):
        key = target.to_text().lower()
        node: Node | None = zone.nodes.get(key) or (None if zone.exists(key) else _wild(zone, key))
        if node is None:
            found = await request.ask(target, request.qtype)
            if found is not None:
                answer.answer += found.answer
                if found.rcode() in (dns.rcode.SERVFAIL, dns.rcode.NXDOMAIN):
                    answer.set_rcode(found.rcode())
            return
        if CNAME in node and request.qtype != CNAME:
            alias = with_name(node[CNAME], target)
            if alias in answer.answer:
                return  # a loop
            answer.answer.append(alias)
            target = node[CNAME][0].target
            continue
        if request.qtype in node:
            answer.answer.append(with_name(node[request.qtype], target))
        return


def _wild(zone: Zone, name: str) -> Node | None:
    return zone.wildcard(name) if is_subdomain(zone.origin, name) else None


async def _cut(zone: Zone, request: Request, answer: dns.message.Message) -> bool:
    """A delegation or a DNAME above the name: the answer is made, True."""
    name = request.name
    for owner in [zone.origin, *zone.ancestors(name)]:
        node: Node = zone.nodes.get(owner) or {}
        if DNAME in node and owner != name:
            await _dname(zone, request, answer, node[DNAME])
            return True
        if NS in node and owner != zone.origin and not (owner == name and request.qtype == DS):
            answer.flags &= ~0x0400
            answer.authority.append(node[NS])
            if request.do and DS in node:
                answer.authority.append(node[DS])
            answer.additional += [found for record in node[NS] for found in zone.addresses(record.target)]
            return True
    return False


async def _dname(zone: Zone, request: Request, answer: dns.message.Message, dname: dns.rrset.RRset) -> None:
    """RFC 6672 3.2: the DNAME, and a CNAME made from it."""
    answer.answer.append(dname)
    try:
        target = request.question.relativize(dname.name).concatenate(dname[0].target)
    except dns.name.NameTooLong:
        answer.set_rcode(dns.rcode.YXDOMAIN)
        return
    alias = dns.rrset.RRset(_lower(request.question), dname.rdclass, dns.rdatatype.CNAME)
    alias.add(dns.rdtypes.ANY.CNAME.CNAME(dname.rdclass, dns.rdatatype.CNAME, target), dname.ttl)
    answer.answer.append(alias)
    answer.authority += zone.ns
    if request.qtype != CNAME:
        await _follow(zone, request, answer, target)


__all__ = ["Zone", "ZoneError", "answer_from"]
