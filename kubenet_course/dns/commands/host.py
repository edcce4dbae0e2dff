"""host 9.18: a name's addresses and mail servers, an address's name, or any one kind of record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.name

from kubenet_course.dns.client.engine import VERSION, Client, Fatal
from kubenet_course.dns.client.lookup import AAAA, ANY, AXFR, IXFR, MX, NS, PTR, SOA, A, Lookup, Query
from kubenet_course.dns.client.rdata import Layout, rdata_text
from kubenet_course.dns.client.text import Style, flag_words, question_line, record_line, short_name
from kubenet_course.dns.client.wire import (
    ADDITIONAL,
    ANSWER,
    AUTHORITY,
    OPCODES,
    Message,
    Record,
    class_from_text,
    rcode_text,
    type_from_text,
    type_text,
)  # fmt: skip
from kubenet_course.sim.loop import MILLISECOND
from kubenet_course.userland.res_query import CNAME
from kubenet_course.userland.resolv_conf import scoped_address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

USAGE = """Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]
            [-R number] [-m flag] [-p port] hostname [server]
       -a is equivalent to -v -t ANY
       -A is like -a but omits RRSIG, NSEC, NSEC3
       -c specifies query class for non-IN data
       -C compares SOA records on authoritative nameservers
       -d is equivalent to -v
       -l lists all hosts in a domain, using AXFR
       -m set memory debugging flag (trace|record|usage)
       -N changes the number of dots allowed before root lookup is done
       -p specifies the port on the server to query
       -r disables recursive processing
       -R specifies number of retries for UDP packets
       -s a SERVFAIL response should stop query
       -t specifies the query type
       -T enables TCP/IP mode
       -U enables UDP mode
       -v enables verbose output
       -V print version number and exit
       -w specifies to wait forever for a reply
       -W specifies how long to wait for a reply
       -4 use IPv4 query transport only
       -6 use IPv6 query transport only"""

#: What a record is, in words; others "has … record".
WORDS = {
    1: "has address", 2: "name server", 5: "is an alias for", 11: "has well known services", 12: "domain name pointer",
    13: "host information", 15: "mail is handled by", 16: "descriptive text", 19: "x25 address", 20: "ISDN address", 24: "has signature",
    25: "has key", 28: "has IPv6 address", 29: "location",
}  # fmt: skip
DNSSEC_TYPES = (46, 47, 50)
FOREVER = 1 << 31


NXDOMAIN = 3


class Host(Client):
    program = "host"
    bad_name_status = 1
    check_ra = True
    default_tries = 2

    def __init__(self, proc: Process):
        super().__init__(proc)
        self.lookup = Lookup(recurse=True, fail=False, tries=2)
        self.verbose = False
        self.default_lookups = True
        self.listing = self.almost_all = False
        self.list_type = ANY
        self.list_addresses = True
        self.type_given = False
        self.server_named = self.server_shown = False
        #: -1 until an answer was shown.
        self.seen_error = -1

    # -- the command line -----------------------------------------------------------------------
    def options(self, argv: list[str]) -> list[str]:
        """Letters as getopt(3) of BSD reads them: the first word that is none ends them. Fatal."""
        words = argv[1:]
        while words and words[0].startswith("-") and len(words[0]) > 1:
            word = words.pop(0)
            if word == "--":
                break
            at = 1
            while at < len(word):
                letter = word[at]
                at += 1
                if letter not in "46aAc:dilnm:p:rst:vVwCDN:R:TUW:" or letter == ":":
                    raise self.usage(f"illegal option -- {letter}")
                if letter not in "cmptNRW":
                    self.flag(letter)
                    continue
                if at == len(word) and not words:
                    raise self.usage(f"option requires an argument -- {letter}")
                self.value(letter, word[at:] or words.pop(0))
                break
        if not words:
            raise self.usage("")
        return words

    def usage(self, problem: str) -> Fatal:
        if problem:
            self.proc.error(f"host: {problem}")
        self.proc.error(USAGE)
        return Fatal(1)

    def flag(self, letter: str) -> None:
        lookup = self.lookup
        if letter in "46":
            if not (self.use4 if letter == "4" else self.use6):
                raise self.fatal("only one of -4 and -6 allowed")
            self.use4, self.use6 = letter == "4", letter == "6"
        elif letter == "V":
            self.proc.error(f"host {VERSION}")
            raise Fatal(0)
        elif letter == "D":
            self.proc.error("kubenet: host: debugging output (-D) is not emulated")
            raise Fatal(1)
        elif letter in "aA":
            if self.listing:
                self.almost_all = letter == "A"
                self.list_addresses = False
            else:
                lookup.rdtype, self.type_given = ANY, True
                self.almost_all = letter == "A"
                self.list_addresses = False
            self.verbose, self.default_lookups = True, False
        elif letter in "vd":
            self.verbose = True
        elif letter == "l":
            lookup.tcp = self.listing = True
            lookup.rdtype = AXFR
            self.default_lookups = False
        elif letter == "C":
            lookup.rdtype, self.type_given = SOA, True
            lookup.rdtype = NS
            lookup.ns_search = lookup.identify = True
            self.default_lookups = False
        elif letter == "r":
            lookup.recurse = False
        elif letter == "T":
            lookup.tcp, lookup.tcp_set = True, True
        elif letter == "U":
            lookup.tcp, lookup.tcp_set = False, True
        elif letter == "s":
            lookup.fail = True
        elif letter == "w":
            self.timeout = FOREVER

    def value(self, letter: str, text: str) -> None:
        lookup = self.lookup
        if letter == "t":
            self._type(text)
        elif letter == "c":
            rdclass = class_from_text(text)
            if rdclass is None:
                raise self.fatal(f"invalid class: {text}\n", 2)
            lookup.rdclass, self.default_lookups = rdclass, False
        elif letter == "p":
            self.port = atoi(text) & 0xFFFF
        elif letter == "N":
            self.ndots = atoi(text)
        elif letter == "R":
            lookup.tries = max(atoi(text) + 1, 2)
        elif letter == "W":
            self.timeout = max(atoi(text), 1) if text[:1].isdigit() else 1

    def _type(self, text: str) -> None:
        lookup = self.lookup
        if text.lower().startswith("ixfr="):
            rdtype: int | None = IXFR
            lookup.ixfr_serial = atoi(text[5:])
        else:
            rdtype = type_from_text(text)
        if rdtype is None:
            raise self.fatal(f"invalid type: {text}\n", 2)
        self.list_type, self.list_addresses = rdtype, rdtype == ANY
        if not self.listing and lookup.rdtype != AXFR:
            lookup.rdtype = rdtype
        elif rdtype == ANY:
            self.list_addresses = True
        self.type_given, self.default_lookups = True, False
        if rdtype in (AXFR, IXFR):
            lookup.tcp = True
            if rdtype == AXFR:
                self.verbose, self.list_addresses, self.list_type = True, False, ANY
        elif rdtype == ANY and not lookup.tcp_set:
            lookup.tcp = True

    def queue_name(self, text: str) -> None:
        address = scoped_address(text) if ":" in text or text.count(".") == 3 else None
        lookup = self.lookup
        if address is not None:
            from kubenet_course.userland.nss import reverse_name

            name = reverse_name(address[0])
            lookup.textname = name + "." if address[0].family == 4 else name
            lookup.rdtype, self.default_lookups = PTR, False
        else:
            lookup.textname = text
        lookup.asked_type = lookup.rdtype
        lookup.trace_root = lookup.ns_search
        lookup.new_search = True
        self.queue.append(lookup)

    # -- answers --------------------------------------------------------------------------------
    def trying(self, name: dns.name.Name) -> None:
        if self.verbose:
            self.proc.print(f'Trying "{short_name(name)}"')

    def received(self, query: Query, size: int) -> None:
        if self.verbose:
            self.proc.print(f"Received {size} bytes from {query.place} in {query.elapsed // MILLISECOND} ms")

    def print_message(self, query: Query, message: Message, sending: bool = False) -> None:
        lookup = query.lookup
        say = self.proc.print
        if self.server_named and not self.server_shown:
            say(f"Using domain server:\nName: {query.server.name}\nAddress: {query.place}\nAliases: \n")
            self.server_shown = True
        if message.rcode:
            name = lookup.textname if message.rcode == NXDOMAIN else short_name(lookup.name)
            if lookup.ns_search:
                say(
                    f"Nameserver {query.server.text}:\n\t{name} not found: {message.rcode}({rcode_text(message.rcode)})"
                )
            else:
                say(f"Host {name} not found: {message.rcode}({rcode_text(message.rcode)})")
            self.seen_error = 1
            return
        if self.seen_error < 0:
            self.seen_error = 0
        if self.default_lookups and lookup.rdtype == A:
            self._more_lookups(lookup, message)
        if self.verbose:
            self._verbose(query, message)
            return
        shown = [record for record in message.answers if self._wanted(record)]
        for record in shown:
            self._say(query, record)
        if not message.answers and not self.default_lookups and lookup.rdtype != AXFR:
            say(f"{short_name(lookup.name)} has no {type_text(lookup.rdtype)} record")

    def _more_lookups(self, lookup: Lookup, message: Message) -> None:
        """AAAA and MX of what the CNAMEs lead to."""
        name = chased(lookup.name, message)
        for rdtype in (AAAA, MX):
            self.queue.append(
                lookup.clone(
                    textname=name, rdtype=rdtype, asked_type=rdtype, new_search=False, origins=[None], origin=0,
                    tries=self.lookup_tries,
                )  # fmt: skip
            )

    @property
    def lookup_tries(self) -> int:
        return self.first_tries

    first_tries = 2

    @property
    def _filters(self) -> bool:
        """Whether not every record of an answer is shown: -l, and -t AXFR with another -t after it."""
        return self.listing or self.lookup.rdtype == AXFR

    def _wanted(self, record: Record) -> bool:
        """The filters of -l and -A."""
        if self.almost_all and record.rdtype in DNSSEC_TYPES:
            return False
        if not self._filters:
            return True
        if self.list_addresses:
            return (
                record.rdtype in (A, AAAA, NS, PTR)
                if self.list_type == ANY and not self.type_given
                else record.rdtype in (A, AAAA)
            )
        return self.list_type in (ANY, record.rdtype)

    def _say(self, query: Query, record: Record) -> None:
        words = WORDS.get(record.rdtype) or f"has {type_text(record.rdtype)} record"
        if query.lookup.identify:
            self.proc.print(f"Nameserver {query.server.text}:\n\t", end="")
        self.proc.print(f"{short_name(record.name)} {words} {rdata_text(record, Layout())}")

    def _verbose(self, query: Query, message: Message) -> None:
        say = self.proc.print
        say(
            f";; ->>HEADER<<- opcode: {OPCODES[message.opcode]}, status: {rcode_text(message.rcode)}, id: {message.id}"
        )
        counts = ", ".join(
            f"{name}: {count}"
            for name, count in zip(("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL"), message.counts)
        )
        say(f";; flags: {' '.join(flag_words(message))}; {counts}")
        if message.edns is not None:
            say(f";; EDNS: version: {message.edns.version}, udp={message.edns.size}")
        style = Style()
        filtered = self._filters and (self.list_addresses or self.list_type != ANY)
        if message.questions:
            say("\n;; QUESTION SECTION:")
            for question in message.questions:
                say(";" if filtered else f";{question_line(question, style)}", end="" if filtered else "\n")
            if filtered:
                say(end="")
        for section, name in ((ANSWER, "ANSWER"), (AUTHORITY, "AUTHORITY"), (ADDITIONAL, "ADDITIONAL")):
            if not message.sections[section]:
                continue
            say(f"\n;; {name} SECTION:")
            for record in message.sections[section]:
                if self._wanted(record):
                    say(record_line(record, style))
        say()


def chased(name: dns.name.Name, message: Message) -> str:
    """chase_cnamechain(): where the CNAMEs of an answer lead, as text without the last dot."""
    links: dict[dns.name.Name, dns.name.Name] = {}
    for record in message.answers:
        if record.rdtype == CNAME:
            links.setdefault(record.name, record.rdata.target)  # type: ignore[attr-defined]
    for _ in range(message.counts[ANSWER]):
        target = links.get(name)
        if target is None:
            break
        name = target
    return short_name(name)


def atoi(text: str) -> int:
    """atoi(3)"""
    digits = text.strip()
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    end = next((at for at, letter in enumerate(digits) if not ("0" <= letter <= "9")), len(digits))
    return sign * int(digits[:end] or "0")


async def main(proc: Process, argv: list[str]) -> int:
    client = Host(proc)
    try:
        words = client.options(argv)
        client.first_tries = client.lookup.tries
        client.setup()
        if len(words) > 1:
            client.resolv_servers = await client.named_server(words[1])
            client.server_named, client.check_ra = True, False
        client.queue_name(words[0])
        await client.run()
    except Fatal as fatal:
        return fatal.status
    return 0 if client.seen_error == 0 else 1
