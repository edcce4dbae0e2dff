"""ss' filter language: ``state established '( dport = :80 or sport = :80 )' dst 10.0.1.0/24``.

filter     := { "state" NAME | "exclude" NAME } [ expression ]
expression := term { ["and" | "or"] term } ;   term := ["not"] ( "(" expression ")" | predicate )
predicate  := ("dst" | "src") [op] HOST[/LEN][:PORT] | ("dport" | "sport") [op] [:]PORT | "dev" [op] NAME
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from kubenet_course.userland.socket_table import SocketRecord
from kubenet_course.wire.addresses import IPv4Address, Network, parse_address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

Predicate = Callable[[SocketRecord], bool]

#: ss' names of states -> netstat's words.
STATES = {
    "established": "ESTABLISHED", "syn-sent": "SYN_SENT", "syn-recv": "SYN_RECV", "fin-wait-1": "FIN_WAIT1",
    "fin-wait-2": "FIN_WAIT2", "time-wait": "TIME_WAIT", "unconnected": "CLOSE", "closed": "CLOSE",
    "close-wait": "CLOSE_WAIT", "last-ack": "LAST_ACK", "listening": "LISTEN", "closing": "CLOSING",
}  # fmt: skip
ALL = frozenset(STATES.values())
CONNECTED = ALL - {"CLOSE", "LISTEN"}
GROUPS = {
    "all": ALL,
    "connected": CONNECTED,
    "synchronized": CONNECTED - {"SYN_SENT"},
    "bucket": frozenset({"SYN_RECV", "TIME_WAIT"}),
    "big": ALL - {"SYN_RECV", "TIME_WAIT"},
    "bound-inactive": frozenset(),
}
#: Default of `ss` without -a, -l or a state.
DEFAULT = CONNECTED - {"SYN_RECV", "TIME_WAIT"}


class FilterError(Exception):
    """`usage`: the real one prints its usage after the message and exits with 255."""

    def __init__(self, message: str, usage: bool = True, status: int = 255):
        super().__init__(message)
        self.usage, self.status = usage, status


def state_set(name: str) -> frozenset[str]:
    if name in GROUPS:
        return GROUPS[name]
    if name in STATES:
        return frozenset({STATES[name]})
    if name in ("fin-wait-{1,2}",):
        return frozenset({"FIN_WAIT1", "FIN_WAIT2"})
    raise FilterError(f"ss: wrong state name: {name}", usage=False)


_TOKENS = re.compile(r"\s+|(\(|\)|&&|\|\||&|\||==|!=|>=|<=|=|>|<|!|[^\s()&|=!<>]+)")
_OPERATORS = {"=": "eq", "==": "eq", "eq": "eq", "!=": "ne", "ne": "ne", "neq": "ne", ">": "gt", "gt": "gt", "<": "lt", "lt": "lt",
              ">=": "ge", "ge": "ge", "geq": "ge", "<=": "le", "le": "le", "leq": "le"}  # fmt: skip


def parse_filter(words: list[str], lookup: Callable[[str], int | None]) -> Predicate | None:
    """The expression of the words left on the command line; None where there is none. FilterError."""
    text = " ".join(words)
    tokens = [token for token in _TOKENS.findall(text) if token]
    if not tokens:
        return None
    return _Parser(tokens, lookup).parse()


class _Parser:
    def __init__(self, tokens: list[str], lookup: Callable[[str], int | None]):
        self.tokens, self.lookup = tokens, lookup
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def parse(self) -> Predicate:
        found = self._or()
        if self.peek():
            raise self._bellow()
        return found

    @staticmethod
    def _bellow() -> FilterError:
        return FilterError('ss: bison bellows (while parsing filter): "syntax error!" Sorry.')

    def _or(self) -> Predicate:
        terms = [self._and()]
        while self.peek() in ("or", "|", "||"):
            self.take()
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else lambda record: any(term(record) for term in terms)

    def _and(self) -> Predicate:
        terms = [self._not()]
        while self.peek() and self.peek() not in ("or", "|", "||", ")"):
            if self.peek() in ("and", "&", "&&"):
                self.take()
            terms.append(self._not())
        return terms[0] if len(terms) == 1 else lambda record: all(term(record) for term in terms)

    def _not(self) -> Predicate:
        if self.peek() in ("not", "!"):
            self.take()
            inner = self._not()
            return lambda record: not inner(record)
        if self.peek() == "(":
            self.take()
            if self.at > 200:
                raise self._bellow()
            found = self._or()
            if self.take() != ")":
                raise self._bellow()
            return found
        return self._predicate()

    def _operator(self) -> str:
        return _OPERATORS[self.take()] if self.peek() in _OPERATORS else "eq"

    def _predicate(self) -> Predicate:
        word = self.take()
        if word in ("dport", "sport"):
            return self._port(word)
        if word in ("dst", "src"):
            operator = self._operator()
            target = self.take()
            if not target:
                raise self._bellow()
            found = self._host(word, target)
            return found if operator == "eq" else lambda record: not found(record)
        if word == "dev":
            operator = self._operator()
            name = self.take()
            return lambda record: (record.device == name) == (operator == "eq")
        if word == "autobound":
            return lambda record: not getattr(record.sock, "user_bound", True)
        if not word or word in _OPERATORS or word in (")", "and", "or"):
            raise self._bellow()
        return self._host("dst", word)

    def _port(self, which: str) -> Predicate:
        operator = self._operator()
        text = self.take()
        if not text:
            raise self._bellow()
        number = self._port_number(text.rpartition(":")[2])

        def test(record: SocketRecord) -> bool:
            port = record.remote_port if which == "dport" else record.local_port
            return {
                "eq": port == number, "ne": port != number, "gt": port > number, "lt": port < number,
                "ge": port >= number, "le": port <= number,
            }[operator]  # fmt: skip

        return test

    def _port_number(self, text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text) & 0xFFFF
        found = self.lookup(text)
        if found is None:
            raise FilterError(
                f'Error: "{text}" does not look like a port.\nCannot parse dst/src address.',
                False,
                1,
            )
        return found

    def _host(self, which: str, text: str) -> Predicate:
        host, port = text, None
        bracketed = re.fullmatch(r"\[([^\]]*)\](?:/(\d+))?(?::(.*))?", text)
        if bracketed:
            host = bracketed.group(1) + (f"/{bracketed.group(2)}" if bracketed.group(2) else "")
            port = bracketed.group(3)
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        number = self._port_number(port) if port and port != "*" else None
        network = None
        if host not in ("", "*", "any", "all"):
            try:
                network = (
                    Network.parse(host)
                    if "/" in host
                    else Network(parse_address(host), 128 if ":" in host else 32)
                )
            except ValueError:
                raise FilterError(
                    f'Error: an inet prefix is expected rather than "{host}".\nCannot parse dst/src address.',
                    False,
                    1,
                ) from None

        def test(record: SocketRecord) -> bool:
            address, its_port = (
                (record.remote, record.remote_port) if which == "dst" else (record.local, record.local_port)
            )
            if number is not None and its_port != number:
                return False
            if network is None:
                return True
            value = address if address is not None else IPv4Address(0) if record.family == 4 else None
            return value is not None and value.family == network.address.family and value in network

        return test


def service_lookup(proc: Process, protocols: tuple[str, ...] = ("tcp", "udp")) -> Callable[[str], int | None]:
    from kubenet_course.userland.services import service_port

    def lookup(name: str) -> int | None:
        return next(
            (
                port
                for port in (service_port(proc, name, protocol) for protocol in protocols)
                if port is not None
            ),
            None,
        )

    return lookup
