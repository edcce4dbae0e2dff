"""dig 9.18: questions to DNS servers, with everything that comes back.

options    the command line
output     answers as text, as one value a line (+short), as YAML
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.dns.client.engine import Client, Fatal
from kubenet_course.dns.commands.dig.options import Parser, read_lines
from kubenet_course.dns.commands.dig.output import Printer
from kubenet_course.errors import KernelError

if TYPE_CHECKING:
    from kubenet_course.dns.client.lookup import Lookup, Query
    from kubenet_course.dns.client.wire import Message
    from kubenet_course.userland.process import Process


class Dig(Client):
    """`printer` says what came; the parser's settings for the whole run are its."""

    use_search = False

    def __init__(self, proc: Process):
        super().__init__(proc)
        self.parser = Parser(proc, self)
        self.printer = Printer(proc, self.parser)

    def print_message(self, query: Query, message: Message, sending: bool = False) -> None:
        self.printer.message(query, message, sending)

    def received(self, query: Query, size: int) -> None:
        self.printer.received(query)

    def comment(self, lookup: Lookup, text: str) -> None:
        if lookup.comments and not lookup.yaml:
            self.proc.print(f";; {text}")

    def error(self, lookup: Lookup, text: str) -> None:
        if lookup.yaml:
            self.proc.print(f"- type: DIG_ERROR\n  message: |\n    {text}")
        else:
            super().error(lookup, text)

    async def parse(self, argv: list[str]) -> None:
        """~/.digrc, then the command line."""
        parser = self.parser
        parser.argv = argv
        parser.families(argv[1:])
        if not any(word.startswith("-r") for word in argv[1:]):
            try:
                text = self.proc.files.read(f"{self.proc.env.get('HOME', '')}/.digrc", self.proc)
            except KernelError:
                text = b""
            for line in text.decode("utf-8", "surrogateescape").splitlines():
                await parser.words(line.split(), config=True)
        await parser.words(argv[1:])
        if not parser.batch:
            parser.finish()

    async def batch(self, path: str) -> None:
        """-f: each line is a command line; the settings for all are those of the real one."""
        lines = await read_lines(self.proc, path)
        if lines is None:
            raise self.fatal("couldn't open specified batch file", 8)
        await self.run()
        for line in lines:
            await self.parser.words(line.split(), batch=True)
            self.parser.finish()
            await self.run()


async def main(proc: Process, argv: list[str]) -> int:
    client = Dig(proc)
    try:
        await client.parse(argv)
        client.setup()
        if client.parser.batch:
            await client.batch(client.parser.batch)
        else:
            await client.run()
    except Fatal as fatal:
        return fatal.status
    return client.exit_status
