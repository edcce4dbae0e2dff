"""The expression language of `view` and `template` (expr-lang), as far as name servers use it.

    incidr(client_ip(), '10.0.0.0/8') && type() in ['A', 'AAAA']

`compile_expression(text, names)` checks the syntax, that every name is known and that operands have
types that go together, and gives a function of the values by name. A value is a bool, a number, a
string, a list, None, or a function to call.

Types are "int", "float", "string", "bool", "array", "nil", "any" (not known before it runs); that of a
function is its arguments' and, after an arrow, its result's: "string,string -> bool".
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Code:
    """A function of the values by name, and the type of what it gives."""

    run: Callable[[Values], Any]
    kind: str = "any"

    def __call__(self, values: Values) -> Any:
        return self.run(values)


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


def compile_expression(text: str, names: Iterable[str] | Mapping[str, str]) -> Code:
    """ExpressionError where `text` is wrong or knows a name that is not in `names` (a mapping gives their types)."""
    types = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, "any")
    parser = _Parser(text, {**dict.fromkeys(BUILTINS, "any"), **types})
    code = parser.ternary()
    parser.end()
    return code


class _Parser:
    def __init__(self, text: str, names: dict[str, str]):
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

    def column(self) -> int:
        return self.tokens[self.at][2] + 1 if self.at < len(self.tokens) else len(self.text)

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise self.unexpected()

    # -- the grammar ------------------------------------------------------------------------
    def ternary(self) -> Code:
        condition = self.binary(0)
        if self.take("??"):
            other = self.ternary()
            return Code(lambda values: other(values) if (found := condition(values)) is None else found)
        if not self.take("?"):
            return condition
        if condition.kind not in ("bool", "any"):
            raise ExpressionError(f"non-bool expression (type {condition.kind}) used as condition (1:{self.column()})")
        yes = self.ternary()
        self.need(":")
        no = self.ternary()
        kind = yes.kind if yes.kind == no.kind else "any"
        return Code(lambda values: yes(values) if condition(values) else no(values), kind)

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
            column = self.column()
            self.at += 1
            left = _join(word, left, self.binary(level + 1), negated, column)

    def unary(self) -> Code:
        if self.take("!") or self.take("not"):
            return self.signed("!", self.unary(), ("bool",), operator.not_)
        if self.take("-"):
            return self.signed("-", self.unary(), NUMBERS, operator.neg)
        base = self.postfix()
        if self.take("**") or self.take("^"):
            power = self.unary()
            _check("**", base.kind, power.kind, self.column())
            return Code(lambda values: base(values) ** power(values), "float")
        return base

    def signed(self, word: str, inner: Code, kinds: tuple[str, ...], operation: Callable[[Any], Any]) -> Code:
        if inner.kind not in (*kinds, "any"):
            raise ExpressionError(f"invalid operation: {word} (mismatched type {inner.kind}) (1:{self.column()})")
        return Code(lambda values: operation(inner(values)), inner.kind)

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
                column = self.column()
                code = _call(code, self.arguments(")"), column)
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
            return Code(lambda _: number, "float" if "." in text else "int")
        if kind == "string":
            self.at += 1
            value = text[1:-1] if text[0] == "`" else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
            return Code(lambda _: value, "string")
        if kind == "name" and text in ("true", "false", "nil"):
            self.at += 1
            constant = {"true": True, "false": False, "nil": None}[text]
            return Code(lambda _: constant, "nil" if constant is None else "bool")
        if kind == "name" and text not in KEYWORDS:
            self.at += 1
            if text not in self.names:
                raise ExpressionError(f"unknown name {text} (1:{start + 1})")
            return Code(lambda values: values[text] if text in values else BUILTINS[text], self.names[text])
        if self.take("("):
            inner = self.ternary()
            self.need(")")
            return inner
        if self.take("["):
            items = self.arguments("]")
            return Code(lambda values: [item(values) for item in items], "array")
        raise self.unexpected()


_ESCAPES: Mapping[str, str] = {"n": "\n", "t": "\t", "r": "\r"}


NUMBERS = ("int", "float")
_STRINGS = ("contains", "startsWith", "endsWith", "matches")


def _check(word: str, left: str, right: str, column: int) -> str:
    """The type of what an operator gives (checker.BinaryNode()); ExpressionError for operands that it does not take."""
    numbers = all(kind in (*NUMBERS, "any") for kind in (left, right))
    strings = all(kind in ("string", "any") for kind in (left, right))
    number = "float" if "float" in (left, right) else "any" if "any" in (left, right) else "int"
    unknown = "any" in (left, right)
    if word in ("==", "!="):
        fits, kind = numbers or unknown or left == right or "nil" in (left, right), "bool"
    elif word in ("||", "or", "&&", "and"):
        fits, kind = all(kind in ("bool", "any") for kind in (left, right)), "bool"
    elif word in ("<", "<=", ">", ">="):
        fits, kind = numbers or strings, "bool"
    elif word == "+":
        fits, kind = numbers or strings, number if not strings or left == right == "any" else "string"
    elif word in ("-", "*", "/", "**"):
        fits, kind = numbers, "float" if word in ("/", "**") else number
    elif word in ("%", ".."):
        fits, kind = all(kind in ("int", "any") for kind in (left, right)), "int" if word == "%" else "array"
    elif word in _STRINGS:
        fits, kind = strings, "bool"
    else:
        fits, kind = right in ("array", "any", "nil"), "bool"
    if not fits:
        raise ExpressionError(f"invalid operation: {word} (mismatched types {left} and {right}) (1:{column})")
    return kind


def _join(word: str, left: Code, right: Code, negated: bool, column: int) -> Code:
    kind = _check(word, left.kind, right.kind, column)
    if word in ("||", "or"):
        return Code(lambda values: left(values) or right(values), kind)
    if word in ("&&", "and"):
        return Code(lambda values: left(values) and right(values), kind)
    operation = _OPERATIONS[word]
    if negated:
        return Code(lambda values: not operation(left(values), right(values)), kind)
    return Code(lambda values: operation(left(values), right(values)), kind)


def _member(code: Code, name: str) -> Code:
    return Code(lambda values: code(values)[name])


def _index(code: Code, position: Code) -> Code:
    return Code(lambda values: code(values)[position(values)], "string" if code.kind == "string" else "any")


def _call(code: Code, arguments: list[Code], column: int) -> Code:
    """A call; the number and the types of the arguments are looked at where the function's type is known."""
    if "->" not in code.kind:
        if code.kind != "any":
            raise ExpressionError(f"{code.kind} is not callable (1:{column})")
        return Code(lambda values: code(values)(*(argument(values) for argument in arguments)))
    wanted, _, result = code.kind.partition("->")
    kinds = [kind.strip() for kind in wanted.split(",") if kind.strip()]
    if len(kinds) != len(arguments):
        raise ExpressionError(f"{'too many' if len(arguments) > len(kinds) else 'not enough'} arguments to call (1:{column})")
    for kind, argument in zip(kinds, arguments):
        if "any" not in (kind, argument.kind) and kind != argument.kind:
            raise ExpressionError(f"cannot use {argument.kind} as argument (type {kind}) to call (1:{column})")
    return Code(lambda values: code(values)(*(argument(values) for argument in arguments)), result.strip())
