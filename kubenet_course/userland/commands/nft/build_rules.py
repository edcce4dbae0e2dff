"""From the parser's rules to statements, as typed."""

from __future__ import annotations

import dataclasses
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import Ct, Variable, Verdict
from kubenet_course.userland.commands.nft.build_expressions import (
    ExpressionBuilder,
    build_element,
    build_meta,
    option_kind,
)
from kubenet_course.userland.commands.nft.commands import RuleData
from kubenet_course.userland.commands.nft.errors import NftError, refused
from kubenet_course.userland.commands.nft.pieces import Tail, Token, loc_of, number, sized, span
from kubenet_course.userland.commands.nft.typed import Integer

_WIDTHS = {"group": 0xFFFF, "threshold": 0xFFFF}


class RuleBuilder(ExpressionBuilder):
    """Methods named after the rules of the grammar."""

    # -- rules ------------------------------------------------------------------------------
    def rule(self, children: list[Any]) -> RuleData:
        comment = ""
        if isinstance(children[-1], Token):
            comment = str(children[-1])
            if len(comment) > 128:
                raise NftError("comment too long, 128 characters maximum allowed", loc_of(children[-1]))
            children = children[:-2]
        return RuleData(list(children), comment, _extent(children))

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
        if isinstance(children[1], NftError):
            raise NftError(children[1].problem.sentence, *(children[1].problem.places or (span(children),)))
        if children[1] is None:
            raise NftError("Wrong rate format", span(children))  # it was told of already
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
            if str(burst[2]) == "packets":
                raise NftError("syntax error, unexpected packets, expecting string or bytes", loc_of(burst[2]))
            amount = sized(number(burst[1]), str(burst[2]), span(burst[1:]))
        return st.Limit(sized(rate, word, where), unit, amount, over, True, loc=where)

    def quota(self, children: list[Any]) -> Any:
        if isinstance(children[1], tuple):
            raise NftError("Wrong rate format", (loc_of(children[0])[0], children[1][1]))  # type: ignore[index]
        return dataclasses.replace(children[1], loc=span(children))

    def quota_config(self, children: list[Any]) -> Any:
        over = bool(children[0].children) and str(children[0].children[0]) == "over"
        where = span(children)
        if str(children[2].children[0]) not in ("bytes", "kbytes", "mbytes"):
            return where  # said when it is known what it is part of
        size = sized(number(children[1]), str(children[2].children[0]), where)
        used = children[3].children
        spent = sized(number(used[1]), str(used[2].children[0]), where) if used else 0
        return st.Quota(size, over, spent, loc=where)

    def ct_count(self, children: list[Any]) -> Any:
        return st.ConnLimit(number(children[-1]) & 0xFFFFFFFF, len(children) == 4, loc=span(children))

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
                values[tail.kind] = number(tail.value) & _WIDTHS.get(tail.kind, 0xFFFFFFFF) if tail.kind != "prefix" else tail.value
        prefix = values.get("prefix")
        if prefix is not None:
            values["prefix"] = prefix if isinstance(prefix, Variable) else str(prefix)
        return st.Log(**values, loc=loc_of(children[0]), end=_end(children))

    def reject(self, children: list[Any]) -> Any:
        words = children[1].children
        where = loc_of(children[0])
        if not words:
            return st.Reject(loc=where, end=_end(children))
        if words[1].type == "TCP":
            return st.Reject("tcp reset", loc=where, end=_end(children))
        return Tail("reject", (str(words[1]), words[3]), where, _end(children))

    def _flags(self, node: Any) -> tuple[str, ...]:
        given = [str(child) for child in node.children if child.type == "NAT_FLAG"]
        return tuple(flag for flag in ("random", "fully-random", "persistent") if flag in given)

    def nat(self, children: list[Any]) -> Any:
        parts = {str(child.data): child.children for child in children[1].children[:-1] if not isinstance(child, Token)}
        family = parts.get("nat_proto", [""])[0]
        words = [child.type for name in ("nat_kind", "nat_kind_first") for child in parts.get(name, [])]
        address, port = _address_port(children[1].children[-1])
        return st.Nat(
            str(children[0]), str(family), address, port, self._flags(children[2]),
            "PREFIX" in words or "INTERVAL" in words, "ADDR" in words, loc=loc_of(children[0]), end=_end(children),
        )  # fmt: skip

    def masquerade(self, children: list[Any]) -> Any:
        port = children[1].children[-1] if children[1].children else None
        return st.Nat("masquerade", port=port, flags=self._flags(children[2]), loc=loc_of(children[0]), end=_end(children))

    def redirect(self, children: list[Any]) -> Any:
        port = children[1].children[-1] if children[1].children else None
        return st.Nat("redirect", port=port, flags=self._flags(children[2]), loc=loc_of(children[0]), end=_end(children))

    # -- setting things ---------------------------------------------------------------------
    def meta_set(self, children: list[Any]) -> Any:
        at = 1 if children[0].type == "META" else 0
        target = build_meta(children[at], span(children[: at + 1]))
        if target.key == "secmark" and not isinstance(children[-1], Ct):
            return st.ObjectRef("secmark", children[-1], loc=span(children))
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
        op, name = str(children[0]), children[2]
        elements = [child for child in children[4:] if isinstance(child, Tail) and child.kind == "element"]
        inner = tuple(child for child in children[4:] if isinstance(child, st.Statement))
        data = elements[1].value[0] if len(elements) > 1 else None
        made = build_element(elements[0].value[0], elements[0].value[1:], data, elements[0].loc)
        reference = (children[1].start_pos, name.end_pos)
        return Tail("set_update", (op, str(name), reference, made, inner), span(children))

    map_update = set_update

    def set_update_old(self, children: list[Any]) -> Any:
        name = children[4]
        reference = (children[3].start_pos, name.end_pos)
        element = children[2]
        made = build_element(element.value[0], element.value[1:], None, element.loc)
        return Tail("set_update", (str(children[1]), str(name), reference, made, ()), span(children))

    def meter(self, children: list[Any]) -> Any:
        name = children[2] if children[0].type == "FLOW" else children[1]
        size = number(children[3]) if str(children[2]) == "size" else 0
        element, statement = children[-3], children[-2]
        made = build_element(element.value[0], element.value[1:], None, element.loc)
        return Tail("meter", (str(name), size, made, statement), span(children))

    # -- to elsewhere -----------------------------------------------------------------------
    def queue_flags(self, children: list[Any]) -> Tail:
        return Tail("queue flags", tuple(str(child) for child in children if child.type == "QUEUE_FLAG"), span(children))

    def queue_number(self, children: list[Any]) -> Any:
        return children[0]

    def queue_arg(self, children: list[Any]) -> Tail:
        return children[0] if len(children) == 1 else Tail("queue", children[1], span(children))

    def queue(self, children: list[Any]) -> Any:
        target = next((child for child in reversed(children[1:]) if child.kind == "queue"), None)
        if target is not None:
            target = dataclasses.replace(target.value, loc=target.loc)
        flags = tuple(flag for child in children[1:] if child.kind == "queue flags" for flag in child.value)
        return st.Queue(target, flags, loc=loc_of(children[0]))

    def queue_to(self, children: list[Any]) -> Any:
        flags = next((child.value for child in children if isinstance(child, Tail)), ())
        return st.Queue(children[-1], flags, loc=span(children))

    def tproxy_to(self, children: list[Any]) -> Any:
        return children[0]

    def tproxy(self, children: list[Any]) -> Any:
        family = str(children[1].children[0]) if len(children) > 3 else ""
        address, port = _address_port(children[-1])
        return st.Tproxy(family, address, port, loc=span(children))

    def fwd(self, children: list[Any]) -> Any:
        if len(children) == 3:
            return st.Fwd(children[2], loc=span(children))
        return st.Fwd(children[5], str(children[1].children[0]), children[3], loc=span(children))

    def synproxy_arg(self, children: list[Any]) -> Tail:
        return Tail(str(children[0]), number(children[1]) if len(children) > 1 else 1, span(children))

    def synproxy(self, children: list[Any]) -> Any:
        said = {child.kind: child.value for child in children[1:]}
        bits = {"mss": st.SYN_MSS, "wscale": st.SYN_WSCALE, "sack-perm": st.SYN_SACK_PERM, "timestamp": st.SYN_TIMESTAMP}
        flags = sum(bit for word, bit in bits.items() if word in said)
        return st.Synproxy(said.get("mss", 0) & 0xFFFF, said.get("wscale", 0) & 0xFF, flags, loc=span(children))

    def reset_option(self, children: list[Any]) -> Any:
        return st.ResetOption(option_kind(children[3]), loc=span(children))

    def flow_offload(self, children: list[Any]) -> Any:
        return st.FlowOffload(str(children[3]), loc=span(children))

    def xt(self, children: list[Any]) -> Any:
        raise NftError("unsupported xtables compat expression, use iptables-nft with this ruleset", span(children))

    def chain_stmt(self, children: list[Any]) -> Any:
        rules = [rule for child in children[3:-1] for rule in _rules(child)]
        return Tail("chain", (str(children[0]), rules), span(children))

    def dup(self, children: list[Any]) -> Any:
        return st.Dup(children[2], children[4] if len(children) > 4 else None, loc=span(children))


def _extent(statements: list[Any]) -> Any:
    """From the first word to the last of a rule's statements."""
    where = span(statements)
    end = getattr(statements[-1], "end", None)
    return (where[0], end) if where and end else where


def _end(children: list[Any]) -> int | None:
    where = span(children)
    return where[1] if where else None


def _rules(node: Any) -> list[RuleData]:
    """The rules in the braces of a chain without a name."""
    if isinstance(node, Tail):
        return [node.value] if node.kind == "rule" else []
    return [rule for child in getattr(node, "children", ()) for rule in _rules(child)]


def _address_port(node: Any) -> tuple[Any, Any]:
    data = getattr(node, "data", "")
    if data == "nat_expr_port":
        return node.children[0], node.children[2]
    if data == "nat_port":
        return None, node.children[1]
    return (node.children[0] if data else node), None
