"""jq filters as nested tuples ``(kind, …)``, through a LALR grammar."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from kubenet_course.userland import lalr

KEYWORDS = frozenset("as reduce foreach if then else elif end try catch and or".split())
UNSUPPORTED = frozenset("def import include label __loc__".split())
_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<field>\.[A-Za-z_]\w*)|(?P<format>@[a-z0-9]+)"
    r"|(?P<variable>\$(?:__loc__|[A-Za-z_]\w*))|(?P<name>[A-Za-z_](?:\w|::)*)"
    r"|(?P<op>\?//|//=|\|=|\+=|-=|\*=|/=|%=|//|==|!=|<=|>=|\.\.|[|,;()\[\]{}.:?<>+\-*/%=])"
)
_OPERATORS = {
    "|": "PIPE", ",": "COMMA", ";": "SEMI", "(": "LPAREN", ")": "RPAREN", "[": "LBRACKET", "]": "RBRACKET",
    "{": "LBRACE", "}": "RBRACE", ".": "DOT", "..": "DOTDOT", ":": "COLON", "?": "QUESTION", "//": "ALT",
    "+": "SIGN", "-": "SIGN", "*": "OPERATOR", "/": "OPERATOR", "%": "OPERATOR", "==": "COMPARE",
    "!=": "COMPARE",
    "<": "COMPARE", ">": "COMPARE", "<=": "COMPARE", ">=": "COMPARE", "=": "UPDATE", "|=": "UPDATE",
    "+=": "UPDATE", "-=": "UPDATE", "*=": "UPDATE", "/=": "UPDATE", "%=": "UPDATE", "//=": "UPDATE",
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"'}


class JqSyntaxError(Exception):
    """The filter is wrong; the message is jq's first line after ``jq: error: ``."""


class Token:
    """`type` is the grammar's terminal."""

    __slots__ = ("type", "value", "text")

    def __init__(self, type_: str, value: Any, text: str):
        self.type = type_
        self.value = value
        self.text = text


@lru_cache(1)
def _grammar() -> lalr.Grammar:
    return lalr.load("kubenet_course.userland.commands.jq", lalr.tuples({"start": lambda items: items[0]}))


def _string(text: str, at: int) -> tuple[list[Any], int]:
    """The parts of the string at `at` (texts and filters) and the index after it."""
    parts: list[Any] = [""]
    i = at + 1
    while True:
        char = text[i : i + 1]
        if not char:
            raise JqSyntaxError("syntax error, unexpected QQSTRING_START, expecting $end")
        if char == '"':
            return parts, i + 1
        if char != "\\":
            parts[-1] += char
            i += 1
            continue
        following = text[i + 1 : i + 2]
        if following == "(":
            end = _closing(text, i + 2)
            parts += [parse(text[i + 2 : end]), ""]
            i = end + 1
        elif following == "u":
            digits = re.compile(r"[0-9a-fA-F]{4}").match(text, i + 2)
            if digits is None:
                raise JqSyntaxError("syntax error, unexpected INVALID_CHARACTER")
            parts[-1] += chr(int(digits[0], 16))
            i += 6
        elif following in _ESCAPES and following:
            parts[-1] += _ESCAPES[following]
            i += 2
        else:
            raise JqSyntaxError("syntax error, unexpected INVALID_CHARACTER")


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        char = text[at]
        if char == '"':
            at = _string(text, at)[1]
            continue
        depth += {"(": 1, ")": -1}.get(char, 0)
        if depth == 0:
            return at
        at += 1
    raise JqSyntaxError("syntax error, unexpected $end (Unix shell quoting issues?)")


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char.isspace():
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = end if end >= 0 else len(text)
        elif char == '"':
            parts, end = _string(text, at)
            found.append(Token("STRING", parts, text[at:end]))
            at = end
        else:
            match = _TOKEN.match(text, at)
            if match is None:
                raise JqSyntaxError("syntax error, unexpected INVALID_CHARACTER")
            at = match.end()
            found.append(_token(match))
    return found


def _token(match: re.Match[str]) -> Token:
    kind, text = match.lastgroup, match[0]
    if kind == "number":
        number = float(text)
        return Token("NUMBER", int(number) if number.is_integer() and abs(number) < 1e17 else number, text)
    if kind == "field":
        return Token("FIELD", text[1:], text)
    if kind == "format":
        return Token("FORMAT", text[1:], text)
    if kind == "variable":
        return Token("VARIABLE", text[1:], text)
    if kind == "name":
        if text in UNSUPPORTED:
            raise JqSyntaxError(f"kubenet: {text!r} is not emulated")
        return Token(text.upper() if text in KEYWORDS else "NAME", text, text)
    if text not in _OPERATORS:
        raise JqSyntaxError(f"kubenet: the operator {text!r} is not emulated")
    return Token(_OPERATORS[text], text, text)


@lru_cache(128)
def parse(text: str) -> tuple:
    """The filter; raises JqSyntaxError."""
    tokens = _tokens(text)
    if not tokens:
        return ("identity",)
    state = lalr.Parse(_grammar())
    token = tokens[-1]
    try:
        for token in [*tokens, Token("$END", None, "")]:
            if token.type == "$END":
                return state.feed(token)
            state.feed(token)
    except lalr.UnexpectedToken:
        if token.type == "$END":
            raise JqSyntaxError("syntax error, unexpected $end (Unix shell quoting issues?)") from None
        names = {
            "NAME": "IDENT",
            "FIELD": "FIELD",
            "NUMBER": "LITERAL",
            "STRING": "QQSTRING_START",
            "FORMAT": "FORMAT",
        }
        shown = names.get(token.type, token.text if token.type.lower() == token.text else f"'{token.text}'")
        raise JqSyntaxError(f"syntax error, unexpected {shown} (Unix shell quoting issues?)") from None
    raise AssertionError(text)
