"""`rewrite edns0`: options of the query's OPT record set, replaced, appended or taken out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import dns.edns
import dns.message

from kubenet_course.dns.plugin import Request
from kubenet_course.dns.plugins._rewrite_rules import ResponseRule, Rule, RuleError

ACTIONS = ("append", "replace", "set", "unset")
VARIABLES = ("{qname}", "{qtype}", "{client_ip}", "{client_port}", "{protocol}", "{server_ip}", "{server_port}")
NSID, SUBNET = 3, 8

Make = Callable[[Request], bytes | None]


@dataclass
class OptionRule(Rule):
    """`make` gives the option's data, None where there is none; with `revert` the option does not go back to the client.

    `doubles`: append adds it also where there is one already (data that is not a variable).
    """

    action: str
    code: int
    make: Make
    revert: bool = False
    doubles: bool = False

    def rewrite(self, request: Request) -> tuple[Request, list[ResponseRule]] | None:
        message = request.message
        options = list(message.options)
        there = any(int(option.otype) == self.code for option in options)
        data = self.make(request)
        if data is None:
            return None
        if self.action == "unset":
            if not there:
                return None
            options = [option for option in options if int(option.otype) != self.code]
        elif self.action == "append" and there and not self.doubles or self.action == "replace" and not there:
            return None
        else:
            new = dns.edns.GenericOption(dns.edns.OptionType.make(self.code), data)
            if there and self.action != "append":
                position = next(at for at, option in enumerate(options) if int(option.otype) == self.code)
                options[position] = new
            else:
                options.append(new)
        changed = request.asked(request.question)
        size = message.payload if message.edns >= 0 else 4096
        changed.message.use_edns(max(message.edns, 0), message.ednsflags, payload=size, options=options)
        return changed, [_Without(self.code)] if self.revert else []


@dataclass
class _Without(ResponseRule):
    code: int

    async def apply(self, request: Request, reply: dns.message.Message) -> None:
        request.options[:] = [option for option in request.options if int(option.otype) != self.code]


def new_rule(mode: str, words: list[str]) -> OptionRule:
    """local|nsid|subnet ACTION …; RuleError."""
    if len(words) < 2:
        raise RuleError("too few arguments for an EDNS0 rule")
    kind, action, rest = words[0].lower(), words[1].lower(), words[2:]
    if action not in ACTIONS:
        raise RuleError(f'invalid action: "{action}"')
    if kind not in ("local", "nsid", "subnet"):
        raise RuleError(f'invalid rule type "{kind}"')
    revert = bool(rest) and rest[-1].lower() == "revert"
    if action == "unset":
        wanted = 1 if kind == "local" else 0
        if len(rest) != wanted:
            raise RuleError(f"EDNS0 {kind} unset action requires exactly {wanted + 2} arguments")
        code = _code(rest[0]) if kind == "local" else NSID if kind == "nsid" else SUBNET
        return OptionRule(mode, action, code, lambda _: b"")
    if revert:
        rest = rest[:-1]
    if kind == "nsid":
        if rest:
            raise RuleError("EDNS0 NSID rules can have no more than one argument")
        return OptionRule(mode, action, NSID, lambda _: b"", revert)
    if len(rest) != 2:
        raise RuleError(f"EDNS0 {kind} rules require exactly three or four arguments")
    if kind == "local":
        return OptionRule(mode, action, _code(rest[0]), _data(rest[1]), revert, doubles=not rest[1].startswith("{"))
    return OptionRule(mode, action, SUBNET, _subnet(rest[0], rest[1]), revert)


def _code(text: str) -> int:
    try:
        code = int(text, 0)
    except ValueError:
        raise RuleError(f'strconv.ParseUint: parsing "{text}": invalid syntax') from None
    if not 0 <= code < 65536:
        raise RuleError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return code


def _data(text: str) -> Make:
    """0xHEX, a {variable}, a {plugin/label}, or the text itself."""
    if text.startswith("{") and text.endswith("}"):
        if text in VARIABLES:
            return lambda request: _variable(text, request)
        if "/" not in text:
            raise RuleError(f'unsupported variable name "{text[1:-1]}"')
        label = text[1:-1]
        return lambda request: (request.metadata.get(label) or str)().encode() or None
    if text.startswith("0x"):
        try:
            plain = bytes.fromhex(text[2:])
        except ValueError:
            raise RuleError(f"encoding/hex: invalid byte in {text!r}") from None
    else:
        plain = text.encode()
    return lambda _: plain


def _variable(text: str, request: Request) -> bytes:
    if text == "{qname}":
        return request.qname.encode()
    if text == "{qtype}":
        return request.qtype.to_bytes(2, "big")
    if text == "{client_ip}":
        return ipaddress.ip_address(request.client).packed
    if text == "{client_port}":
        return request.client_port.to_bytes(2, "big")
    if text == "{protocol}":
        return request.protocol.encode()
    if text == "{server_ip}":
        return ipaddress.ip_address(request.server or "0.0.0.0").packed
    return request.server_port.to_bytes(2, "big")


def _subnet(four: str, six: str) -> Make:
    bits = []
    for text, most in ((four, 32), (six, 128)):
        if not text.isdigit():
            raise RuleError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
        if int(text) > most:
            raise RuleError(f"invalid IPv{4 if most == 32 else 6} bit mask length 0x{int(text):02x}")
        bits.append(int(text))

    def make(request: Request) -> bytes:
        """RFC 7871 6: family, source and scope length, and as many bytes as the length needs."""
        address = ipaddress.ip_address(request.client)
        length = bits[0] if address.version == 4 else bits[1]
        network = ipaddress.ip_network(f"{address}/{length}", strict=False)
        data = network.network_address.packed[: (length + 7) // 8]
        return bytes([0, 1 if address.version == 4 else 2, length, 0]) + data

    return make
