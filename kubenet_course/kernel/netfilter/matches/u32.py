"""-m u32: arithmetic on the bytes of the packet (libxt_u32, xt_u32.c)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kubenet_course import errno
from kubenet_course.kernel.netfilter.xt import Extension, Names, Opt, Place, problem

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

MASK = 0xFFFFFFFF
#: A test: location steps [(operator, number), …] and value ranges.
Test = tuple[list[tuple[str, int]], list[tuple[int, int]]]


class U32(Extension):
    name = "u32"
    options = (Opt("u32", "string", invert=True, mand=True),)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        self.values["u32"] = Parser(value).parse()

    def refused(self, place: Place, rule: XtRule) -> int:
        """u32_mt_checkentry(): nothing is shifted by 32 bits or more."""
        shifts = (number for location, _ in self.values["u32"] for operator, number in location if operator in ("<<", ">>"))
        return errno.EINVAL if any(by > 31 for by in shifts) else 0

    def _text(self) -> str:
        parts = []
        for location, values in self.values["u32"]:
            text = f"0x{location[0][1]:x}" + "".join(f"{operator}0x{number:x}" for operator, number in location[1:])
            ranges = (f"0x{low:x}" if low == high else f"0x{low:x}:0x{high:x}" for low, high in values)
            parts.append(f"{text}={','.join(ranges)}")
        return '"' + "&&".join(parts) + '"'

    def save(self) -> str:
        return f"{self.bang('u32')}--u32 {self._text()}"

    def listing(self, names: Names | None) -> str:
        return f"u32 {self.bang('u32')}{self._text()}"

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], bool]:
        tests, inverted = self.values["u32"], "u32" in self.inverted

        def test(skb: Any, state: Any) -> bool:
            data = skb.network_bytes()
            return all(holds(location, values, data) for location, values in tests) != inverted

        return test


def holds(location: list[tuple[str, int]], values: list[tuple[int, int]], data: bytes) -> bool:
    """u32_match_it(): walk to the place, then compare."""
    at, position = 0, location[0][1]
    if position + 4 > len(data):
        return False
    value = int.from_bytes(data[position : position + 4], "big")
    for operator, number in location[1:]:
        if operator == "&":
            value &= number
        elif operator == "<<":
            value = value << number & MASK
        elif operator == ">>":
            value >>= number
        else:
            at += value
            if at + number + 4 > len(data):
                return False
            value = int.from_bytes(data[at + number : at + number + 4], "big")
    return any(low <= value <= high for low, high in values)


class Parser:
    """``location = value [&& …]``; complains with the place, as the tool does."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0

    def parse(self) -> list[Test]:
        tests = [self._test()]
        while self.at < len(self.text):
            if not self.text.startswith("&&", self.at):
                raise problem(f'u32: at char {self.at}: expected "," or "&&"')
            self.at += 2
            tests.append(self._test())
        return tests

    def _skip(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _number(self) -> int:
        self._skip()
        found = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*").match(self.text, self.at)
        if found is None:
            if self.at >= len(self.text):
                raise problem("u32: abrupt end of input after location specifier")
            raise problem(f"u32: at char {self.at}: not a number or out of range")
        word = found.group()
        value = int(word, 16) if word[:2].lower() == "0x" else int(word, 8) if len(word) > 1 and word[0] == "0" else int(word)
        if value > MASK:
            raise problem(f"u32: at char {self.at}: not a number or out of range")
        self.at = found.end()
        return value

    def _test(self) -> Test:
        location = [("", self._number())]
        while True:
            self._skip()
            if self.at >= len(self.text):
                raise problem("u32: abrupt end of input after location specifier")
            for operator in ("<<", ">>", "&", "@"):
                if self.text.startswith(operator, self.at):
                    self.at += len(operator)
                    location.append((operator, self._number()))
                    break
            else:
                break
        if self.text[self.at] != "=":
            raise problem(f"u32: at char {self.at}: operator expected")
        self.at += 1
        self._skip()
        if self.at >= len(self.text):
            raise problem("u32: test ended with no value specified")
        values = [self._range()]
        while self.at < len(self.text) and self.text[self.at] == ",":
            self.at += 1
            values.append(self._range())
        self._skip()
        return location, values

    def _range(self) -> tuple[int, int]:
        low = self._number()
        if self.at < len(self.text) and self.text[self.at] == ":":
            self.at += 1
            if self.at >= len(self.text):
                raise problem(f"u32: at char {self.at}: not a number or out of range")
            return low, self._number()
        return low, low


EXTENSION = U32
