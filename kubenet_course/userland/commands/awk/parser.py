"""AWK programs as nested tuples ``(kind, …)``, through a LALR grammar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from kubenet_course.userland import lalr
from kubenet_course.userland.commands.awk.lexer import AwkError, Lexer, Token

Node = tuple


@dataclass
class Program:
    """Actions by kind; a rule is (pattern or None, action or None)."""

    begin: list[Node] = field(default_factory=list)
    end: list[Node] = field(default_factory=list)
    rules: list[tuple[Node | None, Node | None]] = field(default_factory=list)
    functions: dict[str, tuple[list[str], Node]] = field(default_factory=dict)


#: What rules become that are more, or less, than their name and their children.
REDUCTIONS: lalr.Reductions = MappingProxyType({
    "list_more": lambda items: [*items[0], items[1]],
    "list_same": lambda items: items[0],
    "print_list": lambda items: [*items[1], items[3]],
    "field_minus": lambda items: ("field", items[0], ("unary", items[1], items[2])),
    "nothing": lambda items: None,
})  # fmt: skip


@lru_cache(1)
def _grammar() -> lalr.Grammar:
    return lalr.load("kubenet_course.userland.commands.awk", lalr.tuples(REDUCTIONS))


@lru_cache(128)
def parse(text: str) -> Program:
    """The program; raises AwkError with mawk's message."""
    tokens = Lexer(text).all()
    state = lalr.Parse(_grammar())
    token = tokens[-1]
    try:
        for token in tokens:
            state.feed(token)
        rules = state.feed(Token("$END", None, "", tokens[-1].line))
    except lalr.UnexpectedToken:
        if token.text == "":
            raise AwkError(f"line {token.line + 1}: syntax error at or near end of file") from None
        shown = token.text if token.text != "\n" else "end of line"
        raise AwkError(f"line {token.line}: syntax error at or near {shown}") from None
    return _program(rules)


def _program(rules: list[Node]) -> Program:
    program = Program()
    for rule in rules:
        if rule[0] == "function":
            name, names, block = rule[2].value, [token.value for token in rule[4]], rule[6]
            program.functions[name] = (names, block)
        elif rule[0] == "rule_both" and rule[1][0] == "pattern":
            (program.begin if rule[1][1].type == "BEGIN" else program.end).append(rule[2])
        elif rule[0] == "rule_pattern" and rule[1][0] == "pattern":
            raise AwkError(f"line {rule[1][1].line}: syntax error at or near end of file")
        elif rule[0] == "rule_action":
            program.rules.append((None, rule[1]))
        else:
            program.rules.append((rule[1], rule[2] if rule[0] == "rule_both" else None))
    for action in (*program.begin, *program.end):
        for node in _walk(action):
            if node and node[0] == "next_":
                raise AwkError(f"line {node[1].line}: improper use of next")
    missing = sorted(_called(rules) - set(program.functions))
    if missing:
        raise AwkError(f"line 2: function {missing[0]} never defined")
    return program


def _walk(node: Any) -> Iterator[Node]:
    """Every tuple in `node`."""
    todo = [node]
    while todo:
        here = todo.pop()
        if isinstance(here, list):
            todo.extend(here)
        elif isinstance(here, tuple):
            yield here
            todo.extend(here[1:])


def _called(node: Any) -> set[str]:
    """Names of functions that are called anywhere in `node`."""
    return {here[1].value for here in _walk(node) if here and here[0] == "call"}
