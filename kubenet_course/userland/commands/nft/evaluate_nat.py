"""snat, dnat, masquerade, redirect and reject: which family they are for, and what they need before them."""

from __future__ import annotations

import dataclasses
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import TYPES, DataType
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Concat,
    Expr,
    MapExpr,
    Meta,
    SetRef,
    Symbol,
    Value,
)
from kubenet_course.userland.commands.nft.errors import NftError
from kubenet_course.userland.commands.nft.lhs import LeftSides
from kubenet_course.userland.commands.nft.pieces import Tail
from kubenet_course.userland.commands.nft.typed import Integer
from kubenet_course.userland.commands.nft.values import in_range, number

ADDRESS = {"ip": "ipv4_addr", "ip6": "ipv6_addr"}
#: icmpx's words as codes of the two families.
PORT_UNREACHABLE = {"icmp": 3, "icmpv6": 4, "icmpx": 1}


class NatEvaluator(LeftSides):
    def nat(self, statement: st.Nat) -> st.Nat:
        port = statement.port
        if statement.kind == "redirect" and port is not None or statement.kind == "masquerade" and port is not None:
            return dataclasses.replace(statement, port=self._port(statement, port))
        if statement.kind in ("masquerade", "redirect"):
            return statement
        family = statement.family or (self.family if self.family in ADDRESS else self.context.l3 or "")
        if family not in ADDRESS:
            if statement.address is None:
                return dataclasses.replace(statement, port=self._port(statement, port) if port is not None else None)
            raise NftError(
                f"specify `{statement.kind} ip' or '{statement.kind} ip6' in {self.family} table to disambiguate", statement.loc
            )
        if self.family in ADDRESS and family != self.family:
            raise NftError(f"conflicting protocols specified: {self.family} vs. {family}", statement.loc)
        address_type = TYPES[ADDRESS[family]]
        address = statement.address
        concat = False
        if address is not None:
            address, concat = self._address(statement, address, address_type)
        typed_port = self._port(statement, port) if port is not None else None
        shown = family if self.family not in ADDRESS or concat or statement.prefix else ""
        return dataclasses.replace(statement, family=shown, address=address, port=typed_port, concat=concat)

    def _address(self, statement: st.Nat, address: Any, kind: DataType) -> tuple[Expr, bool]:
        address = self.constants.resolve(address)
        if not isinstance(address, MapExpr):
            return self.stmt_value(address, kind, kind.bits, statement), False
        mappings = self.constants.resolve(address.mappings)
        if isinstance(mappings, SetRef):
            typed = self.map_expr(address, kind, kind.bits)
            return typed, isinstance(typed.data, Concat)
        first = next((element.data for element in getattr(mappings, "elements", ()) if element.data is not None), None)
        if isinstance(first, Concat) or statement.concat:
            return self.map_expr(address, kind, 0, types=(kind, TYPES["inet_service"])), True
        return self.map_expr(address, kind, kind.bits), False

    def _port(self, statement: st.Nat, port: Any) -> Expr:
        context = self.context
        if context.l4 is None and not context.l4_any:
            raise NftError(
                "transport protocol mapping is only valid after transport protocol match",
                getattr(port, "loc", None), statement.loc,
            )  # fmt: skip
        return self.stmt_value(port, TYPES["inet_service"], 16, statement)

    # -- reject -----------------------------------------------------------------------------
    def reject(self, statement: Any) -> None:
        context = self.context
        if self.family == "bridge":
            self.refuse("No such file or directory", statement.loc)
        if self.family == "arp":
            raise NftError("cannot use reject in arp", statement.loc)
        if isinstance(statement, Tail):
            kind, code = statement.value
            typed = self._reject_code(kind, code, statement)
            if typed.kind != "icmpx" and self.family == "inet":
                if context.l3_match is not None:
                    context.reject(False)
                elif context.l3 is None and any(not isinstance(one, st.Match) for one in context.out):
                    number = 2 if typed.kind == "icmp" else 10
                    context.out.insert(0, st.Match(Meta("nfproto"), "", Value(TYPES["nf_proto"], number, 8)))
            context.plain(typed)
            return
        if statement.kind == "tcp reset":
            if context.l4 not in (None, "tcp") or any(name != "tcp" for name in context.l4_all):
                raise NftError("you cannot use tcp reset with this protocol", statement.loc, context.l4_loc)
            if context.l4 is None:
                self._need_tcp()
            elif self.family in ("ip", "ip6"):
                context.reject(True)
            context.plain(statement)
            return
        kind = {"ip": "icmp", "ip6": "icmpv6"}.get(context.l3 or "", "icmpx")
        if kind == "icmpx" and context.l4 in ("icmp", "icmpv6"):
            kind = context.l4
        if kind != "icmpx" and self.family == "inet":
            context.reject(False)
        plain = self.family in ADDRESS or kind == "icmpx"
        code = PORT_UNREACHABLE[kind]
        context.plain(st.Reject(kind, code, plain, "port-unreachable", loc=statement.loc))

    def _need_tcp(self) -> None:
        """The match that nft adds, in front of everything; families ip and ip6 do not show it."""
        context = self.context
        shown = self.family not in ADDRESS or any(not isinstance(one, st.Match) for one in context.out)
        if shown:
            kind = TYPES["inet_proto"]
            context.out.insert(0, st.Match(Meta("l4proto"), "", Value(kind, 6, 8)))
        context.l4 = "tcp"

    def _reject_code(self, kind: str, code: Any, statement: Tail) -> st.Reject:
        types = TYPES[{"icmp": "icmp_code", "icmpv6": "icmpv6_code", "icmpx": "icmpx_code"}[kind]]
        code = self.constants.resolve(code)
        if isinstance(code, Symbol):
            value = types.symbols.get(code.word)
            if value is None:
                value = number(code.word)
            if value is None:
                raise NftError(f"Could not parse {types.error}", code.loc)
        else:
            assert isinstance(code, Integer)
            value = in_range(code.value, types, 8, code.loc)
        wanted = {"icmp": "ip", "icmpv6": "ip6"}.get(kind)
        if wanted is None and self.family in ADDRESS:
            raise NftError("abstracted ICMP unreachable not supported", code.loc, statement.loc)
        if wanted is not None and self.context.l3 not in (None, wanted):
            raise NftError(f"conflicting protocols specified: {self.context.l3} vs {wanted}", code.loc, statement.loc)
        plain = value == PORT_UNREACHABLE[kind] and (self.family in ADDRESS or kind == "icmpx")
        word = types.words.get(value, str(value))
        return st.Reject(kind, value, plain, word, loc=statement.loc)
