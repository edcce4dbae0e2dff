"""log: a line for each query (plugin/log).

    [INFO] 10.0.0.2:41250 - 30163 "A IN example.org. udp 52 false 1232" NOERROR qr,aa,rd 76 0.000152s
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import dns.message
import dns.rcode

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import is_subdomain, normalise_zone
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.plugins.cache import typify
from kubenet_course.dns.wire import plain_size

COMMON = '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}'
COMBINED = COMMON + ' "{>opcode}"'
CLASSES = ("all", "success", "denial", "error")
_FLAGS = (("qr", 0x8000), ("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("ra", 0x0080), ("z", 0x0040), ("ad", 0x0020), ("cd", 0x0010))


@dataclass
class Rule:
    zone: str
    template: str = COMMON
    classes: set[str] = field(default_factory=lambda: {"all"})


@dataclass
class Log(Plugin):
    config: ServerConfig
    rules: list[Rule] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        rule = next((rule for rule in self.rules if is_subdomain(rule.zone, request.name)), None)
        if rule is None:
            return await self.next_plugin(request)
        began = self.config.environment.now()
        question = request.qname
        try:
            answer = await self.next_plugin(request)
        except PluginError as problem:
            self._write(rule, request, request.reply(problem.rcode), began, question, failed=True)
            raise
        self._write(rule, request, answer, began, question)
        return answer

    def _write(self, rule: Rule, request: Request, answer: dns.message.Message, began: int, question: str, failed: bool = False) -> None:
        kind = classify(answer)
        if "all" not in rule.classes and kind not in rule.classes:
            return
        seconds = (self.config.environment.now() - began) / 1e9
        values = {
            "remote": _bracketed(request.client),
            "local": _bracketed(request.server),
            "port": request.client_port,
            "type": request.type,
            "class": request.klass,
            "name": question,
            "proto": request.protocol,
            "size": plain_size(request.message),
            ">id": request.message.id,
            ">do": str(request.do).lower(),
            ">bufsize": request.size,
            ">opcode": request.message.opcode(),
            "rcode": dns.rcode.to_text(answer.rcode()) if not failed else "-",
            ">rflags": ",".join(word for word, bit in _FLAGS if answer.flags & bit) if not failed else "-",
            "rsize": plain_size(answer) if not failed else 0,
            "duration": f"{seconds:.9f}".rstrip("0").rstrip(".") + "s",
        }
        text = re.sub(r"\{(/?[^{}]+)\}", lambda match: self._value(match.group(1), values, request), rule.template)
        self.config.environment.log(f"[INFO] {text}")

    def _value(self, key: str, values: dict[str, object], request: Request) -> str:
        if key.startswith("/"):
            return _metadata(request, key[1:])
        return str(values.get(key, "{" + key + "}"))


def _bracketed(address: str) -> str:
    """addrToRFC3986()"""
    return f"[{address}]" if ":" in address else address


def _metadata(request: Request, key: str) -> str:
    value = request.metadata.get(key)
    return (value() if value else "") or "-"


def classify(answer: dns.message.Message) -> str:
    """response.Class: success, denial or error."""
    classes = {"no error": "success", "delegation": "success", "name error": "denial", "no data": "denial"}
    return classes.get(typify(answer), "error")


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Log(config)
    while c.next():
        arguments = c.remaining_args()
        template = COMMON
        if arguments and any("{" in word for word in arguments[-1:]):
            template = arguments.pop().replace("{common}", COMMON).replace("{combined}", COMBINED)
        zones = []
        for argument in arguments:
            try:
                zones += normalise_zone(argument)
            except ValueError as problem:
                raise c.error(str(problem)) from None
        classes: set[str] = set()
        while c.next_block():
            if c.text != "class":
                raise c.arg_error()
            words = c.remaining_args()
            if not words:
                raise c.arg_error()
            for word in words:
                if word not in CLASSES:
                    raise c.error(f"invalid Class: {word}")
                classes.add(word)
        for zone in zones or ["."]:
            handler.rules.append(Rule(zone, template, set(classes) or {"all"}))
    return handler
