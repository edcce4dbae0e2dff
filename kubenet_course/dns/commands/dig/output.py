"""What dig prints: printmessage(), received() and say_message() of dig.c."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kubenet_course.dns.client.lookup import SOA, Lookup, Query
from kubenet_course.dns.client.rdata import Layout, rdata_text
from kubenet_course.dns.client.text import (
    Style,
    edns_flags,
    flag_words,
    option_lines,
    question_line,
    record_line,
)
from kubenet_course.dns.client.wire import (
    ADDITIONAL,
    ANSWER,
    AUTHORITY,
    OPCODES,
    Message,
    class_text,
    rcode_text,
    type_text,
)  # fmt: skip
from kubenet_course.sim.loop import MICROSECOND, MILLISECOND, SECOND

if TYPE_CHECKING:
    from kubenet_course.dns.commands.dig.options import Parser
    from kubenet_course.userland.process import Process

SECTIONS = ((ANSWER, "ANSWER"), (AUTHORITY, "AUTHORITY"), (ADDITIONAL, "ADDITIONAL"))
#: What the sections of an update are called (RFC 2136).
UPDATE = 5
UPDATE_SECTIONS = {"QUESTION": "ZONE", "ANSWER": "PREREQUISITE", "AUTHORITY": "UPDATE"}


def style_of(lookup: Lookup, split: int | None) -> Style:
    """The columns that the options ask for."""
    layout = Layout(
        multiline=lookup.multiline, crypto=lookup.crypto, expand_aaaa=lookup.expand_aaaa, unknown=lookup.unknown, split=split,
        comments=lookup.rrcomments > 0 or (lookup.multiline and lookup.rrcomments >= 0),
        linebreak="\n\t\t\t\t" if lookup.multiline else " ",
    )  # fmt: skip
    columns = (24, 32, 40, 48)
    if lookup.multiline or not (lookup.ttl or lookup.show_class):
        columns = (24, 24, 24, 32)
    elif not (lookup.ttl and lookup.show_class):
        columns = (24, 24, 32, 40)
    return Style(*columns, lookup.ttl, lookup.ttl_units, lookup.show_class, layout)


def _title(name: str, message: Message) -> str:
    return UPDATE_SECTIONS.get(name, name) if message.opcode == UPDATE else name


def _counted(message: Message) -> tuple[str, ...]:
    """What +yaml calls the counts of the sections."""
    if message.opcode == UPDATE:
        return ("ZONE", "PREREQ", "UPDATE", "ADDITIONAL")
    return ("QUESTION", "ANSWER", "AUTHORITY", "ADDITIONAL")


def elapsed_text(query: Query) -> str:
    """in 3 ms"""
    if query.lookup.usec:
        return f"{query.elapsed // MICROSECOND} us"
    return f"{query.elapsed // MILLISECOND} ms"


class Printer:
    def __init__(self, proc: Process, parser: Parser):
        self.proc, self.parser = proc, parser

    # -- messages -------------------------------------------------------------------------------
    def message(self, query: Query, message: Message, sending: bool) -> None:
        lookup = query.lookup
        if lookup.yaml:
            self._yaml(query, message, sending)
            return
        if lookup.banner and self.parser.show_command and not self.parser.short:
            self.proc.print(lookup.banner, end="")
            lookup.banner = ""
        if self.parser.short:
            if not sending:
                self._short(query, message)
            elif lookup.stats:
                self.proc.print(f";; QUERY SIZE: {message.size}\n")
            return
        style = style_of(lookup, self.parser.split)
        if lookup.comments:
            self._header(query, message, sending)
        bare = sending and lookup.header_only
        if lookup.question and (message.questions or bare):
            if lookup.comments:
                self.proc.print(f";; {_title('QUESTION', message)} SECTION:")
            for question in message.questions:
                self.proc.print(f";{question_line(question, style)}")
            if lookup.comments:
                self.proc.print()
        for section, name in SECTIONS:
            self._section(query, message, section, name, style)
        if sending and lookup.stats:
            self.proc.print(f";; QUERY SIZE: {message.size}\n")

    def _header(self, query: Query, message: Message, sending: bool) -> None:
        lookup, say = query.lookup, self.proc.print
        say(";; Sending:" if sending else ";; Got answer:")
        say(
            f";; ->>HEADER<<- opcode: {OPCODES[message.opcode]}, status: {rcode_text(message.rcode)}, id: {message.id}"
        )
        counts = "; ".join(
            [
                "",
                ", ".join(
                    f"{name}: {count}"
                    for name, count in zip(("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL"), message.counts)
                ),
            ]
        )
        mbz = "; MBZ: 0x4" if message.flags & 0x40 else ""
        say(f";; flags:{''.join(f' {word}' for word in flag_words(message))}{mbz}{counts}")
        if not sending and message.flag(0x100) and not message.flag(0x80):
            say(";; WARNING: recursion requested but not available")
        if not sending and message.extra:
            say(
                f";; WARNING: Message has {message.extra} extra byte{'' if message.extra == 1 else 's'} at end"
            )
        say()
        sent = query.message.edns
        if not sending and sent is not None and message.edns is None and message.rcode in (1, 4):
            less = "+nodnssec " if lookup.dnssec else ""
            say(
                f";; WARNING: EDNS query returned status {rcode_text(message.rcode)} - retry with '{less}+noedns'\n"
            )
        if message.edns is not None:
            edns = message.edns
            flags, rest = edns_flags(edns)
            mbz = f" MBZ: 0x{rest:04x}," if rest else ""
            say(";; OPT PSEUDOSECTION:")
            say(f"; EDNS: version: {edns.version}, flags:{flags};{mbz} udp: {edns.size}")
            for line in option_lines(edns, message.cookie, sending=sending and lookup.padding > 0):
                say(f"; {line}")

    def _section(self, query: Query, message: Message, section: int, name: str, style: Style) -> None:
        lookup, records = query.lookup, message.sections[section]
        if not getattr(lookup, name.lower()) or not records:
            return
        if lookup.comments:
            self.proc.print(f";; {_title(name, message)} SECTION:")
        for record in records:
            if lookup.onesoa and lookup.transfer and record.rdtype == SOA:
                if query.soa_shown:
                    continue
                query.soa_shown = True
            self.proc.print(record_line(record, style))
        if lookup.comments:
            self.proc.print()

    def _short(self, query: Query, message: Message) -> None:
        """say_message()"""
        lookup = query.lookup
        if not lookup.answer:
            return
        layout = Layout(
            crypto=lookup.crypto,
            expand_aaaa=lookup.expand_aaaa,
            unknown=lookup.unknown,
            split=self.parser.split,
        )
        for record in message.answers:
            words = rdata_text(record, layout)
            if lookup.trace or lookup.ns_search:
                words = f"{type_text(record.rdtype)} {words}"
            if lookup.identify:
                words += f" from server {query.server.text} in {elapsed_text(query)}."
            self.proc.print(words)

    # -- statistics -----------------------------------------------------------------------------
    def received(self, query: Query) -> None:
        lookup = query.lookup
        if lookup.yaml:
            return
        if lookup.stats and not self.parser.short:
            wall = self.proc.system.host.wall_clock() // SECOND
            time_taken = (
                f"{query.elapsed // MICROSECOND} usec"
                if lookup.usec
                else f"{query.elapsed // MILLISECOND} msec"
            )
            self.proc.print(f";; Query time: {time_taken}")
            self.proc.print(
                f";; SERVER: {query.place}({query.server.name}) ({'TCP' if lookup.tcp else 'UDP'})"
            )
            self.proc.print(f";; WHEN: {time.strftime('%a %b %d %H:%M:%S UTC %Y', time.gmtime(wall))}")
            if lookup.transfer:
                self.proc.print(
                    f";; XFR size: {query.records} records (messages {query.messages}, bytes {query.bytes})\n"
                )
            else:
                self.proc.print(f";; MSG SIZE  rcvd: {query.bytes}\n")
        elif lookup.identify and not self.parser.short:
            self.proc.print(
                f";; Received {query.bytes} bytes from {query.place}({query.server.name}) in {elapsed_text(query)}\n"
            )

    # -- YAML -----------------------------------------------------------------------------------
    def _yaml(self, query: Query, message: Message, sending: bool) -> None:
        lookup, server = query.lookup, query.server
        recursive = message.flag(0x100) and (sending or message.flag(0x80))
        kind = f"{'RECURSIVE' if recursive else 'AUTH'}_{'QUERY' if sending else 'RESPONSE'}"
        six = server.address.family == 6
        lines = [
            "- type: MESSAGE",
            "  message:",
            f"    type: {kind}",
            f"    query_time: !!timestamp {self._stamp(query.sent)}",
        ]
        if not sending:
            lines.append(f"    response_time: !!timestamp {self._stamp(query.sent + query.elapsed)}")
        lines += [
            f"    message_size: {message.size}b", f"    socket_family: {'INET6' if six else 'INET'}",
            f"    socket_protocol: {'TCP' if lookup.tcp else 'UDP'}", f'    response_address: "{server.text}"',
            f"    response_port: {query.port}", f'    query_address: "{"::0" if six else "0.0.0.0"}"', "    query_port: 0",
            f"    {'query' if sending else 'response'}_message_data:", f"      opcode: {OPCODES[message.opcode]}",
            f"      status: {rcode_text(message.rcode)}", f"      id: {message.id}",
            f"      flags:{''.join(f' {word}' for word in flag_words(message))}",
            *(f"      {name}: {count}" for name, count in zip(_counted(message), message.counts)),
        ]  # fmt: skip
        if lookup.comments and message.edns is not None:
            edns = message.edns
            flags, rest = edns_flags(edns)
            lines += [
                "      OPT_PSEUDOSECTION:",
                "        EDNS:",
                f"          version: {edns.version}",
                f"          flags:{flags}",
            ]
            if rest:
                lines.append(f"          MBZ: 0x{rest:04x}")
            lines.append(f"          udp: {edns.size}")
            lines += [
                f"          {line}" if line else ""
                for line in option_lines(edns, message.cookie, yaml=True, sending=sending and lookup.padding > 0)
            ]
        if lookup.question and (message.questions or (sending and lookup.header_only)):
            lines.append(f"      {_title('QUESTION', message)}_SECTION:")
            lines += [
                f"        - '{_yaml_text(f'{q.name.to_text()} {class_text(q.rdclass)} {type_text(q.rdtype)}')}'"
                for q in message.questions
            ]
        layout = Layout(
            crypto=lookup.crypto,
            expand_aaaa=lookup.expand_aaaa,
            unknown=lookup.unknown,
            split=self.parser.split,
        )
        for section, name in SECTIONS:
            if getattr(lookup, name.lower()) and message.sections[section]:
                lines.append(f"      {_title(name, message)}_SECTION:")
                for record in message.sections[section]:
                    kind = f"{class_text(record.rdclass)} {type_text(record.rdtype)}"
                    words = f"{record.name.to_text()} {record.ttl} {kind} {rdata_text(record, layout)}"
                    lines.append(f"        - '{_yaml_text(words)}'")
        self.proc.print("\n".join(lines))

    def _stamp(self, when: int) -> str:
        """The wall clock at a moment of the loop's clock."""
        wall = self.proc.system.host.wall_clock() - (self.proc.loop.now - when)
        return (
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall // SECOND))
            + f".{wall % SECOND // MILLISECOND:03d}Z"
        )


def _yaml_text(text: str) -> str:
    return text.replace("'", "''")
