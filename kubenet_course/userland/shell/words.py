"""Reading one word: quotes, ``$``, ``${ }``, ``$( )``, ``$(( ))``, backquotes.

`Scanner` walks over the whole script's text; the lexer uses it and lends it `substitution`, which
parses the commands inside ``$(`` up to their closing parenthesis.
"""

from __future__ import annotations

import re

from kubenet_course.userland.shell.dollar import DollarScanner
from kubenet_course.userland.shell.escapes import ansi_escape
from kubenet_course.userland.shell.nodes import (
    CmdSub,
    Lit,
    Part,
    ProcSub,
    Word,
)
from kubenet_course.userland.shell.source import META, ShellSyntaxError, Source, Substitution, make_word

_PLAIN = re.compile(r"[^ \t\n;&|<>()\\'\"$`*?\[\]{}~=!#]+")
_PLAIN_EXTENDED = re.compile(r"[^ \t\n;&|<>()\\'\"$`*?\[\]{}~=!#@+]+")


class Scanner(DollarScanner):
    """A position in a source, and how to read words from there."""

    def __init__(self, source: Source, position: int, substitution: Substitution):
        self.source = source
        self.text = source.text
        self.pos = position
        self.substitution = substitution

    def eof(self, closing: str, position: int) -> ShellSyntaxError:
        line = self.source.line(position)
        return ShellSyntaxError(f"unexpected EOF while looking for matching `{closing}'", line)

    def peek(self, length: int = 1) -> str:
        return self.text[self.pos : self.pos + length]

    # -- words ------------------------------------------------------------------------------
    def word(self, stop: frozenset[str] = META, extended: bool = False) -> Word:
        """The word at the current position, up to an unquoted character of `stop`."""
        start = self.pos
        parts: list[Part] = []
        text = self.text
        extended = extended or self.source.extglob
        pattern = _PLAIN_EXTENDED if extended else _PLAIN
        while self.pos < len(text):
            plain = pattern.match(text, self.pos)
            if plain:
                parts.append(Lit(plain[0], False))
                self.pos = plain.end()
                continue
            char = text[self.pos]
            if char in "<>" and text[self.pos + 1 : self.pos + 2] == "(" and char in stop:
                parts.append(self._process_substitution(char))
            elif extended and char in "?*+@!" and text[self.pos + 1 : self.pos + 2] == "(":
                self._extended_pattern(parts)
            elif char in stop:
                break
            else:
                self._one(char, parts)
        return make_word(parts, text[start : self.pos])

    def _one(self, char: str, parts: list[Part]) -> None:
        """Read one construct outside of double quotes."""
        text = self.text
        if char == "\\":
            following = text[self.pos + 1 : self.pos + 2]
            if following != "\n":
                parts.append(Lit(following or "\\", True))
            self.pos += 2
        elif char == "'":
            end = text.find("'", self.pos + 1)
            if end < 0:
                raise self.eof("'", self.pos)
            parts.append(Lit(text[self.pos + 1 : end], True))
            self.pos = end + 1
        elif char == '"':
            self._double_quoted(parts)
        elif char == "`":
            parts.append(self._backquoted(False))
        elif char == "$":
            if text.startswith("$'", self.pos):
                parts.append(Lit(self._ansi_quoted(), True))
            elif text.startswith('$"', self.pos):
                self.pos += 1
                self._double_quoted(parts)
            else:
                parts.append(self._dollar(False))
        else:
            parts.append(Lit(char, False))
            self.pos += 1

    def _double_quoted(self, parts: list[Part]) -> None:
        start = self.pos
        self.pos += 1
        inner: list[Part] = []
        text = self.text
        while True:
            if self.pos >= len(text):
                raise self.eof('"', start)
            char = text[self.pos]
            if char == '"':
                self.pos += 1
                break
            self._one_quoted(char, inner)
        parts.extend(inner or [Lit("", True)])

    def _one_quoted(self, char: str, parts: list[Part], closing: str = '"') -> None:
        """Read one construct inside double quotes or a here-document."""
        text = self.text
        if char == "\\":
            following = text[self.pos + 1 : self.pos + 2]
            if following == "\n":
                pass
            elif following and following in "$`\\" + closing:
                parts.append(Lit(following, True))
            else:
                parts.append(Lit("\\" + following, True))
            self.pos += 2
        elif char == "$":
            parts.append(self._dollar(True))
        elif char == "`":
            parts.append(self._backquoted(True))
        else:
            end = self.pos + 1
            while end < len(text) and text[end] not in '\\$`"}':
                end += 1
            parts.append(Lit(text[self.pos : end], True))
            self.pos = end

    def quoted_until_end(self) -> Word:
        """All of the rest as if inside double quotes (a here-document's body)."""
        parts: list[Part] = [Lit("", True)]
        start = self.pos
        while self.pos < len(self.text):
            self._one_quoted(self.text[self.pos], parts, closing="")
        return make_word(parts, self.text[start:])

    def _ansi_quoted(self) -> str:
        """``$'…'`` with C escapes."""
        start = self.pos
        self.pos += 2
        out: list[str] = []
        text = self.text
        while True:
            if self.pos >= len(text):
                raise self.eof("'", start)
            char = text[self.pos]
            if char == "'":
                self.pos += 1
                return "".join(out)
            if char != "\\":
                out.append(char)
                self.pos += 1
                continue
            decoded, length = ansi_escape(text, self.pos)
            out.append(decoded)
            self.pos += length

    def _extended_pattern(self, parts: list[Part]) -> None:
        """``@(a|b)`` as pattern text, in ``[[ == ]]``."""
        depth = 0
        while self.pos < len(self.text):
            char = self.text[self.pos]
            if char in "()|?*+@!":
                depth += {"(": 1, ")": -1}.get(char, 0)
                parts.append(Lit(char, False))
                self.pos += 1
                if char == ")" and depth == 0:
                    return
            elif char == "\n":
                return
            else:
                self._one(char, parts)

    def _process_substitution(self, char: str) -> Part:
        body, end = self.substitution(self.pos + 2)
        self.pos = end
        return ProcSub(char, body)

    def _backquoted(self, quoted: bool) -> Part:
        start = self.pos
        self.pos += 1
        out: list[str] = []
        text = self.text
        while True:
            if self.pos >= len(text):
                raise self.eof("`", start)
            char = text[self.pos]
            if char == "`":
                self.pos += 1
                break
            if char == "\\" and text[self.pos + 1 : self.pos + 2] in ("`", "\\", "$", '"' if quoted else "`"):
                out.append(text[self.pos + 1])
                self.pos += 2
            else:
                out.append(char)
                self.pos += 1
        from kubenet_course.userland.shell.parser import parse_nested_text

        return CmdSub(parse_nested_text("".join(out), self.source.line(start)), quoted)

    # -- dollar -----------------------------------------------------------------------------
