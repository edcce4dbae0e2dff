"""cache: keeps answers, and denials, for as long as their TTL says (plugin/cache).

An answer from the cache has the AA bit and one TTL for all of its records: what is left of the
shortest, between the least and the most that are configured. So has the first answer, which goes
into the cache.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.names import is_subdomain
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins._cache_setup import Options, setup
from kubenet_course.dns.wire import Records, code_of, fixed, with_name

SECOND = 10**9
SOA, NS, OPT = 6, 2, 41
DAY = 86400
DEFAULT_TTL = 5  # of an answer without records

Key = tuple[str, int, bool, bool]


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


@dataclass
class Cache(Plugin):
    config: ServerConfig
    options: Options
    success: dict[Key, Item] = field(default_factory=dict)
    denial: dict[Key, Item] = field(default_factory=dict)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        name = request.name
        zone = next((zone for zone in self.options.zones if is_subdomain(zone, name)), None)
        if zone is None:
            return await self.next_plugin(request)
        environment = self.config.environment
        now = environment.now()
        labels = {"server": f"dns://{self.config.listen_text}", "zones": ",".join(self.options.zones), "view": request.view}
        environment.metrics.count("coredns_cache_requests_total", **labels)
        key = (name, request.qtype, request.do, bool(request.message.flags & dns.flags.CD))
        kind, item = "denial", self.denial.get(key)
        if item is None:
            kind, item = "success", self.success.get(key)
        left = item.left(now) if item is not None else 0
        if item is None or (left <= 0 and (not self.options.stale or left <= -(self.options.stale // SECOND))):
            environment.metrics.count("coredns_cache_misses_total", **labels)
            return await self._refresh(request, key)
        environment.metrics.count("coredns_cache_hits_total", type=kind, **labels)
        if left <= 0:
            return await self._stale(item, request, key, labels)
        if self._wants_prefetch(item, now):
            environment.metrics.count("coredns_cache_prefetch_total", **labels)
            environment.spawn(self._quiet_refresh(request, key))
        return self._reply(item, request, left)

    def _wants_prefetch(self, item: Item, now: int) -> bool:
        """item.Freq: hits no further apart than `prefetch_duration`, near the end of its life."""
        if not self.options.prefetch:
            return False
        item.hits = item.hits + 1 if now - item.last_hit < self.options.prefetch_duration else 1
        item.last_hit = now
        return item.hits >= self.options.prefetch and item.left(now) <= item.ttl * self.options.prefetch_percentage // 100

    async def _stale(self, item: Item, request: Request, key: Key, labels: dict[str, str]) -> dns.message.Message:
        """serve_stale: an old answer is better than none; `verify` asks first."""
        self.config.environment.metrics.count("coredns_cache_served_stale_total", **labels)
        ttl = self.options.stale_ttl // SECOND
        if self.options.verify_stale:
            try:
                answer = await self._refresh(request, key)
            except PluginError:
                return self._reply(item, request, ttl)
            return answer if answer.rcode() != dns.rcode.SERVFAIL else self._reply(item, request, ttl)
        self.config.environment.spawn(self._quiet_refresh(request, key))
        return self._reply(item, request, ttl)

    async def _quiet_refresh(self, request: Request, key: Key) -> None:
        try:
            await self._refresh(request, key)
        except PluginError:
            return  # the old answer stays

    async def _refresh(self, request: Request, key: Key) -> dns.message.Message:
        answer = await self.next_plugin(request)
        ttl = self._store(key, request, answer)
        if not self.options.keep_ttl:
            for section in (answer.answer, answer.authority, answer.additional):
                section[:] = [_with_ttl(rrset, ttl) for rrset in section]
        if not request.do and not request.message.flags & dns.flags.AD:
            answer.flags &= ~dns.flags.AD
        return answer

    # -- storing ----------------------------------------------------------------------------
    def _store(self, key: Key, request: Request, answer: dns.message.Message) -> int:
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
        if answer.flags & dns.flags.TC or kind in ("other error", "meta") or ttl <= 0 or not _matches(request, answer):
            return ttl
        positive = kind in ("no error", "delegation")
        table, capacity = (self.success, options.success_capacity) if positive else (self.denial, options.denial_capacity)
        excepted = options.success_except if positive else options.denial_except
        if any(is_subdomain(zone, request.name) for zone in excepted):
            return ttl
        if not positive and options.prefer_positive and options.stale and key in self.success:
            return ttl
        if len(table) >= capacity and key not in table:
            table.pop(next(iter(table)), None)
            self.config.environment.metrics.count("coredns_cache_evictions_total")
        sections = tuple([*map(fixed, section)] for section in (answer.answer, answer.authority, answer.additional))
        table[key] = Item(code_of(answer), int(answer.flags), sections, self.config.environment.now(), ttl)
        (self.denial if positive else self.success).pop(key, None)
        zones = ",".join(options.zones)
        for word, entries in (("success", self.success), ("denial", self.denial)):
            self.config.environment.metrics.set(
                "coredns_cache_entries", len(entries), server=f"dns://{self.config.listen_text}", type=word, zones=zones, view=""
            )
        return ttl

    def _reply(self, item: Item, request: Request, ttl: int) -> dns.message.Message:
        """item.toMsg(): the stored records with what is left of their TTL."""
        answer = request.reply(item.rcode, authoritative=True)
        answer.flags |= item.flags & dns.flags.RA
        if request.do or request.message.flags & dns.flags.AD:
            answer.flags |= item.flags & dns.flags.AD
        if self.options.keep_ttl:
            answer.answer, answer.authority, answer.additional = ([*section] for section in item.sections)
            return answer
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
