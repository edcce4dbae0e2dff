"""bc's language (GNU bc 1.07.1): text to a tree of tuples, one statement or definition at a time."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(
    r"(?P<blank>[ \t]+|/\*.*?\*/|#[^\n]*)|(?P<newline>\n)|(?P<number>[0-9A-F]*\.?[0-9A-F]+|[0-9A-F]+\.)"
    r'|(?P<string>"[^"]*")|(?P<name>[a-z][a-z0-9_]*|\.)'
    r"|(?P<op>\+\+|--|[-+*/%^]=|==|<=|>=|!=|&&|\|\||[-+*/%^=<>!(){}\[\],;])",
    re.S,
)
KEYWORDS = frozenset(
    "auto break continue define else for halt if length print quit read return scale sqrt while".split()
)
#: Binary operators that stand lower than arithmetic, lowest first: GNU bc's own order.
LOGICAL = (("||",), ("&&",))
COMPARISONS = ("==", "<=", ">=", "!=", "<", ">")


class SyntaxFault(Exception):
    """At `line`, with what the real one says."""

    def __init__(self, line: int, message: str = "syntax error"):
        super().__init__(message)
        self.line = line


class Quit(Exception):
    """`quit`, or a `halt` that is reached."""


class Parser:
    """Reads statements from a text; `line` is where it is."""

    def __init__(self, text: str):
        self.tokens: list[tuple[str, str, int]] = []
        #: What is no character of the language, with its line; it is left out.
        self.faults: list[str] = []
        line, at = 1, 0
        text = text.replace("\\\n", "")
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                self.faults.append(f"{line}: illegal character: {text[at]}")
                at += 1
                continue
            kind = match.lastgroup or ""
            if kind != "blank":
                self.tokens.append((kind, match[0], line))
            line += match[0].count("\n")
            at = match.end()
        self.tokens.append(("newline", "\n", line))
        self.tokens.append(("end", "", line))
        self.at = 0

    # -- tokens -----------------------------------------------------------------------------
    def peek(self) -> str:
        kind, text, _ = self.tokens[self.at]
        return text if kind in ("op", "newline") or (kind == "name" and text in KEYWORDS) else kind

    def take(self) -> str:
        text = self.tokens[self.at][1]
        self.at += 1
        return text

    def expect(self, text: str) -> None:
        if self.peek() != text:
            raise self.fault()
        self.take()

    def fault(self) -> SyntaxFault:
        return SyntaxFault(self.tokens[self.at][2] + (self.tokens[self.at][0] in ("newline", "end")))

    def skip_line(self) -> None:
        """After an error: on to the next line."""
        while self.tokens[self.at][0] not in ("newline", "end"):
            self.at += 1

    # -- statements -------------------------------------------------------------------------
    def next_line(self) -> list[Any] | None:
        """The statements of the next line, None at the end."""
        while self.peek() in ("\n", ";"):
            self.take()
        if self.peek() == "end":
            return None
        if self.peek() == "define":
            return [self._define()]
        found = [self.statement()]
        while self.peek() == ";":
            self.take()
            if self.peek() not in ("\n", ";", "end"):
                found.append(self.statement())
        if self.peek() != "\n":
            raise self.fault()
        return found

    def _newlines(self) -> None:
        while self.peek() == "\n":
            self.take()

    def statement(self) -> Any:
        word = self.peek()
        if word == "string":
            return "text", self.take()[1:-1]
        if word == "print":
            self.take()
            return "print", self._print_list()
        if word == "quit":  # takes effect as it is read
            raise Quit
        if word in ("break", "continue", "halt"):
            return (self.take(),)
        if word == "return":
            self.take()
            if self.peek() in ("\n", ";", "}"):
                return "return", ("number", "0")
            return "return", self.expression()
        if word == "{":
            return self._block()
        if word in ("if", "while", "for"):
            return getattr(self, f"_{word}")()
        if word == "auto":
            raise self.fault()
        expression = self.expression()
        shown = expression[0] not in ("assign", "assign_op")
        return ("show" if shown else "do"), expression

    def _print_list(self) -> list[Any]:
        found: list[Any] = []
        while True:
            found.append(("text", self.take()[1:-1]) if self.peek() == "string" else self.expression())
            if self.peek() != ",":
                return found
            self.take()

    def _block(self) -> Any:
        self.take()
        found: list[Any] = []
        while True:
            while self.peek() in ("\n", ";"):
                self.take()
            if self.peek() == "end":
                raise self.fault()
            if self.peek() == "}":
                self.take()
                return "block", found
            found.append(self.statement())
            if self.peek() not in ("\n", ";", "}"):
                raise self.fault()

    def _if(self) -> Any:
        self.take()
        self.expect("(")
        test = self.expression()
        self.expect(")")
        self._newlines()
        then = self.statement()
        otherwise = None
        if self.peek() == "else":
            self.take()
            self._newlines()
            otherwise = self.statement()
        return "if", test, then, otherwise

    def _while(self) -> Any:
        self.take()
        self.expect("(")
        test = self.expression()
        self.expect(")")
        self._newlines()
        return "while", test, self.statement()

    def _for(self) -> Any:
        self.take()
        self.expect("(")
        parts = []
        for closing in (";", ";", ")"):
            parts.append(None if self.peek() == closing else self.expression())
            self.expect(closing)
        self._newlines()
        return "for", *parts, self.statement()

    def _define(self) -> Any:
        self.take()
        if self.peek() == "name" and self.tokens[self.at][1] == "void":
            self.take()
        name = self._name()
        self.expect("(")
        parameters = self._names(")")
        self.expect(")")
        self._newlines()
        self.expect("{")
        self._newlines()
        autos: list[tuple[str, bool]] = []
        if self.peek() == "auto":
            self.take()
            autos = self._names("\n")
        self.at -= 1
        self.tokens[self.at] = ("op", "{", self.tokens[self.at][2])
        return "define", name, parameters, autos, self._block()

    def _names(self, closing: str) -> list[tuple[str, bool]]:
        """Names, and whether each is an array."""
        found: list[tuple[str, bool]] = []
        while self.peek() not in (closing, ";"):
            name = self._name()
            array = self.peek() == "["
            if array:
                self.take()
                self.expect("]")
            found.append((name, array))
            if self.peek() == ",":
                self.take()
        return found

    def _name(self) -> str:
        if self.peek() != "name":
            raise self.fault()
        return self.take()

    # -- expressions ------------------------------------------------------------------------
    def expression(self, level: int = 0) -> Any:
        if level < len(LOGICAL):
            left = self.expression(level + 1)
            while self.peek() in LOGICAL[level]:
                left = ("logic", self.take(), left, self.expression(level + 1))
            return left
        if self.peek() == "!":
            self.take()
            return "not", self.expression(level)
        left = self._assignment()
        while self.peek() in COMPARISONS:
            left = ("compare", self.take(), left, self._assignment())
        return left

    def _assignment(self) -> Any:
        left = self._sum()
        word = self.peek()
        if left[0] in ("variable", "element", "special"):
            if word == "=":
                self.take()
                return "assign", left, self._assignment()
            if len(word) == 2 and word[1] == "=" and word[0] in "+-*/%^":
                self.take()
                return "assign_op", word[0], left, self._assignment()
        return left

    def _sum(self) -> Any:
        left = self._product()
        while self.peek() in ("+", "-"):
            left = ("binary", self.take(), left, self._product())
        return left

    def _product(self) -> Any:
        left = self._power()
        while self.peek() in ("*", "/", "%"):
            left = ("binary", self.take(), left, self._power())
        return left

    def _power(self) -> Any:
        left = self._unary()
        if self.peek() == "^":
            self.take()
            return "binary", "^", left, self._power()
        return left

    def _unary(self) -> Any:
        if self.peek() == "-":
            self.take()
            return "minus", self._unary()
        if self.peek() in ("++", "--"):
            sign = self.take()[0]
            return "step", sign, self._unary(), True
        primary = self._primary()
        if self.peek() in ("++", "--") and primary[0] in ("variable", "element", "special"):
            return "step", self.take()[0], primary, False
        return primary

    def _primary(self) -> Any:
        word = self.peek()
        if word == "number":
            return "number", self.take()
        if word == "(":
            self.take()
            inner = self.expression()
            self.expect(")")
            return "parens", inner
        if word in ("sqrt", "length", "scale"):
            self.take()
            if self.peek() != "(":
                if word == "scale":
                    return "special", "scale"
                raise self.fault()
            self.take()
            inner = self.expression()
            self.expect(")")
            return "function", word, inner
        if word == "read":
            self.take()
            self.expect("(")
            self.expect(")")
            return ("read",)
        if word == "name":
            return self._named(self.take())
        raise self.fault()

    def _named(self, name: str) -> Any:
        if self.peek() == "(":
            self.take()
            arguments = []
            while self.peek() != ")":
                arguments.append(self.expression())
                if self.peek() == ",":
                    self.take()
                elif self.peek() != ")":
                    raise self.fault()
            self.take()
            return "call", name, arguments
        if self.peek() == "[":
            self.take()
            if self.peek() == "]":
                self.take()
                return "array", name
            index = self.expression()
            self.expect("]")
            return "element", name, index
        return (
            ("special", name)
            if name in ("ibase", "obase", "last")
            else ("special", "last")
            if name == "."
            else ("variable", name)
        )


def code_size(node: Any) -> int:
    """How long the real one's code of an expression is: it names the address of what went wrong."""
    kind = node[0]
    if kind == "number":
        return 1 if node[1] in ("0", "1") else len(node[1]) + 2
    if kind in ("binary", "compare", "logic"):
        return code_size(node[2]) + code_size(node[3]) + 1
    if kind in ("minus", "not", "parens", "show", "do"):
        return code_size(node[1]) + (kind != "parens")
    if kind == "assign":
        return code_size(node[2]) + 2
    if kind == "function":
        return code_size(node[2]) + 2
    return 2
