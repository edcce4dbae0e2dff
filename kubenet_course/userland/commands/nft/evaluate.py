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
    Option,
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
from kubenet_course.kernel.netfilter.nf_tables.exthdrs import TCP_FIELDS
from kubenet_course.kernel.netfilter.nf_tables.protocols import ICMP_IMPLIED
from kubenet_course.userland.commands.nft.commands import RuleData
from kubenet_course.userland.commands.nft.context import merged
from kubenet_course.userland.commands.nft.errors import NftError, refused
from kubenet_course.userland.commands.nft.evaluate_elsewhere import ElsewhereEvaluator
from kubenet_course.userland.commands.nft.lhs import described, folded_match, types_of
from kubenet_course.userland.commands.nft.pieces import Tail
from kubenet_course.userland.commands.nft.rhs import is_boolean_word, is_interval, ordered, unique
from kubenet_course.userland.commands.nft.rhs import merged as merged_intervals
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr, SlashExpr

SETTABLE_META = frozenset({"mark", "priority", "nftrace", "pkttype", "secmark"})
SETTABLE_CT = frozenset({"mark", "label", "event", "zone", "secmark"})
_TERMINAL = ("accept", "drop", "return", "jump", "goto")
CONSTANTS = (Symbol, Integer, RangeExpr, SlashExpr, ListExpr, Value)


class RuleEvaluator(ElsewhereEvaluator):
    """Evaluates one rule for one table (its family and sets)."""

    def rule(self, data: RuleData) -> tuple[Any, ...]:
        terminal: Any = None
        for statement in data.statements:
            if terminal is not None:
                raise NftError("Statement after terminal statement has no effect", statement.loc, terminal.loc)
            self.statement(statement)
            if _ends(statement):
                terminal = statement
        found = tuple(merged(self.context.out, self.family))
        problems = [*self.element_refusals, *self.refusals[:1]]
        if problems:
            problems[0].also = tuple(error.problem for error in problems[1:])
            raise problems[0]
        return found

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
            elif isinstance(statement, Tail) and statement.kind == "meter":
                context.plain(self.meter(statement))
            elif isinstance(statement, Tail) and statement.kind == "chain":
                context.plain(st.VerdictStatement(Verdict(statement.value[0], statement.value[1], loc=statement.loc), loc=statement.loc))
            else:
                self.reject(statement)
        elif isinstance(statement, st.ObjectRef):
            context.plain(self.object_ref(statement))
        elif type(statement) in _ELSEWHERE:
            context.plain(getattr(self, _ELSEWHERE[type(statement)])(statement))
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
                self.refuse("Numerical result out of range", statement.loc)
            more = (statement.prefix, statement.group, statement.snaplen, statement.threshold)
            if statement.level == 8 and (any(one is not None for one in more) or statement.flags):
                raise NftError("log level audit doesn't support any further options", statement.loc)
            if statement.flags and statement.group is not None:
                raise NftError("flags and group are mutually exclusive", statement.loc)
        if isinstance(statement, st.Quota) and statement.used > statement.bytes:
            self.refuse("Invalid argument", statement.loc)
        if isinstance(statement, st.Limit) and statement.in_bytes and statement.rate + statement.burst >= 1 << 64:
            self.refuse("Value too large for defined data type", statement.loc)
        if isinstance(statement, st.ConnLimit) and self.family in ("bridge", "netdev", "arp"):
            self.refuse("Protocol error", statement.loc)
        return statement

    # -- matches ----------------------------------------------------------------------------
    def match(self, statement: st.Match) -> None:
        left = self.lhs(statement.left)
        right = self.constants.resolve(statement.right)
        if isinstance(statement.left, RawPayload) and isinstance(left, Payload):
            right = numeric(right)
        op = "" if statement.op == "==" and types_of(left)[0].base != "bitmask" else statement.op
        if isinstance(left, Payload) and (left.protocol, left.name) in ICMP_IMPLIED:
            self._imply_icmp(left)
        if isinstance(left, RawPayload) and left.length > 128:
            self.refuse("Value too large for defined data type", statement.loc)
        known = TCP_FIELDS.get(left.name, {"length": None}) if isinstance(left, Option) and left.header == "tcp option" else None
        if known is not None and left.part and left.part not in known:  # type: ignore[attr-defined]
            raise NftError("No symbol type information", getattr(right, "loc", None))
        if isinstance(left, (Meta, Ct)) and left.key == "secmark" and not isinstance(right, SetRef):
            self._constants_of(right, left)
            raise NftError("Cannot be used with right hand side constant value", right.loc, left.loc)
        if isinstance(right, SetRef):
            if op in ("<", ">", "<=", ">="):
                raise NftError(f"Relational expression ({op}) is undefined for set reference expressions", right.loc, _between(left, right))
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
        if is_boolean_word(right) and left.type.name != "boolean" and not (isinstance(left, Fib) and left.result == "oif"):
            raise NftError(f"datatype mismatch, expected {left.type.description}, expression has type boolean type", right.loc, left.loc)
        self.context.matched(self._compare(statement, left, op, right))

    def _constants_of(self, right: Any, left: Expr) -> None:
        for one in right.elements if isinstance(right, SetExpr) else (Element(right),):
            self.constants.constant(one.key, left.type, left.bits)

    def _compare(self, statement: st.Match, left: Expr, op: str, right: Any) -> st.Match:
        kind, bits = left.type, left.bits
        if kind.base == "bitmask" and isinstance(right, SlashExpr):
            value = self.constants.value(right.left, kind, bits)
            mask = Value(kind, self.constants.value(right.right, kind, bits), bits)
            return folded_match(st.Match(_and(left, mask), op or "==", Value(kind, value, bits), loc=statement.loc))
        if isinstance(left, Binop) and left.op in ("<<", ">>") and kind.name != "integer":
            raise NftError(f"datatype mismatch, expected {kind.description}, expression has type integer", right.loc, left.loc)
        if isinstance(left, RawPayload) and not left.length and isinstance(right, Integer):
            raise NftError(f"Value {right.value} exceeds valid range 0-0", right.loc)
        typed = self.constants.constant(right, kind, bits)
        if isinstance(left, RawPayload) and isinstance(typed, Value) and (left.offset % 8 or left.length % 8):
            return st.Match(*_whole_bytes(left, op, typed), loc=statement.loc)
        if op in ("<", ">", "<=", ">=") and not isinstance(typed, Value):
            raise NftError(f"Relational expression ({op}) is undefined for {_kind(typed)} expressions", typed.loc, _between(left, typed))
        if op == "!" and kind.base != "bitmask":
            raise NftError("negation can only be used with singleton bitmask values", left.loc, typed.loc)
        if kind.name == "hour" and isinstance(typed, Range) and typed.low > typed.high:
            return st.Match(left, "" if op == "!=" else "!=", Range(kind, typed.high, typed.low), loc=statement.loc)
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
        return self.sets.find(reference.name, reference.loc)

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
        self.no_short_address(left)
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
        found = self.sets.get(mappings.name) if isinstance(mappings, SetRef) else None
        if found is not None and found.data_types and found.data_types[0] is not VERDICT:
            raise NftError(
                f"datatype mismatch: expected netfilter verdict, expression has type {described(found.data_types)}", statement.loc
            )
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
        key = self._element_key(element, found, tail)
        if element.comment:
            raise NftError("Key expression comments are not supported", element.key.loc)
        data = None
        if element.data is not None:
            if not found.data_types:
                raise NftError("set is not a map", where)
            data = self.stmt_value(element.data, found.data_types[0], 0, tail)
        typed = Element(key, data, element.timeout, loc=element.loc)
        self._update_refused(tail, found, typed, inner)
        return st.SetUpdate(op, name, typed, tuple(inner), loc=tail.loc)

    def _element_key(self, element: Element, found: Any, tail: Tail) -> Expr:
        """The key, which may be a constant; of the set's types."""
        key = self.constants.resolve(element.key)
        if isinstance(key, CONSTANTS):
            return self.constants.constant(key, found.types[0], found.widths[0])
        key = self.lhs(key)
        have, want = [kind.name for kind in types_of(key)], [kind.name for kind in found.types]
        if have != want and not (have == ["integer"] and len(want) == 1):
            raise NftError(
                f"datatype mismatch: expected {described(found.types)}, expression has type {described(types_of(key))}",
                key.loc or element.loc, tail.loc,
            )  # fmt: skip
        return key

    def _update_refused(self, tail: Tail, found: Any, element: Element, inner: Any) -> None:
        """nft_dynset_init()."""
        if found.interval or element.timeout is not None and "timeout" not in found.flags:
            self.refuse("Operation not supported", tail.loc)
        if element.data is None and found.data_types and tail.value[0] != "delete":
            self.refuse("Invalid argument", tail.loc)
        if inner and tail.value[0] == "delete":
            self.refuse("Operation not supported", tail.loc)
        elif inner and (found.statements or "dynamic" not in found.flags):
            self.refuse("Invalid argument", tail.loc)
        elif any(isinstance(one, st.ConnLimit) for one in inner) and "timeout" in found.flags:
            self.refuse("Operation not supported", tail.loc)

    def meter(self, tail: Tail) -> st.Meter:
        """The set that it counts in comes with the rule."""
        name, size, element, inner = tail.value
        if element.comment:
            raise NftError("Meter key expression can not contain comments", element.loc)
        key = self.lhs(element.key)
        if not isinstance(inner, (st.Counter, st.Limit, st.Quota, st.ConnLimit, st.ObjectRef)) or isinstance(inner, st.ObjectRef):
            raise NftError("meter statement must be stateful", getattr(inner, "loc", None), tail.loc)
        inner = self.counting(inner)
        before = self.sets.get(name)
        where = element.loc
        if before is not None:
            self.element_refusals.append(refused("Operation not supported" if before.meter else "File exists", where))
            self.refuse("Device or resource busy" if before.meter else "Invalid argument", tail.loc)
        elif isinstance(inner, st.ConnLimit) and element.timeout is not None:
            self.refuse("Operation not supported", tail.loc)
        return st.Meter(name, size or 65535, Element(key, None, element.timeout, loc=element.loc), inner, loc=tail.loc)

    # -- setting ----------------------------------------------------------------------------
    def assign(self, statement: st.Assign) -> st.Assign:
        target = statement.target
        kind, name = getattr(target, "key", ""), type(target).__name__
        if isinstance(target, Ct) and kind in ("saddr", "daddr", "proto-src", "proto-dst"):
            target = self._ct(target)
            self.refusals.clear()
            if target.unknown or not target.direction and target.short:
                raise NftError("Can't parse symbolic invalid expressions", getattr(statement.value, "loc", None))
        elif not isinstance(target, (Meta, Ct)):
            target = self.lhs(target)
        value = self.stmt_value(statement.value, target.type, target.bits, statement)
        if kind == "secmark" and isinstance(value, Value):
            raise NftError("ct secmark must not be set to constant value", statement.loc)
        if name == "Meta" and kind not in SETTABLE_META or name == "Ct" and kind not in SETTABLE_CT:
            self.refuse("Operation not supported", statement.loc)
        if isinstance(target, Ct) and self.family in ("bridge", "netdev", "arp"):
            self.refuse("Protocol error", statement.loc)
        if isinstance(target, Option) and (target.bits not in (16, 32) or target.header in ("ip option", "sctp chunk")):
            self.refuse("Operation not supported", target.loc)
        return dataclasses.replace(statement, target=target, value=value)


#: Statements that send packets elsewhere, by the method that looks at them (evaluate_elsewhere.py).
_ELSEWHERE = {
    st.Dup: "dup", st.Fwd: "fwd", st.Tproxy: "tproxy", st.Synproxy: "synproxy", st.Queue: "queue", st.FlowOffload: "flow_offload",
    st.ResetOption: "reset_option",
}  # fmt: skip


def _kind(typed: Expr) -> str:
    return "prefix" if hasattr(typed, "length") else "range"


def _between(left: Expr, right: Expr) -> Any:
    """Where the operator stands: between the two."""
    if left.loc is None or right.loc is None:
        return None
    return left.loc[1] + 1, right.loc[0] - 1


def _whole_bytes(left: RawPayload, op: str, right: Value) -> tuple[Expr, str, Expr]:
    """A field that does not fill its bytes is loaded with its neighbours, which are masked."""
    start, end = left.offset // 8 * 8, (left.offset + left.length + 7) // 8 * 8
    shift = end - left.offset - left.length
    mask = ((1 << left.length) - 1) << shift
    whole = RawPayload(left.base, start, end - start)
    return Binop("&", whole, Value(right.kind, mask, end - start)), op or "==", Value(right.kind, right.value << shift, end - start)


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
