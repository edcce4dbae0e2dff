"""What `rewrite` matches names with, and what it does to answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.goregexp import LONGEST, RegexpError, compile_regexp
from kubenet_course.dns.names import fqdn
from kubenet_course.dns.plugin import Request

CNAME, TC = 5, 0x0200


class RuleError(ValueError):
    """A rule is wrong."""


@dataclass
class Rule:
    """`rewrite` gives the changed request and what follows for the answer; None where it does not match."""

    mode: str

    def rewrite(self, request: Request) -> tuple[Request, list[ResponseRule]] | None:
        raise NotImplementedError


class ResponseRule:
    """Something that is done to an answer."""

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        raise NotImplementedError


@dataclass
class NameMatcher:
    """`match(name)` is the name's replacement, or None; `back` does the opposite, for `answer auto` (None: just for that name)."""

    match: Callable[[str], str | None]
    back: Callable[[str], str | None] | None = None


def _exact(old: str, new: str) -> Callable[[str], str | None]:
    return lambda name: new if name == old else None


def _prefix(old: str, new: str) -> Callable[[str], str | None]:
    return lambda name: new + name[len(old) :] if name.startswith(old) else None


def _suffix(old: str, new: str) -> Callable[[str], str | None]:
    return lambda name: name[: len(name) - len(old)] + new if name.endswith(old) else None


def _substring(old: str, new: str) -> Callable[[str], str | None]:
    return lambda name: name.replace(old, new) if old in name else None


def _regex(pattern: re.Pattern[str], template: str) -> Callable[[str], str | None]:
    def match(name: str) -> str | None:
        found = pattern.search(name)
        if found is None:
            return None
        return substitute(template, found)

    return match


def substitute(template: str, match: re.Match[str]) -> str:
    """{1}, {2}, … become the groups."""
    return re.sub(r"\{(\d+)\}", lambda number: match.group(int(number[1])) or "", template)


def pattern_of(text: str, template: str) -> re.Pattern[str]:
    """isValidRegexPattern(): RuleError also where the template uses groups that are not there."""
    if len(text) > LONGEST:
        raise RuleError(f"regex pattern too long: {len(text)} > {LONGEST}")
    try:
        pattern = compile_regexp(text)
    except RegexpError as problem:
        raise RuleError(f"invalid regex pattern in the name rule: {text}, {problem}") from None
    used = [int(number) for number in re.findall(r"\{(\d+)\}", template)]
    if used and max(used) > pattern.groups:
        raise RuleError(f"the rewrite regex pattern contains too few groups for {template}: {text}")
    return pattern


def name_matcher(kind: str, old: str, new: str) -> NameMatcher:
    """exact, prefix, suffix, substring or regex."""
    if kind == "regex":
        pattern = pattern_of(old, new)
        return NameMatcher(_regex(pattern, new))
    makers = {"exact": _exact, "prefix": _prefix, "suffix": _suffix, "substring": _substring}
    if kind not in makers:
        raise RuleError(f"name rule supports only exact, prefix, suffix, substring, and regex name matching, received: {kind}")
    if kind in ("prefix", "substring"):
        return NameMatcher(makers[kind](old.lower(), new.lower()))  # parts of names, without a dot at their end
    old, new = fqdn(old), fqdn(new)
    return NameMatcher(makers[kind](old, new), makers[kind](new, old) if kind == "suffix" else None)


@dataclass
class NameRule(Rule):
    matcher: NameMatcher
    auto: bool = False
    answers: list[ResponseRule] = field(default_factory=list)

    def rewrite(self, request: Request) -> tuple[Request, list[ResponseRule]] | None:
        new = self.matcher.match(request.name)
        if new is None:
            return None
        changed = request.asked(fqdn(new))
        rules = [*self.answers]
        if self.auto:
            rules.append(OwnerRule(self.matcher.back or _exact(fqdn(new), request.qname)))
        return changed, rules


@dataclass
class OwnerRule(ResponseRule):
    """Owner names of all records, changed where the function gives another."""

    change: Callable[[str], str | None]

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        for section in (reply.answer, reply.authority, reply.additional):
            section[:] = [self._renamed(rrset) for rrset in section]

    def _renamed(self, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
        new = self.change(rrset.name.to_text().lower())
        if new is None:
            return rrset
        copy = dns.rrset.RRset(dns.name.from_text(fqdn(new)), rrset.rdclass, rrset.rdtype)
        copy.items, copy.ttl = rrset.items, rrset.ttl
        return copy


#: Where records hold names.
NAMED = ("target", "exchange", "replacement", "mname")


@dataclass
class ValueRule(ResponseRule):
    """Names inside of CNAME, MX, NS, PTR, SRV, … records."""

    change: Callable[[str], str | None]

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        for section in (reply.answer, reply.authority, reply.additional):
            section[:] = [self._changed(rrset) for rrset in section]

    def _changed(self, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
        name = next((name for name in NAMED if rrset and hasattr(rrset[0], name)), None)
        if name is None:
            return rrset
        copy = dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype)
        for rdata in rrset:
            new = self.change(getattr(rdata, name).to_text().lower())
            copy.add(rdata if new is None else rdata.replace(**{name: dns.name.from_text(fqdn(new))}), rrset.ttl)
        return copy


def answer_rules(rule: str, words: list[str]) -> tuple[bool, list[ResponseRule]]:
    """parseAnswerRules(): ``answer auto``, ``answer name FROM TO``, ``answer value FROM TO``, several of them."""
    if len(words) < 2:
        raise RuleError(f"invalid arguments for {rule} rule")
    words = list(words)
    rules: list[ResponseRule] = []
    auto, last, names = False, "", 0
    while words:
        if not last and words[0] != "answer":
            raise RuleError(f"exceeded the number of arguments for a non-answer rule argument for {rule} rule")
        if words[0] == "answer":
            words.pop(0)
        if not words:
            raise RuleError(f"type missing for answer rule for {rule} rule")
        last = words.pop(0)
        if last == "auto":
            auto = True
            continue
        if last not in ("name", "value"):
            raise RuleError(f'invalid type "{last}" for answer rule for {rule} rule')
        if len(words) < 2:
            raise RuleError(f"{last} answer rule for {rule} rule: 2 arguments required")
        old, new = words.pop(0), words.pop(0)
        change = _regex(pattern_of(old, new), new)
        names += last == "name"
        rules.append(OwnerRule(change) if last == "name" else ValueRule(change))
    if auto and names:
        raise RuleError("auto name answer rule cannot be combined with explicit name anwer rules")
    return auto, rules


@dataclass
class MatchingRule(Rule):
    """A rule about names that leaves the question as it is and does `effect` to the answer."""

    matches: Callable[[str], bool]
    effect: ResponseRule

    def rewrite(self, request: Request) -> tuple[Request, list[ResponseRule]] | None:
        return (request, [self.effect]) if self.matches(request.name) else None


def matching(kind: str, text: str) -> Callable[[str], bool]:
    """Whether a name is (begins with, ends with, contains, matches) `text`."""
    if kind == "regex":
        pattern = pattern_of(text, "")
        return lambda name: pattern.search(name) is not None
    wanted = fqdn(text)
    tests: dict[str, Callable[[str], bool]] = {
        "exact": lambda name: name == wanted,
        "prefix": lambda name: name.startswith(text.lower()),
        "suffix": lambda name: name.endswith(wanted),
        "substring": lambda name: text.lower() in name,
    }
    if kind not in tests:
        raise RuleError(f"supports only exact, prefix, suffix, substring, and regex name matching, received: {kind}")
    return tests[kind]


@dataclass
class TtlRule(ResponseRule):
    """TTLs between `least` and `most` seconds."""

    least: int
    most: int

    @staticmethod
    def parse(mode: str, words: list[str]) -> Rule:
        """[exact|prefix|suffix|substring|regex] NAME SECONDS|MIN-MAX"""
        if not 2 <= len(words) <= 3:
            few = f"too few ({len(words)}) arguments for a ttl rule"
            raise RuleError(few if len(words) < 2 else "many few arguments for a ttl rule")
        kind, name = ("exact", words[0]) if len(words) == 2 else (words[0].lower(), words[1])
        match = re.fullmatch(r"(\d*)(-?)(\d*)", words[-1])
        if match is None or not (match[1] or match[3]):
            raise RuleError(f"invalid TTL '{words[-1]}' for a ttl rule")
        least = int(match[1] or 0)
        most = least if not match[2] else int(match[3] or 2**31 - 1)
        if least > most or most > 2**32 - 1:
            raise RuleError(f"invalid TTL '{words[-1]}' for a ttl rule")
        return MatchingRule(mode, matching(kind, name), TtlRule(least, most))

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        for section in (reply.answer, reply.authority, reply.additional):
            for position, rrset in enumerate(section):
                copy = dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype)
                copy.items, copy.ttl = rrset.items, min(max(rrset.ttl, self.least), self.most)
                section[position] = copy


@dataclass
class RcodeRule(ResponseRule):
    """One response code for another."""

    old: int
    new: int

    @staticmethod
    def parse(mode: str, words: list[str]) -> Rule:
        """[exact|prefix|suffix|substring|regex] NAME OLD NEW"""
        if not 3 <= len(words) <= 4:
            many = f"too few ({len(words)})" if len(words) < 3 else "too many"
            raise RuleError(f"{many} arguments for a rcode rule")
        kind, name = ("exact", words[0]) if len(words) == 3 else (words[0].lower(), words[1])
        codes = []
        for text in words[-2:]:
            try:
                codes.append(int(text) if text.isdigit() else int(dns.rcode.from_text(text.upper())))
            except (dns.exception.DNSException, ValueError):
                raise RuleError(f"invalid rcode '{text}'") from None
        return MatchingRule(mode, matching(kind, name), RcodeRule(codes[0], codes[1]))

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        if reply.rcode() == self.old:
            reply.set_rcode(dns.rcode.Rcode.make(self.new))


@dataclass
class CnameRule(ResponseRule):
    """The target of a CNAME in the answer, and with it the addresses that follow."""

    change: Callable[[str], str | None]

    @staticmethod
    def parse(mode: str, words: list[str]) -> Rule:
        """[exact|prefix|suffix|substring|regex] FROM TO"""
        if not 2 <= len(words) <= 3:
            raise RuleError(f"too few (or many) arguments for a cname rule: {len(words)}")
        kind = "exact" if len(words) == 2 else words[0].lower()
        change = name_matcher(kind, words[-2], words[-1]).match
        return MatchingRule(mode, lambda _: True, CnameRule(change if kind == "regex" else lambda name: change(name.lower())))

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        for position, rrset in enumerate(reply.answer):
            if rrset.rdtype != CNAME:
                continue
            new = self.change(rrset[0].target.to_text())
            if new is None:
                continue
            target = dns.name.from_text(fqdn(new))
            changed = dns.rrset.RRset(rrset.name, rrset.rdclass, rrset.rdtype)
            changed.add(rrset[0].replace(target=target), rrset.ttl)
            reply.answer = [*reply.answer[:position], changed]
            if request.qtype != CNAME:
                found = await request.ask(target, request.qtype)
                if found is not None:
                    reply.answer += found.answer
                    reply.flags = reply.flags & ~TC | found.flags & TC
            return
