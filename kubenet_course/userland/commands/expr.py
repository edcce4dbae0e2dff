"""expr: evaluate an expression given as words."""

from __future__ import annotations

import re

from kubenet_course.userland.options import missing_operand
from kubenet_course.userland.process import Process
from kubenet_course.userland.quoting import quote
from kubenet_course.userland.regex import basic

LEVELS = (("|",), ("&",), ("<", "<=", "=", "==", "!=", ">=", ">"), ("+", "-"), ("*", "/", "%"), (":",))


class _ExprError(Exception):
    def __init__(self, message: str, status: int = 2):
        super().__init__(message)
        self.status = status


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?\d+", text):
        raise _ExprError("non-integer argument")
    return int(text)


def _null(text: str) -> bool:
    return text == "" or bool(re.fullmatch(r"-?0+", text))


class _Parser:
    def __init__(self, words: list[str]):
        self.words = words
        self.at = 0
        self.depth = 0

    def peek(self) -> str | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def level(self, number: int) -> str:
        self.depth += 1
        if self.depth > 300:
            raise _ExprError("kubenet: the expression is nested too deeply", 3)
        if number == len(LEVELS):
            result = self.primary()
        else:
            result = self.level(number + 1)
            while self.peek() in LEVELS[number]:
                operator = self.words[self.at]
                self.at += 1
                result = _apply(operator, result, self.level(number + 1))
        self.depth -= 1
        return result

    def take(self) -> str:
        word = self.peek()
        if word is None:
            raise _ExprError(f"syntax error: missing argument after {quote(self.words[-1])}")
        self.at += 1
        return word

    def primary(self) -> str:
        word = self.take()
        if word == "(":
            value = self.level(0)
            if self.peek() is None:
                raise _ExprError(f"syntax error: expecting ')' after {quote(self.words[-1])}")
            if self.take() != ")":
                raise _ExprError(f"syntax error: expecting ')' instead of {quote(self.words[self.at - 1])}")
            return value
        if word == ")":
            raise _ExprError("syntax error: unexpected ')'")
        if word == "+" and self.peek() is not None:
            return self.take()
        if word == "length" and self.peek() is not None:
            return str(len(self.primary()))
        if word == "match" and self.peek() is not None:
            left = self.primary()
            return _apply(":", left, self.primary())
        if word == "substr" and self.peek() is not None:
            text, start, length = self.primary(), self.primary(), self.primary()
            begin, count = _integer(start), _integer(length)
            return text[begin - 1 : begin - 1 + count] if begin > 0 and count > 0 else ""
        if word == "index" and self.peek() is not None:
            text, chars = self.primary(), self.primary()
            return str(next((at for at, char in enumerate(text, 1) if char in chars), 0))
        return word


def _apply(operator: str, a: str, b: str) -> str:
    if operator == "|":
        return a if not _null(a) else b if not _null(b) else "0"
    if operator == "&":
        return a if not _null(a) and not _null(b) else "0"
    if operator == ":":
        return _match(a, b)
    if operator in "+-*/%":
        x, y = _integer(a), _integer(b)
        if operator in "/%":
            if y == 0:
                raise _ExprError("division by zero")
            quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
            return str(quotient if operator == "/" else x - quotient * y)
        return str({"+": x + y, "-": x - y, "*": x * y}[operator])
    order = 0
    if re.fullmatch(r"-?\d+", a) and re.fullmatch(r"-?\d+", b):
        order = (int(a) > int(b)) - (int(a) < int(b))
    else:
        order = (a > b) - (a < b)
    tests = {
        "<": order < 0,
        "<=": order <= 0,
        "=": order == 0,
        "==": order == 0,
        "!=": order != 0,
        ">=": order >= 0,
        ">": order > 0,
    }
    return str(int(tests[operator]))


def _match(text: str, pattern: str) -> str:
    try:
        regex = re.compile(basic(pattern))
    except (ValueError, re.error, OverflowError) as error:
        raise _ExprError(str(error)) from None
    found = regex.match(text)
    if regex.groups:
        return found[1] or "" if found else ""
    return str(found.end() if found else 0)


async def main(proc: Process, argv: list[str]) -> int:
    words = argv[1:]
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        return missing_operand(proc, argv[0], status=2)
    if words in (["--help"], ["--version"]):
        proc.error(f"kubenet: expr: {words[0]} is not emulated")
        return 2
    parser = _Parser(words)
    try:
        result = parser.level(0)
        if parser.peek() is not None:
            raise _ExprError(f"syntax error: unexpected argument {quote(words[parser.at])}")
    except _ExprError as error:
        message = str(error)
        proc.error(message if message.startswith("kubenet:") else f"{argv[0]}: {message}")
        return error.status
    proc.print(result)
    return int(_null(result))
