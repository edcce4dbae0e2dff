"""cache: keeps answers, and denials, for as long as their TTL says (plugin/cache).

An answer from the cache has the AA bit and one TTL for all of its records: what is left of the
shortest, between the least and the most that are configured. So has the first answer, which goes
into the cache. Which item is put out of a full cache is not random here: the oldest.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.names import is_subdomain, longest_match
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins._cache_setup import Options, setup
from kubenet_course.dns.wire import Records, code_of, fixed, with_name

SECOND = 10**9
SOA, NS, OPT, RRSIG, ANY = 6, 2, 41, 46, 255
DAY = 86400
DEFAULT_TTL = 5  # of an answer without records

#: How many parts a cache has, and the least that one of them holds (pkg/cache).
SHARDS, LEAST = 256, 4
POLL = SECOND // 1000  # how often a refresh that may take a while is looked at

Key = tuple[str, int, int, bool, bool]


@dataclass
class Item:
    """A stored answer, when it came (ns) and for how many seconds it is good."""

    rcode: int
    flags: int
    sections: tuple[list[Records], ...]
    stored: int
    ttl: int
    hits: int = 0
    last_hit: int = 0

    def left(self, now: int) -> int:
        """Seconds it may still be given out; below zero when it is stale."""
        return self.ttl - (now - self.stored) // SECOND

    def answers(self, qtype: int) -> bool:
        """Whether there is a record of the type that is asked for, and not only an alias."""
        return self.rcode == dns.rcode.NOERROR and any(records.rdtype in (qtype, RRSIG) or qtype == ANY for records in self.sections[0])


@dataclass
class Cache(Plugin):
    config: ServerConfig
    options: Options
    success: dict[Key, Item] = field(default_factory=dict)
    denial: dict[Key, Item] = field(default_factory=dict)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if longest_match(self.options.zones, request.name) is None:
            return await self.next_plugin(request)
        environment = self.config.environment
        now = environment.now()
        self._count("coredns_cache_requests_total")
        message = request.message
        key = (request.name, request.qtype, request.qclass, request.do, bool(message.flags & dns.flags.CD))
        kind, item = self._look_up(key, now)
        if item is None:
            self._count("coredns_cache_misses_total")
            return await self._refresh(request, key)
        self._count("coredns_cache_hits_total", type=kind)
        left = item.left(now)
        if left <= 0:
            return await self._stale(item, request, key)
        if self._wants_prefetch(item, now):
            environment.spawn(self._prefetch(request, key, item))
        return self._reply(item, request, item.ttl if self.options.keep_ttl else left)

    def _count(self, name: str, **labels: str) -> None:
        self.config.environment.metrics.count(name, **self._labels(**labels))

    def _labels(self, **labels: str) -> dict[str, str]:
        return {
            "server": f"dns://{self.config.listen_text}", **labels,
            "zones": ",".join(self.options.zones), "view": self.config.view,
        }  # fmt: skip

    def _look_up(self, key: Key, now: int) -> tuple[str, Item | None]:
        """getIfNotStale(): the denial, but not a mere failure where there is an answer."""
        denial, success = (self._usable(table.get(key), now) for table in (self.denial, self.success))
        if success is not None and denial is not None:
            failed = denial.rcode in (dns.rcode.SERVFAIL, dns.rcode.NOTIMP)
            if failed or (self.options.prefer_positive and success.answers(key[1])):
                return "success", success
        return ("denial", denial) if denial is not None else ("success", success)

    def _usable(self, item: Item | None, now: int) -> Item | None:
        """The item where it is fresh, or not too stale."""
        if item is None:
            return None
        left = item.left(now)
        return item if left > 0 or (self.options.stale and -left < self.options.stale // SECOND) else None

    def _wants_prefetch(self, item: Item, now: int) -> bool:
        """shouldPrefetch(): often asked for, with no longer pauses than `prefetch_duration`, and near its end."""
        if not self.options.prefetch:
            return False
        item.hits = item.hits + 1 if now - item.last_hit <= self.options.prefetch_duration else 1
        item.last_hit = now
        threshold = -(-item.ttl * self.options.prefetch_percentage // 100)
        return item.hits >= self.options.prefetch and item.left(now) <= threshold

    # -- stale answers ----------------------------------------------------------------------
    async def _stale(self, item: Item, request: Request, key: Key) -> dns.message.Message:
        """serve_stale: an old answer is better than none; `verify` asks first, for as long as is allowed."""
        if self.options.verify_stale:
            verified = await self._verify(request, key)
            if verified is not None:
                return verified
        else:
            self.config.environment.spawn(self._prefetch(request, key, item))
        self._count("coredns_cache_served_stale_total")
        return self._reply(item, request, self.options.stale_ttl // SECOND)

    async def _verify(self, request: Request, key: Key) -> dns.message.Message | None:
        """verifyStaleResponseWriter: only NOERROR and NXDOMAIN are better than what is stale (RFC 8767, 4)."""
        environment = self.config.environment
        if not self.options.verify_timeout:
            return await self._try_refresh(request, key)
        done: list[dns.message.Message | None] = []

        async def work() -> None:
            done.append(await self._try_refresh(request, key))

        environment.spawn(work())
        deadline = environment.now() + self.options.verify_timeout
        while not done and environment.now() < deadline:
            await environment.sleep(min(POLL, deadline - environment.now()))
        if not done or done[0] is None:
            return None
        fresh = self._look_up(key, environment.now())[1]
        return self._reply(fresh, request, fresh.left(environment.now())) if fresh is not None else done[0]

    async def _try_refresh(self, request: Request, key: Key) -> dns.message.Message | None:
        try:
            answer = await self.next_plugin(request)
        except PluginError:
            return None
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            return None
        return self._written(request, key, answer)

    async def _prefetch(self, request: Request, key: Key, item: Item) -> None:
        """doPrefetch(): ask in the background, as over TCP so that nothing is cut off; how popular it is stays known."""
        self._count("coredns_cache_prefetch_total")
        now = self.config.environment.now()
        try:
            await self._refresh(replace(request, protocol="tcp", options=[], metadata=dict(request.metadata)), key, prefetch=True)
        except PluginError:
            return  # the old answer stays
        new = self.denial.get(key) or self.success.get(key)
        if new is not None:
            new.hits, new.last_hit = item.hits, now

    # -- storing ----------------------------------------------------------------------------
    async def _refresh(self, request: Request, key: Key, prefetch: bool = False) -> dns.message.Message:
        return self._written(request, key, await self.next_plugin(request), prefetch)

    def _written(self, request: Request, key: Key, answer: dns.message.Message, prefetch: bool = False) -> dns.message.Message:
        """ResponseWriter.WriteMsg(): keep it, and give it with one TTL for all."""
        ttl = self._store(key, request, answer, prefetch)
        for section in (answer.answer, answer.authority, answer.additional):
            section[:] = [_with_ttl(rrset, ttl) for rrset in section]
        if not request.do and not request.message.flags & dns.flags.AD:
            answer.flags &= ~dns.flags.AD
        return answer

    def _store(self, key: Key, request: Request, answer: dns.message.Message, prefetch: bool) -> int:
        """Keep an answer that may be kept; the TTL that its records get."""
        options = self.options
        kind = typify(answer)
        least = _minimal_ttl(answer, kind)
        if kind in ("name error", "no data"):
            ttl = min(max(least, options.min_nttl), options.max_nttl)
        elif kind == "server error":
            ttl = options.fail_ttl
        else:
            ttl = min(max(least, options.min_ttl), options.max_ttl)
        if answer.flags & dns.flags.TC or kind in ("other error", "meta") or ttl <= 0:
            return ttl
        if not _matches(request, answer):
            self._count("coredns_cache_drops_total")
            return ttl
        positive = kind in ("no error", "delegation")
        table, capacity = (self.success, options.success_capacity) if positive else (self.denial, options.denial_capacity)
        excepted = options.success_except if positive else options.denial_except
        if any(is_subdomain(zone, request.name) for zone in excepted):
            return ttl
        if key not in table and len(table) >= max(capacity // SHARDS, LEAST) * SHARDS:
            table.pop(next(iter(table)), None)
            self._count("coredns_cache_evictions_total", type="success" if positive else "denial")
        sections = tuple([*map(fixed, section)] for section in (answer.answer, answer.authority, answer.additional))
        table[key] = Item(code_of(answer), int(answer.flags), sections, self.config.environment.now(), ttl)
        if positive and prefetch:
            self.denial.pop(key, None)
        for word, entries in (("success", self.success), ("denial", self.denial)):
            self.config.environment.metrics.set("coredns_cache_entries", len(entries), **self._labels(type=word))
        return ttl

    def _reply(self, item: Item, request: Request, ttl: int) -> dns.message.Message:
        """item.toMsg(): the stored records with what is left of their TTL."""
        answer = request.reply(item.rcode, authoritative=True)
        answer.flags |= item.flags & dns.flags.RA
        if request.do or request.message.flags & dns.flags.AD:
            answer.flags |= item.flags & dns.flags.AD
        first, second, third = item.sections
        answer.answer = [_with_ttl(rrset, ttl, request) for rrset in first]
        answer.authority = [_with_ttl(rrset, ttl) for rrset in second]
        answer.additional = [_with_ttl(rrset, ttl) for rrset in third]
        return answer


def typify(answer: dns.message.Message) -> str:
    """response.Typify(): what kind of answer it is."""
    code = code_of(answer)
    if answer.question and answer.question[0].rdtype in (251, 252):
        return "meta"
    if code == dns.rcode.NOERROR and answer.answer:
        return "no error"
    soa = any(rrset.rdtype == SOA for rrset in answer.authority)
    if code == dns.rcode.NOERROR and soa:
        return "no data"
    if code == dns.rcode.NXDOMAIN and soa:
        return "name error"
    if code in (dns.rcode.SERVFAIL, dns.rcode.NOTIMP):
        return "server error"
    if answer.authority and all(rrset.rdtype == NS for rrset in answer.authority):
        return "delegation"
    return "no error" if code == dns.rcode.NOERROR else "other error"


def _minimal_ttl(answer: dns.message.Message, kind: str) -> int:
    """dnsutil.MinimalTTL()."""
    if kind not in ("no error", "name error", "no data", "delegation"):
        return DEFAULT_TTL
    records = [*answer.answer, *answer.authority, *answer.additional]
    if not records:
        return DEFAULT_TTL
    least = min([DAY, *(rrset.ttl for rrset in answer.answer), *(rrset.ttl for rrset in answer.additional if rrset.rdtype != OPT)])
    for rrset in answer.authority:
        if kind in ("name error", "no data"):
            if rrset.rdtype == SOA:
                least = int(rrset[0].minimum)
        else:
            least = min(least, rrset.ttl)
    return least


def _with_ttl(rrset: dns.rrset.RRset, ttl: int, request: Request | None = None) -> dns.rrset.RRset:
    """The same records with another TTL; under the name as it was asked for."""
    name = rrset.name
    if request is not None and name.labels != request.question.labels and name == request.question:
        name = request.question
    return with_name(rrset, name, ttl)


def _matches(request: Request, answer: dns.message.Message) -> bool:
    """Request.Match(): an answer to this very question."""
    question = answer.question[0] if answer.question else None
    return question is not None and question.name == request.question and int(question.rdtype) == request.qtype


def make(config: ServerConfig, options: Options) -> Cache:
    return Cache(config, options)


__all__ = ["Cache", "make", "setup", "typify"]
