"""Shell arithmetic: C expressions on 64-bit integers (bash's expr.c in behaviour and messages).

`evaluate(text, shell)` reads and assigns variables through the shell; an unset variable is 0 and
a variable's text is itself an expression.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    pass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9][0-9A-Za-z@_#]*)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<op>\*\*|<<=|>>=|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&^|]=|[-+*/%<>=!~&|^?:,()\[\]]))"
)
_BINARY = {
    "||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, ">": 7, "<=": 7, ">=": 7,
    "<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10, "**": 11,
}  # fmt: skip
_ASSIGNMENTS = frozenset({"=", "+=", "-=", "*=", "/=", "%=", "&=", "^=", "|=", "<<=", ">>="})
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ@_"
MAX_DEPTH = 50


class ArithError(Exception):
    """`message` is bash's, after the expression's own text."""


class Variables(Protocol):
    """What an expression needs of the shell."""

    def arith_get(self, name: str, index: str | None) -> str | None: ...

    def arith_set(self, name: str, index: str | None, value: int) -> None: ...


def wrap(number: int) -> int:
    """To 64 bits, two's complement."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def evaluate(text: str, variables: Variables, depth: int = 0) -> int:
    """The value of an expression; 0 for an empty one."""
    if depth > MAX_DEPTH:
        raise ArithError(f'{text}: expression recursion level exceeded (error token is "{text}")')
    if not text.strip():
        return 0
    return _Parser(text, variables, depth).whole()


class _Parser:
    """Precedence climbing; `skip` > 0 while a branch is read but not evaluated."""

    def __init__(self, text: str, variables: Variables, depth: int):
        self.text = text.strip(" \t\n")
        self.variables = variables
        self.depth = depth
        self.pos = 0
        self.start = 0
        self.last = 0
        self.token = ""
        self.kind = ""
        self.skip = 0
        self.levels = 0
        self.advance()

    def advance(self) -> None:
        self.last = self.start
        while self.pos < len(self.text) and self.text[self.pos].isspace():
            self.pos += 1
        self.start = self.pos
        if self.pos >= len(self.text):
            self.token = self.kind = ""
            return
        match = _TOKEN.match(self.text, self.pos)
        if match is None:
            self.token, self.kind = self.text[self.pos], "bad"
            self.pos += 1
            return
        self.kind = match.lastgroup or ""
        self.token = match[self.kind]
        self.pos = match.end()

    def fail(self, message: str, start: int | None = None) -> ArithError:
        at = self.start if start is None else start
        if at >= len(self.text):
            at = self.last
        return ArithError(f'{self.text}: {message} (error token is "{self.text[at:]}")')

    def whole(self) -> int:
        value = self.comma()
        if self.kind:
            if self.kind == "bad":
                raise self.fail("syntax error: invalid arithmetic operator")
            raise self.fail("syntax error in expression")
        return value

    def comma(self) -> int:
        value = self.assignment()
        while self.token == "," and self.kind == "op":
            self.advance()
            value = self.assignment()
        return value

    def assignment(self) -> int:
        self.levels += 1
        if self.levels > 100:
            raise self.fail("expression recursion level exceeded")
        start, pos, last = self.start, self.pos, self.last
        if self.kind == "name":
            name = self.token
            self.advance()
            index = self.subscript()
            if self.kind == "op" and self.token in _ASSIGNMENTS:
                operator = self.token
                self.advance()
                value = self.assignment()
                if operator != "=":
                    value = self.apply(operator[:-1], self.get(name, index), value, self.start)
                self.set(name, index, value)
                self.levels -= 1
                return value
            self.pos, self.last = start, last
            self.advance()
            self.last = last
        del pos
        value = self.ternary()
        if self.kind == "op" and self.token in _ASSIGNMENTS:
            raise self.fail("attempted assignment to non-variable")
        self.levels -= 1
        return value

    def ternary(self) -> int:
        test = self.binary(1)
        if self.token != "?" or self.kind != "op":
            return test
        self.advance()
        if not self.kind or self.token == ":":
            raise self.fail("expression expected")
        self.skip += test == 0
        first = self.assignment()
        self.skip -= test == 0
        if self.token != ":":
            raise self.fail("`:' expected for conditional expression")
        self.advance()
        if not self.kind:
            raise self.fail("expression expected")
        self.skip += test != 0
        second = self.assignment()
        self.skip -= test != 0
        return first if test else second

    def binary(self, level: int) -> int:
        left = self.unary()
        while self.kind == "op" and _BINARY.get(self.token, 0) >= level:
            operator = self.token
            priority = _BINARY[operator]
            self.advance()
            lazy = (operator == "&&" and not left) or (operator == "||" and left != 0)
            self.skip += lazy
            start = self.start
            right = self.binary(priority if operator == "**" else priority + 1)
            self.skip -= lazy
            left = self.apply(operator, left, right, start)
        return left

    def apply(self, operator: str, a: int, b: int, start: int) -> int:
        if operator in "/%" and b == 0:
            if self.skip:
                return 0
            raise self.fail("division by 0", start)
        if operator == "**" and b < 0:
            raise self.fail("exponent less than 0", self.last)
        if operator == "/":
            quotient = abs(a) // abs(b)
            return wrap(quotient if (a < 0) == (b < 0) else -quotient)
        if operator == "%":
            return wrap(abs(a) % abs(b) * (-1 if a < 0 else 1))
        if operator == "**":
            return wrap(pow(a, b, 1 << 64)) if not self.skip else 0
        results = {
            "||": lambda: int(bool(a) or bool(b)), "&&": lambda: int(bool(a) and bool(b)), "|": lambda: a | b,
            "^": lambda: a ^ b, "&": lambda: a & b, "==": lambda: int(a == b), "!=": lambda: int(a != b),
            "<": lambda: int(a < b), ">": lambda: int(a > b), "<=": lambda: int(a <= b),
            ">=": lambda: int(a >= b),
            "<<": lambda: a << (b & 63), ">>": lambda: a >> (b & 63), "+": lambda: a + b, "-": lambda: a - b,
            "*": lambda: a * b,
        }  # fmt: skip
        return wrap(results[operator]())

    def unary(self) -> int:
        if self.kind == "op":
            operator = self.token
            if operator in ("++", "--"):
                return self.prefix(1 if operator == "++" else -1)
            if operator in "!~-+":
                self.levels += 1
                if self.levels > 100:
                    raise self.fail("expression recursion level exceeded")
                self.advance()
                value = self.unary()
                self.levels -= 1
                return {"!": int(not value), "~": ~value, "-": wrap(-value), "+": value}[operator]
            if operator == "(":
                self.advance()
                value = self.comma()
                if self.token != ")":
                    raise self.fail("missing `)'")
                self.advance()
                return value
        return self.primary()

    def prefix(self, step: int) -> int:
        self.advance()
        if self.kind != "name":
            return self.unary()
        name = self.token
        self.advance()
        index = self.subscript()
        value = wrap(self.get(name, index) + step)
        self.set(name, index, value)
        return value

    def primary(self) -> int:
        if self.kind == "number":
            value = self.number(self.token)
            self.advance()
            return value
        if self.kind == "name":
            name = self.token
            self.advance()
            index = self.subscript()
            value = self.get(name, index)
            if self.token in ("++", "--") and self.kind == "op":
                self.set(name, index, wrap(value + (1 if self.token == "++" else -1)))
                self.advance()
            return value
        raise self.fail("syntax error: operand expected")

    def subscript(self) -> str | None:
        if self.token != "[" or self.kind != "op":
            return None
        depth, begin = 1, self.pos
        while depth:
            self.advance()
            if not self.kind:
                raise self.fail("bad array subscript")
            depth += {"[": 1, "]": -1}.get(self.token, 0)
        index = self.text[begin : self.start]
        self.advance()
        return index

    def number(self, text: str) -> int:
        base, digits = 10, text
        if "#" in text:
            prefix, _, digits = text.partition("#")
            if not prefix.isdecimal() or not 2 <= int(prefix) <= 64:
                raise self.fail("invalid arithmetic base")
            base = int(prefix)
            if not digits:
                raise self.fail("invalid integer constant")
        elif text[:2] in ("0x", "0X"):
            base, digits = 16, text[2:]
        elif text[0] == "0" and len(text) > 1:
            base, digits = 8, text[1:]
        value = 0
        for char in digits:
            digit = _DIGITS.find(char.lower() if base <= 36 else char)
            if digit < 0 or digit >= base:
                raise self.fail("value too great for base")
            value = value * base + digit
        return wrap(value)

    def get(self, name: str, index: str | None) -> int:
        if self.skip:
            return 0
        text = self.variables.arith_get(name, index)
        if text is None or not text.strip():
            return 0
        plain = text.strip()
        if plain.isascii() and plain.lstrip("-").isdecimal() and not plain.lstrip("-").startswith("0"):
            return wrap(int(plain))
        return evaluate(plain, self.variables, self.depth + 1)

    def set(self, name: str, index: str | None, value: int) -> None:
        if not self.skip:
            self.variables.arith_set(name, index, value)
