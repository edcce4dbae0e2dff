"""dig's +options (plus_option() of dig.c), each with what it changes in the lookup or in the run."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from kubenet_course.dns.client.engine import Client, Fatal
from kubenet_course.dns.client.lookup import DEFAULT_BUFSIZE, NS, Lookup
from kubenet_course.dns.client.wire import OPCODES
from kubenet_course.userland.resolv_conf import scoped_address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

USAGE = """Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options"""

#: Options that switch one field of the lookup: name → field, and whether they are turned round.
SWITCHES = {
    "aaflag": "aa", "aaonly": "aa", "additional": "additional", "adflag": "ad", "answer": "answer", "authority": "authority",
    "badcookie": "badcookie", "besteffort": "best_effort", "cdflag": "cd", "class": "show_class", "coflag": "co", "crypto": "crypto",
    "ednsnegotiation": "negotiate", "expandaaaa": "expand_aaaa", "expire": "expire", "fail": "fail", "header-only": "header_only",
    "identify": "identify", "ignore": "ignore", "keepalive": "keepalive", "multiline": "multiline", "onesoa": "onesoa",
    "qr": "qr", "question": "question", "raflag": "ra", "rdflag": "recurse", "recurse": "recurse", "showbadcookie": "show_badcookie",
    "stats": "stats", "tcflag": "tc", "ttlid": "ttl", "ttl": "ttl", "unknownformat": "unknown", "zflag": "z",
}  # fmt: skip
VALUES = (
    "bufsize", "cookie", "domain", "edns", "ednsflags", "ednsopt", "ndots", "opcode", "padding", "qid", "retries", "retry", "split",
    "subnet", "timeout", "tries",
)  # fmt: skip
#: Which of them need a value, which also with `no`, and which cannot have `no` at all.
NEEDS = ("domain", "ndots", "opcode", "padding", "qid", "retries", "retry", "subnet", "timeout", "tries")
NEEDS_ALWAYS = ("domain", "ndots", "padding", "retries", "retry", "timeout", "tries")
ONLY_ON = ("bufsize", "domain", "ndots", "retries", "retry", "timeout", "tries")
OTHERS = (
    "all", "cmd", "comments", "defname", "dnssec", "do", "idnin", "idnout", "keepopen", "nsid", "nssearch", "rrcomments",
    "search", "short", "showsearch", "tcp", "trace", "ttlunits", "vc", "yaml",
)  # fmt: skip
#: Options of old, and what is said about them.
OBSOLETE = {
    "dscp": "is obsolete and has no effect",
    **dict.fromkeys(("mapped", "sigchase", "topdown", "trusted-key", "unexpected"), "is deprecated"),
}
MISSING = (
    "dns64prefix", "http-plain", "http-plain-get", "http-plain-post", "https", "https-get", "https-post", "tls", "tls-ca",
    "tls-certfile", "tls-hostname", "tls-keyfile",
)  # fmt: skip
ALL = (*SWITCHES, *VALUES, *OTHERS, *OBSOLETE, *MISSING)
SYNONYMS = {"aa": "aaflag", "ad": "adflag", "cd": "cdflag", "cl": "class", "do": "dnssec", "ra": "raflag", "rd": "rdflag"}
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


class PlusOptions:
    """`current` is the lookup that options are for; `short`, `show_command` and `split` are for the whole run."""

    proc: Process
    client: Client
    default: Lookup
    current: Lookup
    #: Whether the words come from a file.
    in_file = False
    short = False
    show_command = True
    keep_comments = False
    split: int | None = None

    # -- numbers and complaints -----------------------------------------------------------------
    def number(self, what: str, text: str, limit: int, status: int = 10) -> int:
        """parse_uint(): says what is wrong; Fatal."""
        problem = (
            "not a valid number"
            if not (text.isascii() and text.isdigit())
            else "out of range"
            if int(text) > limit
            else ""
        )
        if problem:
            self.proc.print(f"invalid {what} '{text}': {problem}")
            raise self.client.fatal(
                f"Couldn't parse {'port number' if what == 'port number' else what}", status
            )
        return int(text)

    def invalid(self, option: str) -> Fatal:
        self.proc.error(f"Invalid option: {option}\n{USAGE}")
        return Fatal(1)

    def unsupported(self, what: str) -> Fatal:
        self.proc.error(f"kubenet: dig: {what} is not emulated")
        return Fatal(1)

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
        if name in OBSOLETE:
            self.proc.error(f";; +{name} option {OBSOLETE[name]}", end="")
        elif name in MISSING:
            self._missing(name, words[0], value, state)
        elif name in SWITCHES:
            setattr(self.current, SWITCHES[name], state)
        elif name in VALUES:
            if (value is None and name in (NEEDS if state else NEEDS_ALWAYS)) or (not state and name in ONLY_ON):
                raise self.invalid(f"+{words[0]}")
            getattr(self, f"_{name}")(value, state)
        else:
            getattr(self, f"_{name}")(state)

    def _missing(self, name: str, written: str, value: str | None, state: bool) -> None:
        if name.startswith("http") and state and value and not value.startswith("/"):
            self.proc.error(f';; The given HTTP path "{value}" is not a valid absolute path')
            raise self.invalid(f"+{written}")
        if state:
            raise self.unsupported(f"+{name}")

    def _all(self, state: bool) -> None:
        lookup = self.current
        lookup.question = lookup.authority = lookup.answer = lookup.additional = lookup.comments = (
            lookup.stats
        ) = state
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

    def _nsid(self, state: bool) -> None:
        self.current.nsid = state
        if state:
            self._with_edns()

    def _with_edns(self) -> None:
        self.current.edns = max(self.current.edns, 0)

    def _ignored(self, state: bool) -> None:
        """What changes nothing here: names are not converted, connections not kept."""

    _idnin = _idnout = _keepopen = _ignored

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
        if not self.in_file:
            self.current.tcp, self.current.tcp_set = state, True

    _vc = _tcp

    def _trace(self, state: bool) -> None:
        lookup = self.current
        lookup.trace = lookup.trace_root = state
        if state:
            lookup.recurse, lookup.identify, lookup.dnssec, lookup.cookie, lookup.authority = (
                True,
                True,
                True,
                True,
                True,
            )
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
        for lookup in (self.default, self.current, *self.client.queue):
            lookup.yaml = state  # for the whole run
        if state:
            self.show_command = False
            self.current.stats = False
            self.current.rrcomments = -1

    # -- +x=value -------------------------------------------------------------------------------
    def _bufsize(self, value: str | None, state: bool) -> None:
        self.current.bufsize = DEFAULT_BUFSIZE if value is None else self.number("buffer size", value, 65535)

    def _hex(self, value: str) -> bytes:
        try:
            return binascii.unhexlify(value)
        except (binascii.Error, ValueError):
            raise self.client.fatal("isc_hex_decodestring: bad hex encoding") from None

    def _cookie(self, value: str | None, state: bool) -> None:
        self.current.cookie = state
        if state:
            self._with_edns()
        self.current.cookie_text = self._hex(value) if value and state else b""

    def _domain(self, value: str | None, state: bool) -> None:
        self.client.domain = value or ""
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
        self._with_edns()

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
                self.proc.print(
                    f"invalid ednsopt '{code}': {'out of range' if code.isdigit() else 'not a valid number'}"
                )
                raise self.client.fatal(f"bad edns code point: {code}")
            number = int(code)
        self.current.options.append((number, self._hex(data)))

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
        if state:
            self._with_edns()
        self.current.padding = self.number("padding", value or "", 512)

    def _qid(self, value: str | None, state: bool) -> None:
        self.current.id = None if not state or value is None else self.number("qid", value, 65535)

    def _retry(self, value: str | None, state: bool) -> None:
        self.current.tries = self.number("retries", value or "", 0xFFFFFFFE) + 1

    _retries = _retry

    def _tries(self, value: str | None, state: bool) -> None:
        self.current.tries = max(1, self.number("tries", value or "", 0xFFFFFFFF))

    def _split(self, value: str | None, state: bool) -> None:
        if not state:
            if value is not None:
                raise self.invalid("+nosplit")
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
            self.current.subnet = (1, 0, b"")
            return
        if slash and ":" not in text:
            text += ".0" * (3 - text.count("."))  # 10/8
        address = scoped_address(text) if ":" in text or text.count(".") == 3 else None
        if address is None or (slash and not length.isdigit()):
            raise self.client.fatal(f"invalid address '{value}'")
        self._with_edns()
        six = address[0].family == 6
        bits = 128 if six else 32
        prefix = min(int(length), bits) if slash else bits
        size = (prefix + 7) // 8
        number = int(address[0]) >> (bits - prefix) << (bits - prefix) if prefix else 0
        self.current.subnet = (2 if six else 1, prefix, number.to_bytes(bits // 8, "big")[:size])

    def _timeout(self, value: str | None, state: bool) -> None:
        self.client.timeout = max(1, self.number("timeout", value or "", 0xFFFF))
