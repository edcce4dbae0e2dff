"""dig's command line (bin/dig/dig.c): words in any order, options before the first name are for all, after it for that one."""

from __future__ import annotations

import binascii

from kubenet_course import errno
from kubenet_course.dns.client.engine import VERSION, Client, Fatal
from kubenet_course.dns.client.lookup import ANY, AXFR, IXFR, NS, PTR, Lookup
from kubenet_course.dns.client.wire import class_from_text, type_from_text
from kubenet_course.dns.commands.dig.plus import USAGE, PlusOptions
from kubenet_course.errors import KernelError
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolv_conf import scoped_address
from kubenet_course.wire.addresses import IPv6Address


def reverse_name(text: str) -> str:
    """get_reverse(): the name below in-addr.arpa or ip6.arpa; what is no IPv6 address is turned round at its dots."""
    if ":" in text:
        try:
            value = int(IPv6Address.parse(text))
            return ".".join(reversed(f"{value:032x}")) + ".ip6.arpa"
        except ValueError:
            pass
    return ".".join(reversed(text.split("."))) + ".in-addr.arpa."


class Parser(PlusOptions):
    """Reads words into `client.queue`. `short`, `show_command` and `split` are for the whole run, as in dig."""

    def __init__(self, proc: Process, client: Client):
        self.proc, self.client = proc, client
        self.default = Lookup(edns=0, ad=True, cookie=True, best_effort=True)
        self.current = self.default
        self.argv: list[str] = ["dig"]
        self.short = False
        self.show_command = True
        self.keep_question = self.keep_comments = False
        self.split: int | None = None
        self.first = True
        self.servers_found = 0
        self.open_type_class = True
        self.read_digrc = True
        self.config = False
        self.batch = ""

    # -- words ----------------------------------------------------------------------------------
    async def words(self, argv: list[str], batch: bool = False, config: bool = False) -> None:
        """parse_args(): the command line, a line of a `batch`, or of ~/.digrc (`config`, where names are passed over)."""
        common, self.in_file, self.config = self.default, batch or config, config
        if batch:  # what stands before a name holds for this line only
            self.default = self.current = common.clone()
        try:
            await self._words(argv)
        finally:
            self.default = common

    async def _words(self, argv: list[str]) -> None:
        at = 0
        self.open_type_class = True
        while at < len(argv) and not argv[at].startswith("%"):
            word = argv[at]
            at += 1
            if word.startswith("@"):
                servers = await self.client.named_server(word[1:])
                self.servers_found = len(servers)
                self.current.servers += servers
            elif word.startswith("+"):
                self.plus(word[1:])
            elif word.startswith("-"):
                at += self.dash(word[1:], argv[at] if at < len(argv) else None)
            elif not (self.open_type_class and self._type_or_class(word)) and not self.config:
                self.name(word)

    def name(self, text: str, **changes: object) -> None:
        """A name to look up: what comes after it is for it alone."""
        lookup = self.default.clone(textname=text, new_search=True)
        for field, value in changes.items():
            setattr(lookup, field, value)
        lookup.trace_root = lookup.trace or lookup.ns_search
        if lookup.ns_search:
            lookup.rdtype = NS
        self._greet(lookup)
        self.current = lookup
        self.client.queue.append(lookup)

    def _greet(self, lookup: Lookup) -> None:
        """printgreeting(): as things stand when the first name is read."""
        if self.first and self.show_command:
            banner = f"\n; <<>> DiG {VERSION} <<>>{''.join(f' {word}' for word in self.argv[1:])}\n"
            if self.servers_found:
                banner += f"; ({self.servers_found} server{'s' if self.servers_found != 1 else ''} found)\n"
            lookup.banner = (
                banner
                + f";; global options:{' +short' if self.short else ''}{' +cmd' if self.show_command else ''}\n"
            )
        self.first = False

    def finish(self) -> None:
        """Without a name, the root's name servers."""
        if not self.client.queue:
            lookup = self.default.clone(textname=".", rdtype=NS, new_search=True)
            lookup.trace_root = lookup.trace or lookup.ns_search
            self._greet(lookup)
            self.client.queue.append(lookup)

    def _type_or_class(self, word: str) -> bool:
        lookup = self.current
        if word.lower().startswith("ixfr="):
            self._set_type(IXFR, word[5:])
            return True
        rdtype = type_from_text(word)
        if rdtype == IXFR:
            self.proc.error(";; Warning, ixfr requires a serial number")
            return True
        if rdtype is not None:
            self._set_type(rdtype)
            return True
        rdclass = class_from_text(word)
        if rdclass is None:
            return False
        if lookup.class_set:
            self.proc.error(";; Warning, extra class option")
        lookup.rdclass, lookup.class_set = rdclass, True
        return True

    def _set_type(self, rdtype: int, serial: str = "") -> None:
        lookup = self.current
        if lookup.type_set:
            self.proc.error(";; Warning, extra type option")
        lookup.rdtype = lookup.asked_type = rdtype
        lookup.type_set = True
        if rdtype == IXFR:
            lookup.ixfr_serial = self.number("serial number", serial, 0xFFFFFFFF)
        if rdtype in (AXFR, IXFR):
            lookup.question, lookup.comments = self.keep_question, self.keep_comments
        if rdtype in (ANY, IXFR) and not lookup.tcp_set:
            lookup.tcp = True

    # -- -x -------------------------------------------------------------------------------------
    def dash(self, option: str, following: str | None) -> int:
        """One word of dash options; how many words more were used."""
        while option and option[0] in "46dhimnruv":
            self._flag(option[0])
            option = option[1:]
            if not option:
                return 0
        letter, value = option[:1], option[1:]
        used = 0
        if not value:
            if following is None or letter not in tuple("bcfkpqtxy"):
                raise self.invalid(f"-{option}")
            value, used = following, 1
        handler = {
            "b": self._source, "c": self._class, "f": self._batch, "k": self._key_file, "p": self._port, "q": self._query,
            "t": self._type, "x": self._reverse, "y": self._key,
        }.get(letter)  # fmt: skip
        if handler is None:
            raise self.invalid(f"-{option}")
        handler(value)
        return used

    def families(self, argv: list[str]) -> None:
        """preparse_args(): -4 and -6 hold from the beginning, wherever they stand."""
        skip = False
        for word in argv:
            if skip or not word.startswith("-"):
                skip = False
                continue
            rest = word[1:].lstrip("46dhimnruv")
            for letter in word[1 : len(word) - len(rest)]:
                if letter in "46":
                    if not (self.client.use4 if letter == "4" else self.client.use6):
                        raise self.client.fatal("only one of -4 and -6 allowed")
                    self.client.use4, self.client.use6 = letter == "4", letter == "6"
            skip = len(rest) == 1 and rest in "bcfkpqtvyx"

    def _flag(self, letter: str) -> None:
        if letter in "46":
            return  # see families()
        if letter == "h":
            self.proc.error("kubenet: dig: -h is not emulated; `man dig` has the real text")
            raise Fatal(1)
        if letter == "v":
            self.proc.error(f"DiG {VERSION}")
            raise Fatal(0)
        if letter == "u":
            self.current.usec = True
        elif letter == "r":
            self.read_digrc = False

    def _source(self, value: str) -> None:
        text, _, port = value.partition("#")
        address = scoped_address(text)
        if address is None:
            raise self.client.fatal(f"invalid address {text}")
        self.client.source = address[0] if int(address[0]) else None
        if port:
            self.client.source_port = self.number("port number", port, 65535, 1)

    def _port(self, value: str) -> None:
        self.client.port = self.number("port number", value, 65535, 1)

    def _class(self, value: str) -> None:
        if self.current.class_set:
            self.proc.error(";; Warning, extra class option")
        self.open_type_class = False
        rdclass = class_from_text(value)
        if rdclass is None:
            self.proc.error(f";; Warning, ignoring invalid class {value}")
            return
        self.current.rdclass, self.current.class_set = rdclass, True

    def _type(self, value: str) -> None:
        self.open_type_class = False
        if value.lower().startswith("ixfr="):
            self._set_type(IXFR, value[5:])
            return
        rdtype = type_from_text(value)
        if rdtype == IXFR:
            self.proc.error(";; Warning, ixfr requires a serial number")
        elif rdtype is None:
            self.proc.error(f";; Warning, ignoring invalid type {value}")
        else:
            self._set_type(rdtype)

    def _batch(self, value: str) -> None:
        self.batch = value

    def _query(self, value: str) -> None:
        if not self.config:
            self.name(value)

    def _reverse(self, value: str) -> None:
        changes: dict[str, object] = {} if self.default.type_set else {"rdtype": PTR, "asked_type": PTR}
        if not self.default.class_set:
            changes["rdclass"] = 1
        self.name(reverse_name(value), **changes)

    def _key_file(self, value: str) -> None:
        try:
            self.proc.files.read(value, self.proc, cwd=self.proc.cwd)
        except KernelError:
            self.proc.error(f"Couldn't read key from {value}: file not found")
            return
        raise self.unsupported("TSIG (-k)")

    def _key(self, value: str) -> None:
        parts = value.split(":")
        if len(parts) < 2:
            self.proc.error(USAGE)
            raise Fatal(1)
        *_, name, secret = parts
        try:
            if not secret or len(secret) % 4:
                raise binascii.Error
            binascii.a2b_base64(secret, strict_mode=True)
        except (binascii.Error, ValueError):
            self.proc.print(f";; Couldn't create key {name}: bad base64 encoding")
            return
        raise self.unsupported("TSIG (-y)")


async def read_lines(proc: Process, path: str) -> list[str] | None:
    """The lines of a batch file or of standard input; None where there is no such file."""
    if path == "-":
        text = await proc.stdin.read(-1)
    else:
        try:
            text = proc.files.read(path, proc, cwd=proc.cwd)
        except KernelError as failure:
            if failure.errno == errno.EISDIR:
                return []  # it can be opened, and has no lines
            proc.error(f"{path}: {failure.strerror}")
            return None
    return text.decode("utf-8", "surrogateescape").splitlines()
