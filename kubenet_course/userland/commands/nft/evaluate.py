"""From a rule as typed to the rule that the kernel gets: types, protocols, flags, anonymous sets (evaluate.c)."""

from __future__ import annotations

import dataclasses
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import INTEGER, TYPES, VERDICT, DataType
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Concat,
    Ct,
    Element,
    Expr,
    Fib,
    ListExpr,
    Meta,
    Payload,
    Range,
    RawPayload,
    SetExpr,
    SetRef,
    Symbol,
    Value,
    Variable,
    Verdict,
    Wildcard,
)
from kubenet_course.kernel.netfilter.nf_tables.protocols import ICMP_IMPLIED
from kubenet_course.userland.commands.nft.commands import RuleData
from kubenet_course.userland.commands.nft.context import merged
from kubenet_course.userland.commands.nft.errors import NftError, Unsupported, no_such, refused
from kubenet_course.userland.commands.nft.evaluate_nat import NatEvaluator
from kubenet_course.userland.commands.nft.lhs import described, folded_match, types_of
from kubenet_course.userland.commands.nft.pieces import Tail
from kubenet_course.userland.commands.nft.rhs import is_interval, ordered, unique
from kubenet_course.userland.commands.nft.rhs import merged as merged_intervals
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr, SlashExpr

SETTABLE_META = frozenset({"mark", "priority", "nftrace", "pkttype", "secmark"})
SETTABLE_CT = frozenset({"mark", "label", "event", "zone", "secmark"})
_TERMINAL = ("accept", "drop", "return", "jump", "goto")
CONSTANTS = (Symbol, Integer, RangeExpr, SlashExpr, ListExpr, Value)


class RuleEvaluator(NatEvaluator):
    """Evaluates one rule for one table (its family and sets)."""

    def rule(self, data: RuleData) -> tuple[Any, ...]:
        terminal: Any = None
        for statement in data.statements:
            if terminal is not None:
                raise NftError("Statement after terminal statement has no effect", statement.loc, terminal.loc)
            self.statement(statement)
            if _ends(statement):
                terminal = statement
        return tuple(merged(self.context.out, self.family))

    def statement(self, statement: Any) -> None:
        context = self.context
        if isinstance(statement, st.Match):
            self.match(statement)
        elif isinstance(statement, st.VerdictStatement):
            verdict = statement.verdict
            if verdict.chain.startswith("$"):
                verdict = dataclasses.replace(verdict, chain=self.constants.chain_name(verdict.chain, verdict.chain_loc))
                statement = dataclasses.replace(statement, verdict=verdict)
            context.plain(statement)
        elif isinstance(statement, st.VerdictMap):
            context.plain(self.verdict_map(statement))
        elif isinstance(statement, st.Assign):
            context.plain(self.assign(statement))
        elif isinstance(statement, st.Nat):
            context.plain(self.nat(statement))
        elif isinstance(statement, (st.Reject, Tail)):
            if isinstance(statement, Tail) and statement.kind == "set_update":
                context.plain(self.set_update(statement))
            else:
                self.reject(statement)
        elif isinstance(statement, st.ObjectRef):
            context.plain(self.object_ref(statement))
        elif isinstance(statement, st.Refused):
            raise Unsupported(f"nft: {statement.what} is not emulated")
        elif isinstance(statement, st.Dup):
            context.plain(self.dup(statement))
        else:
            context.plain(self.counting(statement))

    def counting(self, statement: Any) -> Any:
        """Counters, limits, quotas, log: as they are, checked."""
        if isinstance(statement, st.Log):
            if statement.level is not None and statement.group is not None:
                raise NftError("level and group are mutually exclusive", statement.loc)
            if isinstance(statement.prefix, Variable):
                word = self.constants.resolve(statement.prefix)
                statement = dataclasses.replace(statement, prefix=getattr(word, "word", str(word)))
            if len(statement.prefix or "") > 127:
                raise NftError("log prefix is too long", statement.loc)
        if isinstance(statement, st.ConnLimit) and self.family == "bridge":
            raise refused("Protocol error", statement.loc)
        return statement

    # -- matches ----------------------------------------------------------------------------
    def match(self, statement: st.Match) -> None:
        left = self.lhs(statement.left)
        right = self.constants.resolve(statement.right)
        if getattr(left, "key", "") in ("nftrace", "event") and isinstance(left, (Meta, Ct)):
            raise refused("Operation not supported", left.loc)
        if isinstance(statement.left, RawPayload) and isinstance(left, Payload):
            right = numeric(right)
        op = "" if statement.op == "==" and types_of(left)[0].base != "bitmask" else statement.op
        if isinstance(left, Payload) and (left.protocol, left.name) in ICMP_IMPLIED:
            self._imply_icmp(left)
        if isinstance(right, SetRef):
            self.context.matched(dataclasses.replace(statement, left=left, op=op, right=self.set_reference(right, left)))
            return
        if isinstance(right, SetExpr):
            if op in ("<", ">", "<=", ">="):
                raise NftError(f"Relational expression ({op}) is undefined for set expressions", right.loc, _between(left, right))
            typed: Expr = self.anonymous(right, left)
            elements = typed.elements  # type: ignore[attr-defined]
            if len(elements) == 1 and len(right.elements) == 1 and _plain_element(elements[0]):
                typed = self.constants.constant(right.elements[0].key, left.type, left.bits)
            self.context.matched(dataclasses.replace(statement, left=left, op=op, right=typed))
            return
        if isinstance(left, Concat):
            raise NftError("Use concatenations with sets and maps, not singleton values", left.loc or statement.left.loc, right.loc)
        if isinstance(left, Fib) and left.result == "oif" and isinstance(right, Symbol) and right.word in ("exists", "missing"):
            left = dataclasses.replace(left, exists=True)
        self.context.matched(self._compare(statement, left, op, right))

    def _compare(self, statement: st.Match, left: Expr, op: str, right: Any) -> st.Match:
        kind, bits = left.type, left.bits
        if kind.base == "bitmask" and isinstance(right, SlashExpr):
            value = self.constants.value(right.left, kind, bits)
            mask = Value(kind, self.constants.value(right.right, kind, bits), bits)
            return folded_match(st.Match(_and(left, mask), op or "==", Value(kind, value, bits), loc=statement.loc))
        if isinstance(left, Binop) and left.op in ("<<", ">>") and kind.name != "integer":
            raise NftError(f"datatype mismatch, expected {kind.description}, expression has type integer", right.loc, left.loc)
        typed = self.constants.constant(right, kind, bits)
        if op in ("<", ">", "<=", ">=") and not isinstance(typed, Value):
            raise NftError(f"Relational expression ({op}) is undefined for {_kind(typed)} expressions", typed.loc, _between(left, typed))
        if op == "!" and kind.base != "bitmask":
            raise NftError("negation can only be used with singleton bitmask values", left.loc, typed.loc)
        return folded_match(st.Match(left, op, typed, loc=statement.loc))

    def _imply_icmp(self, left: Payload) -> None:
        kind = TYPES[f"{left.protocol}_type"]
        values = [kind.symbols[word] for word in ICMP_IMPLIED[(left.protocol, left.name)]]
        said = self.context.icmp_types
        if said is not None:
            wrong = next((value for value in said if value not in values), None)
            if wrong is not None:
                raise NftError(f"incompatible icmp match: rule has {wrong}, need {kind.symbols['echo-request']}", left.loc)
            return
        keys = ordered([Element(Value(kind, value)) for value in values])
        right: Any = SetExpr(keys) if len(keys) > 1 else keys[0].key
        self.context.matched(st.Match(Payload(left.protocol, "type"), "", right))

    # -- sets -------------------------------------------------------------------------------
    def find_set(self, reference: SetRef) -> Any:
        found = self.sets.get(reference.name)
        if found is None:
            raise no_such(reference.loc)
        return found

    def set_reference(self, reference: SetRef, left: Expr) -> SetRef:
        found = self.find_set(reference)
        self._same_types(left, found, reference)
        return reference

    def _same_types(self, left: Expr, found: Any, reference: SetRef) -> None:
        have = [kind.name for kind in types_of(left)]
        want = [kind.name for kind in found.types]
        if have != want and not (have == ["integer"] and len(want) == 1):
            raise NftError(
                f"datatype mismatch, expected {described(types_of(left))}, expression has type {described(found.types)}",
                reference.loc, left.loc,
            )  # fmt: skip

    def anonymous(self, expr: SetExpr, left: Expr) -> SetExpr:
        """{ … } on the right of a match: typed, merged where intervals meet, in order."""
        types = types_of(left)
        elements = self.constants.elements(expr, types, widths_of(left))
        self.context.typed_keys = [element.key for element in elements]
        spans = any(isinstance(self.constants.resolve(one.key), (SlashExpr, RangeExpr)) for one in expr.elements)
        if (spans or any(is_interval(element) for element in elements)) and len(types) == 1:
            elements = merged_intervals(elements)
        else:
            elements = unique(elements)
        return SetExpr(ordered(elements), loc=expr.loc)

    def verdict_map(self, statement: st.VerdictMap) -> st.VerdictMap:
        key = self.lhs(statement.key)
        mappings = self.mappings(statement.mappings, key, (VERDICT,), (0,))
        return dataclasses.replace(statement, key=key, mappings=mappings)

    def object_ref(self, statement: st.ObjectRef) -> st.ObjectRef:
        name = self.constants.resolve(statement.name)
        if isinstance(name, (Symbol, Integer)):
            word = name.word if isinstance(name, Symbol) else str(name.value)
            return dataclasses.replace(statement, name=Value(TYPES["ifname"], word, loc=name.loc))
        return dataclasses.replace(statement, name=self.stmt_value(name, TYPES["ifname"], 128, statement))

    def set_update(self, tail: Tail) -> st.SetUpdate:
        op, name, where, element, inner = tail.value
        found = self.find_set(SetRef(name, loc=where))
        if element.comment:
            raise NftError("Key expression comments are not supported", element.key.loc)
        key = self.lhs(element.key)
        self._same_types(key, found, SetRef(name, loc=where))
        data = None
        if element.data is not None:
            if not found.data_types:
                raise NftError("set is not a map", where)
            data = self.stmt_value(element.data, found.data_types[0], 0, tail)
        if inner:
            if op == "delete":
                raise refused("Operation not supported", tail.loc)
            if found.statements:
                raise refused("Invalid argument", tail.loc)
        if element.timeout is not None and "timeout" not in found.flags:
            raise refused("Operation not supported", tail.loc)
        if found.data_types and data is None and op != "delete":
            raise refused("Invalid argument", tail.loc)
        typed = Element(key, data, element.timeout, loc=element.loc)
        return st.SetUpdate(op, name, typed, tuple(inner), loc=tail.loc)

    # -- setting ----------------------------------------------------------------------------
    def assign(self, statement: st.Assign) -> st.Assign:
        target = self.lhs(statement.target)
        kind = getattr(target, "key", "")
        name = type(target).__name__
        if name == "Meta" and kind not in SETTABLE_META or name == "Ct" and kind not in SETTABLE_CT:
            raise refused("Operation not supported", statement.loc)
        if kind == "secmark":
            raise Unsupported("nft: security marks are not emulated")
        value = self.stmt_value(statement.value, target.type, target.bits, statement)
        return dataclasses.replace(statement, target=target, value=value)

    def dup(self, statement: st.Dup) -> st.Dup:
        kind = TYPES["ipv6_addr" if self.family == "ip6" else "ipv4_addr"]
        if self.family not in ("ip", "ip6"):
            raise Unsupported("nft: dup is emulated in families ip and ip6 only")
        address = self.stmt_value(statement.address, kind, kind.bits, statement)
        device = self.stmt_value(statement.device, TYPES["iface_index"], 32, statement) if statement.device is not None else None
        return dataclasses.replace(statement, address=address, device=device)


def _kind(typed: Expr) -> str:
    return "prefix" if hasattr(typed, "length") else "range"


def _between(left: Expr, right: Expr) -> Any:
    """Where the operator stands: between the two."""
    if left.loc is None or right.loc is None:
        return None
    return left.loc[1] + 1, right.loc[0] - 1


def numeric(right: Any) -> Any:
    """What is compared with a raw field is a number, whatever field that turns out to be."""
    if isinstance(right, Symbol):
        raise NftError("Could not parse integer", right.loc)
    return right


def _and(left: Expr, mask: Expr) -> Any:
    return Binop("&", left, mask, loc=left.loc)


def _plain_element(element: Element) -> bool:
    return (
        not isinstance(element.key, (Concat, Wildcard)) and not element.comment and element.timeout is None and not element.statements
    )


def _ends(statement: Any) -> bool:
    if isinstance(statement, st.VerdictStatement):
        return statement.verdict.kind in _TERMINAL
    return isinstance(statement, (st.Nat, st.Reject)) or isinstance(statement, Tail) and statement.kind == "reject"


def widths_of(left: Expr) -> tuple[int, ...]:
    return tuple(part.bits for part in left.parts) if isinstance(left, Concat) else (left.bits,)


__all__ = ["RuleEvaluator", "DataType", "Range", "Verdict", "INTEGER"]
