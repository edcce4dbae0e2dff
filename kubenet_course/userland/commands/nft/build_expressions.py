"""From the parser's rules to expressions, as typed: types and sets are looked up later."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    META_TYPES,
    Binop,
    Concat,
    Ct,
    Element,
    Expr,
    Fib,
    Hash,
    Ipsec,
    ListExpr,
    Loc,
    MapExpr,
    Meta,
    Numgen,
    Option,
    Osf,
    Payload,
    RawPayload,
    Rt,
    SetExpr,
    SetRef,
    Socket,
    Symbol,
    Variable,
    Wildcard,
)
from kubenet_course.kernel.netfilter.nf_tables.exthdrs import (
    IP_OPTIONS,
    TCP_FIELDS,
    TCP_KINDS,
    TCP_NAMES,
    TCP_SYNONYMS,
)
from kubenet_course.userland.commands.nft.errors import NftError
from kubenet_course.userland.commands.nft.pieces import (
    Tail,
    Token,
    last_number,
    loc_of,
    milliseconds,
    number,
    span,
)
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr, SlashExpr


class ExpressionBuilder:
    """Methods named after the rules of the grammar."""

    def integer(self, children: list[Any]) -> Any:
        return Integer(number(children[0]), loc=span(children))

    # -- expressions ------------------------------------------------------------------------
    def symbol(self, children: list[Any]) -> Expr:
        token = children[0]
        if isinstance(token, Expr):
            return token
        return Symbol(str(token), token.type == "QUOTED_STRING", loc=span(children))

    def variable(self, children: list[Any]) -> Expr:
        return Variable(str(children[1]), loc=loc_of(children[1]))

    def word_value(self, children: list[Any]) -> Expr:
        return Symbol(str(children[0]), loc=span(children))

    proto_word = word_value

    def keyword(self, children: list[Any]) -> Token:
        return children[0]

    def wildcard(self, children: list[Any]) -> Expr:
        return Wildcard(loc=span(children))

    def parens(self, children: list[Any]) -> Expr:
        return children[1]

    def binop(self, children: list[Any]) -> Expr:
        op = {"and": "&", "or": "|", "xor": "^", "lshift": "<<", "rshift": ">>"}.get(str(children[1]), str(children[1]))
        return Binop(op, children[0], children[2], loc=span(children))

    def concat(self, children: list[Any]) -> Expr:
        first = children[0].parts if isinstance(children[0], Concat) else (children[0],)
        return Concat((*first, children[2]), loc=span(children))

    def prefix(self, children: list[Any]) -> Expr:
        length = Integer(number(children[2]), loc=loc_of(children[2]))
        return SlashExpr(children[0], length, loc=span(children))

    def range(self, children: list[Any]) -> Expr:
        return RangeExpr(children[0], children[2], loc=span(children))

    def rhs_list(self, children: list[Any]) -> Expr:
        return ListExpr(_items(children), loc=span(children))

    def rhs_masked(self, children: list[Any]) -> Expr:
        at = next(i for i, child in enumerate(children) if isinstance(child, Token) and child.type == "SLASH")
        sides = [_items(children[:at]), _items(children[at + 1 :])]
        left, right = (
            side[0] if len(side) == 1 else ListExpr(side, loc=span(list(side))) for side in sides
        )
        return SlashExpr(left, right, loc=span(children))

    def map_rhs(self, children: list[Any]) -> Any:
        return children[0]

    st_map = map_rhs

    def vmap_rhs(self, children: list[Any]) -> Any:
        return self.set_literal(children) if len(children) > 1 else children[0]

    def map_expr(self, children: list[Any]) -> Expr:
        return MapExpr(children[0], children[2], loc=span(children))

    def set_ref(self, children: list[Any]) -> Expr:
        return SetRef(str(children[1]), loc=span(children))

    def set_literal(self, children: list[Any]) -> Expr:
        elements = []
        for child in children:
            if isinstance(child, Element):
                elements.append(child)
        return SetExpr(tuple(elements), loc=span(children))

    def elem(self, children: list[Any]) -> Tail:
        return Tail("elem", children, span(children))

    def element(self, children: list[Any]) -> Expr:
        key, *options = children[0].value
        return build_element(key, options, None, span(children))

    def mapping(self, children: list[Any]) -> Expr:
        key, *options = children[0].value
        return build_element(key, options, children[-1], span(children))

    def _option(kind: str) -> Any:  # type: ignore[misc]
        return lambda self, children: Tail(kind, children[-1], span(children))

    elem_timeout, elem_expires = _option("timeout"), _option("expires")
    elem_comment, elem_stateful = _option("comment"), _option("stateful")
    del _option

    # -- selectors --------------------------------------------------------------------------
    def payload(self, children: list[Any]) -> Expr:
        protocol, name = str(children[0]), str(children[1])
        name = {"cfi": "dei"}.get(name, name) if protocol == "vlan" else name
        return Payload(protocol, name, loc=span(children))

    def arp_address(self, children: list[Any]) -> Expr:
        return Payload("arp", f"{children[1]} {children[2]}", loc=span(children))

    def raw_payload(self, children: list[Any]) -> Expr:
        if str(children[1]) not in ("ll", "nh", "th", "ih"):
            raise NftError("unknown raw payload base", loc_of(children[1]))
        return RawPayload(str(children[1]), number(children[3]), number(children[5]), loc=span(children))

    def meta_expr(self, children: list[Any]) -> Expr:
        return build_meta(children[-1], span(children))

    def bad_meta(self, children: list[Any]) -> Expr:
        raise NftError(
            f"syntax error, unexpected {children[1]}, known keys are {', '.join(META_ORDER)}", span(children)
        )

    bad_meta_set = bad_meta

    def ct_expr(self, children: list[Any]) -> Expr:
        words = [str(child) for child in children[1:]]
        if children[1].type == "CT_KEY":
            return Ct(words[0], loc=span(children))
        return Ct(" ".join(words[1:]), words[0], loc=span(children))

    # -- options and extension headers ------------------------------------------------------
    def tcp_option_type(self, children: list[Any]) -> Token:
        token = children[0]
        if token.type == "NUM" and number(token) > 255:
            raise NftError("value too large", loc_of(token))
        return token

    def tcp_option(self, children: list[Any]) -> Expr:
        part = str(children[3]) if len(children) > 3 else ""
        return tcp_option(children[2], part, span(children), loc_of(children[-1]))

    def tcp_option_raw(self, children: list[Any]) -> Expr:
        return raw_option(option_kind(children[3]), number(children[5]), number(children[7]), span(children))

    def ip_option(self, children: list[Any]) -> Expr:
        name, part = str(children[2]), str(children[3]) if len(children) > 3 else ""
        if part and part not in IP_OPTIONS[name][1]:
            raise NftError("unknown ip option type/field", loc_of(children[0]))
        return Option("ip option", name, part, loc=span(children))

    def sctp_chunk(self, children: list[Any]) -> list[Any]:
        return children

    def sctp_option(self, children: list[Any]) -> Expr:
        found = children[-1]
        part = str(found[1]) if len(found) > 1 else ""
        return Option("sctp chunk", str(found[0]), part, loc=span(found))

    def exthdr(self, children: list[Any]) -> Expr:
        return children[0]

    def exthdr_exists(self, children: list[Any]) -> Expr:
        return Option("exthdr", str(children[1]), loc=span(children))

    def exthdr_field(self, children: list[Any]) -> Expr:
        part = str(children[1]) + (f"[{number(children[3])}]" if len(children) > 2 else "")
        return Option(str(children[0]), str(children[0]), part, loc=span(children))

    def osf(self, children: list[Any]) -> Expr:
        words = children[1].children
        ttl = str(words[1]) if words else ""
        if ttl not in ("", "loose", "skip"):
            raise NftError("invalid ttl option", loc_of(words[1]))
        return Osf(str(children[-1]), ttl, loc=span(children))

    def ipsec(self, children: list[Any]) -> Expr:
        spnum = last_number(children[2]) or 0
        if spnum > 255:
            raise NftError("value too large", span(children[2].children))
        return Ipsec(str(children[1]), spnum, " ".join(str(child) for child in children[3:]), loc=span(children))

    def rt(self, children: list[Any]) -> Expr:
        return Rt(" ".join(str(child) for child in children[1:]), loc=span(children))

    def fib_tuple(self, children: list[Any]) -> Any:
        last = children[-1]
        flags = {str(children[0])} | (last.value if isinstance(last, Tail) else set())
        return Tail("fib", flags, span(children))

    def fib(self, children: list[Any]) -> Expr:
        flags = children[1].value
        if "saddr" not in flags and "daddr" not in flags:
            raise NftError("fib: need either saddr or daddr", children[1].loc)
        for one, other in (("saddr", "daddr"), ("iif", "oif")):
            if one in flags and other in flags:
                raise NftError(f"fib: {one} and {other} are mutually exclusive", children[1].loc)
        ordered = tuple(flag for flag in ("saddr", "daddr", "mark", "iif", "oif") if flag in flags)
        return Fib(ordered, str(children[-1]), loc=span(children))

    def numgen(self, children: list[Any]) -> Expr:
        return Numgen(str(children[1]), number(children[3]), last_number(children[4]) or 0, loc=span(children))

    def jhash(self, children: list[Any]) -> Expr:
        return Hash(number(children[3]), children[1], last_number(children[4]), last_number(children[5]) or 0, loc=span(children))

    def symhash(self, children: list[Any]) -> Expr:
        return Hash(number(children[2]), None, None, last_number(children[3]) or 0, loc=span(children))

    def socket(self, children: list[Any]) -> Expr:
        level = number(children[3]) if len(children) > 2 else None
        return Socket(str(children[1]), level, loc=span(children))


META_ORDER = (
    "length", "protocol", "priority", "mark", "iif", "oif", "iifname", "oifname", "iiftype", "oiftype", "skuid", "skgid",
    "nftrace", "rtclassid", "secmark", "nfproto", "l4proto", "ibrname", "obrname", "pkttype", "cpu", "iifgroup", "oifgroup",
    "cgroup", "random", "ipsec", "iifkind", "oifkind", "ibrpvid", "ibrvproto", "time", "day", "hour", "sdif", "sdifname",
)  # fmt: skip


def _items(children: list[Any]) -> tuple[Expr, ...]:
    return tuple(child for child in children if not isinstance(child, Token))


def build_meta(token: Any, where: Loc | None) -> Meta:
    key = {"ibriport": "ibrname", "obriport": "obrname"}.get(str(token), str(token))
    assert key in META_TYPES
    return Meta(key, loc=where)


def option_kind(token: Any) -> int:
    """The number of a TCP option, by name or number."""
    word = str(token)
    name = TCP_SYNONYMS.get(word, word)
    return number(token) if token.type == "NUM" else TCP_KINDS["sack" if name.startswith("sack") and name[4:].isdigit() else name]


def tcp_option(token: Any, part: str, where: Loc | None, part_loc: Loc | None) -> Option:
    word = str(token)
    if not part:
        kind = option_kind(token)
        return Option("tcp option", TCP_NAMES.get(kind, str(kind)), loc=where)
    name = TCP_NAMES.get(number(token), word) if token.type == "NUM" else TCP_SYNONYMS.get(word, word)
    known = TCP_FIELDS.get(name, {"length": None})
    if part not in known:
        if part != "length":
            raise NftError(f"syntax error, unexpected {part}", part_loc)
        return Option("tcp option", name, "length", loc=where)
    return Option("tcp option", name, part, loc=where)


def raw_option(kind: int, offset: int, bits: int, where: Loc | None) -> Option:
    """By numbers: a field that has a name gets it."""
    name = TCP_NAMES.get(kind, "")
    for part, field in TCP_FIELDS.get(name, {}).items():
        if (field.offset, field.bits) == (offset, bits):
            return Option("tcp option", name, part, loc=where)
    return Option("tcp option", str(kind), raw=(offset, bits), loc=where)


def build_element(key: Any, options: list[Any], data: Any, where: Loc | None) -> Element:
    timeout = expires = None
    comment = ""
    statements = []
    for option in options:
        if not isinstance(option, Tail):
            continue
        if option.kind == "timeout":
            timeout = milliseconds(option.value)
        elif option.kind == "expires":
            expires = milliseconds(option.value)
        elif option.kind == "comment":
            comment = str(option.value)
        else:
            statements.append(option.value)
    return Element(key, data, timeout, expires, comment, tuple(statements), loc=where)
