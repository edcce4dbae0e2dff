"""dns64: makes IPv6 addresses out of IPv4 ones, for clients behind NAT64 (RFC 6147; plugin/dns64)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import dns.message
import dns.rcode
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.plugin import Plugin, Request, ServerConfig

A, SOA, AAAA = 1, 6, 28
WELL_KNOWN = "64:ff9b::/96"


@dataclass
class Dns64(Plugin):
    config: ServerConfig
    prefix: ipaddress.IPv6Network = field(default_factory=lambda: ipaddress.IPv6Network(WELL_KNOWN))
    translate_all: bool = False
    allow_ipv4: bool = False

    async def serve_dns(self, request: Request) -> dns.message.Message:
        if request.qtype != AAAA or (request.family == 4 and not self.allow_ipv4):
            return await self.next_plugin(request)
        answer = await self.next_plugin(request)
        if not self._wanted(answer) or request.lookup is None:
            return answer
        four = await request.lookup(request.asked(request.question, A))
        if four.rcode() not in (dns.rcode.NOERROR,) or not four.answer:
            return answer
        self.config.environment.metrics.count("coredns_dns64_requests_translated_total", server=f"dns://{self.config.listen_text}")
        return self._synthesize(request, answer, four)

    def _wanted(self, answer: dns.message.Message) -> bool:
        """RFC 6147 5.1: nothing for NXDOMAIN, and only where there are no AAAA records."""
        if answer.rcode() == dns.rcode.NXDOMAIN:
            return False
        if answer.rcode() != dns.rcode.NOERROR:
            return True
        return self.translate_all or not any(rrset.rdtype == AAAA for rrset in answer.answer)

    def _synthesize(self, request: Request, original: dns.message.Message, four: dns.message.Message) -> dns.message.Message:
        """RFC 6147 5.1.7: the TTL is the least of the A's and of the SOA's in the answer to the AAAA query (600 without)."""
        limit = next((rrset.ttl for rrset in original.authority if rrset.rdtype == SOA), 600)
        result = request.reply()
        result.flags |= four.flags & 0x0680
        for rrset in four.answer:
            if rrset.rdtype != A:
                result.answer.append(rrset)
                continue
            addresses = [str(self.embed(record.address)) for record in rrset]
            result.answer.append(dns.rrset.from_text_list(rrset.name, min(rrset.ttl, limit), "IN", "AAAA", addresses))
        return result

    def embed(self, address: str) -> ipaddress.IPv6Address:
        """RFC 6052 2.2: the IPv4 address after the prefix, around the eighth byte, which stays 0."""
        data = bytearray(self.prefix.network_address.packed)
        position = self.prefix.prefixlen // 8
        for byte in ipaddress.IPv4Address(address).packed:
            if position == 8 and self.prefix.prefixlen < 96:
                position += 1
            data[position] = byte
            position += 1
        return ipaddress.IPv6Address(bytes(data))


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Dns64(config)
    while c.next():
        arguments = c.remaining_args()
        if len(arguments) > 1:
            raise c.arg_error()
        if arguments:
            handler.prefix = _prefix(c, arguments[0])
        while c.next_block():
            if c.text == "prefix":
                if not c.next_arg():
                    raise c.arg_error()
                handler.prefix = _prefix(c, c.text)
            elif c.text == "translate_all":
                handler.translate_all = True
            elif c.text == "allow_ipv4":
                handler.allow_ipv4 = True
            else:
                raise c.error(f"unknown property '{c.text}'")
    return handler


def _prefix(c: Dispenser, text: str) -> ipaddress.IPv6Network:
    try:
        prefix = ipaddress.IPv6Network(text, strict=False)
    except ValueError:
        raise c.error(f"invalid prefix {text}: invalid CIDR address: {text}") from None
    if prefix.prefixlen not in (32, 40, 48, 56, 64, 96):
        raise c.error(f"invalid prefix length {prefix.prefixlen}, must be one of 32, 40, 48, 56, 64 or 96")
    return prefix
