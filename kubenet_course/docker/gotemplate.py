"""Go's text/template as `--format` needs it: fields, pipelines, if, range, with, variables, functions.

    render("{{range .Networks}}{{.IPAddress}} {{end}}", record)

Data are dictionaries and lists of JSON; a field is a key. Functions: Docker's own (json, prettyjson, join,
split, lower, upper, title, pad, truncate, println) and Go's (printf, print, index, len, slice, eq, ne, lt,
le, gt, ge, and, or, not). TemplateError holds Go's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubenet_course.docker.gotemplate_functions import FUNCTIONS, MISSING, TemplateError, field, show, truth

_TOKEN = re.compile(
    r'\s*(?:(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<number>-?\d+)|(?P<field>(?:\.[A-Za-z_]\w*)+)|(?P<dot>\.)'
    r"|(?P<variable>\$\w*(?:\.[A-Za-z_]\w*)*)|(?P<word>[A-Za-z_]\w*)|(?P<sign>:=|=|\||\(|\)|,))"
)
Node = tuple[Any, ...]
#: Kind, text, and where it begins in the template.
Token = tuple[str, str, int]


def render(text: str, data: Any) -> str:
    """The template applied to `data`. TemplateError."""
    return Template(text).render(data)


class Template:
    """A parsed template."""

    def __init__(self, text: str, functions: Mapping[str, Callable[..., Any]] | None = None):
        self.functions = {**FUNCTIONS, **(functions or {})}
        self.pieces = list(_pieces(text))
        self.at = 0
        self.nodes = self._block(())
        if self.at < len(self.pieces):
            raise TemplateError(f"unexpected {{{{{self.pieces[self.at][1]}}}}}")

    def render(self, data: Any) -> str:
        out: list[str] = []
        self._run(self.nodes, data, {"$": data}, out)
        return "".join(out)

    # -- reading ----------------------------------------------------------------------------
    def _block(self, ends: tuple[str, ...]) -> list[Node]:
        nodes: list[Node] = []
        while self.at < len(self.pieces):
            kind, text, offset = self.pieces[self.at]
            if kind == "text":
                nodes.append(("text", text))
                self.at += 1
                continue
            word = text.split(None, 1)[0] if text.strip() else ""
            if word in ("end", "else"):
                if word not in ends:
                    raise TemplateError(f"unexpected {{{{{word}}}}}")
                return nodes
            self.at += 1
            rest = text[len(word) :].strip()
            if word in ("if", "range", "with"):
                nodes.append(self._control(word, rest, offset + text.find(rest, len(word))))
            elif not word:
                raise TemplateError("missing value for command")
            elif not text.startswith("/*"):
                nodes.append(("print", self._pipeline(text, offset)))
        if ends:
            raise TemplateError("unexpected EOF")
        return nodes

    def _control(self, word: str, rest: str, offset: int) -> Node:
        if not rest:
            raise TemplateError(f"missing value for {word}")
        pipeline = self._pipeline(rest, offset)
        body = self._block(("end", "else"))
        other: list[Node] = []
        _, text, offset = self.pieces[self.at]
        self.at += 1
        if text.startswith("else"):
            more = text[4:].strip()
            if more.startswith("if"):
                condition = more[2:].strip()
                other = [self._control("if", condition, offset + text.find(condition, 4))]
            else:
                other = self._block(("end",))
                self.at += 1
        return (word, pipeline, body, other)

    def _pipeline(self, text: str, offset: int) -> Node:
        tokens = list(_tokens(text, offset))
        names: list[str] = []
        signs = [value if kind == "sign" else "" for kind, value, _ in tokens]
        for sign in (":=", "="):
            if sign in signs:
                cut = signs.index(sign)
                names = [value for kind, value, _ in tokens[:cut] if kind == "variable"]
                tokens = tokens[cut + 1 :]
                break
        commands, rest = self._commands(tokens)
        if rest:
            raise TemplateError("unexpected right paren")
        return ("pipeline", names, commands)

    def _commands(self, tokens: list[Token]) -> tuple[list[list[Node]], list[Token]]:
        commands: list[list[Node]] = [[]]
        while tokens:
            kind, value, at = tokens[0]
            if (kind, value) == ("sign", ")"):
                break
            tokens = tokens[1:]
            if (kind, value) == ("sign", "|"):
                commands.append([])
            elif (kind, value) == ("sign", "("):
                inner, tokens = self._commands(tokens)
                if not tokens:
                    raise TemplateError("unclosed left paren")
                tokens = tokens[1:]
                path = ""
                if tokens and tokens[0][0] == "field":
                    path, tokens = tokens[0][1], tokens[1:]
                commands[-1].append(("group", inner, path))
            elif kind == "word" and value not in self.functions and value not in ("true", "false", "nil"):
                raise TemplateError(f'function "{value}" not defined')
            else:
                commands[-1].append((kind, value, at))
        if not all(commands):
            raise TemplateError("missing value for command")
        return commands, tokens

    # -- applying ---------------------------------------------------------------------------
    def _run(self, nodes: list[Node], dot: Any, names: dict[str, Any], out: list[str]) -> None:
        for node in nodes:
            kind = node[0]
            if kind == "text":
                out.append(node[1])
            elif kind == "print":
                value = self._value(node[1], dot, names)
                if not node[1][1]:
                    out.append(show(value))
            elif kind == "range":
                self._range(node, dot, names, out)
            else:
                value = self._value(node[1], dot, names)
                if truth(value):
                    self._run(node[2], value if kind == "with" else dot, dict(names), out)
                else:
                    self._run(node[3], dot, dict(names), out)

    def _range(self, node: Node, dot: Any, names: dict[str, Any], out: list[str]) -> None:
        _, (_, variables, _), body, other = node
        value = self._value(node[1], dot, names, keep=False)
        pairs: list[tuple[Any, Any]]
        if isinstance(value, Mapping):
            pairs = sorted(value.items())
        elif isinstance(value, (list, tuple)):
            pairs = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            pairs = [(number, number) for number in range(value)]
        elif value is None or value is MISSING:
            pairs = []
        else:
            raise TemplateError(f"range can't iterate over {show(value)}")
        for key, item in pairs:
            inner = dict(names)
            if len(variables) == 1:
                inner[variables[0]] = item
            elif len(variables) == 2:
                inner[variables[0]], inner[variables[1]] = key, item
            self._run(body, item, inner, out)
        if not pairs:
            self._run(other, dot, dict(names), out)

    def _value(self, pipeline: Node, dot: Any, names: dict[str, Any], keep: bool = True) -> Any:
        value = self._chain(pipeline[2], dot, names)
        if keep and pipeline[1]:
            names[pipeline[1][-1]] = value
        return value

    def _chain(self, commands: list[list[Node]], dot: Any, names: dict[str, Any]) -> Any:
        value: Any = None
        for number, command in enumerate(commands):
            extra = [value] if number else []
            first, arguments = command[0], command[1:]
            if first[0] == "word" and first[1] in self.functions:
                given = [self._term(one, dot, names) for one in arguments] + extra
                value = self._call(first[1], given)
            elif arguments or extra:
                raise TemplateError(f"can't give argument to non-function {first[1]}")
            else:
                value = self._term(first, dot, names)
        return value

    def _term(self, term: Node, dot: Any, names: dict[str, Any]) -> Any:
        kind, text = term[0], term[1]
        if kind == "string":
            return text[1:-1] if text[0] == "`" else json.loads(text.replace("\\'", "'"), strict=False)
        if kind == "number":
            return int(text)
        if kind == "dot":
            return dot
        if kind == "field":
            return self._field(dot, text, term)
        if kind == "variable":
            name, _, path = text.partition(".")
            if name not in names:
                raise TemplateError(f'undefined variable "{name}"')
            return self._field(names[name], f".{path}", term) if path else names[name]
        if kind == "group":
            value = self._chain(term[1], dot, names)
            return field(value, term[2]) if term[2] else value
        if text in ("true", "false"):
            return text == "true"
        if text == "nil":
            return None
        return self._call(text, [])

    @staticmethod
    def _field(value: Any, path: str, term: Node) -> Any:
        try:
            return field(value, path)
        except TemplateError as problem:
            parts = term[1].split(".")
            column = term[2] + (len(parts[0]) + 1 + len(parts[1]) if len(parts) > 2 else 0)
            raise TemplateError(problem.problem, f':1:{column}: executing "" at <{term[1]}>') from None

    def _call(self, name: str, arguments: list[Any]) -> Any:
        try:
            return self.functions[name](*arguments)
        except TemplateError as problem:
            raise TemplateError(
                f"error calling {name}: {problem.problem}", f':1: executing "" at <{name}>'
            ) from None
        except (TypeError, ValueError, IndexError, AttributeError):
            raise TemplateError(f"wrong number of args or wrong types for {name}") from None


def _pieces(text: str) -> Iterator[Token]:
    """("text", …) and ("action", …), with {{- and -}} applied."""
    at, trim = 0, False
    while True:
        start = text.find("{{", at)
        literal = text[at:] if start < 0 else text[at:start]
        if trim:
            literal = literal.lstrip()
        if start < 0:
            if literal:
                yield "text", literal, at
            return
        if text.startswith("{{- ", start):
            literal = literal.rstrip()
            start += 1
        if literal:
            yield "text", literal, at
        end = text.find("}}", start)
        if end < 0:
            raise TemplateError("unclosed action")
        action = text[start + 2 : end]
        trim = action.endswith(" -")
        at = end + 2
        content = (action[:-2] if trim else action).strip()
        yield "action", content, start + 2 + action.find(content)


def _tokens(text: str, offset: int) -> Iterator[Token]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            char = text[at:].lstrip()[:1]
            if char == '"':
                raise TemplateError("unterminated quoted string")
            raise TemplateError(f"unexpected {json.dumps(char)} in operand")
        kind = match.lastgroup or ""
        yield kind, match[kind], offset + match.start(kind)
        at = match.end()
