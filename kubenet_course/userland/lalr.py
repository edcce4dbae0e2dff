"""A LALR parser of `lark` for a language whose words depend on where the parser is (awk's regular expressions, jq's strings).

Its tokens are fed by hand; its reductions make nested tuples ``(rule, child, …)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Any

Reductions = Mapping[str, Callable[[list[Any]], Any]]

#: The rules (in a grammar: aliases) that both languages have.
COMMON: Reductions = MappingProxyType({
    "pass_first": lambda items: items[0],
    "list_empty": lambda items: [],
    "list_first": lambda items: [items[0]],
    "list_append": lambda items: [*items[0], items[-1]],
})  # fmt: skip


def load(package: str, start: str, reductions: Reductions) -> Any:
    """The parser for `package`'s ``grammar.lark``; `reductions` says what becomes of a rule's children.

    A rule that neither it nor `COMMON` names becomes (its name, its children).
    The answer is a `lark.Lark`, untyped since its types allow no tokens but its own.
    """
    from lark import Lark, Transformer
    from lark.lexer import Lexer

    class NoLexer(Lexer):
        def __init__(self, conf: Any):
            del conf

        def lex(self, lexer_state: Any, parser_state: Any) -> Any:
            return iter(())

    class Builder(Transformer):
        def __default__(self, data: Any, children: list, meta: Any) -> Any:
            return (str(data), *children)

    for name, reduction in {**COMMON, **reductions}.items():
        setattr(Builder, name, staticmethod(reduction))
    text = resources.files(package).joinpath("grammar.lark").read_text()
    return Lark(text, parser="lalr", lexer=NoLexer, start=start, transformer=Builder())
