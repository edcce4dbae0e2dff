"""The words of a Go template, as text/template/parse/lex.go finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator
from typing import NamedTuple

from kubenet_course.gotemplate.values import TemplateError

_SPACE = " \t\r\n"
#: lexer.scanNumber(): also what is no number yet, as `0x` and `1e`.
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?|0[oO][0-7_]*|0[bB][01_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)"
)
_NUMBER_BEGINS = re.compile(r"[+\-0-9]|\.[0-9]")
_FIELD = re.compile(r"\.[^\W\d]\w*")
_WORD = re.compile(r"[^\W\d]\w*")
_VARIABLE = re.compile(r"\$\w*")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_RAW = re.compile(r"`[^`]*`")
_CHAR = re.compile(r"'(?:\\.|[^'\\\n])*'")
#: What may follow a field, a variable or a word (lexer.atTerminator).
_ENDS = (*_SPACE, ".", ",", "|", ":", "=", ")", "(")


class Token(NamedTuple):
    """`kind` is text, action, end, space, field, dot, variable, word, number, string, raw, char or a sign; `at` its offset."""

    kind: str
    text: str
    at: int


class Lexer:
    """The tokens of a template, one after the other; errors name the line."""

    def __init__(self, text: str, name: str):
        self.text = text
        self.name = name

    def error(self, problem: str, at: int) -> TemplateError:
        return TemplateError(problem, f"{self.name}:{self.text.count(chr(10), 0, at) + 1}")

    def tokens(self) -> Iterator[Token]:
        text, at, trim = self.text, 0, False
        while True:
            start = text.find("{{", at)
            literal = text[at:] if start < 0 else text[at:start]
            literal = literal.lstrip(_SPACE) if trim else literal
            if start < 0:
                if literal:
                    yield Token("text", literal, at)
                yield Token("eof", "", len(text))
                return
            inside = start + 2
            if text[inside : inside + 1] == "-" and text[inside + 1 : inside + 2] in (*_SPACE,):
                literal, inside = literal.rstrip(_SPACE), inside + 2
            if literal:
                yield Token("text", literal, at)
            if text.startswith("/*", inside):
                at, trim = self._comment(inside)
                continue
            yield Token("action", "{{", start)
            at = yield from self._action(inside)
            trim = text[at - 3 : at - 2] == "-" and text[at - 4 : at - 3] in (*_SPACE,)
            yield Token("end", "}}", at - 2)

    def _comment(self, at: int) -> tuple[int, bool]:
        end = self.text.find("*/", at)
        if end < 0:
            raise self.error("unclosed comment", at)
        closing = re.compile(r"(\s-)?\}\}").match(self.text, end + 2)
        if closing is None:
            raise self.error("comment ends before closing delimiter", at)
        return closing.end(), bool(closing[1])

    def _action(self, at: int) -> Generator[Token, None, int]:
        """What is between {{ and }}; returns where the text goes on."""
        text, depth = self.text, 0
        while True:
            closing = re.compile(r"(?:\s-)?\}\}").match(text, at)
            if closing is not None:
                if depth:
                    raise self.error("unclosed left paren", at)
                return closing.end()
            if at >= len(text):
                raise self.error("unclosed action", at)
            token = self._token(at)
            depth += {"(": 1, ")": -1}.get(token.kind, 0)
            if depth < 0:
                raise self.error("unexpected right paren", at)
            if token.kind in ("field", "variable", "word"):
                self._ends(at + len(token.text))
            yield token
            at += len(token.text)

    def _ends(self, at: int) -> None:
        following = self.text[at : at + 1]
        if following and following not in _ENDS and not self.text.startswith("}}", at):
            raise self.error(f"bad character U+{ord(following):04X} '{following}'", at)

    def _token(self, at: int) -> Token:
        text = self.text
        char = text[at]
        if char in _SPACE:
            end = at
            while text[end : end + 1] in (*_SPACE,) and not text.startswith("-}}", end + 1):
                end += 1
            return Token("space", text[at:end], at)
        if text.startswith(":=", at):
            return Token(":=", ":=", at)
        if char in "=|(),":
            return Token(char, char, at)
        for kind, pattern, wrong in (
            ("string", _STRING, "unterminated quoted string"),
            ("raw", _RAW, "unterminated raw quoted string"),
            ("char", _CHAR, "unterminated character constant"),
        ):
            if char == {"string": '"', "raw": "`", "char": "'"}[kind]:
                found = pattern.match(text, at)
                if found is None:
                    raise self.error(wrong, at)
                return Token(kind, found[0], at)
        number = ("number", _NUMBER) if _NUMBER_BEGINS.match(text, at) else ("word", _WORD)
        for kind, pattern in (("variable", _VARIABLE), ("field", _FIELD), number):
            found = pattern.match(text, at)
            if found is not None:
                following = text[found.end() : found.end() + 1]
                if kind == "number" and (following.isalnum() or following == "_"):
                    raise self.error(f'bad number syntax: "{text[at : found.end() + 1]}"', at)
                if (
                    kind == "number" and following and following in "+-"
                ):  # a complex number, which nobody needs
                    second = _NUMBER.match(text, found.end())
                    raise self.error(
                        f'bad number syntax: "{text[at : second.end() if second else found.end()]}"', at
                    )
                return Token(kind, found[0], at)
        if char == ".":
            return Token("dot", ".", at)
        if char.isprintable() and ord(char) < 128:
            return Token("sign", char, at)
        raise self.error(
            f"unrecognized character in action: U+{ord(char):04X} {json.dumps(char, ensure_ascii=False)[1:-1]!r}",
            at,
        )
