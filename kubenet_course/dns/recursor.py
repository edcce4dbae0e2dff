"""A recursive resolver: from the root servers down to whoever is authoritative (RFC 1034 5.3.3), with a cache.

    client ── www.google.com A? ──▶ recursor ──▶ root      "ask com's servers"       (referral)
                                             ──▶ com       "ask google.com's"        (referral)
                                             ──▶ google    "142.250.74.36"           (answer, AA)

What it holds, all of it with the time at which it is forgotten:

    records     answers of authoritative servers, by (name, type)
    denials     "no such name" by name, "no such type" by (name, type), for the SOA's minimum (RFC 2308)
    cuts        which names serve a zone, from referrals; never given to a client as an answer
    glue        the addresses of those names, as the referral had them; likewise

It asks with the whole name (no QNAME minimisation), follows CNAMEs, asks again over TCP where an
answer was cut, and goes on to the next server where one is silent, refuses or is lame. It does not
validate DNSSEC.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.names import is_subdomain, parent
from kubenet_course.dns.wire import MALFORMED

SECOND = 10**9
A, NS, CNAME, SOA, AAAA, DNAME = 1, 2, 5, 6, 28, 39
PAYLOAD = 1232
MAX_QUERIES = 60  # that one question of a client may cause
MAX_CNAMES = 16
MAX_DEPTH = 6  # name servers whose own address must be looked up first
TRY_NS = 800_000_000
ROUNDS = 2
LAME_NS = 30 * SECOND
FAILURE_NS = 5 * SECOND

Exchange = Callable[[str, int, bytes, str, int], Awaitable[bytes]]


class Unresolved(Exception):
    """Nobody gave a usable answer: SERVFAIL for the client."""


@dataclass
class Limits:
    """Seconds that what was learnt is kept at most and at least."""

    max_ttl: int = 86400
    min_ttl: int = 0
    max_negative_ttl: int = 3600


@dataclass
class Stored:
    rrset: dns.rrset.RRset
    until: int


@dataclass
class Denial:
    rcode: int
    soa: dns.rrset.RRset | None
    until: int


@dataclass
class Answer:
    """What a client is told: `authority` holds the SOA of a denial."""

    rcode: int = 0
    answer: list[dns.rrset.RRset] = field(default_factory=list)
    authority: list[dns.rrset.RRset] = field(default_factory=list)


@dataclass
class Work:
    """How much one client's question has cost so far."""

    queries: int = 0
    depth: int = 0
    asking: set[tuple[str, int]] = field(default_factory=set)


class Recursor:
    """`hints` are root servers' names and addresses; `now()` is ns; `trace` gets a line for each query sent."""

    def __init__(
        self, hints: dict[str, list[str]], exchange: Exchange, now: Callable[[], int], random: Random,
        limits: Limits | None = None, trace: Callable[[str], None] | None = None, families: tuple[int, ...] = (A,),
    ):  # fmt: skip
        self.hints = hints
        self.exchange = exchange
        self.now = now
        self.random = random
        self.limits = limits or Limits()
        self.trace = trace
        self.families = families
        self.forwards: dict[str, list[str]] = {}
        self.flush()

    def flush(self) -> None:
        """Forget everything."""
        self.records: dict[tuple[str, int], Stored] = {}
        self.denials: dict[tuple[str, int], Denial] = {}
        self.cuts: dict[str, tuple[list[str], int]] = {}
        self.glue: dict[tuple[str, int], tuple[list[str], int]] = {}
        self.lame: dict[tuple[str, str], int] = {}
        self.trips: dict[str, int] = {}

    # -- what is known ----------------------------------------------------------------------
    def cached(self, name: str, rdtype: int) -> Stored | Denial | None:
        now = self.now()
        stored = self.records.get((name, rdtype))
        if stored is not None:
            if stored.until > now:
                return stored
            del self.records[name, rdtype]
        for key in ((name, rdtype), (name, 0)):
            denial = self.denials.get(key)
            if denial is not None:
                if denial.until > now:
                    return denial
                del self.denials[key]
        return None

    def left(self, stored: Stored, name: dns.name.Name | None = None) -> dns.rrset.RRset:
        """The records with what is left of their TTL, under the name as it was asked for."""
        copy = dns.rrset.RRset(name or stored.rrset.name, stored.rrset.rdclass, stored.rrset.rdtype)
        copy.items = stored.rrset.items
        copy.ttl = max(0, -(-(stored.until - self.now()) // SECOND))
        return copy

    def _soa(self, denial: Denial) -> list[dns.rrset.RRset]:
        return [] if denial.soa is None else [self.left(Stored(denial.soa, denial.until))]

    # -- the client's side ------------------------------------------------------------------
    async def resolve(self, name: dns.name.Name, rdtype: int, work: Work | None = None) -> Answer:
        """The answer to a question, from the cache or from the servers; SERVFAIL where there is none."""
        work = work or Work()
        result = Answer()
        target = name
        for _ in range(MAX_CNAMES):
            key = target.to_text().lower()
            found = await self._find(target, key, rdtype, work)
            if isinstance(found, Denial):
                result.rcode = found.rcode
                result.authority = self._soa(found)
                return result
            if found is None:
                result.rcode = dns.rcode.SERVFAIL
                return result
            rrset = self.left(found, target)
            if rrset in result.answer:
                result.rcode = dns.rcode.SERVFAIL  # aliases in a circle
                return result
            result.answer.append(rrset)
            if rrset.rdtype != CNAME or rdtype == CNAME:
                return result
            target = rrset[0].target
        result.rcode = dns.rcode.SERVFAIL
        return result

    async def _find(self, name: dns.name.Name, key: str, rdtype: int, work: Work) -> Stored | Denial | None:
        """One link of the chain: the records, a CNAME, or a denial; None where nobody answers."""
        found = self.cached(key, rdtype) or (self.cached(key, CNAME) if rdtype != CNAME else None)
        if isinstance(found, Denial) and found.rcode == dns.rcode.NOERROR and (key, rdtype) not in self.denials:
            found = None  # "no CNAME" says nothing about other types
        if found is not None:
            return None if isinstance(found, Denial) and found.rcode == dns.rcode.SERVFAIL else found
        if (key, rdtype) in work.asking:
            return None  # a server whose address needs itself
        work.asking.add((key, rdtype))
        try:
            await self._iterate(name, key, rdtype, work)
        except Unresolved:
            if work.depth == 0:
                self.denials[key, rdtype] = Denial(dns.rcode.SERVFAIL, None, self.now() + FAILURE_NS)
            return None
        finally:
            work.asking.discard((key, rdtype))
        return self.cached(key, rdtype) or self.cached(key, CNAME)

    # -- the servers' side ------------------------------------------------------------------
    async def _iterate(self, name: dns.name.Name, key: str, rdtype: int, work: Work) -> None:
        """From the closest known zone down until somebody authoritative has spoken. Unresolved."""
        zone = self._closest(key)
        while True:
            answer, zone = await self._ask_zone(zone, name, key, rdtype, work)
            kind = self._learn(answer, zone, key, rdtype)
            if kind == "answer":
                return
            zone = kind

    def _closest(self, key: str) -> str:
        """The deepest zone above `key` whose servers are known."""
        now = self.now()
        while key != ".":
            if key in self.forwards:
                return key
            servers = self.cuts.get(key)
            if servers is not None:
                if servers[1] > now:
                    return key
                del self.cuts[key]
            key = parent(key)
        return "."

    async def _ask_zone(self, zone: str, name: dns.name.Name, key: str, rdtype: int, work: Work) -> tuple[dns.message.Message, str]:
        """A usable answer of one of the zone's servers, and the zone (the parent's, if none of them is any good)."""
        for round_ in range(ROUNDS):
            async for address in self._addresses(zone, work):
                if self.lame.get((zone, address), 0) > self.now():
                    continue
                answer = await self._ask(address, name, rdtype, work, TRY_NS << round_)
                if answer is None:
                    continue
                if self._usable(answer, zone, key, rdtype):
                    return answer, zone
                self.lame[zone, address] = self.now() + LAME_NS
        raise Unresolved

    async def _addresses(self, zone: str, work: Work):  # type: ignore[no-untyped-def]
        """The servers' addresses, the quickest first; those without glue are looked up when it is their turn."""
        if zone in self.forwards:
            for address in self.forwards[zone]:
                yield address
            return
        now = self.now()
        names = list(self.hints) if zone == "." and "." not in self.cuts else self.cuts[zone][0]
        known: list[str] = []
        unknown: list[str] = []
        for name in names:
            found = list(self.hints.get(name, [])) if zone == "." else []
            for family in self.families:
                stored = self.cached(name, family)
                if isinstance(stored, Stored):
                    found += [record.address for record in stored.rrset]
                elif (name, family) in self.glue and self.glue[name, family][1] > now:
                    found += self.glue[name, family][0]
            known += [address for address in found if address not in known]
            if not found:
                unknown.append(name)
        self.random.shuffle(known)
        for address in sorted(known, key=lambda one: self.trips.get(one, 0)):
            yield address
        for name in unknown:
            if work.depth >= MAX_DEPTH:
                return
            work.depth += 1
            try:
                answer = await self.resolve(dns.name.from_text(name), self.families[0], work)
            finally:
                work.depth -= 1
            for rrset in answer.answer:
                if rrset.rdtype in (A, AAAA):
                    for record in rrset:
                        yield record.address

    async def _ask(self, address: str, name: dns.name.Name, rdtype: int, work: Work, timeout: int) -> dns.message.Message | None:
        """One server's answer, over TCP where it was cut, without EDNS where it is not understood."""
        protocol, edns = "udp", True
        while work.queries < MAX_QUERIES:
            work.queries += 1
            query = dns.message.QueryMessage(self.random.getrandbits(16))
            question = dns.rrset.RRset(name, 1, dns.rdatatype.RdataType.make(rdtype))  # type: ignore[arg-type]
            query.question = [question]
            if edns:
                query.use_edns(0, 0, payload=PAYLOAD)
            began = self.now()
            if self.trace is not None:
                self.trace(f"{address} <- {dns.rdatatype.to_text(question.rdtype)} {name}")
            try:
                wire = await self.exchange(address, 53, query.to_wire(), protocol, timeout)
                answer = dns.message.from_wire(wire, ignore_trailing=True)
            except (OSError, *MALFORMED):
                self.trips[address] = min(2 * max(self.trips.get(address, 0), TRY_NS), 120 * SECOND)
                return None
            self.trips[address] = (self.trips.get(address, 0) * 3 + self.now() - began) // 4
            if not self._matches(query, answer):
                return None
            if answer.flags & dns.flags.TC and protocol == "udp":
                protocol = "tcp"
            elif answer.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP) and edns:
                edns = False
            else:
                return answer
        raise Unresolved

    @staticmethod
    def _matches(query: dns.message.Message, answer: dns.message.Message) -> bool:
        return (
            answer.id == query.id
            and bool(answer.flags & dns.flags.QR)
            and (not answer.question or (answer.question[0].name, answer.question[0].rdtype)
                 == (query.question[0].name, query.question[0].rdtype))
        )  # fmt: skip

    def _usable(self, answer: dns.message.Message, zone: str, key: str, rdtype: int) -> bool:
        """Not lame: authoritative, or a referral to a zone nearer to the name."""
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return False
        if answer.flags & dns.flags.AA or zone in self.forwards:
            return True
        return self._referral(answer, zone, key) is not None

    @staticmethod
    def _referral(answer: dns.message.Message, zone: str, key: str) -> dns.rrset.RRset | None:
        for rrset in answer.authority:
            cut = rrset.name.to_text().lower()
            if rrset.rdtype == NS and cut != zone and is_subdomain(zone, cut) and is_subdomain(cut, key):
                return rrset
        return None

    # -- learning ---------------------------------------------------------------------------
    def _learn(self, answer: dns.message.Message, zone: str, key: str, rdtype: int) -> str:
        """Keep what the zone's server may speak of; "answer", or the zone it refers to. Unresolved."""
        chain = self._keep_answers(answer, zone, key, rdtype)
        if chain is not None:
            self._keep_denial(answer, zone, chain, rdtype)
            return "answer"
        referral = self._referral(answer, zone, key)
        if referral is not None and not answer.flags & dns.flags.AA:
            return self._keep_referral(answer, zone, referral)
        if answer.flags & dns.flags.AA or zone in self.forwards:
            self._keep_denial(answer, zone, key, rdtype)
            return "answer"
        raise Unresolved

    def _keep_answers(self, answer: dns.message.Message, zone: str, key: str, rdtype: int) -> str | None:
        """Store the answer section, alias by alias; the last name of it ("" when it is complete), None without any."""
        sets = {(rrset.name.to_text().lower(), int(rrset.rdtype)): rrset for rrset in answer.answer}
        now = self.now()
        name, steps = key, 0
        while steps < MAX_CNAMES and is_subdomain(zone, name):
            rrset = sets.get((name, rdtype)) or sets.get((name, CNAME))
            if rrset is None:
                break
            steps += 1
            ttl = min(max(rrset.ttl, self.limits.min_ttl), self.limits.max_ttl)
            self.records[name, int(rrset.rdtype)] = Stored(rrset, now + max(ttl, 1) * SECOND)
            self.denials.pop((name, int(rrset.rdtype)), None)
            self.denials.pop((name, 0), None)
            if rrset.rdtype == rdtype:
                return ""
            name = rrset[0].target.to_text().lower()
        return name if steps else None

    def _keep_denial(self, answer: dns.message.Message, zone: str, name: str, rdtype: int) -> None:
        """RFC 2308: for as long as the SOA's TTL and its minimum say; without SOA not at all (but once)."""
        if not name or (not is_subdomain(zone, name)):
            return
        soa = next((rrset for rrset in answer.authority if rrset.rdtype == SOA and is_subdomain(zone, rrset.name.to_text().lower())), None)
        ttl = 1 if soa is None else min(soa.ttl, soa[0].minimum, self.limits.max_negative_ttl)
        denied = answer.rcode() == dns.rcode.NXDOMAIN
        if soa is None and any(rrset.rdtype == CNAME for rrset in answer.answer) and not denied:
            return  # an alias whose target its server did not say: ask for it
        key = (name, 0 if denied else rdtype)
        self.denials[key] = Denial(answer.rcode(), soa, self.now() + max(ttl, 1) * SECOND)

    def _keep_referral(self, answer: dns.message.Message, zone: str, referral: dns.rrset.RRset) -> str:
        cut = referral.name.to_text().lower()
        until = self.now() + max(1, min(referral.ttl, self.limits.max_ttl)) * SECOND
        names = [record.target.to_text().lower() for record in referral]
        self.cuts[cut] = (names, until)
        for rrset in answer.additional:
            owner = rrset.name.to_text().lower()
            if rrset.rdtype in (A, AAAA) and owner in names and is_subdomain(zone, owner):
                self.glue[owner, int(rrset.rdtype)] = ([record.address for record in rrset], until)
        return cut

    # -- without recursion ------------------------------------------------------------------
    def known(self, name: dns.name.Name, rdtype: int) -> Answer | None:
        """What a query without RD is told: what is in the cache; None where it is nothing."""
        key = name.to_text().lower()
        found = self.cached(key, rdtype)
        if isinstance(found, Stored):
            return Answer(0, [self.left(found, name)])
        if isinstance(found, Denial):
            return Answer(found.rcode, [], self._soa(found))
        return None

    def root_servers(self) -> tuple[dns.rrset.RRset, list[dns.rrset.RRset]]:
        """The root's NS records and their addresses, as the hints have them."""
        servers = dns.rrset.from_text_list(".", 518400, "IN", "NS", list(self.hints))
        glue = [
            dns.rrset.from_text_list(name, 518400, "IN", "AAAA" if ":" in address else "A", [address])
            for name, addresses in self.hints.items()
            for address in addresses
        ]
        return servers, glue


def read_hints(text: str) -> dict[str, list[str]]:
    """Root hints in named.root's form: NS records of the root, and A and AAAA of their names."""
    servers: dict[str, list[str]] = {}
    addresses: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = [word for word in line.partition(";")[0].split() if word.upper() != "IN"]
        words = [word for position, word in enumerate(words) if not (position == 1 and word.isdigit())]
        if len(words) != 3:
            continue
        owner, kind, value = words[0].lower(), words[1].upper(), words[2].lower()
        if kind == "NS" and owner == ".":
            servers.setdefault(value if value.endswith(".") else f"{value}.", [])
        elif kind in ("A", "AAAA"):
            addresses.setdefault(owner if owner.endswith(".") else f"{owner}.", []).append(value)
    return {name: addresses[name] for name in servers if name in addresses}
