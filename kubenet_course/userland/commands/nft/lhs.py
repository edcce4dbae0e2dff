"""Left sides: what a rule looks at, checked against the protocols it has spoken of."""

from __future__ import annotations

import dataclasses
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.datatypes import INTEGER, TYPES, VERDICT, DataType
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Concat,
    Ct,
    Expr,
    Hash,
    Ipsec,
    ListExpr,
    MapExpr,
    Meta,
    Numgen,
    Option,
    Payload,
    Prefix,
    RawPayload,
    Rt,
    SetExpr,
    SetRef,
    Socket,
    Symbol,
    Value,
    Variable,
)
from kubenet_course.kernel.netfilter.nf_tables.exthdrs import EXTENSION_HEADERS
from kubenet_course.kernel.netfilter.nf_tables.statements import Match
from kubenet_course.userland.commands.nft.context import ProtocolContext
from kubenet_course.userland.commands.nft.errors import NftError, refused
from kubenet_course.userland.commands.nft.rhs import PREFIXED, Constants, conflict, is_interval, ordered
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr, SlashExpr

TYPED = (Symbol, Integer, RangeExpr, SlashExpr, ListExpr, Value)


class LeftSides:
    """`sets`: the SetCache of the rule's table."""

    def __init__(self, family: str, sets: Any, constants: Constants):
        self.family = family
        self.sets = sets
        self.constants = constants
        self.context = ProtocolContext(family)
        #: What the kernel will say of the rule, found while it is looked at, and before it of the sets that it brings.
        self.refusals: list[NftError] = []
        self.element_refusals: list[NftError] = []

    def refuse(self, reason: str, place: Any) -> None:
        """The kernel refuses this: said only if nft itself has nothing to say."""
        self.refusals.append(refused(reason, place))

    def lhs(self, expr: Any) -> Any:
        expr = self.constants.resolve(expr)
        if isinstance(expr, Payload):
            return self.context.payload(expr)
        if isinstance(expr, RawPayload):
            named = self.context.named(expr.base, expr.offset, expr.length, expr.loc)
            return self.context.payload(named) if isinstance(named, Payload) and named.protocol != "ether" else named or expr
        if isinstance(expr, Meta):
            if expr.key == "nfproto" and self.family != "inet":
                raise NftError("meta nfproto is only useful in the inet family", expr.loc)
            if expr.key == "nftrace" or expr.key in ("ibrname", "obrname", "ibrpvid", "ibrvproto") and self.family != "bridge":
                self.refuse("Operation not supported", expr.loc)
            return expr
        if isinstance(expr, Ct):
            return self._ct(expr)
        if isinstance(expr, Rt):
            return self._rt(expr)
        if isinstance(expr, Option) and (expr.header == "exthdr" or expr.header in EXTENSION_HEADERS):
            if self.context.l3 not in (None, "ip6"):
                raise NftError(f"cannot use exthdr with {self.context.l3}", expr.loc)
            if expr.header == "rt0":  # an address of an older header is that of a segment, once the kernel has it
                return dataclasses.replace(expr, header="srh", name="srh", part=expr.part.replace("addr", "sid"))
            return expr
        if isinstance(expr, Concat):
            for part in expr.parts:
                kind = part.type if isinstance(part, Ct) else None
                if kind is not None and kind.name == "string":
                    raise NftError("can not use variable sized data types (string) in concat expressions", part.loc, expr.loc)
            return dataclasses.replace(expr, parts=tuple(self.lhs(part) for part in expr.parts))
        if isinstance(expr, Binop):
            return self.binop(expr)
        if isinstance(expr, Hash) and expr.expr is not None:
            if not expr.mod:
                self.refuse("Numerical result out of range", expr.loc)
            return dataclasses.replace(expr, expr=self.lhs(expr.expr))
        if isinstance(expr, MapExpr):
            return self.map_expr(expr, None, 0)
        if isinstance(expr, (Symbol, Integer, ListExpr)):
            raise NftError("No symbol type information", expr.loc)
        if isinstance(expr, Socket) and self.family not in ("ip", "ip6", "inet"):
            self.refuse("Operation not supported", expr.loc)
        if isinstance(expr, Ipsec) and self.family not in ("ip", "ip6", "inet"):
            raise NftError("ipsec expression is only valid in ip/ip6/inet tables", expr.loc)
        if isinstance(expr, (Hash, Numgen)) and not expr.mod:
            self.refuse("Numerical result out of range", expr.loc)
        return expr

    def _ct(self, expr: Ct) -> Ct:
        if self.family in ("bridge", "netdev", "arp"):
            self.refuse("Protocol error", expr.loc)
        key, direction = expr.key, expr.direction
        if key == "event":
            self.refuse("Operation not supported", expr.loc)
        if key[:3] in ("ip ", "ip6"):
            named = key.split()[0]
            if self.context.l3 is not None and self.context.l3 != named:
                raise NftError(f"conflicting protocols specified: {self.context.l3} vs. {named}", expr.loc)
            return expr
        if not direction and key in ("saddr", "daddr", "proto-src", "proto-dst"):
            self.refuse("Invalid argument", expr.loc)
        if key in ("saddr", "daddr"):
            if self.context.l3 not in ("ip", "ip6"):
                raise NftError(
                    f'cannot determine ip protocol version, use "ip {key}" or "ip6 {key}" instead', expr.loc
                )
            return Ct(f"{self.context.l3} {key}", direction, short=True, loc=expr.loc)
        if key in ("l3proto", "protocol"):
            direction = ""
        unknown = key in ("proto-src", "proto-dst") and self.context.l4 is None and not self.context.l4_any
        return Ct(key, direction, unknown, loc=expr.loc)

    def _rt(self, expr: Rt) -> Rt:
        if expr.key == "nexthop":
            if self.context.l3 not in ("ip", "ip6"):
                raise NftError('cannot determine ip protocol version, use "ip nexthop" or "ip6 nexthop" instead', expr.loc)
            return Rt(f"{self.context.l3} nexthop", loc=expr.loc)
        if expr.key.endswith(" nexthop") and self.family in ("ip", "ip6") and expr.key.split()[0] != self.family:
            raise NftError(f"{expr.key} will not match", expr.loc)
        return expr

    def binop(self, expr: Binop) -> Any:
        left = self.lhs(expr.left)
        right_type, bits = (INTEGER, 0) if expr.op in ("<<", ">>") else (left.type, left.bits)
        right = self.constants.constant(expr.right, right_type, bits)
        if not isinstance(right, Value) or isinstance(right.value, str) or isinstance(left, Concat):
            raise NftError("Right hand side of binary operation must be constant", expr.loc)
        return canonical(Binop(expr.op, left, right, loc=expr.loc))

    # -- maps -------------------------------------------------------------------------------
    def mappings(self, expr: Any, key: Expr, data: tuple[DataType, ...], widths: tuple[int, ...]) -> Any:
        """@name or { … } of a map whose key is `key` and whose data are of type `data`."""
        expr = self.constants.resolve(expr)
        if isinstance(expr, SetRef):
            found = self.sets.find(expr.name, expr.loc)
            have, want = [kind.name for kind in types_of(key)], [kind.name for kind in found.types]
            self.no_short_address(key)
            if not found.is_map:
                raise NftError("Expression is not a map", expr.loc)
            if have != want and have != ["integer"]:
                raise NftError(
                    f"datatype mismatch, map expects {described(found.types)}, mapping expression has type "
                    f"{described(types_of(key))}", expr.loc, key.loc,
                )  # fmt: skip
            return expr
        if not isinstance(expr, SetExpr):
            raise NftError("Expression is not a map", getattr(expr, "loc", None))
        self.no_short_address(key)
        parts = key.parts if isinstance(key, Concat) else (key,)
        elements = self.constants.elements(
            expr, types_of(key), tuple(part.bits for part in parts), data=data, data_widths=widths, is_map=True
        )
        self.no_conflict(elements, len(parts))
        return SetExpr(ordered(elements), loc=expr.loc)

    def no_short_address(self, key: Expr) -> None:
        """ct saddr without ip or ip6 is good for one value only."""
        for part in key.parts if isinstance(key, Concat) else (key,):
            if isinstance(part, Ct) and part.short:
                raise NftError("specify either ip or ip6 for address matching", part.loc)

    def no_conflict(self, elements: list[Any], parts: int) -> None:
        from kubenet_course.kernel.netfilter.nf_tables.sets import key_of

        if parts == 1 and any(is_interval(element) for element in elements):
            pair = conflict(elements)
            if pair is not None:
                raise NftError("conflicting intervals specified", pair[1].loc, pair[0].loc)
        seen: dict[Any, Any] = {}
        for element in elements:
            before = seen.setdefault(key_of(element.key), element)
            if before is not element and before.data != element.data:
                self.element_refusals.append(refused("File exists", element.loc))

    def map_expr(
        self, expr: MapExpr, kind: DataType | None, bits: int, *, types: tuple[DataType, ...] = ()
    ) -> MapExpr:
        key = self.lhs(expr.key)
        mappings = self.constants.resolve(expr.mappings)
        if isinstance(mappings, SetRef):
            mappings = self.mappings(mappings, key, (), ())
            found = self.sets[mappings.name]
            data: Any = Value(found.data_types[0] if found.data_types else TYPES["ifname"], 0)
            if len(found.data_types) > 1:
                data = Concat(tuple(Value(one, 0) for one in found.data_types))
            return MapExpr(key, mappings, data, loc=expr.loc)
        wanted = types or ((kind,) if kind is not None else (INTEGER,))
        if kind is None and not types:
            wanted = types_of(key)  # nothing says what it gives: of the key's own type
        if wanted[0] is VERDICT:
            wanted = (INTEGER,)
        widths = tuple(bits if len(wanted) == 1 and bits else one.bits for one in wanted)
        mappings = self.mappings(mappings, key, wanted, widths)
        data = Value(wanted[0], 0, widths[0]) if len(wanted) == 1 else Concat(tuple(Value(one, 0) for one in wanted))
        return MapExpr(key, mappings, data, loc=expr.loc)

    # -- what a statement sets ----------------------------------------------------------------
    def stmt_value(
        self, expr: Any, kind: DataType, bits: int, statement: Any, *, types: tuple[DataType, ...] = ()
    ) -> Any:
        expr = self.constants.resolve(expr)
        if isinstance(expr, MapExpr):
            mapped = self.map_expr(expr, kind, bits, types=types)
            have = mapped.data.type if mapped.data is not None and not isinstance(mapped.data, Concat) else kind
            if isinstance(mapped.mappings, SetRef) and not types and kind.base != "string" and have.name not in (kind.name, "integer"):
                raise NftError(
                    f"datatype mismatch: expected {kind.description}, expression has type {have.description}",
                    expr.loc, getattr(statement, "loc", None),
                )  # fmt: skip
            return mapped
        if isinstance(expr, (*TYPED, Variable)):
            return self.constants.constant(expr, kind, bits)
        if isinstance(expr, Binop) and is_constant(expr):
            return self.constants.constant(expr, kind, bits)
        found = self.lhs(expr)
        have = found.type
        if isinstance(found, Concat) or have.name not in (kind.name, "integer") and not (kind is INTEGER or kind.name == "integer"):
            raise NftError(
                f"datatype mismatch: expected {kind.description}, expression has type {have.description}",
                expr.loc, getattr(statement, "loc", None),
            )  # fmt: skip
        return found


def is_constant(expr: Any) -> bool:
    if isinstance(expr, Binop):
        return is_constant(expr.left) and is_constant(expr.right)
    return isinstance(expr, (*TYPED, Variable))


def types_of(expr: Expr) -> tuple[DataType, ...]:
    return expr.types if isinstance(expr, Concat) else (expr.type,)


def described(types: tuple[DataType, ...]) -> str:
    words = ", ".join(kind.description for kind in types)
    return f"concatenation of ({words})" if len(types) > 1 else words


def canonical(expr: Binop) -> Any:
    """What the kernel keeps of a chain of and, or and xor with constants is one mask and one xor."""
    if expr.op not in ("&", "|", "^") or expr.left.type.base == "bitmask":
        return expr
    chain: list[Binop] = []
    base: Any = expr
    while isinstance(base, Binop) and base.op in ("&", "|", "^") and isinstance(base.right, Value):
        chain.append(base)
        base = base.left
    if len(chain) < 2:
        return expr
    bits = expr.bits or 32
    ones = (1 << bits) - 1
    mask, xor = ones, 0
    for step in reversed(chain):
        value = step.right.value  # type: ignore[attr-defined]
        if step.op == "&":
            mask, xor = mask & value, xor & value
        elif step.op == "|":
            mask, xor = mask & ~value & ones, xor & ~value | value
        else:
            xor ^= value
    kind = base.type
    either = xor & ~mask & ones
    flips = xor & mask
    mask |= either
    result = base
    if mask != ones:
        result = Binop("&", result, Value(kind, mask, bits))
    if flips:
        result = Binop("^", result, Value(kind, flips, bits))
    if either:
        result = Binop("|", result, Value(kind, either, bits))
    return dataclasses.replace(result, loc=expr.loc) if result is not base else result


def folded_match(match: Match) -> Match:
    """A comparison as it is listed: flags, prefixes, constants moved to the right."""
    left, right, op = match.left, match.right, match.op
    if not isinstance(left, Binop) or not isinstance(left.right, Value) or not isinstance(right, Value):
        return match
    mask, value = left.right.value, right.value
    if left.op == "^" and op in ("", "==", "!="):
        return folded_match(Match(left.left, op, Value(right.kind, value ^ mask, right.width), loc=match.loc))
    if left.op != "&":
        return match
    if left.type.base == "bitmask":
        if value == 0 and op in ("", "==", "!="):
            return Match(left.left, "" if op == "!=" else "!", Value(right.kind, mask, right.width), loc=match.loc)
        return match if op else Match(left, "==", right, loc=match.loc)
    if op in ("", "==", "!=") and left.type.name in PREFIXED:
        bits = left.bits
        inverse = ~mask & ((1 << bits) - 1)
        if inverse & (inverse + 1) == 0 and value & inverse == 0 and mask:
            length = bits - inverse.bit_length()
            if length < bits:
                return Match(left.left, op, Prefix(right.kind, value, length), loc=match.loc)
    return match
