"""What nslookup prints of an answer (printmessage(), printsection(), detailsection() of nslookup.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.dns.client.lookup import AAAA, SOA, A, Query
from kubenet_course.dns.client.rdata import Layout, rdata_text
from kubenet_course.dns.client.text import short_name
from kubenet_course.dns.client.wire import (
    ADDITIONAL,
    ANSWER,
    AUTHORITY,
    Message,
    Record,
    class_text,
    rcode_text,
    type_text,
)
from kubenet_course.dns.commands.host import chased

if TYPE_CHECKING:
    from kubenet_course.dns.commands.nslookup.settings import Settings
    from kubenet_course.userland.process import Process

#: What stands between a name and a record's data; others "rdata_NN = ".
WORDS = {
    1: "internet address = ", 2: "nameserver = ", 3: "md = ", 4: "mf = ", 5: "canonical name = ", 6: "soa = ", 7: "mb = ", 8: "mg = ",
    9: "mr = ", 10: "rdata_10 = ", 11: "protocol = ", 12: "name = ", 13: "hinfo = ", 14: "minfo = ", 15: "mail exchanger = ", 16: "text = ",
    17: "rp = ", 18: "afsdb = ", 19: "x25 address = ", 20: "isdn address = ", 21: "rt = ", 22: "nsap = ", 23: "nsap_ptr = ",
    24: "signature = ", 25: "key = ", 26: "px = ", 27: "gpos = ", 28: "has AAAA address ", 29: "loc = ", 30: "next = ", 33: "service = ",
    35: "naptr = ", 36: "kx = ", 37: "cert = ", 38: "v6 address = ", 39: "dname = ",
}  # fmt: skip
SOA_FIELDS = ("serial", "refresh", "retry", "expire", "minimum")


class Printer:
    """`failed` and `nothing_shown` make the exit status; `follow` is a name to ask AAAA for."""

    def __init__(self, proc: Process, settings: Settings):
        self.proc, self.settings = proc, settings
        self.failed = False
        self.nothing_shown = True
        self.follow: str | None = None
        self.default_lookups = True
        self.found = False

    def begin(self, default_lookups: bool) -> None:
        """Before a name is looked up."""
        self.default_lookups = default_lookups
        self.found = False

    def message(self, query: Query, message: Message) -> None:
        lookup = query.lookup
        say = self.proc.print
        first = not self.default_lookups or lookup.rdtype == A
        self.nothing_shown = False
        if first:
            say(f"Server:\t\t{query.server.name}\nAddress:\t{query.place}\n")
        if self.settings.debug:
            self._details(message)
        if message.rcode:
            self.failed = True
            say(f"** server can't find {short_name(lookup.name)}: {rcode_text(message.rcode)}")
            return
        if self.default_lookups and lookup.rdtype == A:
            self.follow = chased(lookup.name, message)
        if first and not message.flag(0x400):
            say("Non-authoritative answer:")
        if message.answers:
            self.found = True
            for record in message.answers:
                self._say(record, answer=True)
        elif not (self.default_lookups and lookup.rdtype == A) and not self.found:
            say(f"*** Can't find {lookup.textname}: No answer")
        if lookup.rdtype not in (A, AAAA) and not message.flag(0x400):
            say("\nAuthoritative answers can be found from:")
            for section in (AUTHORITY, ADDITIONAL):
                for record in message.sections[section]:
                    self._say(record, answer=False)

    def _say(self, record: Record, answer: bool) -> None:
        name = short_name(record.name)
        if record.rdtype in (A, AAAA) and answer:
            self.proc.print(f"Name:\t{name}\nAddress: {rdata_text(record, Layout())}")
        elif record.rdtype == SOA:
            self.proc.print(name)
            self._soa(record)
        else:
            self.proc.print(f"{name}\t{self._words(record)}{rdata_text(record, Layout())}")

    @staticmethod
    def _words(record: Record) -> str:
        return WORDS.get(record.rdtype, f"rdata_{record.rdtype} = ")

    def _soa(self, record: Record) -> None:
        rdata = record.rdata
        self.proc.print(f"\torigin = {short_name(rdata.mname)}\n\tmail addr = {short_name(rdata.rname)}")  # type: ignore[attr-defined]
        for field in SOA_FIELDS:
            self.proc.print(f"\t{field} = {getattr(rdata, field)}")

    def _details(self, message: Message) -> None:
        """What `debug` shows of every section."""
        say = self.proc.print
        say("------------\n    QUESTIONS:")
        for question in message.questions:
            say(
                f"\t{short_name(question.name)}, type = {type_text(question.rdtype)}, class = {class_text(question.rdclass)}"
            )
        for section, title in (
            (ANSWER, "ANSWERS:"),
            (AUTHORITY, "AUTHORITY RECORDS:"),
            (ADDITIONAL, "ADDITIONAL RECORDS:"),
        ):
            say(f"    {title}")
            for record in message.sections[section]:
                say(f"    ->  {short_name(record.name)}")
                if record.rdtype == SOA:
                    self._soa(record)
                else:
                    say(f"\t{self._words(record)}{rdata_text(record, Layout())}")
                say(f"\tttl = {record.ttl}")
        say("------------")
