"""hosts: answers from a file in the format of /etc/hosts, and from lines in the Corefile (plugin/hosts)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.reversename
import dns.rrset

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.names import fqdn, go_duration, longest_match, parent
from kubenet_course.dns.plugin import Fallthrough, Plugin, PluginError, Request, ServerConfig
from kubenet_course.dns.wire import fixed, with_name

A, PTR, AAAA = 1, 12, 28


@dataclass
class Table:
    """Records by name: addresses of either family, and names by the address's reverse name."""

    records: dict[int, dict[str, dns.rrset.RRset]] = field(default_factory=lambda: {A: {}, AAAA: {}, PTR: {}})
    entries: int = 0

    def add(self, line: str, origins: list[str], *, with_reverse: bool, ttl: int) -> None:
        words = line.partition("#")[0].split()
        if len(words) < 2:
            return
        try:
            address = ipaddress.ip_address(words[0].partition("%")[0])
        except ValueError:
            return
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        kind = A if address.version == 4 else AAAA
        for word in words[1:]:
            name = fqdn(word)
            if longest_match(origins, name) is None:
                continue
            try:
                self._put(kind, name, str(address), ttl)
                if with_reverse:
                    self._put(PTR, dns.reversename.from_address(str(address)).to_text(), name, ttl)
            except dns.exception.DNSException:
                continue  # a name that cannot be one, as the real one leaves out
            self.entries += 1

    def _put(self, kind: int, name: str, value: str, ttl: int) -> None:
        rdata = dns.rdata.from_text("IN", dns.rdatatype.RdataType.make(kind), value)
        rrset = self.records[kind].get(name)
        if rrset is None:
            rrset = dns.rrset.RRset(dns.name.from_text(name), rdata.rdclass, rdata.rdtype)
            self.records[kind][name] = rrset
        rrset.add(rdata, ttl)

    def lookup(self, kind: int, name: str) -> dns.rrset.RRset | None:
        """The name's records, else those of `*` in its place or in its parent's."""
        table = self.records[kind]
        found = table.get(name)
        if found is None and kind != PTR:
            found = table.get(f"*.{parent(name)}") or table.get(f"*.{name}")
        return found


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
    _text: str | None = None

    def table(self) -> Table:
        """The table, read again when `reload` has passed and the file is another."""
        environment = self.config.environment
        now = environment.now()
        if self._table is None or (self.reload and now >= self._read_at + self.reload):
            self._read_at = now
            text = environment.files.read(self.config.path(self.path)) or ""
            if self._table is None or text != self._text:
                self._text = text
                self._table = Table()
                for line in [*text.splitlines(), *self.inline]:
                    self._table.add(line, self.origins, with_reverse=self.with_reverse, ttl=self.ttl)
                for records in self._table.records.values():
                    records.update({name: fixed(rrset) for name, rrset in records.items()})
                environment.metrics.set("coredns_hosts_entries", self._table.entries)
                environment.metrics.set("coredns_hosts_reload_timestamp_seconds", environment.time())
        return self._table

    async def serve_dns(self, request: Request) -> dns.message.Message:
        name, kind = request.name, request.qtype
        zone = longest_match(self.origins, name)
        if zone is None and kind != PTR:
            return await self.next_plugin(request)
        table = self.table()
        found = table.lookup(kind, name) if kind in (A, AAAA, PTR) else None
        if kind == PTR and found is None:
            return await self.next_plugin(request)
        if found is None and not any(table.lookup(other, name) for other in (A, AAAA)):
            if self.fallthrough.through(name):
                return await self.next_plugin(request)
            raise PluginError("hosts", "", dns.rcode.SERVFAIL)  # there is no SOA to deny it with
        reply = request.reply(authoritative=True)
        if found is not None:
            reply.answer.append(with_name(found, request.question))
        return reply


def setup(c: Dispenser, config: ServerConfig) -> Plugin:
    handler = Hosts(config, origins=list(config.zones))
    uses = 0
    while c.next():
        uses += 1
        if uses > 1:
            raise c.once()
        arguments = c.remaining_args()
        if arguments:
            handler.path = arguments[0]
            if arguments[1:]:
                handler.origins = config.origins(arguments[1:])
            path = config.path(handler.path)
            problem = config.environment.problem(path)
            if problem == "no such file or directory":
                config.environment.log(f"[WARNING] plugin/hosts: File does not exist: {path}")
        while c.next_block():
            _property(c, handler)
        if not handler.fallthrough.zones:
            for line in handler.inline:
                if " " not in line:
                    raise c.error(f"unknown property '{line}'")
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
    elif not handler.fallthrough.zones:
        handler.inline.append(" ".join([c.text, *c.remaining_args()]))
    else:
        raise c.error(f"unknown property '{c.text}'")
