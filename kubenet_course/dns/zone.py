"""Authoritative zones: how a name is looked up in one (RFC 1034 4.3.2, RFC 4592; plugin/file/lookup.go).

    exact name with the type         → the records                              AA
    exact name, other types only     → nothing, and the SOA                     AA, NOERROR
    a CNAME                          → it, and what it leads to in this zone    AA
    below a delegation               → its NS records, and glue                 not AA
    a wildcard above                 → its records under the name asked for     AA
    nothing                          → the SOA                                  AA, NXDOMAIN
"""

from __future__ import annotations

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone

from kubenet_course.dns.names import fqdn
from kubenet_course.dns.plugin import Request
from kubenet_course.errors import KubenetError

MAX_CNAMES = 8


class ZoneError(KubenetError):
    """A zone file cannot be read."""


class Zone:
    """A zone's nodes by name. `origin` ends with a dot, lower case."""

    def __init__(self, origin: str, zone: dns.zone.Zone):
        self.origin = dns.name.from_text(fqdn(origin))
        self.nodes: dict[dns.name.Name, dict[int, dns.rrset.RRset]] = {}
        for name, ttl, rdata in zone.iterate_rdatas():
            owner = name.derelativize(self.origin)
            node = self.nodes.setdefault(owner, {})
            rrset = node.get(rdata.rdtype)
            if rrset is None:
                rrset = node[rdata.rdtype] = dns.rrset.RRset(owner, rdata.rdclass, rdata.rdtype)
            rrset.add(rdata, ttl)
        if dns.rdatatype.SOA not in self.nodes.get(self.origin, {}):
            raise ZoneError(f"file has no SOA record for origin {self.origin}")
        self.inner = {owner.split(depth)[1] for owner in self.nodes for depth in range(len(self.origin), len(owner))}

    @classmethod
    def parse(cls, text: str, origin: str, file: str = "") -> Zone:
        """Read a zone file's text (RFC 1035 5)."""
        try:
            zone = dns.zone.from_text(text, origin=fqdn(origin), relativize=False, check_origin=False, filename=file or None)
        except (dns.exception.DNSException, ValueError) as problem:
            raise ZoneError(f"{file or origin}: {problem}") from None
        return cls(origin, zone)

    @property
    def soa(self) -> dns.rrset.RRset:
        return self.nodes[self.origin][dns.rdatatype.SOA]

    @property
    def serial(self) -> int:
        return int(self.soa[0].serial)

    def exists(self, name: dns.name.Name) -> bool:
        """Whether the name has records, or is an empty non-terminal above one that has."""
        return name in self.nodes or name in self.inner

    def delegation(self, name: dns.name.Name, rdtype: int) -> dns.rrset.RRset | None:
        """The NS records of a zone cut at or above `name`, below the origin."""
        for depth in range(len(self.origin) + 1, len(name) + 1):
            owner = name.split(depth)[1]
            found = self.nodes.get(owner, {}).get(dns.rdatatype.NS)
            if found is not None and not (owner == name and rdtype == dns.rdatatype.DS):
                return found
        return None

    def wildcard(self, name: dns.name.Name) -> dict[int, dns.rrset.RRset] | None:
        """The records of `*` below the closest encloser of a name that does not exist."""
        parent = name
        while len(parent) > len(self.origin):
            parent = parent.parent()
            if self.exists(parent):
                return self.nodes.get(dns.name.Name((b"*", *parent.labels)))
        return None

    def addresses(self, target: dns.name.Name) -> list[dns.rrset.RRset]:
        """A and AAAA of a name of this zone, glue included."""
        node = self.nodes.get(target, {})
        return [node[kind] for kind in (dns.rdatatype.A, dns.rdatatype.AAAA) if kind in node]


def answer_from(zone: Zone, request: Request) -> dns.message.Message:
    """What an authoritative server says to a request about a name of its zone."""
    answer = request.reply(authoritative=True)
    name = request.message.question[0].name
    _look_up(zone, answer, name, request.qtype, 0)
    return answer


def _look_up(zone: Zone, answer: dns.message.Message, name: dns.name.Name, rdtype: int, depth: int) -> None:
    cut = zone.delegation(name, rdtype)
    if cut is not None:
        if not depth:
            answer.flags &= ~0x0400
        answer.authority.append(cut)
        for record in cut:
            answer.additional += zone.addresses(record.target)
        return
    node = zone.nodes.get(name)
    if node is None and not zone.exists(name):
        starred = zone.wildcard(name)
        if starred is None:
            if not depth:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            answer.authority.append(_negative(zone))
            return
        node = {kind: _renamed(rrset, name) for kind, rrset in starred.items()}
    elif node is not None:
        node = {kind: _renamed(rrset, name) for kind, rrset in node.items()}
    node = node or {}
    if rdtype == dns.rdatatype.ANY:
        answer.answer += list(node.values())
    elif rdtype in node:
        answer.answer.append(node[rdtype])
        _additional(zone, answer, node[rdtype])
    elif dns.rdatatype.CNAME in node:
        alias = node[dns.rdatatype.CNAME]
        answer.answer.append(alias)
        target = alias[0].target
        if depth < MAX_CNAMES and target.is_subdomain(zone.origin):
            _look_up(zone, answer, target, rdtype, depth + 1)
    else:
        answer.authority.append(_negative(zone))


def _renamed(rrset: dns.rrset.RRset, name: dns.name.Name) -> dns.rrset.RRset:
    """The records under the name as it was asked for (its case, or a wildcard's match)."""
    copy = dns.rrset.RRset(name, rrset.rdclass, rrset.rdtype)
    for record in rrset:
        copy.add(record, rrset.ttl)
    return copy


def _negative(zone: Zone) -> dns.rrset.RRset:
    """The SOA with the TTL of negative answers (RFC 2308 3)."""
    copy = zone.soa.copy()
    copy.ttl = min(zone.soa.ttl, zone.soa[0].minimum)
    return copy


def _additional(zone: Zone, answer: dns.message.Message, rrset: dns.rrset.RRset) -> None:
    """Addresses that whoever asked for NS, MX or SRV will want next."""
    for record in rrset:
        target = getattr(record, "target", None) or getattr(record, "exchange", None)
        if target is not None and rrset.rdtype in (dns.rdatatype.NS, dns.rdatatype.MX, dns.rdatatype.SRV):
            for found in zone.addresses(target):
                if found not in answer.additional:
                    answer.additional.append(found)


__all__ = ["Zone", "ZoneError", "answer_from", "dns"]
