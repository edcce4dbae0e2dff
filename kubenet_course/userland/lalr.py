"""LALR(1) parsing whose tokens are fed one by one, for languages whose words depend on where the parser is.

A language is a `grammar.lark` and the tables that lark makes of it, which stand beside it in `tables.json` (the
shell's take lark 30 ms to make, nft's 600 ms). They are made by ``python -m tests.support.grammars``, and a test says
when they are not the grammar's. What is here is the automaton alone.

`tables.json` is one object:

    grammar   digest of grammar.lark
    start     the first state; `end` is the state in which the start rule is complete
    rules     a list: [what is reduced, what it is called, how many symbols, what of them is kept, whether one stands for all]
              kept: null is all, a number is the symbol of that place, -1-n are the children of what has place n,
              null in the list is the None of an optional part
    sets      terminals that are looked at together
    rows      a text a state: ``symbol,target`` is a shift (of a nonterminal: where to go after its reduction),
              ``rule/set`` the reduction before a terminal of that set
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from kubenet_course.registry import text_of

Reduction = Callable[[list[Any]], Any]
Reductions = Mapping[str, Reduction]
Row = dict[str, "int | Rule"]

#: The rules (in a grammar: aliases) that awk and jq have both.
COMMON: Reductions = MappingProxyType({
    "pass_first": lambda items: items[0],
    "list_empty": lambda items: [],
    "list_first": lambda items: [items[0]],
    "list_append": lambda items: [*items[0], items[-1]],
})  # fmt: skip


class UnexpectedToken(Exception):
    """The grammar has no place for the token; what could be reduced before it has been."""


class Tree:
    """What becomes of a rule for which nobody said what."""

    __slots__ = ("data", "children")

    def __init__(self, data: str, children: list[Any]):
        self.data = data
        self.children = children


class Rule:
    """A production: `size` symbols become `origin`; `reduce` makes its value of theirs."""

    __slots__ = ("origin", "size", "reduce")

    def __init__(self, origin: str, size: int, reduce: Reduction):
        self.origin = origin
        self.size = size
        self.reduce = reduce


class Grammar:
    """The tables, read as far as a text needs them."""

    def __init__(self, tables: Mapping[str, Any], reduction: Callable[[str], Reduction]):
        self.start: int = tables["start"]
        self.end: int = tables["end"]
        self._rules = [_rule(reduction, *rule) for rule in tables["rules"]]
        self._sets: list[str] = tables["sets"]
        self._texts: list[str] = tables["rows"]
        self._rows: list[Row | None] = [None] * len(self._texts)

    def row(self, state: int) -> Row:
        """What may come in a state: where a symbol leads, or the rule that is reduced before it."""
        row = self._rows[state]
        if row is None:
            row = self._rows[state] = {}
            for entry in self._texts[state].split():
                symbol, comma, target = entry.partition(",")
                if comma:
                    row[symbol] = int(target)
                else:
                    number, _, symbols = entry.partition("/")
                    row |= dict.fromkeys(self._sets[int(symbols)].split(), self._rules[int(number)])
        return row


class Parse:
    """One text being parsed: the automaton's two stacks."""

    __slots__ = ("grammar", "states", "values")

    def __init__(self, grammar: Grammar):
        self.grammar = grammar
        self.states = [grammar.start]
        self.values: list[Any] = []

    @property
    def row(self) -> Row:
        return self.grammar.row(self.states[-1])

    def feed(self, token: Any) -> Any:
        """Take a token, by its `type`. ``$END`` gives the value of the whole. UnexpectedToken if it has no place."""
        states, row_of, kind = self.states, self.grammar.row, token.type
        while True:
            entry = row_of(states[-1]).get(kind)
            if entry.__class__ is int:
                states.append(entry)  # type: ignore[arg-type]
                self.values.append(token)
                return None
            if entry is None:
                raise UnexpectedToken(kind)
            self.reduce(entry)  # type: ignore[arg-type]
            if kind == "$END" and states[-1] == self.grammar.end:
                return self.values[-1]

    def reduce(self, rule: Rule) -> None:
        states, values, size = self.states, self.values, rule.size
        if size:
            children = values[-size:]
            del states[-size:], values[-size:]
        else:
            children = []
        value = rule.reduce(children)
        states.append(self.grammar.row(states[-1])[rule.origin])  # type: ignore[arg-type]
        values.append(value)

    def takes(self, kind: str) -> bool:
        """Whether a token of this kind has a place here, after the reductions that it would bring (nothing is done)."""
        row_of = self.grammar.row
        entry = row_of(self.states[-1]).get(kind)
        if not isinstance(entry, Rule):
            return entry is not None
        states = self.states[:]
        while isinstance(entry, Rule):
            if entry.size:
                del states[-entry.size :]
            states.append(row_of(states[-1])[entry.origin])  # type: ignore[arg-type]
            entry = row_of(states[-1]).get(kind)
        return entry is not None


def load(package: str, reduction: Callable[[str], Reduction]) -> Grammar:
    """The grammar of `package`; `reduction` gives for a rule's name (or alias) what becomes of its children."""
    return Grammar(json.loads(text_of(package, "tables.json")), reduction)


def methods_of(builder: object) -> Callable[[str], Reduction]:
    """Reductions that are the methods of an object; a rule without one becomes a `Tree`."""
    return lambda name: getattr(builder, name, None) or (lambda children: Tree(name, children))


def tuples(reductions: Reductions) -> Callable[[str], Reduction]:
    """Reductions to nested tuples: a rule that neither `reductions` nor `COMMON` name becomes (its name, its children)."""
    named = {**COMMON, **reductions}
    return lambda name: named.get(name) or (lambda children: (name, *children))


def _rule(
    reduction: Callable[[str], Reduction],
    origin: str,
    name: str,
    size: int,
    kept: list[int | None] | None,
    one: bool,
) -> Rule:
    reduce = (
        list if origin.startswith("_") else reduction(name)
    )  # a part without a name of its own: its children
    if one:
        reduce = _single(reduce)
    return Rule(origin, size, reduce if kept is None else _kept(kept, reduce))


def _single(reduce: Reduction) -> Reduction:
    return lambda children: children[0] if len(children) == 1 else reduce(children)


def _kept(places: list[int | None], reduce: Reduction) -> Reduction:
    def kept(children: list[Any]) -> Any:
        found: list[Any] = []
        for place in places:
            if place is None:
                found.append(None)
            elif place >= 0:
                found.append(children[place])
            else:
                found += children[-1 - place]
        return reduce(found)

    return kept
