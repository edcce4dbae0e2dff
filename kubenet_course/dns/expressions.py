"""The expression language of `view` and `template` (expr-lang), as far as name servers use it.

    incidr(client_ip(), '10.0.0.0/8') && type() in ['A', 'AAAA']

`compile_expression(text, names)` checks the syntax and that every name is known, and gives a function
of the values by name. A value is a bool, a number, a string, a list, None, or a function to call.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Values = Mapping[str, Any]
Code = Callable[[Values], Any]


class ExpressionError(ValueError):
    """The text is no expression, or says something of an unknown name."""


_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>\d+\.\d+|\.\d+|0x[0-9a-fA-F]+|\d+)
    | (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<mark>&&|\|\||==|!=|<=|>=|\*\*|\?\?|\.\.|[-+*/%^<>!?:.,()\[\]{}|])
    )""",
    re.X,
)
BUILTINS: Values = {
    "len": len,
    "lower": str.lower,
    "upper": str.upper,
    "trim": str.strip,
    "split": str.split,
    "int": int,
    "float": float,
    "string": str,
    "abs": abs,
    "max": max,
    "min": min,
    "hasPrefix": str.startswith,
    "hasSuffix": str.endswith,
    "indexOf": str.find,
    "replace": str.replace,
}
KEYWORDS = frozenset(
    "true false nil let not and or in contains startsWith endsWith matches".split()
)
#: Binary operators: what binds least first.
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||", "or"),
    ("&&", "and"),
    ("==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches"),
    ("..",),
    ("+", "-"),
    ("*", "/", "%"),
)
_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "%": operator.mod,
    "in": lambda a, b: a in b,
    "contains": lambda a, b: b in a,
    "startsWith": lambda a, b: a.startswith(b),
    "endsWith": lambda a, b: a.endswith(b),
    "matches": lambda a, b: re.search(b, a) is not None,
    "..": lambda a, b: list(range(a, b + 1)),
}  # fmt: skip


def compile_expression(text: str, names: Iterable[str]) -> Code:
    """ExpressionError where `text` is wrong or knows a name that is not in `names`."""
    parser = _Parser(text, {*names, *BUILTINS})
    code = parser.ternary()
    parser.end()
    return code


class _Parser:
    def __init__(self, text: str, names: set[str]):
        self.text = text
        self.names = names
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise ExpressionError(f"unrecognized character: {text[at:].strip()[0]!r} (1:{at + 1})")
            kind = match.lastgroup or ""
            self.tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self.at = 0

    # -- the cursor -------------------------------------------------------------------------
    def peek(self) -> str:
        kind, text, _ = self.tokens[self.at] if self.at < len(self.tokens) else ("", "", 0)
        return text if kind in ("mark", "name") else ""

    def take(self, wanted: str) -> bool:
        if self.peek() == wanted:
            self.at += 1
            return True
        return False

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise self.unexpected()

    def unexpected(self) -> ExpressionError:
        if self.at >= len(self.tokens):
            return ExpressionError(f"unexpected token EOF (1:{len(self.text)})")
        kind, text, start = self.tokens[self.at]
        word = {"name": "Identifier", "mark": "Operator", "number": "Number", "string": "String"}[kind]
        return ExpressionError(f'unexpected token {word}("{text}") (1:{start + 1})')

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise self.unexpected()

    # -- the grammar ------------------------------------------------------------------------
    def ternary(self) -> Code:
        condition = self.binary(0)
        if self.take("??"):
            other = self.ternary()
            return lambda values: other(values) if (found := condition(values)) is None else found
        if not self.take("?"):
            return condition
        yes = self.ternary()
        self.need(":")
        no = self.ternary()
        return lambda values: yes(values) if condition(values) else no(values)

    def binary(self, level: int) -> Code:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while True:
            word = self.peek()
            negated = word == "not" and self.at + 1 < len(self.tokens) and self.tokens[self.at + 1][1] in _LEVELS[level]
            if negated:
                self.at += 1
                word = self.peek()
            if word not in _LEVELS[level]:
                return left
            self.at += 1
            left = _join(word, left, self.binary(level + 1), negated)

    def unary(self) -> Code:
        if self.take("!") or self.take("not"):
            inner = self.unary()
            return lambda values: not inner(values)
        if self.take("-"):
            inner = self.unary()
            return lambda values: -inner(values)
        base = self.postfix()
        if self.take("**") or self.take("^"):
            power = self.unary()
            return lambda values: base(values) ** power(values)
        return base

    def postfix(self) -> Code:
        code = self.primary()
        while True:
            if self.take("."):
                kind, name, _ = self.tokens[self.at] if self.at < len(self.tokens) else ("", "", 0)
                if kind != "name":
                    raise self.unexpected()
                self.at += 1
                code = _member(code, name)
            elif self.take("["):
                code = _index(code, self.ternary())
                self.need("]")
            elif self.take("("):
                code = _call(code, self.arguments(")"))
            else:
                return code

    def arguments(self, close: str) -> list[Code]:
        found: list[Code] = []
        while not self.take(close):
            if found:
                self.need(",")
            found.append(self.ternary())
        return found

    def primary(self) -> Code:
        if self.at >= len(self.tokens):
            raise self.unexpected()
        kind, text, start = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            number = float(text) if "." in text else int(text, 0)
            return lambda _: number
        if kind == "string":
            self.at += 1
            value = text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
            return lambda _: value
        if kind == "name" and text in ("true", "false", "nil"):
            self.at += 1
            constant = {"true": True, "false": False, "nil": None}[text]
            return lambda _: constant
        if kind == "name" and text not in KEYWORDS:
            self.at += 1
            if text not in self.names:
                raise ExpressionError(f"unknown name {text} (1:{start + 1})")
            return lambda values: values[text] if text in values else BUILTINS[text]
        if self.take("("):
            inner = self.ternary()
            self.need(")")
            return inner
        if self.take("["):
            items = self.arguments("]")
            return lambda values: [item(values) for item in items]
        raise self.unexpected()


_ESCAPES: Mapping[str, str] = {"n": "\n", "t": "\t", "r": "\r"}


def _join(word: str, left: Code, right: Code, negated: bool) -> Code:
    if word in ("||", "or"):
        return lambda values: left(values) or right(values)
    if word in ("&&", "and"):
        return lambda values: left(values) and right(values)
    operation = _OPERATIONS[word]
    if negated:
        return lambda values: not operation(left(values), right(values))
    return lambda values: operation(left(values), right(values))


def _member(code: Code, name: str) -> Code:
    return lambda values: code(values)[name]


def _index(code: Code, position: Code) -> Code:
    return lambda values: code(values)[position(values)]


def _call(code: Code, arguments: list[Code]) -> Code:
    return lambda values: code(values)(*(argument(values) for argument in arguments))
