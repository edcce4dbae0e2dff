"""nft -j: the ruleset in libnftables' JSON (libnftables-json(5))."""

from __future__ import annotations

import json
from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.datatypes import PLAIN, Style
from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Concat,
    Ct,
    Element,
    Fib,
    Hash,
    MapExpr,
    Meta,
    Numgen,
    Option,
    Payload,
    Prefix,
    Range,
    RawPayload,
    Rt,
    SetExpr,
    SetRef,
    Socket,
    Value,
    Verdict,
    Wildcard,
)
from kubenet_course.kernel.netfilter.nf_tables.objects import NamedObject
from kubenet_course.kernel.netfilter.nf_tables.rule import NftRule
from kubenet_course.kernel.netfilter.nf_tables.sets import NftSet
from kubenet_course.kernel.netfilter.tables import DROP, Chain, Rule, Table
from kubenet_course.userland.commands.nft.listing import hook_name

METAINFO = {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}
#: Types whose values are numbers in JSON, whatever they are in text.
NUMBERS = frozenset({"mark", "uid", "gid", "integer", "inet_service", "tcpopt", "ct_label", "devgroup", "realm_number"})


class Interface(str):
    """An interface's index, to be named when the document is written."""

    number: int

    def __new__(cls, index: int) -> Interface:
        made = super().__new__(cls, str(index))
        made.number = index
        return made


def document(objects: list[dict[str, Any]], names: Any = None) -> str:
    return json.dumps(named({"nftables": [METAINFO, *objects]}, names), ensure_ascii=False) + "\n"


def named(thing: Any, names: Any) -> Any:
    if isinstance(thing, Interface):
        return (names.device_name(thing.number) if names is not None else None) or str(thing)
    if isinstance(thing, dict):
        return {key: named(value, names) for key, value in thing.items()}
    if isinstance(thing, list):
        return [named(value, names) for value in thing]
    return thing


class Writer:
    """Appends objects to `out` in nft's order."""

    def __init__(self, out: list[dict[str, Any]], style: Style = PLAIN):
        self.out = out
        self.style = style

    def add(self, kind: str, **fields: Any) -> None:
        self.out.append({kind: fields})

    # -- objects ----------------------------------------------------------------------------
    def table(self, table: Table) -> None:
        self.table_head(table)
        self.contents(table)

    def ruleset(self, tables: list[Table]) -> None:
        for table in tables:
            self.table(table)

    def contents(self, table: Table) -> None:
        for item in table.objects.values():
            self.object(item, table)
        for found in table.sets.values():
            self.set(found)
        for chain in table.chains.values():
            self.chain(chain)
        for chain in table.chains.values():
            for rule in chain.rules:
                self.rule(rule, chain)

    def table_head(self, table: Table) -> None:
        fields: dict[str, Any] = {"family": table.family, "name": table.name, "handle": table.handle}
        if table.dormant:
            fields["flags"] = "dormant"
        self.out.append({"table": fields})

    def chain(self, chain: Chain) -> None:
        fields: dict[str, Any] = {"family": chain.table.family, "table": chain.table.name, "name": chain.name, "handle": chain.handle}
        base = chain.base
        if base is not None:
            fields |= {
                "type": base.type, "hook": hook_name(chain.table.family, base.hook), "prio": base.priority,
                "policy": "drop" if base.policy == DROP else "accept",
            }  # fmt: skip
        self.out.append({"chain": fields})

    def rule(self, rule: Rule, chain: Chain) -> None:
        fields: dict[str, Any] = {
            "family": chain.table.family, "table": chain.table.name, "chain": chain.name, "handle": rule.handle,
        }  # fmt: skip
        if isinstance(rule, NftRule):
            if rule.comment:
                fields["comment"] = rule.comment
            fields["expr"] = [statement_json(statement) for statement in rule.shown()]
        else:
            from kubenet_course.userland.commands.nft.xt_rules import json_of

            fields["expr"] = json_of(rule)
        self.out.append({"rule": fields})

    def object(self, item: NamedObject, table: Table) -> None:
        fields: dict[str, Any] = {"family": table.family, "name": item.name, "table": table.name, "handle": item.handle}
        if item.comment:
            fields["comment"] = item.comment
        shown = item.state.shown() if item.state is not None else None
        if isinstance(shown, st.Counter):
            fields |= {"packets": shown.packets, "bytes": shown.bytes}
        elif isinstance(shown, st.Quota):
            fields |= {"bytes": shown.bytes, "used": shown.used, "inv": shown.over}
        elif isinstance(shown, st.Limit):
            fields |= limit_object(shown)
        elif item.kind == "ct helper":
            fields |= {"type": item.details[0], "protocol": item.details[1], "l3proto": item.details[2]}
        self.out.append({item.kind: fields})

    def set(self, found: NftSet, elements: list[Any] | None = None) -> None:
        names = [kind.name for kind in found.types]
        fields: dict[str, Any] = {
            "family": found.table.family, "name": found.name, "table": found.table.name,
            "type": names if len(names) > 1 else names[0], "handle": found.handle,
        }  # fmt: skip
        if found.comment:
            fields["comment"] = found.comment
        if found.is_map:
            fields["map"] = found.data_kind
        if found.policy == "memory":
            fields["policy"] = "memory"
        if found.size:
            fields["size"] = found.size
        flags = [flag for flag in ("constant", "interval", "timeout") if flag in found.flags]
        if flags:
            fields["flags"] = flags
        if found.timeout:
            fields["timeout"] = found.timeout // 1000
        if found.gc_interval:
            fields["gc-interval"] = found.gc_interval // 1000
        listed = found.listed() if elements is None else elements
        if listed and not self.style.terse:
            fields["elem"] = [element_json(element, self.style.stateless) for element in listed]
        if found.statements:
            fields["stmt"] = [statement_json(statement, stateless=True) for statement in found.statements]
        self.out.append({"map" if found.is_map else "set": fields})


def limit_object(limit: st.Limit) -> dict[str, Any]:
    fields: dict[str, Any] = {"rate": limit.rate, "per": limit.unit}
    if limit.in_bytes:
        rate, unit = _sized(limit.rate)
        fields = {"rate": rate, "per": limit.unit}
        if unit != "bytes":
            fields["rate_unit"] = unit
        else:
            fields["rate_unit"] = unit
    if limit.over:
        fields["inv"] = True
    if limit.burst:
        burst, unit = _sized(limit.burst) if limit.in_bytes else (limit.burst, "")
        fields["burst"] = burst
        if unit:
            fields["burst_unit"] = unit
    return fields


def _sized(number: int) -> tuple[int, str]:
    size, unit = st.size_text(number).split()
    return int(size), unit


# -- elements ---------------------------------------------------------------------------------------
def element_json(element: Element, stateless: bool = False) -> Any:
    key: Any = expr_json(element.key)
    if isinstance(key, list):
        key = {"|": key}
    if element.timeout is not None or element.expires is not None or element.comment or element.statements:
        fields: dict[str, Any] = {"val": key}
        if element.timeout is not None:
            fields["timeout"] = element.timeout // 1000
        if element.expires is not None:
            fields["expires"] = element.expires // 1000
        if element.comment:
            fields["comment"] = element.comment
        for statement in element.statements:
            fields |= statement_json(statement, stateless=stateless)
        key = {"elem": fields}
    return [key, expr_json(element.data)] if element.data is not None else key


# -- expressions ------------------------------------------------------------------------------------
def value_json(value: Value) -> Any:
    kind, number = value.kind, value.value
    if isinstance(number, str):
        return number
    if kind.name == "iface_index":
        return Interface(number)
    if kind.name in NUMBERS:
        return number
    if kind.name == "boolean":
        return bool(number)
    if kind.name == "time" and kind.description == "relative time":
        return number // 1000
    if kind.base == "bitmask":
        words = kind.text(number).split(",")
        return words if len(words) > 1 else words[0] if number else 0
    if kind.name == "ether_type" and number not in kind.words:
        return number
    text = kind.text(number)
    text = text[1:-1] if text.startswith('"') else text
    if text.isdigit():
        return int(text) if kind.name not in ("realm", "classid") else text
    if text.startswith("0x"):
        return int(text, 16)
    return text


def _value(expr: Value) -> Any:
    """Interfaces by their names: the listing's style has put them into the value."""
    return value_json(expr)


def expr_json(expr: Any) -> Any:
    method = _EXPRESSIONS.get(type(expr))
    return method(expr) if method is not None else expr.text()


def _payload(expr: Payload) -> Any:
    return {"payload": {"protocol": expr.protocol, "field": expr.name}}


def _raw(expr: RawPayload) -> Any:
    return {"payload": {"base": expr.base, "offset": expr.offset, "len": expr.length}}


def _ct(expr: Ct) -> Any:
    fields = {"key": expr.key.split()[-1] if expr.short else expr.key}
    if expr.direction:
        fields["dir"] = expr.direction
    return {"ct": fields}


def _rt(expr: Rt) -> Any:
    words = expr.key.split()
    return {"rt": {"key": words[-1], **({"family": words[0]} if len(words) > 1 else {})}}


def _fib(expr: Fib) -> Any:
    return {"fib": {"result": expr.result, "flags": list(expr.flags)}}


def _numgen(expr: Numgen) -> Any:
    return {"numgen": {"mode": "random" if expr.mode == "random" else "inc", "mod": expr.mod, "offset": expr.offset}}


def _hash(expr: Hash) -> Any:
    fields: dict[str, Any] = {"mod": expr.mod}
    if expr.offset:
        fields["offset"] = expr.offset
    if expr.seed is not None:
        fields["seed"] = expr.seed
    if expr.expr is None:
        return {"symhash": fields}
    return {"jhash": fields | {"expr": expr_json(expr.expr)}}


def _option(expr: Option) -> Any:
    if expr.header in ("tcp option", "ip option"):
        fields = {"name": expr.name}
        if expr.part:
            fields["field"] = expr.part
        return {expr.header: fields}
    return {"exthdr": {"name": expr.name if expr.header == "exthdr" else expr.header, **({"field": expr.part} if expr.part else {})}}


def _verdict(expr: Verdict) -> Any:
    return {expr.kind: {"target": expr.chain} if expr.chain else None}


def _binop(expr: Binop) -> Any:
    return {expr.op: [expr_json(expr.left), expr_json(expr.right)]}


def _range(expr: Range) -> Any:
    return {"range": [value_json(Value(expr.kind, expr.low)), value_json(Value(expr.kind, expr.high))]}


_EXPRESSIONS: dict[type, Any] = {
    Value: _value, Payload: _payload, RawPayload: _raw, Ct: _ct, Rt: _rt, Fib: _fib, Numgen: _numgen, Hash: _hash,
    Option: _option, Verdict: _verdict, Binop: _binop, Range: _range,
    Meta: lambda expr: {"meta": {"key": expr.key}},
    Socket: lambda expr: {"socket": {"key": expr.key}},
    Prefix: lambda expr: {"prefix": {"addr": expr.kind.text(expr.value), "len": expr.length}},
    Wildcard: lambda expr: "*",
    Concat: lambda expr: {"concat": [expr_json(part) for part in expr.parts]},
    SetRef: lambda expr: f"@{expr.name}",
    SetExpr: lambda expr: {"set": [element_json(element) for element in expr.elements]},
    MapExpr: lambda expr: {"map": {"key": expr_json(expr.key), "data": expr_json(expr.mappings)}},
}  # fmt: skip


# -- statements -------------------------------------------------------------------------------------
def statement_json(statement: Any, stateless: bool = False) -> dict[str, Any]:
    if isinstance(statement, st.Counter) and stateless:
        return {"counter": None}
    return _STATEMENTS[type(statement)](statement)


def _match(statement: st.Match) -> dict[str, Any]:
    right = statement.right
    flags = isinstance(right, Value) and right.type.base == "bitmask"
    op = statement.op or ("in" if flags else "==")
    shown = expr_json(right)
    if flags and op in ("!=", "==") and isinstance(shown, list) and not isinstance(statement.left, Binop):
        shown = right.value if isinstance(statement.left, Payload) and isinstance(right, Value) else {"|": shown}
    return {"match": {"op": op, "left": expr_json(statement.left), "right": shown}}


def _limit(statement: st.Limit) -> dict[str, Any]:
    rate, unit = _sized(statement.rate) if statement.in_bytes else (statement.rate, "")
    fields: dict[str, Any] = {"rate": rate, "burst": statement.burst, "per": statement.unit}
    if statement.in_bytes:
        burst, burst_unit = _sized(statement.burst) if statement.burst else (0, "bytes")
        fields = {"rate": rate, "burst": burst, "per": statement.unit}
        if statement.over:
            fields["inv"] = True
        fields |= {"rate_unit": unit, "burst_unit": burst_unit}
        return {"limit": fields}
    if statement.over:
        fields["inv"] = True
    return {"limit": fields}


def _quota(statement: st.Quota) -> dict[str, Any]:
    value, unit = _sized(statement.bytes)
    fields: dict[str, Any] = {"val": value, "val_unit": unit}
    if statement.over:
        fields["inv"] = True
    if statement.used:
        used, used_unit = _sized(statement.used)
        fields |= {"used": used, "used_unit": used_unit}
    return {"quota": fields}


def _log(statement: st.Log) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if statement.prefix is not None:
        fields["prefix"] = statement.prefix
    if statement.group is not None:
        fields["group"] = statement.group
    if statement.snaplen is not None:
        fields["snaplen"] = statement.snaplen
    if statement.threshold is not None:
        fields["queue-threshold"] = statement.threshold
    if statement.level is not None and statement.level != 4:
        fields["level"] = st.LEVELS[statement.level]
    if statement.flags & st.LOG_ALL == st.LOG_ALL:
        fields["flags"] = "all"
    elif statement.flags:
        words = [word for word, bit in st.LOG_FLAGS.items() if statement.flags & bit]
        fields["flags"] = words if len(words) > 1 else words[0]
    return {"log": fields or None}


def _reject(statement: st.Reject) -> dict[str, Any]:
    if statement.kind == "tcp reset":
        return {"reject": {"type": "tcp reset"}}
    word: Any = int(statement.word) if statement.word.isdigit() else statement.word
    return {"reject": {"type": statement.kind, "expr": word}}


def _nat(statement: st.Nat) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if statement.family:
        fields["family"] = statement.family
    if statement.address is not None:
        fields["addr"] = expr_json(statement.address)
    if statement.port is not None:
        fields["port"] = expr_json(statement.port)
    flags = list(statement.flags)
    if flags:
        fields["flags"] = flags if len(flags) > 1 else flags[0]
    if statement.prefix:
        fields["type_flags"] = "prefix"
    return {statement.kind: fields or None}


def _update(statement: st.SetUpdate) -> dict[str, Any]:
    element = statement.element
    key: Any = expr_json(element.key)
    if element.timeout is not None:
        key = {"elem": {"val": key, "timeout": element.timeout // 1000}}
    if element.data is not None:
        return {"map": {"op": statement.op, "elem": key, "data": expr_json(element.data), "map": f"@{statement.set}"}}
    fields = {"op": statement.op, "elem": key, "set": f"@{statement.set}"}
    if statement.statements:
        fields["stmt"] = [statement_json(one, stateless=True) for one in statement.statements]
    return {"set": fields}


def _object(statement: st.ObjectRef) -> dict[str, Any]:
    return {statement.kind: expr_json(statement.name)}


_STATEMENTS: dict[type, Any] = {
    st.Match: _match, st.Limit: _limit, st.Quota: _quota, st.Log: _log, st.Reject: _reject, st.Nat: _nat,
    st.SetUpdate: _update, st.ObjectRef: _object,
    st.VerdictStatement: lambda statement: _verdict(statement.verdict),
    st.VerdictMap: lambda statement: {"vmap": {"key": expr_json(statement.key), "data": expr_json(statement.mappings)}},
    st.Counter: lambda statement: {"counter": {"packets": statement.packets, "bytes": statement.bytes}},
    st.ConnLimit: lambda statement: {"ct count": {"val": statement.count, **({"inv": True} if statement.over else {})}},
    st.Assign: lambda statement: {"mangle": {"key": expr_json(statement.target), "value": expr_json(statement.value)}},
    st.Notrack: lambda statement: {"notrack": None},
    st.Dup: lambda statement: {
        "dup": {"addr": expr_json(statement.address), **({"dev": expr_json(statement.device)} if statement.device is not None else {})}
    },
}  # fmt: skip
