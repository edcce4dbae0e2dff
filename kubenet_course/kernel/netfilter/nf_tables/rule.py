"""A rule of nft: its statements, what they count, and how it becomes a step of its chain.

Matches at the front become one test in generated source. If nothing but a counter and a verdict
follows, the step is as cheap as iptables' (the rule itself counts); else the rest is a program:
functions that are called in turn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter import tables
from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import PLAIN, Style
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Concat,
    Ct,
    Element,
    Expr,
    SetExpr,
    SetRef,
    Verdict,
)
from kubenet_course.kernel.netfilter.nf_tables.objects import State, state_of
from kubenet_course.kernel.netfilter.tables import Rule, Step

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet

STATELESS = PLAIN._replace(stateless=True)
#: How the names of chains begin that have none.
ANONYMOUS = "__chain"
COUNTING = (st.Counter, st.Limit, st.Quota, st.ConnLimit)


class NftRule(Rule):
    """`statements` are canonical: as they are listed."""

    def __init__(self, statements: tuple[Any, ...], comment: str = ""):
        super().__init__()
        self.statements = statements
        self.comment = comment
        #: Where the matches at the front end.
        self.front = next((n for n, one in enumerate(statements) if not isinstance(one, st.Match)), len(statements))
        tail = statements[self.front :]
        #: The rule's own numbers are its counter's.
        self.simple = len(tail) <= 2 and all(
            isinstance(one, (st.Counter, st.VerdictStatement)) for one in tail
        ) and sum(isinstance(one, st.Counter) for one in tail) <= 1 and (len(tail) < 2 or isinstance(tail[0], st.Counter))  # fmt: skip
        self.states: dict[int, State] = {}
        self.meter_handles: dict[str, int] = {}
        #: Chains without a name, while the rule is out of its chain.
        self.kept_chains: dict[str, Any] = {}
        if self.simple and tail and isinstance(tail[0], st.Counter):
            self.packets, self.bytes = tail[0].packets, tail[0].bytes

    # -- life -------------------------------------------------------------------------------
    def attached(self) -> None:
        assert self.chain is not None
        table = self.chain.table
        net = table.ruleset.net
        for number, statement in enumerate(self.statements):
            if isinstance(statement, COUNTING) and not self.simple and number not in self.states:
                self.states[number] = state_of(statement, net)
            if isinstance(statement, st.Meter):
                self._meter(statement, table)
        for name, kept in self.kept_chains.items():
            table.chains[name] = kept
        self.kept_chains = {}
        for reference in self.set_names():
            found = table.sets.get(reference)
            if found is not None:
                found.references += 1
        for kind, name in self.object_names():
            found = table.objects.get((kind, name))
            if found is not None:
                found.references += 1
        self._conntrack(1)

    def _meter(self, statement: st.Meter, table: tables.Table) -> None:
        """The set of a meter is there as long as the rule is."""
        from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet

        key = statement.element.key
        parts = key.parts if isinstance(key, Concat) else (key,)
        made = NftSet(table, statement.name, tuple(part.type for part in parts))
        made.widths = tuple(part.bits for part in parts)
        made.flags = {"dynamic"} | ({"timeout"} if statement.element.timeout is not None else set())
        made.size, made.meter, made.handle, made.references = statement.size, True, self.meter_handles.get(statement.name, 0), 1
        table.sets.setdefault(statement.name, made)

    def detached(self) -> None:
        assert self.chain is not None
        table = self.chain.table
        for statement in self.statements:
            if isinstance(statement, st.Meter):
                table.sets.pop(statement.name, None)
        for name in self.inner_chains():
            inner = table.chains.pop(name, None)
            if inner is not None:
                self.kept_chains[name] = inner
        for reference in self.set_names():
            found = table.sets.get(reference)
            if found is not None:
                found.references -= 1
        for kind, name in self.object_names():
            found = table.objects.get((kind, name))
            if found is not None:
                found.references -= 1
        self._conntrack(-1)

    def _conntrack(self, direction: int) -> None:
        """Connection tracking is on while a rule needs it."""
        if not any(needs_conntrack(statement) for statement in self.statements):
            return
        from kubenet_course.kernel.netfilter.conntrack import conntrack

        assert self.chain is not None
        room = conntrack(self.chain.table.ruleset.net)
        for family in tables.FAMILIES_OF.get(self.chain.table.family, ()):
            (room.get if direction > 0 else room.put)(family)

    def targets(self) -> Iterator[str]:
        for statement in self.statements:
            if isinstance(statement, st.VerdictStatement) and statement.verdict.chain:
                yield statement.verdict.chain
            elif isinstance(statement, st.VerdictMap) and isinstance(statement.mappings, SetExpr):
                for element in statement.mappings.elements:
                    if isinstance(element.data, Verdict) and element.data.chain:
                        yield element.data.chain

    def inner_chains(self) -> list[str]:
        """Chains without a name that the rule brings."""
        verdicts = (one.verdict for one in self.statements if isinstance(one, st.VerdictStatement))
        return [verdict.chain for verdict in verdicts if verdict.chain.startswith(ANONYMOUS)]

    def set_names(self) -> Iterator[str]:
        for statement in self.statements:
            if isinstance(statement, st.SetUpdate):
                yield statement.set
            for expr in walk(statement):
                if isinstance(expr, SetRef):
                    yield expr.name

    def object_names(self) -> Iterator[tuple[str, str]]:
        for statement in self.statements:
            if isinstance(statement, st.ObjectRef) and hasattr(statement.name, "value"):
                yield statement.kind, str(statement.name.value)

    def chain_renamed(self, old: str, new: str) -> None:
        def renamed(verdict: Any) -> Any:
            return dataclasses.replace(verdict, chain=new) if isinstance(verdict, Verdict) and verdict.chain == old else verdict

        found = []
        for statement in self.statements:
            if isinstance(statement, st.VerdictStatement):
                statement = dataclasses.replace(statement, verdict=renamed(statement.verdict))
            elif isinstance(statement, st.VerdictMap) and isinstance(statement.mappings, SetExpr):
                elements = tuple(dataclasses.replace(one, data=renamed(one.data)) for one in statement.mappings.elements)
                statement = dataclasses.replace(statement, mappings=SetExpr(elements))
            found.append(statement)
        self.statements = tuple(found)

    # -- words ------------------------------------------------------------------------------
    def shown(self) -> tuple[Any, ...]:
        """The statements with what they have counted."""
        found: list[Any] = []
        for number, statement in enumerate(self.statements):
            if isinstance(statement, st.Counter) and self.simple:
                found.append(st.Counter(self.packets, self.bytes))
            elif number in self.states:
                found.append(self.states[number].shown())
            else:
                found.append(statement)
        return tuple(found)

    def text(self, style: Style = STATELESS) -> str:
        words = " ".join(self.words(statement, style) for statement in self.shown())
        return words + (f' comment "{self.comment}"' if self.comment else "")

    def words(self, statement: Any, style: Style) -> str:
        if isinstance(statement, st.VerdictStatement) and statement.verdict.chain.startswith(ANONYMOUS):
            inner = self.chain.table.chains.get(statement.verdict.chain) if self.chain is not None else None
            inside = inner.rules if inner is not None else ()
            rules = "".join(f"\t\t\t{rule.text(style)}\n" for rule in inside if isinstance(rule, NftRule))
            return f"{statement.verdict.kind} {{\n{rules}\t\t}}"
        return statement.text(style)

    def reset(self) -> None:
        self.packets = self.bytes = 0

    # -- compiling --------------------------------------------------------------------------
    def step(self) -> Step:
        from kubenet_course.kernel.netfilter.nf_tables.actions import program
        from kubenet_course.kernel.netfilter.nf_tables.matching import compile_test

        assert self.chain is not None
        table = self.chain.table
        test = compile_test(self.statements[: self.front], table)
        tail = self.statements[self.front :]
        if not self.simple:
            return test, tables.PROGRAM, program(self, tail, table), self
        verdict = tail[-1].verdict if tail and isinstance(tail[-1], st.VerdictStatement) else None
        if verdict is None or verdict.kind == "continue":
            return test, tables.NOTHING, None, self
        kind, argument = verdict_step(verdict, table)
        return test, kind, argument, self


def verdict_step(verdict: Verdict, table: tables.Table) -> tuple[int, Any]:
    """The kind of step of a verdict, and its argument."""
    if verdict.kind == "accept":
        return tables.VERDICT, tables.ACCEPT
    if verdict.kind == "drop":
        return tables.VERDICT, tables.DROP
    if verdict.kind == "return":
        return tables.RETURNS, None
    if verdict.kind == "continue":
        return tables.NOTHING, None
    return (tables.JUMPS if verdict.kind == "jump" else tables.GOES), table.chains[verdict.chain]


def walk(thing: Any) -> Iterator[Any]:
    """Every expression in a statement or expression."""
    if isinstance(thing, Expr):
        yield thing
        if isinstance(thing, Concat):
            for part in thing.parts:
                yield from walk(part)
            return
        if isinstance(thing, SetExpr):
            for element in thing.elements:
                yield from walk(element)
            return
    if isinstance(thing, (Expr, st.Statement, Element)) and dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            inner = getattr(thing, field.name)
            if isinstance(inner, Expr) and not isinstance(inner, Verdict):
                yield from walk(inner)


def needs_conntrack(statement: Any) -> bool:
    if isinstance(statement, (st.Nat, st.ConnLimit)):
        return True
    if isinstance(statement, (st.Synproxy, st.Tproxy)):
        return isinstance(statement, st.Synproxy)
    if isinstance(statement, st.ObjectRef) and statement.kind.startswith(("ct ", "synproxy")):
        return True
    return any(isinstance(expr, Ct) for expr in walk(statement))


def anonymous_sets(rule: NftRule) -> int:
    """How many sets without a name the rule brings: each takes a handle."""
    sets = sum(1 for statement in rule.statements for expr in walk(statement) if isinstance(expr, SetExpr))
    return sets + sum(isinstance(statement, st.Meter) for statement in rule.statements)


def referenced_sets(rule: NftRule) -> list[NftSet]:
    assert rule.chain is not None
    return [rule.chain.table.sets[name] for name in rule.set_names() if name in rule.chain.table.sets]
