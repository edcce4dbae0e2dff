"""The expressions of `test` and ``[`` (POSIX: decided by the number of arguments)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

UNARY = frozenset("-" + letter for letter in "bcdefghknoprstuvwxzGLNOSR")
BINARY = frozenset({"=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"})


class TestError(Exception):
    """The expression is wrong; the message is bash's."""

    __test__ = False


class _Parser:
    def __init__(self, proc: Process, words: list[str], variable_set: Callable[[str], bool]):
        self.proc = proc
        self.words = words
        self.at = 0
        self.variable_set = variable_set

    def peek(self, ahead: int = 0) -> str | None:
        at = self.at + ahead
        return self.words[at] if at < len(self.words) else None

    def take(self) -> str:
        word = self.peek()
        if word is None:
            raise TestError("argument expected")
        self.at += 1
        return word

    def disjunction(self) -> bool:
        value = self.conjunction()
        while self.peek() == "-o":
            self.at += 1
            right = self.conjunction()
            value = value or right
        return value

    def conjunction(self) -> bool:
        value = self.negation()
        while self.peek() == "-a":
            self.at += 1
            right = self.negation()
            value = value and right
        return value

    def negation(self) -> bool:
        negative = False
        while self.peek() == "!" and self.peek(1) is not None:
            self.at += 1
            negative = not negative
        return self.primary() != negative

    def primary(self) -> bool:
        word = self.take()
        following = self.peek()
        if following in BINARY and self.peek(1) is not None:
            self.at += 1
            return self.binary(word, following or "", self.take())
        if word == "(":
            value = self.disjunction()
            if self.peek() != ")":
                raise TestError("`)' expected")
            self.at += 1
            return value
        if word in UNARY and following is not None:
            return self.unary(word, self.take())
        return bool(word)

    def unary(self, op: str, operand: str) -> bool:
        from kubenet_course.userland.shell.condition import file_test

        if op == "-n":
            return bool(operand)
        if op == "-z":
            return not operand
        if op == "-v":
            return self.variable_set(operand)
        if op in ("-o", "-R"):
            return False
        if op == "-t" and not re.fullmatch(r"\s*[-+]?\d+\s*", operand):
            raise TestError(f"{operand}: integer expression expected")
        return file_test(self.proc, op[1], operand)

    def binary(self, left: str, op: str, right: str) -> bool:
        from kubenet_course.userland.shell.condition import NUMERIC, file_compare

        if op in ("=", "=="):
            return left == right
        if op == "!=":
            return left != right
        if op == "<":
            return left < right
        if op == ">":
            return left > right
        if op in NUMERIC:
            return bool(NUMERIC[op](_integer(left), _integer(right)))
        return file_compare(self.proc, op, left, right)


def _integer(text: str) -> int:
    if not re.fullmatch(r"\s*[-+]?[0-9]+\s*", text) or not -(2**63) <= int(text) < 2**63:
        raise TestError(f"{text}: integer expression expected")
    return int(text)


def evaluate_test(proc: Process, words: list[str], variable_set: Callable[[str], bool] | None = None) -> bool:
    """Whether the expression holds; raises TestError."""
    parser = _Parser(proc, words, variable_set or (lambda name: name in proc.env))
    count = len(words)
    if count == 0:
        return False
    if count == 1:
        return bool(words[0])
    if count == 2:
        return _two(parser, words)
    if count == 3:
        return _three(parser, words)
    if count == 4:
        if words[0] == "!":
            return not evaluate_test(proc, words[1:], variable_set)
        if words[0] == "(" and words[3] == ")":
            return evaluate_test(proc, words[1:3], variable_set)
    value = parser.disjunction()
    if parser.peek() is not None:
        raise TestError("too many arguments")
    return value


def _two(parser: _Parser, words: list[str]) -> bool:
    if words[0] == "!":
        return not words[1]
    if words[0] in UNARY:
        return parser.unary(words[0], words[1])
    raise TestError(f"{words[0]}: unary operator expected")


def _three(parser: _Parser, words: list[str]) -> bool:
    left, op, right = words
    if op in BINARY:
        return parser.binary(left, op, right)
    if op == "-a":
        return bool(left) and bool(right)
    if op == "-o":
        return bool(left) or bool(right)
    if left == "!":
        return not evaluate_test(parser.proc, words[1:], parser.variable_set)
    if left == "(" and right == ")":
        return bool(op)
    raise TestError(f"{op}: binary operator expected")
