"""dig's command line (bin/dig/dig.c): words in any order, options before the first name are for all, after it for that one."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable

from kubenet_course.dns.client import resolvconf
from kubenet_course.dns.client.engine import VERSION, Client, Fatal
from kubenet_course.dns.client.lookup import A, ANY, AXFR, DEFAULT_BUFSIZE, IXFR, NS, PTR, Lookup
from kubenet_course.dns.client.wire import OPCODES, class_from_text, type_from_text
from kubenet_course.errors import KernelError
from kubenet_course.userland.process import Process
from kubenet_course.wire.addresses import IPv6Address

USAGE = """Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options"""

#: Options that switch one field of the lookup: name → field, and whether they are turned round.
SWITCHES = {
    "aaflag": "aa", "aaonly": "aa", "additional": "additional", "adflag": "ad", "answer": "answer", "authority": "authority",
    "badcookie": "badcookie", "besteffort": "best_effort", "cdflag": "cd", "class": "show_class", "crypto": "crypto",
    "ednsnegotiation": "negotiate", "expandaaaa": "expand_aaaa", "expire": "expire", "fail": "fail", "header-only": "header_only",
    "identify": "identify", "ignore": "ignore", "keepalive": "keepalive", "multiline": "multiline", "nsid": "nsid", "onesoa": "onesoa",
    "qr": "qr", "question": "question", "raflag": "ra", "rdflag": "recurse", "recurse": "recurse", "showbadcookie": "show_badcookie",
    "stats": "stats", "tcflag": "tc", "ttlid": "ttl", "ttl": "ttl", "unknownformat": "unknown", "zflag": "z",
}  # fmt: skip
VALUES = (
    "bufsize", "cookie", "domain", "edns", "ednsflags", "ednsopt", "ndots", "opcode", "padding", "qid", "retry", "split", "subnet",
    "timeout", "tries",
)  # fmt: skip
OTHERS = (
    "all", "cmd", "comments", "defname", "dnssec", "do", "idnin", "idnout", "keepopen", "mapped", "nssearch", "rrcomments", "search", "short",
    "showsearch", "tcp", "trace", "ttlunits", "vc", "yaml",
)  # fmt: skip
MISSING = ("coflag", "dns64prefix", "https", "https-get", "http-plain", "http-plain-get", "tls", "tls-ca", "tls-hostname", "tls-certfile", "tls-keyfile")
ALL = (*SWITCHES, *VALUES, *OTHERS, *MISSING)
SYNONYMS = {"aa": "aaflag", "ad": "adflag", "cd": "cdflag", "do": "dnssec", "ra": "raflag", "rd": "rdflag"}
#: +ednsopt by name.
EDNS_CODES = {
    "llq": 1, "ul": 2, "nsid": 3, "dau": 5, "dhu": 6, "n3u": 7, "ecs": 8, "expire": 9, "cookie": 10, "keepalive": 11, "padding": 12,
    "pad": 12, "chain": 13, "key-tag": 14, "ede": 15, "client-tag": 16, "server-tag": 17,
}  # fmt: skip


def option_name(text: str) -> str | None:
    """The option's full name: dig takes what begins only one of them."""
    if text in SYNONYMS:
        return SYNONYMS[text]
    if text in ALL:
        return text
    found = [name for name in ALL if name.startswith(text)]
    return found[0] if len(found) == 1 and text else None


def reverse_name(text: str) -> str:
    """get_reverse(): the name below in-addr.arpa or ip6.arpa; what is no IPv6 address is turned round at its dots."""
    if ":" in text:
        try:
            value = int(IPv6Address.parse(text))
            return ".".join(reversed(f"{value:032x}")) + ".ip6.arpa"
        except ValueError:
            pass
    return ".".join(reversed(text.split("."))) + ".in-addr.arpa."


class Parser:
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
        self.batch = ""

    # -- words ----------------------------------------------------------------------------------
    async def words(self, argv: list[str], batch: bool = False) -> None:
        """parse_args()"""
        at = 0
        if batch:
            self.current = self.default
        self.open_type_class = True
        while at < len(argv):
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
            elif not (self.open_type_class and self._type_or_class(word)):
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
            lookup.banner = banner + f";; global options:{' +short' if self.short else ''}{' +cmd' if self.show_command else ''}\n"
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
            lookup.tcp = True
        elif rdtype == ANY and not lookup.tcp_set:
            lookup.tcp = True

    # -- numbers and complaints -----------------------------------------------------------------
    def number(self, what: str, text: str, limit: int, status: int = 10) -> int:
        """parse_uint(): says what is wrong; Fatal."""
        problem = "not a valid number" if not (text.isascii() and text.isdigit()) else "out of range" if int(text) > limit else ""
        if problem:
            self.proc.print(f"invalid {what} '{text}': {problem}")
            raise self.client.fatal(f"Couldn't parse {'port number' if what == 'port number' else what}", status)
        return int(text)

    def invalid(self, option: str) -> Fatal:
        self.proc.error(f"Invalid option: {option}\n{USAGE}")
        return Fatal(1)

    def unsupported(self, what: str) -> Fatal:
        self.proc.error(f"kubenet: dig: {what} is not emulated")
        return Fatal(1)

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

    def _flag(self, letter: str) -> None:
        client = self.client
        if letter in "46":
            if not (client.use4 and client.use6):
                raise client.fatal("only one of -4 and -6 allowed")
            client.use4, client.use6 = letter == "4", letter == "6"
        elif letter == "h":
            self.proc.error("kubenet: dig: -h is not emulated; `man dig` has the real text")
            raise Fatal(1)
        elif letter == "v":
            self.proc.error(f"DiG {VERSION}")
            raise Fatal(0)
        elif letter == "u":
            self.default.usec = self.current.usec = True
        elif letter == "r":
            self.read_digrc = False

    def _source(self, value: str) -> None:
        text, _, port = value.partition("#")
        address = resolvconf.parse_address(text)
        if address is None:
            raise self.client.fatal(f"invalid address {text}")
        self.client.source = address[0] if int(address[0]) else None
        if port:
            self.client.source_port = self.number("port number", port, 65535, 1)

    def _port(self, value: str) -> None:
        self.client.port = self.number("port number", value, 65535, 1)

    def _class(self, value: str) -> None:
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
        self.name(value)

    def _reverse(self, value: str) -> None:
        changes: dict[str, object] = {} if self.default.type_set else {"rdtype": PTR, "asked_type": PTR}
        self.name(reverse_name(value), **changes, rdclass=1)
        self.current.type_set = True

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

    # -- +x -------------------------------------------------------------------------------------
    def plus(self, option: str) -> None:
        """plus_option()"""
        words = [word for word in re.split("=", option, maxsplit=1) if word]
        if not words:
            self.proc.print(";; Invalid option ")
            return
        text = words[0].lower()
        value = words[1] if len(words) > 1 else None
        name, state = option_name(text), True
        if text.startswith("no") and name is None:
            name, state = option_name(text[2:]), False
        if name is None:
            raise self.invalid(f"+{words[0]}")
        if name in MISSING:
            raise self.unsupported(f"+{name}")
        if name in SWITCHES:
            setattr(self.current, SWITCHES[name], state)
            return
        handler: Callable[..., None] = getattr(self, f"_{name}")
        if name in VALUES:
            if value is None and state and name not in ("bufsize", "cookie", "edns", "ednsflags", "ednsopt", "opcode", "padding", "qid", "split"):
                raise self.invalid(f"+{words[0]}")
            handler(value, state)
        else:
            handler(state)

    def _all(self, state: bool) -> None:
        lookup = self.current
        lookup.question = lookup.authority = lookup.answer = lookup.additional = lookup.comments = lookup.stats = state
        lookup.rrcomments = 1 if state else 0
        self.show_command = state

    def _cmd(self, state: bool) -> None:
        self.show_command = state

    def _comments(self, state: bool) -> None:
        self.current.comments = self.keep_comments = state

    def _search(self, state: bool) -> None:
        self.client.use_search = state

    _defname = _search

    def _showsearch(self, state: bool) -> None:
        self.current.show_search = state
        self.client.use_search = state

    def _dnssec(self, state: bool) -> None:
        self.current.dnssec = state

    def _ignored(self, state: bool) -> None:
        """What changes nothing here: names are not converted, connections not kept."""

    _idnin = _idnout = _keepopen = _ignored

    def _mapped(self, state: bool) -> None:
        self.proc.error(";; +mapped option is deprecated", end="")

    def _rrcomments(self, state: bool) -> None:
        self.current.rrcomments = 1 if state else -1

    def _short(self, state: bool) -> None:
        self.short = state
        if state:
            self.show_command = False
            lookup = self.current
            lookup.additional = lookup.authority = lookup.question = lookup.comments = lookup.stats = False
            lookup.answer, lookup.rrcomments = True, -1

    def _tcp(self, state: bool) -> None:
        self.current.tcp, self.current.tcp_set = state, True

    _vc = _tcp

    def _trace(self, state: bool) -> None:
        lookup = self.current
        lookup.trace = lookup.trace_root = state
        if state:
            lookup.recurse, lookup.identify, lookup.dnssec, lookup.cookie, lookup.authority = True, True, True, True, True
            lookup.comments = lookup.stats = lookup.additional = lookup.question = False
            lookup.rrcomments = 0
            self.client.use_search = False

    def _nssearch(self, state: bool) -> None:
        lookup = self.current
        lookup.ns_search = state
        if state:
            lookup.trace_root = lookup.recurse = lookup.identify = True
            lookup.stats = lookup.comments = lookup.additional = lookup.authority = lookup.question = False
            lookup.rdtype, lookup.type_set, lookup.rrcomments = NS, True, 0
            self.short = True

    def _ttlunits(self, state: bool) -> None:
        self.current.ttl_units = state
        self.current.ttl = True

    def _yaml(self, state: bool) -> None:
        self.current.yaml = state
        if state:
            self.show_command = False
            self.current.stats = False
            self.current.rrcomments = -1

    # -- +x=value -------------------------------------------------------------------------------
    def _bufsize(self, value: str | None, state: bool) -> None:
        if not state:
            raise self.invalid("+nobufsize")
        self.current.bufsize = DEFAULT_BUFSIZE if value is None else self.number("buffer size", value, 65535)

    def _hex(self, value: str) -> bytes:
        try:
            return binascii.unhexlify(value)
        except (binascii.Error, ValueError):
            raise self.client.fatal("isc_hex_decodestring: bad hex encoding") from None

    def _cookie(self, value: str | None, state: bool) -> None:
        self.current.cookie = state
        if state and self.current.edns < 0:
            self.current.edns = 0
        self.current.cookie_text = self._hex(value) if value and state else b""

    def _domain(self, value: str | None, state: bool) -> None:
        if not state or value is None:
            raise self.invalid("+nodomain")
        self.client.domain = value
        self.client.use_search = True

    def _edns(self, value: str | None, state: bool) -> None:
        self.current.edns = -1 if not state else 0 if value is None else self.number("edns", value, 255)

    def _ednsflags(self, value: str | None, state: bool) -> None:
        if not state or value is None:
            self.current.edns_flags = 0
            return
        try:
            number = int(value, 0)
        except ValueError:
            self.proc.print(f"invalid ednsflags '{value}': not a valid number")
            raise self.client.fatal("Couldn't parse ednsflags", 10) from None
        if not 0 <= number <= 0xFFFF:
            self.proc.print(f"invalid ednsflags '{value}': out of range")
            raise self.client.fatal("Couldn't parse ednsflags", 10)
        self.current.edns_flags = number
        if self.current.edns < 0:
            self.current.edns = 0

    def _ednsopt(self, value: str | None, state: bool) -> None:
        if not state:
            self.current.options = []
            return
        if value is None:
            raise self.client.fatal("ednsopt no code point specified", 10)
        code, _, data = value.partition(":")
        number = EDNS_CODES.get(code.lower())
        if number is None:
            if not code.isdigit() or int(code) > 65535:
                self.proc.print(f"invalid ednsopt '{code}': {'out of range' if code.isdigit() else 'not a valid number'}")
                raise self.client.fatal(f"bad edns code point: {code}")
            number = int(code)
        self.current.options.append((number, self._hex(data)))
        if self.current.edns < 0:
            self.current.edns = 0

    def _ndots(self, value: str | None, state: bool) -> None:
        self.client.ndots = self.number("ndots", value or "", 0xFFFF)

    def _opcode(self, value: str | None, state: bool) -> None:
        if not state or value is None:
            self.current.opcode = 0
        elif value.upper() in OPCODES:
            self.current.opcode = OPCODES.index(value.upper())
        else:
            self.current.opcode = self.number("opcode", value, 15)

    def _padding(self, value: str | None, state: bool) -> None:
        self.current.padding = 0 if not state else 128 if value is None else self.number("padding", value, 512)

    def _qid(self, value: str | None, state: bool) -> None:
        self.current.id = None if not state or value is None else self.number("qid", value, 65535)

    def _retry(self, value: str | None, state: bool) -> None:
        self.current.tries = self.number("retries", value or "", 0xFFFFFFFE) + 1

    def _tries(self, value: str | None, state: bool) -> None:
        self.current.tries = max(1, self.number("tries", value or "", 0xFFFFFFFF))

    def _split(self, value: str | None, state: bool) -> None:
        if not state:
            self.split = 0
        elif value is None:
            self.split = None
        else:
            if not value.isdigit():
                self.proc.print(f"invalid split '{value}': not a valid number")
                self.proc.error(";; Warning, split must be a multiple of 4; adjusting to 0")
                raise self.client.fatal("Couldn't parse split", 10)
            number = self.number("split", value, 1023)
            if number % 4:
                number = (number + 3) // 4 * 4
                self.proc.error(f";; Warning, split must be a multiple of 4; adjusting to {number}")
            self.split = number

    def _subnet(self, value: str | None, state: bool) -> None:
        if not state or value is None:
            self.current.subnet = None
            return
        text, slash, length = value.partition("/")
        if value == "0":
            self.current.subnet = (0, 0, b"")
            return
        address = resolvconf.parse_address(text)
        if address is None or (slash and not length.isdigit()):
            raise self.client.fatal(f"invalid address '{value}'")
        six = address[0].family == 6
        bits = 128 if six else 32
        prefix = min(int(length), bits) if slash else bits
        size = (prefix + 7) // 8
        number = int(address[0]) >> (bits - prefix) << (bits - prefix) if prefix else 0
        self.current.subnet = (2 if six else 1, prefix, number.to_bytes(bits // 8, "big")[:size])

    def _timeout(self, value: str | None, state: bool) -> None:
        self.client.timeout = max(1, self.number("timeout", value or "", 0xFFFF))


async def read_lines(proc: Process, path: str) -> list[str] | None:
    """The lines of a batch file or of standard input; None where there is no such file."""
    if path == "-":
        text = await proc.stdin.read(-1)
    else:
        try:
            text = proc.files.read(path, proc, cwd=proc.cwd)
        except KernelError as failure:
            proc.error(f"{path}: {failure.strerror}")
            return None
    return text.decode("utf-8", "surrogateescape").splitlines()


__all__ = ["A", "Parser", "read_lines", "reverse_name"]
