"""The directive of `cache`: how much is kept, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import go_duration, normalise_zone
from kubenet_course.dns.plugin import Plugin, ServerConfig

SECOND = 10**9
MAX_TTL, MIN_TTL, MAX_NTTL, MIN_NTTL, FAIL_TTL = 3600, 5, 1800, 5, 5
DEFAULT_CAPACITY = 9984


@dataclass
class Options:
    """TTLs in seconds, the rest in ns."""

    zones: list[str]
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
    stale: int = 0
    verify_stale: bool = False
    verify_timeout: int = 0
    stale_ttl: int = 0
    stale_max: int = 0
    prefer_positive: bool = False
    keep_ttl: bool = False
    success_except: list[str] = field(default_factory=list)
    denial_except: list[str] = field(default_factory=list)


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    options = Options(list(config.zones))
    uses = 0
    policy_seen = False
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        arguments = c.remaining_args()
        if arguments and arguments[0].lstrip("-").isdigit():
            ttl = int(arguments.pop(0))
            if ttl <= 0:
                raise c.plain(f"cache TTL can not be zero or negative: {ttl}")
            options.max_ttl = options.max_nttl = ttl
        options.zones = config.origins(arguments)
        while c.next_block():
            if c.text == "serve_stale_policy":
                words = c.remaining_args()
                if policy_seen or len(words) != 1 or words[0].lower() != "prefer_positive":
                    raise c.error("serve_stale_policy needs one policy: prefer_positive")
                policy_seen = options.prefer_positive = True
            else:
                _property(c, options)
    from kubenet_course.dns.plugins.cache import make

    return make(config, options)


def _property(c: Dispenser, options: Options) -> None:
    word = c.text
    words = c.remaining_args()
    if word in ("success", "denial"):
        _capacity(c, options, word, words)
    elif word == "prefetch":
        _prefetch(c, options, words)
    elif word == "serve_stale":
        _serve_stale(c, options, words)
    elif word == "servfail":
        if len(words) != 1:
            raise c.arg_error()
        duration = _duration(c, words[0])
        if duration < 0:
            raise c.plain(f"invalid negative ttl for servfail: {words[0]}")
        if duration > 300 * SECOND:
            raise c.plain("caching SERVFAIL responses over 5 minutes is not permitted")
        options.fail_ttl = duration // SECOND
    elif word == "disable":
        if not words or words[0] not in ("success", "denial"):
            raise c.arg_error()
        zones: list[str] = []
        for zone in words[1:] or ["."]:
            try:
                zones += normalise_zone(zone)
            except ValueError as problem:
                raise c.plain(str(problem)) from None
        setattr(options, f"{words[0]}_except", zones)
    elif word == "keepttl":
        if words:
            raise c.arg_error()
        options.keep_ttl = True
    else:
        raise c.arg_error()


def _number(c: Dispenser, text: str, what: str, least: int = 0) -> int:
    try:
        value = int(text)
    except ValueError:
        raise c.plain(f'strconv.Atoi: parsing "{text}": invalid syntax') from None
    if value < least:
        raise c.plain(f"{what} can not be {'zero or ' if least else ''}negative: {value}")
    return value


def _duration(c: Dispenser, text: str) -> int:
    try:
        return go_duration(text)
    except ValueError as problem:
        raise c.plain(str(problem)) from None


def _capacity(c: Dispenser, options: Options, word: str, words: list[str]) -> None:
    """success|denial CAPACITY [TTL [MINTTL]]"""
    if not 1 <= len(words) <= 3:
        raise c.arg_error()
    capacity = _number(c, words[0], "cache capacity")
    ttl = _number(c, words[1], "cache TTL", 1) if len(words) > 1 else None
    least = _number(c, words[2], "cache min TTL") if len(words) > 2 else None
    if word == "success":
        options.success_capacity = capacity
        options.max_ttl = options.max_ttl if ttl is None else ttl
        options.min_ttl = options.min_ttl if least is None else least
    else:
        options.denial_capacity = capacity
        options.max_nttl = options.max_nttl if ttl is None else ttl
        options.min_nttl = options.min_nttl if least is None else least


def _prefetch(c: Dispenser, options: Options, words: list[str]) -> None:
    """prefetch AMOUNT [DURATION [PERCENTAGE%]]"""
    if not 1 <= len(words) <= 3:
        raise c.arg_error()
    options.prefetch = _number(c, words[0], "prefetch amount")
    if len(words) > 1:
        options.prefetch_duration = _duration(c, words[1])
    if len(words) > 2:
        percentage = words[2]
        if not percentage.endswith("%"):
            raise c.plain(f"last character of percentage should be `%`, but is: '{percentage[-1:]}'")
        value = _number(c, percentage[:-1], "percentage")
        if not 10 <= value <= 90:
            raise c.plain(f"percentage should fall in range [10, 90]: {value}")
        options.prefetch_percentage = value


def _serve_stale(c: Dispenser, options: Options, words: list[str]) -> None:
    """serve_stale [DURATION [immediate [TTL [MOST]] | verify [TIMEOUT [TTL [MOST]]]]]"""
    limit = 4 if len(words) > 1 and words[1].lower() == "immediate" else 5
    if len(words) > limit:
        raise c.arg_error()
    options.stale = 3600 * SECOND
    if words:
        options.stale = _duration(c, words[0])
        if options.stale < 0:
            raise c.plain("invalid negative duration for serve_stale")
    if len(words) < 2:
        return
    mode = words[1].lower()
    if mode not in ("immediate", "verify"):
        raise c.plain(f"invalid value for serve_stale refresh mode: {mode}")
    options.verify_stale = mode == "verify"
    rest = words[2:]
    if options.verify_stale and rest:
        options.verify_timeout = _duration(c, rest.pop(0))
        if options.verify_timeout < 0:
            raise c.plain("invalid negative duration for serve_stale verify timeout")
    for name, text in zip(("stale_ttl", "stale_max"), rest):
        ttl = _duration(c, text)
        if ttl < 0 or ttl % SECOND:
            raise c.plain(f"invalid serve_stale TTL: {text}")
        setattr(options, name, ttl)
