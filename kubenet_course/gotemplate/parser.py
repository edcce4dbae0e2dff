"""From the words of a Go template to what it consists of (text/template/parse/parse.go)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from kubenet_course.gotemplate.lexer import Lexer, Token
from kubenet_course.gotemplate.nodes import (
    Call,
    Chain,
    Command,
    Constant,
    Control,
    Jump,
    Node,
    Path,
    Pipeline,
    Term,
    Text,
    Word,
)
from kubenet_course.gotemplate.values import TemplateError

_CONSTANTS = {"true": True, "false": False, "nil": None}
_OPERANDS = ("word", "string", "raw", "char", "number", "field", "dot", "variable", "(")
_KEYWORDS = ("if", "with", "range", "end", "else", "break", "continue", "define", "template", "block")


class Parser:
    """`parse` gives the nodes; the templates that it defines are in `defined`. TemplateError."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]], name: str):
        self.lexer = Lexer(text, name)
        self.source = self.lexer.tokens()
        self.ahead: list[Token] = []
        self.functions = functions
        self.defined: dict[str, tuple[Node, ...]] = {}
        self.variables = ["$"]
        self.loops = 0
        self.last = 0

    def parse(self) -> tuple[Node, ...]:
        nodes, end = self._block(top=True)
        if end != "eof":
            raise self._error(f"unexpected {{{{{end}}}}}")
        return nodes

    # -- tokens -----------------------------------------------------------------------------
    def _error(self, problem: str) -> TemplateError:
        return self.lexer.error(problem, self.last)

    def _next(self) -> Token:
        token = self.ahead.pop() if self.ahead else next(self.source)
        self.last = token.at
        return token

    def _back(self, token: Token) -> None:
        self.ahead.append(token)

    def _peek(self) -> Token:
        token = self._next()
        self._back(token)
        return token

    def _word(self) -> Token:
        """The next one that is no space."""
        token = self._next()
        while token.kind == "space":
            token = self._next()
        return token

    def _unexpected(self, token: Token, where: str) -> TemplateError:
        if token.kind == "eof":
            return self._error("unexpected EOF")
        keyword = token.kind == "dot" or (token.kind == "word" and token.text in _KEYWORDS)
        words = f"<{token.text}>" if keyword else json.dumps(token.text, ensure_ascii=False)
        return self._error(f"unexpected {words} in {where}")

    # -- actions ----------------------------------------------------------------------------
    def _block(self, top: bool = False) -> tuple[tuple[Node, ...], str]:
        """Up to {{end}}, {{else}} or the end of the text; which of them it was. What follows `else` is not yet read."""
        nodes: list[Node] = []
        while True:
            token = self._next()
            if token.kind == "text":
                nodes.append(Text(token.text))
                continue
            if token.kind == "eof":
                if not top:
                    raise self._error("unexpected EOF")
                return tuple(nodes), "eof"
            first = self._word()
            word = first.text if first.kind == "word" else ""
            if word in ("end", "else"):
                if word == "end":
                    self._close("end")
                return tuple(nodes), word
            if word in ("if", "with", "range"):
                nodes.append(self._control(word))
            elif word in ("break", "continue"):
                self._close(f"{{{{{word}}}}}")
                if not self.loops:
                    raise self._error(f"{{{{{word}}}}} outside {{{{range}}}}")
                nodes.append(Jump(word))
            elif word == "define" and top:
                self._define()
            elif word == "template":
                nodes.append(self._call())
            elif word == "block":
                nodes.append(self._named_block())
            else:
                self._back(first)
                nodes.append(self._pipeline("command", "}}"))

    def _close(self, where: str) -> None:
        token = self._word()
        if token.kind != "end":
            raise self._unexpected(token, where)

    def _control(self, kind: str) -> Control:
        known = len(self.variables)
        pipeline = self._pipeline(kind, "}}")
        self.loops += kind == "range"
        body, end = self._block()
        self.loops -= kind == "range"
        other: tuple[Node, ...] = ()
        if end == "else":
            following = self._word()
            if following.text == kind and kind in ("if", "with"):
                other = (self._control(kind),)
            else:
                if following.kind != "end":
                    raise self._unexpected(following, "input" if following.text in ("if", "with") else "else")
                other, end = self._block()
                if end != "end":
                    raise self._error("expected end; found {{else}}")
        del self.variables[known:]
        return Control(kind, pipeline, body, other)

    def _define(self) -> None:
        name = self._name("define clause")
        self._close("define clause")
        self._add(name, "define clause")

    def _add(self, name: str, where: str) -> None:
        body, known = self._apart(where), self.defined.get(name, ())
        if not _is_empty(known) and not _is_empty(body):
            raise self._error(f'template: multiple definition of template "{name}"')
        self.defined[name] = known if _is_empty(body) and known else body

    def _apart(self, where: str) -> tuple[Node, ...]:
        """The body of a template of its own: it knows no variables of the outer one."""
        variables, self.variables, loops, self.loops = self.variables, ["$"], self.loops, 0
        body, end = self._block()
        self.variables, self.loops = variables, loops
        if end != "end":
            raise self._error(f"unexpected {{{{else}}}} in {where}")
        return body

    def _name(self, where: str) -> str:
        token = self._word()
        if token.kind not in ("string", "raw"):
            raise self._unexpected(token, where)
        return str(_constant(token))

    def _call(self) -> Call:
        token = self._word()
        self._back(token)
        name = self._name("template clause")
        following = self._word()
        pipeline = None
        if following.kind != "end":
            self._back(following)
            pipeline = self._pipeline("template clause", "}}")
        return Call(token.at, name, pipeline)

    def _named_block(self) -> Call:
        token = self._word()
        self._back(token)
        name = self._name("block clause")
        pipeline = self._pipeline("block clause", "}}")
        self._add(name, "block clause")
        return Call(token.at, name, pipeline)

    # -- pipelines --------------------------------------------------------------------------
    def _pipeline(self, where: str, end: str) -> Pipeline:
        first = self._word()
        self._back(first)
        names, declares = self._declarations(where)
        commands: list[Command] = []
        while True:
            token = self._word()
            if token.text == end and token.kind in ("end", ")"):
                break
            if token.kind in _OPERANDS and (token.kind != "word" or token.text not in _KEYWORDS):
                self._back(token)
                commands.append(self._command())
            else:
                raise self._unexpected(token, where)
        if not commands:
            raise self._error(f"missing value for {where}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.terms[0], Constant) or (
                isinstance(command.terms[0], Path) and str(command.terms[0]) == "."
            ):
                raise self._error(f"non executable command in pipeline stage {stage}")
        line = self.lexer.text.count("\n", 0, first.at) + 1
        return Pipeline(first.at, line, names, declares, tuple(commands))

    def _declarations(self, where: str) -> tuple[tuple[str, ...], bool]:
        """`$a :=`, `$a, $b :=` or `$a =`, if the pipeline begins so; else nothing is taken."""
        names: list[str] = []
        read: list[Token] = []
        while self._taken(read).kind == "variable":
            names.append(read[-1].text)
            sign = self._taken(read).kind
            if sign in (":=", "="):
                if sign == ":=":
                    self.variables += names
                return tuple(names), sign == ":="
            if sign != ",":
                break
            if where != "range" or len(names) == 2:
                raise self._error(f"too many declarations in {where}")
            following = self._taken(read)
            if following.kind not in ("variable", "end", ")"):
                raise self._error("range can only initialize variables")
            self._back(read.pop())
        for token in reversed(read):
            self._back(token)
        return (), False

    def _taken(self, read: list[Token]) -> Token:
        """The next token that is no space; it and the spaces before it are kept in `read`."""
        read.append(self._next())
        while read[-1].kind == "space":
            read.append(self._next())
        return read[-1]

    def _command(self) -> Command:
        """Terms with blanks between, up to a | (which is taken) or the end of the pipeline."""
        terms: list[Term] = []
        start = self._word()
        self._back(start)
        while True:
            term = self._term()
            if term is not None:
                terms.append(term)
            token = self._next()
            if token.kind == "space":
                continue
            if token.kind in ("end", ")"):
                self._back(token)
            elif token.kind != "|":
                raise self._unexpected(token, "operand")
            break
        if not terms:
            raise self._error("empty command")
        return Command(start.at, tuple(terms))

    def _term(self) -> Term | None:
        token = self._word()
        base: Term
        if token.kind == "word" and token.text in _CONSTANTS:
            base = Constant(token.at, token.text, _CONSTANTS[token.text])
        elif token.kind == "word" and token.text not in _KEYWORDS:
            if token.text not in self.functions:
                raise self._error(f'function "{token.text}" not defined')
            base = Word(token.at, token.text)
        elif token.kind in ("number", "string", "raw", "char"):
            try:
                base = Constant(token.at, token.text, _constant(token))
            except _NotConstant as problem:
                raise self._error(str(problem)) from None
        elif token.kind == "dot":
            base = Path(token.at, "", ())
        elif token.kind == "field":
            base = Path(token.at, "", (token.text[1:],))
        elif token.kind == "variable":
            if token.text not in self.variables:
                raise self._error(f'undefined variable "{token.text}"')
            base = Path(token.at, token.text, ())
        elif token.kind == "(":
            base = self._pipeline("parenthesized pipeline", ")")
        else:
            self._back(token)
            return None
        return self._fields(base)

    def _fields(self, base: Term) -> Term:
        at, names = 0, []
        while (token := self._peek()).kind == "field":
            self._next()
            at = at or token.at
            names.append(token.text[1:])
        if not names:
            return base
        if isinstance(base, Path):
            if str(base) == ".":
                raise self._error(f"unexpected <.> after term {json.dumps(str(base))}")
            return Path(at, base.variable, (*base.fields, *names))
        if isinstance(base, Pipeline):
            return Chain(at, base, tuple(names))
        raise self._error(f"unexpected . after term {json.dumps(str(base))}")


def _is_empty(nodes: tuple[Node, ...]) -> bool:
    """IsEmptyTree()"""
    return all(isinstance(node, Text) and not node.text.strip() for node in nodes)


class _NotConstant(ValueError):
    """A number, string or character that is none, in Go's words."""


def _constant(token: Token) -> Any:
    """What a number, a string or a character stands for. _NotConstant."""
    text = token.text
    if token.kind == "raw":
        return text[1:-1]
    if token.kind == "string":
        return _unquoted(text)
    if token.kind == "char":
        inner = _unquoted(text)
        if len(inner) != 1:
            raise _NotConstant(f"malformed character constant: {text}" if inner else "invalid syntax")
        return ord(inner)
    try:
        return _number(text.replace("_", "").lstrip("+"))
    except ValueError:
        octal = re.fullmatch(r"[+-]?0[0-9]+", text) is not None
        raise _NotConstant(
            f"{'integer overflow' if octal else 'illegal number syntax'}: {json.dumps(text)}"
        ) from None


def _number(text: str) -> int | float:
    """ValueError where it is none."""
    digits = text.lstrip("-")
    if digits[:2].lower() != "0x" and any(mark in text for mark in ".eE"):
        return float(text)
    number = int(digits, 8) if len(digits) > 1 and digits.isdigit() and digits[0] == "0" else int(digits, 0)
    return -number if text.startswith("-") else number


_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.?))", re.S
)
_LETTERS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v"))


def _unquoted(text: str) -> str:
    """strconv.Unquote(). _NotConstant."""
    quote = text[0]

    def one(match: re.Match[str]) -> str:
        letter, octal, *hexadecimal, wrong = match.groups()
        if wrong is not None or (letter in ("'", '"') and letter != quote):
            raise _NotConstant("invalid syntax")
        if letter:
            return _LETTERS.get(letter, letter)
        return chr(int(octal, 8) if octal else int("".join(filter(None, hexadecimal)), 16))

    return _ESCAPE.sub(one, text[1:-1])
