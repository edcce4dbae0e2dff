"""A plugin's view of its directive: the tokens, one line of arguments or one line of a block after the other."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from kubenet_course.dns.corefile import CorefileError, Token, same_line

_PLACE = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:]+))(?::(?P<port>\d*))?")


class Dispenser:
    """A plugin's view of its tokens (caddy.Controller), to walk through in its `setup`.

        while c.next():                 # each use of the directive
            zones = c.remaining_args()
            while c.next_block():       # each line of { … }
                match c.text: …
    """

    def __init__(self, tokens: Sequence[Token], keys: Sequence[str] = (), environment: Mapping[str, str] | None = None):
        self.tokens = list(tokens)
        self.position = -1
        self.nesting = 0
        self.keys = list(keys)
        self.environment = environment or {}

    @property
    def text(self) -> str:
        return self.tokens[self.position].text if 0 <= self.position < len(self.tokens) else ""

    @property
    def line(self) -> int:
        return self.tokens[self.position].line if 0 <= self.position < len(self.tokens) else 0

    def next(self) -> bool:
        if self.position < len(self.tokens) - 1:
            self.position += 1
            return True
        return False

    def next_arg(self) -> bool:
        if self.position < 0 or self.position + 1 >= len(self.tokens):
            return False
        here, after = self.tokens[self.position], self.tokens[self.position + 1]
        if same_line(here, after):
            self.position += 1
            return True
        return False

    def next_block(self) -> bool:
        """To the next line of the directive's { … }; False at its end, or where there is none."""
        if self.nesting > 0:
            if not self.next():
                return False
            if self.text == "}":
                self.nesting -= 1
                return False
            if self.text != "{":
                return True
            self.position -= 1  # a block in the block
        if not self.next_arg():
            return False
        if self.text != "{":
            self.position -= 1
            return False
        if not self.next():
            return False
        if self.text == "}":
            return False
        self.nesting += 1
        return True

    def remaining_args(self) -> list[str]:
        """The rest of the line, up to a brace that opens a block."""
        found = []
        while self.next_arg():
            if self.text == "{":
                self.position -= 1
                break
            found.append(self.text)
        return found

    def error(self, message: str) -> CorefileError:
        token = self.tokens[min(max(self.position, 0), len(self.tokens) - 1)] if self.tokens else Token("Corefile", 0, "")
        return CorefileError(f"{token.file}:{token.line} - Error during parsing: {message}")

    def arg_error(self) -> CorefileError:
        if self.text == "{":
            return self.error("Unexpected token '{', expecting argument")
        return self.error(f"Wrong argument count or unexpected line ending after '{self.text}'")

    def host_port(self, word: str) -> str:
        """parse.HostPort(): an address with a port, 53 where none is given; CorefileError."""
        match = _PLACE.fullmatch(word)
        host = (match["six"] or match["host"]) if match else word
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise self.plain(f"must specify an IP address: `{host}'") from None
        port = (match["port"] if match else "") or "53"
        return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"

    def once(self) -> CorefileError:
        return self.plain("this plugin can only be used once per Server Block")

    @staticmethod
    def plain(message: str) -> CorefileError:
        """An error that CoreDNS prints without file and line."""
        return CorefileError(message)
