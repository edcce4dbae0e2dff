"""cache: keeps answers, and denials, for as long as their TTL says (plugin/cache)."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rdatatype

from kubenet_course.dns.corefile import Dispenser
from kubenet_course.dns.names import go_duration, is_subdomain, normalise_zone
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig

SECOND = 10**9
MAX_TTL, MIN_TTL, MAX_NTTL, MIN_NTTL, FAIL_TTL = 3600, 5, 1800, 5, 5
DEFAULT_CAPACITY = 10000


@dataclass
class Item:
    """A stored answer: its records with the TTLs they came with, and when it came."""

    message: dns.message.Message
    stored: int
    ttl: int
    hits: int = 0
    first_hit: int = 0

    def left(self, now: int) -> int:
        """Seconds it may still be given out; below zero when it is stale."""
        return self.ttl - (now - self.stored) // SECOND


@dataclass
class Cache(Plugin):
    config: ServerConfig
    zones: list[str]
    success: dict[tuple, Item] = field(default_factory=dict)
    denial: dict[tuple, Item] = field(default_factory=dict)
    success_capacity: int = DEFAULT_CAPACITY
    denial_capacity: int = DEFAULT_CAPACITY
    max_ttl: int = MAX_TTL
    min_ttl: int = MIN_TTL
    max_nttl: int = MAX_NTTL
    min_nttl: int = MIN_NTTL
    fail_ttl: int = FAIL_TTL
    prefetch: int = 0
    prefetch_duration: int = 60 * SECOND
    prefetch_percentage: int = 10
    serve_stale: int = 0
    verify_stale: bool = False
    verify_timeout: int = 0
    stale_ttl: int = 0
    prefer_positive: bool = False
    keep_ttl: bool = False
    success_except: list[str] = field(default_factory=list)
    denial_except: list[str] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        name = request.name
        if not any(is_subdomain(zone, name) for zone in self.zones):
            return await self.next_plugin(request)
        now = self.config.environment.now()
        key = (name, request.qtype, request.qclass, request.do, bool(request.message.flags & 0x10))
        item = self.denial.get(key) or self.success.get(key)
        if item is not None and item.left(now) > 0:
            item.hits += 1
            if self.prefetch and item.hits >= self.prefetch and item.left(now) <= item.ttl * self.prefetch_percentage // 100:
                self.config.environment.spawn(self._refresh(request, key))
            return self._reply(item, request, now)
        if item is not None and self.serve_stale and item.left(now) > -(self.serve_stale // SECOND):
            return await self._stale(item, request, key, now)
        return await self._refresh(request, key)

    async def _stale(self, item: Item, request: Request, key: tuple, now: int) -> dns.message.Message:
        """serve_stale: an old answer is better than none; `verify` asks first."""
        if self.verify_stale:
            try:
                answer = await self._refresh(request, key)
            except PluginError:
                return self._reply(item, request, now, stale=True)
            return answer if answer.rcode() != dns.rcode.SERVFAIL else self._reply(item, request, now, stale=True)
        self.config.environment.spawn(self._quiet_refresh(request, key))
        return self._reply(item, request, now, stale=True)

    async def _quiet_refresh(self, request: Request, key: tuple) -> None:
        try:
            await self._refresh(request, key)
        except PluginError as problem:
            self.config.environment.log(f"[ERROR] plugin/cache: {problem}")

    async def _refresh(self, request: Request, key: tuple) -> dns.message.Message:
        answer = await self.next_plugin(request)
        self._store(key, request.name, answer)
        return answer

    # -- storing ----------------------------------------------------------------------------
    def _store(self, key: tuple, name: str, answer: dns.message.Message) -> None:
        if answer.flags & 0x0200 or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL):
            return
        records = [rrset for rrset in (*answer.answer, *answer.authority, *answer.additional) if rrset.rdtype != dns.rdatatype.OPT]
        least = min((rrset.ttl for rrset in records), default=0)
        positive = answer.rcode() == dns.rcode.NOERROR and bool(answer.answer)
        if positive:
            ttl = min(max(least, self.min_ttl), self.max_ttl)
            table, other, capacity, excepted = self.success, self.denial, self.success_capacity, self.success_except
        elif answer.rcode() == dns.rcode.SERVFAIL:
            ttl = self.fail_ttl
            table, other, capacity, excepted = self.denial, self.success, self.denial_capacity, self.denial_except
        else:
            soa = next((rrset for rrset in answer.authority if rrset.rdtype == dns.rdatatype.SOA), None)
            if soa is None:
                return
            ttl = min(max(min(least, soa[0].minimum), self.min_nttl), self.max_nttl)
            table, other, capacity, excepted = self.denial, self.success, self.denial_capacity, self.denial_except
        if ttl <= 0 or any(is_subdomain(zone, name) for zone in excepted):
            return
        if len(table) >= capacity:
            table.pop(next(iter(table)))
        table[key] = Item(dns.message.from_wire(answer.to_wire(max_size=65535)), self.config.environment.now(), ttl)
        if positive or not self.prefer_positive:
            other.pop(key, None)

    def _reply(self, item: Item, request: Request, now: int, stale: bool = False) -> dns.message.Message:
        """The stored records with what is left of their TTL."""
        answer = request.reply(item.message.rcode())
        answer.flags = (answer.flags & ~0x0400) | (item.message.flags & 0x01A0) | 0x8000
        if item.message.flags & 0x0400:
            answer.flags |= 0x0400
        left = self.stale_ttl // SECOND if stale else item.left(now)
        for target, source in (
            (answer.answer, item.message.answer),
            (answer.authority, item.message.authority),
            (answer.additional, item.message.additional),
        ):
            for rrset in source:
                copy = rrset.copy()
                if not self.keep_ttl:
                    copy.ttl = left
                target.append(copy)
        return answer


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Cache(config, list(config.zones))
    uses = 0
    policy_seen = False
    while c.next():
        uses += 1
        if uses > 1:
            raise c.error("plugin/cache: this plugin can only be used once per Server Block")
        arguments = c.remaining_args()
        if arguments and arguments[0].lstrip("-").isdigit():
            ttl = int(arguments.pop(0))
            if ttl <= 0:
                raise c.error("cache TTL can not be zero or negative: " + str(ttl))
            handler.max_ttl = handler.max_nttl = ttl
        handler.zones = config.origins(arguments)
        while c.next_block():
            if c.text == "serve_stale_policy":
                words = c.remaining_args()
                if policy_seen or len(words) != 1 or words[0].lower() != "prefer_positive":
                    raise c.error("serve_stale_policy needs one policy: prefer_positive")
                policy_seen = handler.prefer_positive = True
            else:
                _property(c, handler)
    return handler


def _property(c: Dispenser, handler: Cache) -> None:
    word = c.text
    words = c.remaining_args()
    if word in ("success", "denial"):
        _capacity(c, handler, word, words)
    elif word == "prefetch":
        _prefetch(c, handler, words)
    elif word == "serve_stale":
        _serve_stale(c, handler, words)
    elif word == "servfail":
        if len(words) != 1:
            raise c.arg_error()
        duration = _duration(c, words[0])
        if duration < 0:
            raise c.error(f"invalid negative ttl for servfail: {words[0]}")
        if duration > 300 * SECOND:
            raise c.error("caching SERVFAIL responses over 5 minutes is not permitted")
        handler.fail_ttl = duration // SECOND
    elif word == "disable":
        if not words or words[0] not in ("success", "denial"):
            raise c.arg_error()
        zones: list[str] = []
        for zone in words[1:] or ["."]:
            try:
                zones += normalise_zone(zone)
            except ValueError as problem:
                raise c.error(str(problem)) from None
        if words[0] == "success":
            handler.success_except = zones
        else:
            handler.denial_except = zones
    elif word == "keepttl":
        if words:
            raise c.arg_error()
        handler.keep_ttl = True
    else:
        raise c.error(f"unknown property '{word}'")


def _number(c: Dispenser, text: str, what: str, least: int = 0) -> int:
    try:
        value = int(text)
    except ValueError:
        raise c.error(f'strconv.Atoi: parsing "{text}": invalid syntax') from None
    if value < least:
        raise c.error(f"{what} can not be {'zero or ' if least else ''}negative: {value}")
    return value


def _duration(c: Dispenser, text: str) -> int:
    try:
        return go_duration(text)
    except ValueError as problem:
        raise c.error(str(problem)) from None


def _capacity(c: Dispenser, handler: Cache, word: str, words: list[str]) -> None:
    """success|denial CAPACITY [TTL [MINTTL]]"""
    if not 1 <= len(words) <= 3:
        raise c.arg_error()
    capacity = _number(c, words[0], "cache capacity")
    ttl = _number(c, words[1], "cache TTL", 1) if len(words) > 1 else None
    least = _number(c, words[2], "cache min TTL") if len(words) > 2 else None
    if word == "success":
        handler.success_capacity = capacity
        handler.max_ttl = handler.max_ttl if ttl is None else ttl
        handler.min_ttl = handler.min_ttl if least is None else least
    else:
        handler.denial_capacity = capacity
        handler.max_nttl = handler.max_nttl if ttl is None else ttl
        handler.min_nttl = handler.min_nttl if least is None else least


def _prefetch(c: Dispenser, handler: Cache, words: list[str]) -> None:
    """prefetch AMOUNT [DURATION [PERCENTAGE%]]"""
    if not 1 <= len(words) <= 3:
        raise c.arg_error()
    handler.prefetch = _number(c, words[0], "prefetch amount")
    if len(words) > 1:
        handler.prefetch_duration = _duration(c, words[1])
    if len(words) > 2:
        percentage = words[2]
        if not percentage.endswith("%"):
            raise c.error(f"last character of percentage should be `%`, but is: {percentage[-1:]!r}")
        value = _number(c, percentage[:-1], "percentage")
        if not 10 <= value <= 90:
            raise c.error(f"percentage should fall in range [10, 90]: {value}")
        handler.prefetch_percentage = value


def _serve_stale(c: Dispenser, handler: Cache, words: list[str]) -> None:
    """serve_stale [DURATION [immediate [STALE_TTL [..]] | verify [TIMEOUT [STALE_TTL …]]]]"""
    limit = 4 if len(words) > 1 and words[1].lower() == "immediate" else 5
    if len(words) > limit:
        raise c.arg_error()
    handler.serve_stale = 3600 * SECOND
    if words:
        handler.serve_stale = _duration(c, words[0])
        if handler.serve_stale < 0:
            raise c.error("invalid negative duration for serve_stale")
    if len(words) < 2:
        return
    mode = words[1].lower()
    if mode not in ("immediate", "verify"):
        raise c.error("invalid value for serve_stale refresh mode")
    handler.verify_stale = mode == "verify"
    rest = words[2:]
    if handler.verify_stale and rest:
        handler.verify_timeout = _duration(c, rest.pop(0))
        if handler.verify_timeout < 0:
            raise c.error("invalid negative duration for serve_stale verify timeout")
    for text in rest:
        ttl = _duration(c, text)
        if ttl < 0 or ttl % SECOND:
            raise c.error(f"invalid serve_stale TTL: {text}")
        handler.stale_ttl = ttl
