"""Reading one word: quotes, ``$``, ``${ }``, ``$( )``, ``$(( ))``, backquotes.

`Scanner` walks over the whole script's text; the lexer uses it and lends it `substitution`, which
parses the commands inside ``$(`` up to their closing parenthesis.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable

from kubenet_course.userland.shell.nodes import (
    ArithSub,
    BadSubst,
    CmdSub,
    Lit,
    Param,
    Part,
    ProcSub,
    Script,
    Word,
)

META = frozenset(" \t\n;&|<>()")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SPECIAL = frozenset("@*#?-$!0123456789")
_PLAIN = re.compile(r"[^ \t\n;&|<>()\\'\"$`*?\[\]{}~=!#]+")
_PLAIN_EXTENDED = re.compile(r"[^ \t\n;&|<>()\\'\"$`*?\[\]{}~=!#@+]+")
_OPERATORS = (":-", ":=", ":?", ":+", "##", "%%", "//", "/#", "/%", "^^", ",,", "~~", "-", "=", "?", "+", "#",
              "%", "/", "^", ",", "~")  # fmt: skip
_ESCAPES = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip


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

    def __init__(self, text: str, first_line: int = 1):
        self.text = text
        self.first_line = first_line
        #: ``@(a|b)`` is a pattern in all words; bash knows when the line before has been run.
        self.extglob = "shopt -s extglob" in text
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
            if any(char in part.text for char in "*?[") or (at == 0 and re.search("(^|[=:])~", part.text)):
                constant = False
        if constant:
            literal = "".join(part.text for part in joined if isinstance(part, Lit))
    return Word(tuple(joined), raw, literal)


class Scanner:
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
    def _dollar(self, quoted: bool) -> Part:
        text = self.text
        following = text[self.pos + 1 : self.pos + 2]
        if following == "(":
            if text.startswith("((", self.pos + 1):
                end = self.arithmetic_end(self.pos + 3)
                if end is not None:
                    expression = self.sub_word(self.pos + 3, end)
                    self.pos = end + 2
                    return ArithSub(expression, quoted)
            body, end_ = self.substitution(self.pos + 2)
            self.pos = end_
            return CmdSub(body, quoted)
        if following == "{":
            return self._braced(quoted)
        if following in SPECIAL and following:
            self.pos += 2
            return Param(following, quoted)
        name = NAME.match(text, self.pos + 1)
        if name:
            self.pos = name.end()
            return Param(name[0], quoted)
        self.pos += 1
        return Lit("$", quoted)

    def arithmetic_end(self, start: int) -> int | None:
        """Index of the ``))`` that closes an arithmetic expression, or None if it is none."""
        depth, i = 0, start
        text = self.text
        while i < len(text):
            char = text[i]
            if char == "(":
                depth += 1
            elif char == ")":
                if depth == 0:
                    return i if text.startswith("))", i) else None
                depth -= 1
            elif char == "\\":
                i += 1
            elif char in "'\"":
                end = text.find(char, i + 1)
                i = end if end > 0 else len(text)
            i += 1
        return None

    def sub_word(self, start: int, end: int) -> Word:
        """`text[start:end]` read as if inside double quotes (quotes themselves vanish)."""
        inner = Scanner(Source(self.text[:end], self.source.first_line), start, self.substitution)
        parts: list[Part] = [Lit("", True)]
        while inner.pos < end:
            char = self.text[inner.pos]
            if char == '"':
                inner.pos += 1
            else:
                inner._one_quoted(char, parts)
        return make_word(parts, self.text[start:end])

    def _braced(self, quoted: bool) -> Part:
        """``${…}``."""
        start = self.pos
        self.pos += 2
        part = self._parameter(quoted)
        if part is not None and self.peek() == "}":
            self.pos += 1
            return part
        depth = 1
        self.pos = max(self.pos, start + 2)
        while self.pos < len(self.text):
            char = self.text[self.pos]
            self.pos += 1
            depth += {"{": 1, "}": -1}.get(char, 0)
            if depth == 0:
                return BadSubst(self.text[start : self.pos], quoted)
        raise self.eof("}", start)

    def _parameter(self, quoted: bool) -> Part | None:
        length = indirect = False
        if self.peek() == "#" and self.peek(2) not in ("#}", "#:", "#-", "##", "#%", "#+", "#=", "#?", "#/"):
            length = True
            self.pos += 1
        elif self.peek() == "!" and self.peek(2) not in ("!}", "!:", "!-"):
            indirect = True
            self.pos += 1
        name = self._parameter_name()
        if name is None:
            return None
        index = None
        if self.peek() == "[" and not name.isdigit():
            self.pos += 1
            index = self._until("]", False)
            self.pos += 1
        if self.peek() == "}":
            return Param(name, quoted, "", None, None, index, length, indirect)
        if length:
            return None
        if indirect and self.peek(2) in ("@}", "*}"):
            self.pos += 1
            return Param(name, quoted, "names", None, None, None, False, True)
        return self._parameter_operator(name, index, indirect, quoted)

    def _parameter_name(self) -> str | None:
        name = NAME.match(self.text, self.pos) or re.compile(r"[0-9]+").match(self.text, self.pos)
        if name:
            self.pos = name.end()
            return name[0]
        if self.peek() and self.peek() in SPECIAL:
            self.pos += 1
            return self.text[self.pos - 1]
        return None

    def _parameter_operator(self, name: str, index: Word | None, indirect: bool, quoted: bool) -> Part | None:
        if self.peek() == "@":
            op = self.peek(2)
            if op[1:] and op[1:] in "QULuaEPAK":
                self.pos += 2
                return Param(name, quoted, op, None, None, index, False, indirect)
            return None
        op = next((known for known in _OPERATORS if self.text.startswith(known, self.pos)), "")
        if op:
            self.pos += len(op)
            second = None
            if op[0] == "/":
                first = self._until("/}", quoted, pattern=True)
                if self.peek() == "/":
                    self.pos += 1
                    second = self._until("}", quoted, pattern=True)
            else:
                first = self._until("}", quoted, pattern=op[0] in "#%^,~")
            return Param(name, quoted, op, first, second, index, False, indirect)
        if self.peek() == ":":
            self.pos += 1
            first = self._until(":}", True)
            second = None
            if self.peek() == ":":
                self.pos += 1
                second = self._until("}", True)
            return Param(name, quoted, ":", first, second, index, False, indirect)
        return None

    def _until(self, closing: str, quoted: bool, pattern: bool = False) -> Word:
        """A word inside ``${…}`` up to one of `closing`; single quotes are text if `quoted`."""
        start = self.pos
        parts: list[Part] = []
        text = self.text
        while True:
            if self.pos >= len(text):
                raise self.eof("}", start)
            char = text[self.pos]
            if char in closing:
                break
            if char == "'" and quoted and not pattern:
                parts.append(Lit("'", True))
                self.pos += 1
            elif char == "\\" and quoted and not pattern:
                following = text[self.pos + 1 : self.pos + 2]
                parts.append(Lit(following if following in '$`"\\}' else "\\" + following, True))
                self.pos += 2
            elif quoted and not pattern and char not in '"$`':
                parts.append(Lit(char, True))
                self.pos += 1
            elif char in " \t\n;&|<>()":
                parts.append(Lit(char, False))
                self.pos += 1
            elif char == "$" and quoted and not pattern:
                parts.append(self._dollar(True))
            else:
                self._one(char, parts)
        return make_word(parts, text[start : self.pos])


def ansi_escape(text: str, at: int) -> tuple[str, int]:
    """The character of the backslash escape at `at` and how long the escape is."""
    char = text[at + 1 : at + 2]
    if char in _ESCAPES and char:
        return _ESCAPES[char], 2
    for pattern, base in ((r"\\([0-7]{1,3})", 8), (r"\\x([0-9A-Fa-f]{1,2})", 16)):
        match = re.compile(pattern).match(text, at)
        if match:
            return byte_char(int(match[1], base) & 0xFF), len(match[0])
    match = re.compile(r"\\(?:u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8}))").match(text, at)
    if match:
        number = int(match[1] or match[2], 16)
        return (chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""), len(match[0])
    match = re.compile(r"\\c(.)", re.S).match(text, at)
    if match:
        return chr(ord(match[1]) & 0x1F), 3
    return "\\" + char, 1 + len(char)


def byte_char(number: int) -> str:
    """A byte as the string that surrogateescape gives it."""
    return bytes([number]).decode("utf-8", "surrogateescape")
