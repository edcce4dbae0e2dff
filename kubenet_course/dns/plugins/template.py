"""template: answers made from the question by Go templates (plugin/template).

    template IN A example {
        match ^ip-10-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
        answer "{{ .Name }} 60 IN A 10.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
        fallthrough
    }
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zonefile

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.expressions import BUILTINS, KEYWORDS, Code, ExpressionError, compile_expression
from kubenet_course.dns.goregexp import LONGEST, RegexpError, compile_regexp
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Fallthrough, Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins.view import FUNCTIONS, functions
from kubenet_course.gotemplate import Template as Text
from kubenet_course.gotemplate import TemplateError

A, CNAME, AAAA, ANY = 1, 5, 28, 255


@dataclass
class Template:
    """One `template` of a server block."""

    zones: list[str]
    klass: int = ANY
    rdtype: int = ANY
    expressions: list[re.Pattern[str]] = field(default_factory=list)
    conditions: list[Code] = field(default_factory=list)
    variables: dict[str, Code] = field(default_factory=dict)
    answer: list[Text] = field(default_factory=list)
    additional: list[Text] = field(default_factory=list)
    authority: list[Text] = field(default_factory=list)
    rcode: int = 0
    error: tuple[int, str] | None = None
    fallthrough: Fallthrough = Fallthrough()

    def match(self, request: Request) -> tuple[dict[str, Any] | None, bool]:
        """What it is filled with (None: no match), and whether the next template may be tried."""
        zone = longest_match(self.zones, request.name)
        if zone is None or ANY not in (self.klass, request.qclass) and self.klass != request.qclass:
            return None, True
        if ANY not in (self.rdtype, request.qtype) and self.rdtype != request.qtype:
            return None, True
        for expression in self.expressions:
            match = expression.search(request.name)
            data = self._data(request, zone, match) if match is not None else None
            if data is not None:
                return data, False
        return None, self.fallthrough.through(request.name)

    def _data(self, request: Request, zone: str, match: re.Match[str]) -> dict[str, Any] | None:
        groups = {str(number): value or "" for number, value in enumerate(match.groups(), 1)}
        groups.update({name: value or "" for name, value in match.groupdict().items()})
        groups["0"] = match[0]
        values: dict[str, Any] = {**functions(request), "group": lambda key: groups.get(str(key), "")}
        try:
            for name, code in self.variables.items():
                values[name] = code(values)
            if not all(code(values) for code in self.conditions):
                return None
        except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError):
            return None
        return _Record({
            "Zone": zone, "Name": request.name, "Class": request.klass, "Type": request.type,
            "Match": [match[0], *(value or "" for value in match.groups())], "Group": _Open(groups),
            "Message": {"Id": request.message.id}, "Question": {"Name": request.name},
            "Remote": request.client, "Var": _Open({name: values[name] for name in self.variables}),
            "Meta": lambda label: (request.metadata.get(label) or str)(),
        })  # fmt: skip


class _Record(dict[str, Any]):
    """What a template sees; it has no other fields."""

    go_type = "*template.templateData"


class _Open(dict[str, Any]):
    """A map, in which a key that is not there has no value."""

    open = True


@dataclass
class Templates(Plugin):
    """All templates of a server block, tried in their order."""

    config: ServerConfig
    templates: list[Template]

    async def serve_dns(self, request: Request) -> dns.message.Message:
        for template in self.templates:
            data, go_on = template.match(request)
            if data is not None:
                return await self._answer(request, template, data)
            if not go_on:
                raise PluginError("template", "", dns.rcode.SERVFAIL)
        return await self.next_plugin(request)

    async def _answer(self, request: Request, template: Template, data: dict[str, Any]) -> dns.message.Message:
        labels = {"server": f"dns://{self.config.listen_text}", "zone": data["Zone"], "view": request.view,
                  "class": request.klass, "type": request.type}  # fmt: skip
        self.config.environment.metrics.count("coredns_template_matches_total", **labels)
        if template.rcode == dns.rcode.SERVFAIL:
            raise PluginError("template", "", dns.rcode.SERVFAIL)
        reply = request.reply(template.rcode, authoritative=True)
        for name in ("answer", "additional", "authority"):
            for text in getattr(template, name):
                record = self._record(text, data, {**labels, "section": name})
                getattr(reply, name).append(record)
                if name == "answer" and record.rdtype == CNAME and request.qtype in (A, AAAA):
                    await self._follow(request, reply, record[0].target)
        if template.error is not None and request.message.edns >= 0:
            request.options.append(dns.edns.EDEOption(dns.edns.EDECode.make(template.error[0]), template.error[1]))
        return reply

    @staticmethod
    async def _follow(request: Request, reply: dns.message.Message, target: dns.name.Name) -> None:
        """What this server says to the name a CNAME leads to."""
        found = await request.ask(target, request.qtype)
        if found is not None:
            reply.flags = reply.flags & ~dns.flags.TC | found.flags & dns.flags.TC
            reply.answer += found.answer

    def _record(self, text: Text, data: dict[str, Any], labels: dict[str, str]) -> dns.rrset.RRset:
        """One record in presentation form; PluginError where it is none."""
        metrics = self.config.environment.metrics
        labels["template"] = text.text
        try:
            line = text.render(data)
        except TemplateError as problem:
            metrics.count("coredns_template_template_failures_total", **labels)
            raise PluginError("template", f"template: {problem}") from None
        try:
            return _parse_record(line)
        except (dns.exception.DNSException, ValueError) as problem:
            metrics.count("coredns_template_rr_failures_total", **labels)
            raise PluginError("template", f"dns: {problem}") from None


def _parse_record(line: str) -> dns.rrset.RRset:
    origin, written = _origin(line)
    if len(written.split()) == 1:
        raise ValueError(f'not a TTL: "{line.strip()}" at line: 1:{len(line.strip())}')
    klass = next((word for word in written.split()[1:3] if word in ("CH", "HS", "NONE", "ANY")), "IN")
    sets = dns.zonefile.read_rrsets(written, default_ttl=3600, rdclass=None, default_rdclass=klass, origin=origin, relativize=False)
    if not sets:
        raise ValueError(f"no record in {line!r}")
    return sets[0]


def _origin(line: str) -> tuple[str, str]:
    """What names of a record without a dot at their end are below: the root. A SOA must stand at its origin, with whole names."""
    words = line.split()
    if "SOA" not in words[1:]:
        return ".", line
    at = words.index("SOA", 1)
    for place in (0, at + 1, at + 2):
        if place < len(words) and not words[place].endswith("."):
            words[place] += "."
    return words[0], " ".join(words)


def _parse_int(text: str, base: int, bits: int) -> int:
    """strconv.ParseUint(). ValueError in its words."""
    try:
        number = int(text, base) if re.fullmatch(r"\w+", text, re.A) else -1
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if number >> (bits or 64):
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return number


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    templates: list[Template] = []
    while c.next():
        templates.append(_parse(c, config))
    return Templates(config, templates)


def _parse(c: Dispenser, config: ServerConfig) -> Template:
    if not c.next_arg():
        raise c.arg_error()
    handler = Template([])
    try:
        handler.klass = int(dns.rdataclass.from_text(c.text.upper()))
    except (dns.exception.DNSException, ValueError):
        raise c.error(f"invalid RR class {c.text}") from None
    if not c.next_arg():
        raise c.arg_error()
    try:
        handler.rdtype = int(dns.rdatatype.from_text(c.text.upper()))
    except (dns.exception.DNSException, ValueError):
        raise c.error(f"invalid RR type {c.text}") from None
    handler.zones = config.origins(c.remaining_args())
    patterns: list[str] = []
    while c.next_block():
        if c.text == "match":
            words = c.remaining_args()
            if not words:
                raise c.arg_error()
            patterns += words
        else:
            _property(c, handler)
    for pattern in patterns or [".*"]:
        if len(pattern) > LONGEST:
            raise c.error(f"regex pattern too long: {len(pattern)} > {LONGEST}")
        try:
            handler.expressions.append(compile_regexp(pattern))
        except RegexpError as problem:
            raise c.error(f"could not parse regex: {pattern}, {problem}") from None
    return handler


def _property(c: Dispenser, handler: Template) -> None:
    word = c.text
    words = c.remaining_args()
    if word in ("answer", "additional", "authority"):
        if not words:
            raise c.arg_error()
        for text in words:
            try:
                getattr(handler, word).append(Text(text, {"parseInt": _parse_int}, word))
            except TemplateError as problem:
                raise c.error(f"could not compile template: {c.text}, template: {problem}") from None
    elif word == "rcode":
        if not words:
            raise c.arg_error()
        try:
            handler.rcode = int(dns.rcode.from_text(words[0]))
        except (dns.exception.DNSException, ValueError):
            raise c.error(f"unknown rcode {words[0]}") from None
    elif word == "ederror":
        if not 1 <= len(words) <= 2:
            raise c.arg_error()
        if not words[0].isdigit():
            raise c.error(f"error parsing extended DNS error code {words[0]}")
        handler.error = (int(words[0]), words[1] if len(words) > 1 else "")
    elif word == "fallthrough":
        c.position -= len(words)
        handler.fallthrough = Fallthrough.parse(c)
    elif word in ("expr", "var"):
        _expression(c, handler, word, words)
    elif word == "upstream":
        return
    else:
        raise c.arg_error()


def _expression(c: Dispenser, handler: Template, word: str, words: list[str]) -> None:
    """expr EXPRESSION, or var NAME EXPRESSION."""
    known = {**FUNCTIONS, "group": "any -> string", **{name: code.kind for name, code in handler.variables.items()}}
    name = ""
    if word == "var":
        if len(words) < 2:
            raise c.arg_error()
        name = words.pop(0)
        if not re.fullmatch(r"[A-Za-z_]\w*", name) or name in KEYWORDS:
            raise c.error(f"invalid variable name {name}")
        if name in known or name in BUILTINS:
            raise c.error(f"variable name {name} is already in use")
    if not words:
        raise c.arg_error()
    try:
        code = compile_expression(" ".join(words), known)
    except ExpressionError as problem:
        raise c.error(str(problem)) from None
    if name:
        handler.variables[name] = code
    else:
        handler.conditions.append(code)
