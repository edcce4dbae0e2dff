"""rewrite: changes questions on their way in, and answers on their way out (plugin/rewrite).

    rewrite name suffix .schmoogle.com. .google.com. answer auto
    rewrite [continue|stop] name|class|type|edns0|ttl|rcode|cname …

`stop` (the default) ends with the first rule that matched. The question that the client sees is its
own again; what else is changed back is up to the rule's `answer` part.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import check_domain
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins import _rewrite_edns as edns
from kubenet_course.dns.plugins._rewrite_rules import (
    CnameRule,
    NameMatcher,
    NameRule,
    RcodeRule,
    ResponseRule,
    Rule,
    RuleError,
    TtlRule,
    answer_rules,
    name_matcher,
)

MODES = ("continue", "stop")


@dataclass
class KindRule(Rule):
    """class and type: one number for another."""

    field_name: str = "qtype"
    old: int = 0
    new: int = 0

    def rewrite(self, request: Request) -> tuple[Request, list[ResponseRule]] | None:
        if getattr(request, self.field_name) != self.old:
            return None
        changed = request.asked(request.question)
        question = changed.message.question[0]
        rdclass = self.new if self.field_name == "qclass" else request.qclass
        rdtype = self.new if self.field_name == "qtype" else request.qtype
        kind = dns.rdatatype.RdataType.make(rdtype)
        changed.message.question = [dns.rrset.RRset(question.name, dns.rdataclass.RdataClass.make(rdclass), kind)]
        changed.__post_init__()
        return changed, []


def new_rule(words: list[str]) -> Rule:
    """A rule from its words, mode first if it has one. RuleError."""
    if not words:
        raise RuleError("no rule type specified for rewrite")
    words = list(words)
    mode = "stop"
    if words[0].lower() in MODES:
        mode = words.pop(0).lower()
        if not words:
            raise RuleError(f"{mode} rule must begin with a rule type")
    kind, arguments = words[0].lower(), words[1:]
    if kind == "answer":
        raise RuleError("response rewrites must begin with a name rule")
    if kind == "name":
        return _name_rule(mode, arguments)
    if kind in ("class", "type"):
        return _kind_rule(mode, kind, arguments)
    if kind == "edns0":
        return edns.new_rule(mode, arguments)
    if kind == "ttl":
        return TtlRule.parse(mode, arguments)
    if kind == "rcode":
        return RcodeRule.parse(mode, arguments)
    if kind == "cname":
        return CnameRule.parse(mode, arguments)
    raise RuleError(f'invalid rule type "{kind}"')


def _name_rule(mode: str, arguments: list[str]) -> NameRule:
    if len(arguments) < 2:
        raise RuleError("too few arguments for a name rule")
    if len(arguments) == 2:
        arguments = ["exact", *arguments]
    kind = arguments[0].lower()
    matcher: NameMatcher = name_matcher(kind, arguments[1], arguments[2])
    auto, rules = answer_rules("name", arguments[3:]) if len(arguments) > 3 else (False, [])
    return NameRule(mode, matcher, auto or kind == "exact", rules)


def _kind_rule(mode: str, kind: str, arguments: list[str]) -> KindRule:
    if len(arguments) != 2:
        raise RuleError(f"{kind} rules must have exactly two arguments")
    numbers = []
    for text in arguments:
        try:
            if kind == "class":
                numbers.append(int(dns.rdataclass.from_text(text.upper())))
            else:
                numbers.append(int(dns.rdatatype.from_text(text.upper())))
        except (dns.exception.DNSException, ValueError):
            raise RuleError(f'invalid {kind} "{text.upper()}"') from None
    return KindRule(mode, "qclass" if kind == "class" else "qtype", numbers[0], numbers[1])


@dataclass
class Rewrite(Plugin):
    config: ServerConfig
    rules: list[Rule] = field(default_factory=list)

    def rewrite(self, request: Request) -> tuple[Request, list[ResponseRule]]:
        """The request as the next plugins see it, and what is then done to their answer."""
        changes: list[ResponseRule] = []
        for rule in self.rules:
            result = rule.rewrite(request)
            if result is None:
                continue
            request, more = result
            changes += more
            if rule.mode == "stop":
                break
        return request, changes

    async def serve_dns(self, request: Request) -> dns.message.Message:
        try:
            changed, rules = self.rewrite(request)
        except dns.exception.DNSException as problem:
            raise PluginError("rewrite", f"invalid name after rewrite: {problem}") from None
        if changed is request and not rules:
            return await self.next_plugin(request)
        changed.options = request.options
        answer = await self.next_plugin(changed)
        reply = request.reply()
        reply.flags = answer.flags
        reply.set_rcode(answer.rcode())
        reply.answer, reply.authority, reply.additional = list(answer.answer), list(answer.authority), list(answer.additional)
        for rule in rules:
            await rule.apply(request, reply)
        return reply


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Rewrite(config)
    while c.next():
        words = c.remaining_args()
        block: list[list[str]] = []
        while c.next_block():
            block.append([c.text, *c.remaining_args()])
        if block:
            if len(words) > 1 or (words and words[0].lower() not in MODES):
                raise c.error("a rewrite block takes only stop or continue")
            if block[0][0] != "name" and len(block) > 1:
                raise c.plain("response rewrites must begin with a name rule")
            words += block[0]
            words += [word for row in block[1:] for word in row]
        try:
            handler.rules.append(new_rule(words))
        except RuleError as problem:
            raise c.plain(str(problem)) from None
    return handler


__all__ = ["Rewrite", "RuleError", "check_domain", "new_rule", "setup"]
