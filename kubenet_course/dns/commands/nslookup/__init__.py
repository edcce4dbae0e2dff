"""nslookup 9.18: names and addresses, on the command line or line by line from standard input.

output     answers as nslookup prints them, with what `debug` shows
settings   `set`, `server` and the options of the command line
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.name

from kubenet_course.dns.client.engine import VERSION, Client, Fatal
from kubenet_course.dns.client.lookup import PTR, Lookup, Query
from kubenet_course.dns.commands.nslookup.output import Printer
from kubenet_course.dns.commands.nslookup.settings import Settings
from kubenet_course.userland.resolv_conf import scoped_address

if TYPE_CHECKING:
    from kubenet_course.dns.client.wire import Message
    from kubenet_course.userland.process import Process

USAGE = """Usage:
   nslookup [-opt ...]             # interactive mode using default server
   nslookup [-opt ...] - server    # interactive mode using 'server'
   nslookup [-opt ...] host        # just look up 'host' using default server
   nslookup [-opt ...] host server # just look up 'host' using 'server'"""
NOT_IMPLEMENTED = ("finger", "root", "ls", "view")


class Nslookup(Client):
    program = "nslookup"
    check_ra = True

    def __init__(self, proc: Process):
        super().__init__(proc)
        self.settings = Settings(proc, self)
        self.printer = Printer(proc, self.settings)
        self.done = False

    def print_message(self, query: Query, message: Message, sending: bool = False) -> None:
        self.printer.message(query, message)
        if self.printer.follow is not None:
            name, self.printer.follow = self.printer.follow, None
            lookup = query.lookup.clone(
                textname=name, rdtype=28, asked_type=28, new_search=False, origins=[None], origin=0, tries=self.settings.tries
            )
            self.queue.append(lookup)

    def comment(self, lookup: Lookup, text: str) -> None:
        self.proc.print(f";; {text}")

    def trying(self, name: dns.name.Name) -> None:
        """Nothing is said before a name is asked for."""

    # -- lookups --------------------------------------------------------------------------------
    def add(self, text: str) -> None:
        """addlookup(): an address is asked for by its name below in-addr.arpa or ip6.arpa."""
        settings = self.settings
        rdtype, rdclass = settings.type_number(), settings.class_number()
        lookup = Lookup(
            textname=text, rdtype=rdtype, asked_type=rdtype, rdclass=rdclass, recurse=settings.recurse, tcp=settings.tcp,
            fail=settings.fail, show_search=settings.debug, tries=settings.tries,
        )  # fmt: skip
        address = scoped_address(text) if ":" in text or text.count(".") == 3 else None
        if address is not None:
            from kubenet_course.userland.nss import reverse_name

            lookup.textname = reverse_name(address[0]) + ("." if address[0].family == 4 else "")
            lookup.rdtype = lookup.asked_type = PTR
        elif rdtype in (251, 252) or rdtype == 255 and not settings.tcp_set:
            lookup.tcp = True
        self.queue.append(lookup)

    async def look_up(self, text: str) -> None:
        self.printer.begin(self.settings.default_lookups)
        self.add(text)
        await self.run()

    # -- line by line ---------------------------------------------------------------------------
    async def interactive(self) -> None:
        while not self.done:
            line = await self.proc.stdin.readline()
            if not line:
                return
            words = line.decode("utf-8", "surrogateescape").split()
            if words:
                await self.command(words)

    async def command(self, words: list[str]) -> None:
        """get_next_command()"""
        word = words[0].lower()
        if word == "set" and len(words) > 1:
            await self.settings.set(words[1])
        elif word in ("server", "lserver"):
            if len(words) > 1:
                self.resolv_servers = await self.named_server(words[1])
                self.check_ra = False
            self.settings.show_servers()
        elif word == "exit":
            self.done = True
        elif word in ("help", "?"):
            self.proc.print(f"The '{words[0]}' command is not yet implemented.")
        elif word in NOT_IMPLEMENTED:
            self.proc.print(f"The '{words[0]}' command is not implemented.")
        else:
            await self.look_up(words[0])


async def main(proc: Process, argv: list[str]) -> int:
    client = Nslookup(proc)
    try:
        names = []
        for word in argv[1:]:
            if word.startswith("-") and len(word) > 1:
                if word[1:].startswith("ver"):
                    proc.error(f"nslookup {VERSION}")
                    return 0
                client.settings.pending.append(word[1:])
            else:
                names.append(word)
        client.setup()
        for option in client.settings.pending:
            await client.settings.set(option)
        if len(names) > 2:
            proc.error(USAGE)
            return 1
        if len(names) == 2:
            client.resolv_servers = await client.named_server(names[1])
            client.check_ra = False
        if names and names[0] != "-":
            await client.look_up(names[0])
        else:
            await client.interactive()
    except Fatal as fatal:
        return fatal.status
    proc.print()
    return 1 if client.printer.nothing_shown or client.printer.failed else 0
