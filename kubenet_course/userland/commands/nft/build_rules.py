"""From the parser's rules to statements and expressions, as typed: types and sets are looked up later."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from lark import Token

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    META_TYPES,
    Binop,
    Concat,
    Ct,
    Element,
    Expr,
    Fib,
    Hash,
    ListExpr,
    Loc,
    MapExpr,
    Meta,
    Numgen,
    Option,
    Payload,
    RawPayload,
    Rt,
    SetExpr,
    SetRef,
    Socket,
    Symbol,
    Variable,
    Verdict,
    Wildcard,
)
from kubenet_course.userland.commands.nft.commands import RuleData
from kubenet_course.userland.commands.nft.errors import NftError, refused
from kubenet_course.userland.commands.nft.typed import Integer, RangeExpr, SlashExpr


class Tail(NamedTuple):
    """A piece of a statement or block: its kind and value."""

    kind: str
    value: Any
    loc: Loc | None = None


def loc_of(thing: Any) -> Loc | None:
    if isinstance(thing, Token):
        return (thing.start_pos, thing.end_pos)  # type: ignore[return-value]
    found = getattr(thing, "loc", None)
    if found is None and getattr(thing, "table_loc", None) is not None:
        last = thing.handle_loc or thing.name_loc or thing.table_loc
        return ((thing.family_loc or thing.table_loc)[0], last[1])
    if found is None and hasattr(thing, "children"):
        places = [place for place in map(loc_of, thing.children) if place is not None]
        return (places[0][0], places[-1][1]) if places else None
    return found


def real(children: list[Any]) -> list[Any]:
    return [child for child in children if child is not None]


def span(children: list[Any]) -> Loc | None:
    places = [place for place in map(loc_of, children) if place is not None]
    return (places[0][0], places[-1][1]) if places else None


def number(token: Any) -> int:
    return int(token, 16 if str(token)[:2] in ("0x", "0X") else 10)


def _sized(value: int, unit: str, loc: Loc | None) -> int:
    sizes = {"bytes": 0, "kbytes": 10, "mbytes": 20, "gbytes": 30}
    if unit not in sizes or unit == "gbytes":
        raise NftError("Wrong rate format", loc)
    return value << sizes[unit]


class RuleBuilder:
    """Methods named after the rules of the grammar."""

    # -- rules ------------------------------------------------------------------------------
    def rule(self, children: list[Any]) -> RuleData:
        comment = ""
        if isinstance(children[-1], Token):
            comment = str(children[-1])
            if len(comment) > 128:
                raise NftError("comment too long, 128 characters maximum allowed", loc_of(children[-1]))
            children = children[:-2]
            return RuleData(children, comment, span(children))
        return RuleData(list(children), "", span(children))

    def verdict(self, children: list[Any]) -> Verdict:
        kind = str(children[0])
        if len(children) > 1:
            name = children[1].children[0]
            chain = f"${name.name}" if isinstance(name, Variable) else str(name)
            return Verdict(kind, chain, loc_of(name), loc=span(children))
        return Verdict(kind, loc=span(children))

    def verdict_stmt(self, children: list[Any]) -> Any:
        return st.VerdictStatement(children[0], loc=span(children))

    def verdict_map(self, children: list[Any]) -> Any:
        return st.VerdictMap(children[0], children[2], loc=span(children))

    def match(self, children: list[Any]) -> Any:
        op = str(children[1]) if len(children) > 2 else ""
        return st.Match(children[0], op, children[-1], loc=span(children))

    def rhs_full(self, children: list[Any]) -> Any:
        return children[0]

    initializer = map_rhs_value = rhs_full

    def negative(self, children: list[Any]) -> Any:
        return Integer(-number(children[1]), loc=span(children))

    # -- what counts ------------------------------------------------------------------------
    def counter(self, children: list[Any]) -> Any:
        said = {str(child.children[0]): number(child.children[1]) for child in children[1:]}
        return st.Counter(said.get("packets", 0), said.get("bytes", 0), loc=span(children))

    def counter_config(self, children: list[Any]) -> Any:
        return st.Counter(number(children[1]), number(children[3]), loc=span(children))

    def object_ref(self, children: list[Any]) -> Any:
        return st.ObjectRef(str(children[0]), children[2], loc=span(children))

    def limit(self, children: list[Any]) -> Any:
        import dataclasses

        if isinstance(children[1], NftError):
            raise NftError(children[1].problem.sentence, *(children[1].problem.places or (span(children),)))
        if not children[1].rate:
            raise refused("Invalid argument", span(children))
        return dataclasses.replace(children[1], loc=span(children))

    def limit_config(self, children: list[Any]) -> Any:
        over = bool(children[1].children) and str(children[1].children[0]) == "over"
        rate = number(children[2])
        burst = children[-1].children
        where = span(children)
        if children[3].type == "SLASH":
            amount = number(burst[1]) if burst else 5
            if not amount:
                raise NftError("packet limit burst must be > 0", span(burst))
            if burst and burst[2].type != "PACKETS":
                raise NftError("syntax error, unexpected bytes, expecting packets", loc_of(burst[2]))
            return st.Limit(rate, str(children[4]), amount, over, loc=where)
        if children[3].type == "BYTES":
            word, unit = "bytes", str(children[5])
        else:
            word, _, unit = str(children[3]).partition("/")
        where = span(children[2:4])
        if unit not in st.UNITS:
            raise NftError("Wrong rate format", where)
        amount = 0
        if burst:
            amount = _sized(number(burst[1]), str(burst[2]), where)
        return st.Limit(_sized(rate, word, where), unit, amount, over, True, loc=where)

    def quota(self, children: list[Any]) -> Any:
        import dataclasses

        if isinstance(children[1], tuple):
            raise NftError("Wrong rate format", (loc_of(children[0])[0], children[1][1]))  # type: ignore[index]
        return dataclasses.replace(children[1], loc=span(children))

    def quota_config(self, children: list[Any]) -> Any:
        over = bool(children[0].children) and str(children[0].children[0]) == "over"
        where = span(children)
        if str(children[2].children[0]) not in ("bytes", "kbytes", "mbytes"):
            return where  # said when it is known what it is part of
        size = _sized(number(children[1]), str(children[2].children[0]), where)
        used = children[3].children
        spent = _sized(number(used[1]), str(used[2].children[0]), where) if used else 0
        return st.Quota(size, over, spent, loc=where)

    def ct_count(self, children: list[Any]) -> Any:
        return st.ConnLimit(number(children[-1]), len(children) == 4, loc=span(children))

    # -- log, reject, nat -------------------------------------------------------------------
    def _tail(kind: str) -> Any:  # type: ignore[misc]
        return lambda self, children: Tail(kind, children[1], span(children))

    log_prefix, log_group, log_snaplen = _tail("prefix"), _tail("group"), _tail("snaplen")
    log_threshold, log_level = _tail("threshold"), _tail("level")
    del _tail

    def log_tcp(self, children: list[Any]) -> Tail:
        bits = {"sequence": 1, "options": 2}
        return Tail("flags", sum({bits[str(child)] for child in children[2:] if child.type == "LOG_TCP"}), span(children))

    def log_flag(self, children: list[Any]) -> Tail:
        bits = {"ip": 4, "skuid": 8, "ether": 32, "all": st.LOG_ALL}
        return Tail("flags", bits[str(children[1])], span(children))

    def log(self, children: list[Any]) -> Any:
        values: dict[str, Any] = {"flags": 0}
        for tail in children[1:]:
            if tail.kind == "flags":
                values["flags"] |= tail.value
            elif tail.kind == "level":
                level = str(tail.value)
                if level not in st.LEVELS:
                    raise NftError("invalid log level", loc_of(tail.value))
                values["level"] = st.LEVELS.index(level)
            else:
                values[tail.kind] = number(tail.value) if tail.kind != "prefix" else tail.value
        prefix = values.get("prefix")
        if prefix is not None:
            values["prefix"] = prefix if isinstance(prefix, Variable) else str(prefix)
        return st.Log(**values, loc=loc_of(children[0]))

    def reject(self, children: list[Any]) -> Any:
        words = children[1].children
        where = loc_of(children[0])
        if not words:
            return st.Reject(loc=where)
        if words[1].type == "TCP":
            return st.Reject("tcp reset", loc=where)
        return Tail("reject", (str(words[1]), words[3]), where)

    def integer(self, children: list[Any]) -> Any:
        return Integer(number(children[0]), loc=span(children))

    def _flags(self, node: Any) -> tuple[str, ...]:
        given = [str(child) for child in node.children if child.type == "NAT_FLAG"]
        return tuple(flag for flag in ("random", "fully-random", "persistent") if flag in given)

    def nat(self, children: list[Any]) -> Any:
        family, kind, _ = children[1].children
        address, port = _address_port(children[2])
        words = [child.type for child in kind.children]
        return st.Nat(
            str(children[0]), str(family.children[0]) if family.children else "", address, port, self._flags(children[3]),
            "PREFIX" in words or "INTERVAL" in words, "ADDR" in words, loc=loc_of(children[0]),
        )  # fmt: skip

    def masquerade(self, children: list[Any]) -> Any:
        port = children[1].children[-1] if children[1].children else None
        return st.Nat("masquerade", port=port, flags=self._flags(children[2]), loc=loc_of(children[0]))

    def redirect(self, children: list[Any]) -> Any:
        port = children[1].children[-1] if children[1].children else None
        return st.Nat("redirect", port=port, flags=self._flags(children[2]), loc=loc_of(children[0]))

    # -- setting things ---------------------------------------------------------------------
    def meta_set(self, children: list[Any]) -> Any:
        at = 1 if children[0].type == "META" else 0
        target = _meta(children[at], span(children[: at + 1]))
        return st.Assign(target, children[-1], loc=span(children))

    def payload_set(self, children: list[Any]) -> Any:
        return st.Assign(children[0], children[-1], loc=span(children))

    def ct_set(self, children: list[Any]) -> Any:
        if children[0].key == "helper":
            return st.ObjectRef("ct helper", children[-1], loc=span(children))
        return st.Assign(children[0], children[-1], loc=span(children))

    def ct_object_set(self, children: list[Any]) -> Any:
        return st.ObjectRef(f"ct {children[1]}", children[-1], loc=span(children))

    def notrack(self, children: list[Any]) -> Any:
        return st.Notrack(loc=span(children))

    def set_stmt_elem(self, children: list[Any]) -> Tail:
        return Tail("element", children, span(children))

    def set_update(self, children: list[Any]) -> Any:
        op, name, element = str(children[0]), children[2], children[4]
        data = children[6] if len(children) > 6 else None
        made = _element(element.value[0], element.value[1:], data, element.loc)
        reference = (children[1].start_pos, name.end_pos)
        inner = made.statements
        made = Element(made.key, made.data, made.timeout, made.expires, made.comment, loc=made.loc)
        return Tail("set_update", (op, str(name), reference, made, inner), span(children))

    def set_update_old(self, children: list[Any]) -> Any:
        name = children[4]
        reference = (children[3].start_pos, name.end_pos)
        return Tail("set_update", (str(children[1]), str(name), reference, Element(children[2]), ()), span(children))

    def _refused(what: str) -> Any:  # type: ignore[misc]
        return lambda self, children: st.Refused(what, loc=span(children))

    queue, tproxy, fwd, synproxy = _refused("queue"), _refused("tproxy"), _refused("fwd"), _refused("synproxy")
    meter, xt, chain_stmt = _refused("meter"), _refused("xt"), _refused("a chain without a name")
    reset_option, osf_stmt = _refused("reset tcp option"), _refused("osf")
    osf, ipsec = _refused("osf"), _refused("ipsec")
    del _refused

    def dup(self, children: list[Any]) -> Any:
        return st.Dup(children[2], children[4] if len(children) > 4 else None, loc=span(children))

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
        return SlashExpr(children[0], children[2], loc=span(children))

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
        return _element(key, options, None, span(children))

    def mapping(self, children: list[Any]) -> Expr:
        key, *options = children[0].value
        return _element(key, options, children[-1], span(children))

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
        return RawPayload(str(children[1]), number(children[3]), number(children[5]), loc=span(children))

    def meta_expr(self, children: list[Any]) -> Expr:
        return _meta(children[-1], span(children))

    def bad_meta(self, children: list[Any]) -> Expr:
        raise NftError(
            f"syntax error, unexpected {children[1]}, known keys are {', '.join(META_ORDER)}", span(children)
        )

    def bad_ct(self, children: list[Any]) -> Expr:
        raise NftError("syntax error, unexpected string", loc_of(children[1]))

    def ct_expr(self, children: list[Any]) -> Expr:
        words = [str(child) for child in children[1:]]
        if children[1].type == "CT_KEY":
            return Ct(words[0], loc=span(children))
        return Ct(" ".join(words[1:]), words[0], loc=span(children))

    def option(self, children: list[Any]) -> Expr:
        words = [str(child) for child in children]
        where = span(children)
        if words[0] == "tcp":
            return tcp_option(words[2], words[3] if len(words) > 3 else "", where)
        if words[0] == "ip":
            return Option("ip option", words[2], words[3] if len(words) > 3 else "", loc=where)
        return Option("exthdr" if words[0] == "exthdr" else words[0], words[1], "" if words[0] == "exthdr" else "", loc=where)

    def rt(self, children: list[Any]) -> Expr:
        return Rt(" ".join(str(child) for child in children[1:]), loc=span(children))

    def fib_tuple(self, children: list[Any]) -> Any:
        last = children[-1]
        flags = {str(children[0])} | (last.value if isinstance(last, Tail) else set())
        if "saddr" in flags and "daddr" in flags:
            raise NftError("fib: saddr and daddr are mutually exclusive", span(children))
        return Tail("fib", flags, span(children))

    def fib(self, children: list[Any]) -> Expr:
        flags = children[1].value
        if "saddr" not in flags and "daddr" not in flags:
            raise NftError("fib: need either saddr or daddr", children[1].loc)
        ordered = tuple(flag for flag in ("saddr", "daddr", "mark", "iif", "oif") if flag in flags)
        return Fib(ordered, str(children[-1]), loc=span(children))

    def numgen(self, children: list[Any]) -> Expr:
        return Numgen(str(children[1]), number(children[3]), _last(children[4]) or 0, loc=span(children))

    def jhash(self, children: list[Any]) -> Expr:
        return Hash(number(children[3]), children[1], _last(children[4]), _last(children[5]) or 0, loc=span(children))

    def symhash(self, children: list[Any]) -> Expr:
        return Hash(number(children[2]), None, None, _last(children[3]) or 0, loc=span(children))

    def socket(self, children: list[Any]) -> Expr:
        return Socket(str(children[1]), loc=span(children))


META_ORDER = (
    "length", "protocol", "priority", "mark", "iif", "oif", "iifname", "oifname", "iiftype", "oiftype", "skuid", "skgid",
    "nftrace", "rtclassid", "secmark", "nfproto", "l4proto", "ibrname", "obrname", "pkttype", "cpu", "iifgroup", "oifgroup",
    "cgroup", "random", "ipsec", "iifkind", "oifkind", "ibrpvid", "ibrvproto", "time", "day", "hour", "sdif", "sdifname",
)  # fmt: skip


def _last(node: Any) -> int | None:
    return number(node.children[-1]) if node.children else None


def _items(children: list[Any]) -> tuple[Expr, ...]:
    return tuple(child for child in children if not isinstance(child, Token))


def _meta(token: Any, where: Loc | None) -> Meta:
    key = {"ibriport": "ibrname", "obriport": "obrname"}.get(str(token), str(token))
    assert key in META_TYPES
    return Meta(key, loc=where)


def _address_port(node: Any) -> tuple[Any, Any]:
    data = getattr(node, "data", "")
    if data == "nat_expr_port":
        return node.children[0], node.children[2]
    if data == "nat_port":
        return None, node.children[1]
    return node.children[0], None


def tcp_option(name: str, part: str, where: Loc | None) -> Option:
    name = {"noop": "nop", "sack-permitted": "sack-perm"}.get(name, name)
    widths = {"size": 16, "tsval": 32, "tsecr": 32, "left": 32, "right": 32}
    return Option("tcp option", name, part, widths.get(part, 8), loc=where)


def _element(key: Any, options: list[Any], data: Any, where: Loc | None) -> Element:
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


_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$")


def milliseconds(word: Any) -> int:
    """time_parse(): 1d2h3m4s5ms."""
    found = _TIME.match(str(word))
    if found is None or not found[0]:
        raise NftError("wrong time format", loc_of(word))
    days, hours, minutes, seconds, rest = (int(part or 0) for part in found.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + rest
