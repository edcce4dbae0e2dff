"""-m string: bytes somewhere in the packet (libxt_string, xt_string.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

HEX = "0123456789abcdefABCDEF"


class String(Extension):
    name = "string"
    options = (
        Opt("from", "uint16"),
        Opt("to", "uint16"),
        Opt("algo", "string", mand=True),
        Opt("string", "string", invert=True, excl=("hex-string",)),
        Opt("hex-string", "string", invert=True, excl=("string",)),
        Opt("icase"),
    )

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        if opt.id == "hex-string" and not value:
            raise problem("STRING must contain at least one char")
        if opt.id == "string":
            if len(value.encode()) > 128:
                raise problem(f'STRING too long "{value}"')
            self.pattern = value.encode()
        elif opt.id == "hex-string":
            self.pattern = parse_hex(value)

    pattern = b""

    def check(self, names: Names) -> None:
        if "string" not in self.values and "hex-string" not in self.values:
            raise problem("STRING match: You must specify `--string' or `--hex-string'")

    def refused(self, place: Place, rule: XtRule) -> int:
        if self.values["algo"] not in ("bm", "kmp", "fsm"):
            return errno.ENOENT
        return errno.EINVAL if self.values.get("from", 0) > self.values.get("to", 65535) or not self.pattern else 0

    def _hex(self) -> bool:
        """Printed in hexadecimal where a byte is not printable, or the last is a backslash."""
        return any(not 32 <= byte < 127 for byte in self.pattern) or self.pattern[-1:] == b"\\"

    def _text(self) -> str:
        if self._hex():
            return f'"|{self.pattern.hex()}|"'
        return '"' + self.pattern.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'

    def _inverted(self) -> bool:
        return bool({"string", "hex-string"} & self.inverted)

    def save(self) -> str:
        words = f"{'! ' if self._inverted() else ''}--{'hex-string' if self._hex() else 'string'} {self._text()} --algo {self.values['algo']}"  # noqa: E501
        if self.values.get("from"):
            words += f" --from {self.values['from']}"
        if self.values.get("to", 65535) != 65535:
            words += f" --to {self.values['to']}"
        return words + (" --icase" if "icase" in self.values else "")

    def listing(self, names: Names | None) -> str:
        words = (
            f"STRING match {'!' if self._inverted() else ''} {self._text()} ALGO name {self.values['algo']}"
        )
        if self.values.get("from"):
            words += f" FROM {self.values['from']}"
        if self.values.get("to", 65535) != 65535:
            words += f" TO {self.values['to']}"
        return words + (" ICASE" if "icase" in self.values else "")

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        start, end = self.values.get("from", 0), self.values.get("to", 65535)
        pattern, icase, inverted = self.pattern, "icase" in self.values, self._inverted()
        if icase:
            pattern = pattern.lower()

        def test(skb: Any, state: Any) -> bool:
            data = skb.network_bytes()
            if icase:
                data = data.lower()
            at = data.find(pattern, start)
            return (0 <= at <= end) != inverted

        return test


def parse_hex(text: str) -> bytes:
    """``ab|6364|e``: between bars, hexadecimal."""
    out, inside, at = bytearray(), False, 0
    while at < len(text):
        char = text[at]
        if char == "\\" and not inside and at + 1 < len(text):
            out += text[at + 1].encode()
            at += 2
        elif char == "|":
            inside, at = not inside, at + 1
        elif inside:
            if char.isspace():
                at += 1
                continue
            pair = text[at : at + 2]
            if len(pair) < 2 or pair[1] == "|":
                raise problem("Invalid hex block")
            for digit in pair:
                if digit not in HEX:
                    raise problem(f"Invalid hex char '{digit}'")
            out.append(int(pair, 16))
            at += 2
        else:
            out += char.encode()
            at += 1
    if inside:
        raise problem("Invalid hex block")
    return bytes(out)


EXTENSION = String
