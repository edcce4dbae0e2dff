"""What begins with a dollar inside a word: ``$x``, ``${…}``, ``$(…)``, ``$((…))``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kubenet_course.userland.shell.nodes import (
    ArithSub,
    BadSubst,
    CmdSub,
    Lit,
    Param,
    Part,
    Word,
)
from kubenet_course.userland.shell.source import (
    NAME,
    OPERATORS,
    SPECIAL,
    Source,
    make_word,
)


class DollarScanner:
    """The part of `words.Scanner` that reads expansions."""

    text: str
    pos: int

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What the whole of `Scanner` has besides."""

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
        from kubenet_course.userland.shell.words import Scanner

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
        if self.peek() == "[" and not name.isdecimal():
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
        op = next((known for known in OPERATORS if self.text.startswith(known, self.pos)), "")
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
