"""transfer: gives whole zones away, over TCP, to those who may have them (AXFR; RFC 5936; plugin/transfer)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import longest_match
from kubenet_course.dns.plugin import Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.wire import MALFORMED

SOA, IXFR, AXFR = 6, 251, 252
RECORDS_A_MESSAGE = 500
SECOND = 10**9
TRIES = 3


@dataclass
class Rule:
    """`to` are addresses, or "*" for everybody."""

    zones: list[str]
    to: list[str] = field(default_factory=list)


@dataclass
class Transfer(Plugin):
    config: ServerConfig
    rules: list[Rule] = field(default_factory=list)

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if request.qtype not in (AXFR, IXFR):
            return await self.next_plugin(request)
        rule = self._rule(request.name)
        if rule is None:
            return await self.next_plugin(request)
        if not self._allowed(rule, request.client):
            raise PluginError("transfer", "", dns.rcode.REFUSED)
        zone = self._zone(request.name)
        if zone is None:
            return await self.next_plugin(request)
        soa, records = zone
        answer = request.reply(authoritative=True)
        serial = _serial(request.message) if request.qtype == IXFR else None
        if (serial is not None and serial == soa[0].serial) or (request.protocol == "udp" and request.qtype == IXFR):
            answer.answer.append(soa)
            return answer
        if request.protocol == "udp":
            raise PluginError("transfer", "", dns.rcode.REFUSED)
        answer.answer = [soa]
        request.more = self._messages(request, soa, records)
        text = f"Outgoing transfer of zone {request.name} to {request.client} for {soa[0].serial} SOA serial"
        self.config.environment.log(f"[INFO] plugin/transfer: {text}")
        return answer

    async def notify(self, zone: str) -> str:
        """Transfer.Notify(): tell those who may have the zone that it has changed (RFC 1996), each up to three times.

        "" or why the last of those who did not take it did not.
        """
        environment = self.config.environment
        rule = self._rule(zone)
        refused = ""
        for peer in rule.to if rule is not None else ():
            if peer == "*":
                continue
            problem = ""
            for _ in range(TRIES):
                query = dns.message.make_query(zone, "SOA", id=environment.random.getrandbits(16))
                query.flags = dns.flags.AA
                query.set_opcode(dns.opcode.NOTIFY)
                host, _, port = peer.rpartition(":")
                try:
                    wire = await environment.exchange(host.strip("[]"), int(port), query.to_wire(), "udp", 2 * SECOND)
                    code = dns.message.from_wire(wire).rcode()
                except (OSError, TimeoutError, *MALFORMED) as failure:
                    problem = f'"{failure}"'
                    continue
                if code == dns.rcode.NOERROR:
                    problem = ""
                    break
                problem = f'rcode was "{dns.rcode.to_text(code)}"'
            if problem:
                refused = f'notify for zone "{zone}" was not accepted by "{peer}": {problem}'
        return refused

    def _messages(self, request: Request, soa: dns.rrset.RRset, records: list[dns.rrset.RRset]) -> Iterator[dns.message.Message]:
        """The records after the SOA, in messages of at most 500, the SOA again at the end."""
        rows = [*records, soa]
        while rows:
            message = request.reply(authoritative=True)
            count = 0
            while rows and count < RECORDS_A_MESSAGE:
                count += len(rows[0])
                message.answer.append(rows.pop(0))
            yield message

    def _rule(self, name: str) -> Rule | None:
        zone = longest_match([zone for rule in self.rules for zone in rule.zones], name)
        return next((rule for rule in self.rules if zone in rule.zones), None) if zone is not None else None

    @staticmethod
    def _allowed(rule: Rule, client: str) -> bool:
        return any(to == "*" or _host(to) == client for to in rule.to)

    def _zone(self, name: str) -> tuple[dns.rrset.RRset, list[dns.rrset.RRset]] | None:
        """The SOA and the other records of a zone of that very name."""
        for zones, get in self.config.authoritative:
            if name in zones:
                zone = get(name)
                if zone is not None:
                    return zone.soa, list(zone.records())
        return None


def _serial(message: dns.message.Message) -> int | None:
    """What a client that asks for IXFR has already."""
    return next((int(rrset[0].serial) for rrset in message.authority if rrset.rdtype == SOA), None)


def _host(text: str) -> str:
    match = re.fullmatch(r"\[(.+)\](?::\d+)?|([^:]+)(?::\d+)?", text)
    return (match[1] or match[2]) if match else text


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Transfer(config)
    while c.next():
        rule = Rule(config.origins(c.remaining_args()))
        while c.next_block():
            if c.text != "to":
                raise c.error(f"unknown property '{c.text}'")
            words = c.remaining_args()
            if not words:
                raise c.arg_error()
            for word in words:
                rule.to.append(word if word == "*" else c.host_port(word))
        if not rule.to:
            raise c.plain("'to' is required")
        handler.rules.append(rule)
    return handler
