"""hosts: answers from a file in the format of /etc/hosts, and from lines in the Corefile (plugin/hosts)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import dns.message
import dns.rdatatype
import dns.reversename
import dns.rrset

from kubenet_course.dns.corefile import Dispenser
from kubenet_course.dns.names import fqdn, go_duration, longest_match, normalise_zone
from kubenet_course.dns.plugin import Fallthrough, Plugin, Request, ServerConfig


@dataclass
class Table:
    """Names → addresses per family, and addresses → names, in the order of the lines."""

    names4: dict[str, list[str]] = field(default_factory=dict)
    names6: dict[str, list[str]] = field(default_factory=dict)
    reverse: dict[str, list[str]] = field(default_factory=dict)

    def add(self, line: str, origins: list[str], *, with_reverse: bool) -> None:
        words = line.partition("#")[0].split()
        if len(words) < 2:
            return
        try:
            address = ipaddress.ip_address(words[0].partition("%")[0])
        except ValueError:
            return
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        for word in words[1:]:
            name = fqdn(word)
            if longest_match(origins, name) is None:
                continue
            table = self.names4 if address.version == 4 else self.names6
            if str(address) not in table.setdefault(name, []):
                table[name].append(str(address))
            if with_reverse and word not in self.reverse.setdefault(str(address), []):
                self.reverse[str(address)].append(name)


@dataclass
class Hosts(Plugin):
    config: ServerConfig
    path: str = "/etc/hosts"
    origins: list[str] = field(default_factory=list)
    fallthrough: Fallthrough = Fallthrough()
    inline: list[str] = field(default_factory=list)
    ttl: int = 3600
    reload: int = 5 * 10**9
    with_reverse: bool = True
    _table: Table | None = None
    _read_at: int = 0

    def table(self) -> Table:
        """The table, read again when `reload` has passed."""
        now = self.config.environment.now()
        if self._table is None or (self.reload and now >= self._read_at + self.reload):
            self._table, self._read_at = Table(), now
            text = self.config.environment.files.read(self.config.path(self.path)) or ""
            for line in [*text.splitlines(), *self.inline]:
                self._table.add(line, self.origins, with_reverse=self.with_reverse)
        return self._table

    def lookup(self, table: dict[str, list[str]], name: str) -> list[str]:
        """The name's addresses, else those of `*` in its parent."""
        if name in table:
            return table[name]
        return table.get("*." + name.partition(".")[2], [])

    async def serve_dns(self, request: Request) -> dns.message.Message:
        name, table = request.name, self.table()
        answers: list[str] = []
        kind = request.qtype
        if longest_match(self.origins, name) is None:
            if kind != dns.rdatatype.PTR:
                return await self.next_plugin(request)
        if kind == dns.rdatatype.PTR:
            answers = table.reverse.get(_address_of(name), [])
            if not answers:
                return await self.next_plugin(request)
        elif kind == dns.rdatatype.A:
            answers = self.lookup(table.names4, name)
        elif kind == dns.rdatatype.AAAA:
            answers = self.lookup(table.names6, name)
        if not answers and not self._exists(table, name):
            if self.fallthrough.through(name):
                return await self.next_plugin(request)
            return request.reply(dns.rcode.NXDOMAIN, authoritative=True)
        if not answers and self.fallthrough.through(name):
            return await self.next_plugin(request)
        reply = request.reply(authoritative=True)
        if answers:
            reply.answer.append(dns.rrset.from_text_list(request.qname, self.ttl, "IN", request.type, answers))
        return reply

    def _exists(self, table: Table, name: str) -> bool:
        return bool(self.lookup(table.names4, name) or self.lookup(table.names6, name))


def _address_of(name: str) -> str:
    """The address that a name of in-addr.arpa. or ip6.arpa. stands for, or ""."""
    try:
        return dns.reversename.to_address(dns.name.from_text(name))
    except (dns.exception.DNSException, ValueError):
        return ""


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Hosts(config, origins=list(config.zones))
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.error("plugin/hosts: this plugin can only be used once per Server Block")
        arguments = c.remaining_args()
        if arguments:
            handler.path = arguments[0]
            if arguments[1:]:
                handler.origins = config.origins(arguments[1:])
        while c.next_block():
            _property(c, handler)
    return handler


def _property(c: Dispenser, handler: Hosts) -> None:
    if c.text == "fallthrough":
        handler.fallthrough = Fallthrough.parse(c)
    elif c.text == "no_reverse":
        handler.with_reverse = False
    elif c.text == "ttl":
        words = c.remaining_args()
        if not words:
            raise c.error("ttl needs a time in second")
        if not words[0].lstrip("-").isdigit() or not 0 < int(words[0]) <= 65535:
            raise c.error("ttl provided is invalid")
        handler.ttl = int(words[0])
    elif c.text == "reload":
        words = c.remaining_args()
        if len(words) != 1:
            raise c.error("reload needs a duration (zero seconds to disable)")
        try:
            handler.reload = go_duration(words[0])
        except ValueError:
            raise c.error(f"invalid duration for reload '{words[0]}'") from None
        if handler.reload < 0:
            raise c.error(f"invalid negative duration for reload '{words[0]}'")
    elif handler.fallthrough.zones == () and _is_address(c.text):
        handler.inline.append(" ".join([c.text, *c.remaining_args()]))
    else:
        line = [c.text, *c.remaining_args()]
        if len(line) > 1 or not handler.inline and len(line) == 1 and _is_address(line[0]):
            handler.inline.append(" ".join(line))
            return
        raise c.error(f"unknown property '{line[0]}'")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


__all__ = ["Hosts", "normalise_zone", "setup"]
