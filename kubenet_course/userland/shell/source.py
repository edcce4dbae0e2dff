"""A script's text, its lines, and the word values made of it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from kubenet_course.userland.shell.nodes import (
    Lit,
    Part,
    Script,
    Word,
)

META = frozenset(" \t\n;&|<>()")


NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


SPECIAL = frozenset("@*#?-$!0123456789")


OPERATORS = (":-", ":=", ":?", ":+", "##", "%%", "//", "/#", "/%", "^^", ",,", "~~", "-", "=", "?", "+", "#",
              "%", "/", "^", ",", "~")  # fmt: skip


class ShellSyntaxError(Exception):
    """`message` without the place; `line` of the whole text; `echo`: show the offending line too."""

    def __init__(self, message: str, line: int, echo: bool = False, status: int = 2):
        super().__init__(message)
        self.message = message
        self.line = line
        self.echo = echo
        self.status = status


class Source:
    """A text and where its lines begin."""

    def __init__(self, text: str, first_line: int = 1, extglob: bool = False):
        self.text = text
        self.first_line = first_line
        #: ``@(a|b)`` is a pattern in all words; bash knows when the line before has been run.
        self.extglob = extglob or "shopt -s extglob" in text
        self._starts = [match.start() for match in re.finditer("\n", text)]

    def line(self, position: int) -> int:
        return self.first_line + bisect_right(self._starts, position - 1)

    def last_line(self) -> int:
        return self.first_line + len(self._starts)

    def line_text(self, number: int) -> str:
        lines = self.text.split("\n")
        at = number - self.first_line
        return lines[at] if 0 <= at < len(lines) else ""


Substitution = Callable[[int], tuple[Script, int]]


def make_word(parts: list[Part], raw: str) -> Word:
    """A word with neighbouring literals joined and `literal` set where it is constant."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Lit) and isinstance(last, Lit) and last.quoted == part.quoted:
            joined[-1] = Lit(last.text + part.text, part.quoted)
        else:
            joined.append(part)
    literal = None
    if all(isinstance(part, Lit) for part in joined):
        constant = True
        for at, part in enumerate(joined):
            assert isinstance(part, Lit)
            if part.quoted:
                continue
            if re.search(r"[*?[]|[+@!]\(", part.text) or (at == 0 and re.search("(^|[=:])~", part.text)):
                constant = False
        if constant:
            literal = "".join(part.text for part in joined if isinstance(part, Lit))
    return Word(tuple(joined), raw, literal)
