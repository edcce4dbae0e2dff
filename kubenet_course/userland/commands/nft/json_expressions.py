"""nft -j: values, expressions and the elements of sets (libnftables-json(5))."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables.expressions import (
    Binop,
    Concat,
    Ct,
    Element,
    Fib,
    Hash,
    Ipsec,
    MapExpr,
    Meta,
    Numgen,
    Option,
    Osf,
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

#: Types whose values are numbers in JSON, whatever they are in text.
NUMBERS = frozenset({"mark", "uid", "gid", "integer", "inet_service", "tcpopt", "ct_label", "devgroup", "realm_number"})


class Interface(str):
    """An interface's index, to be named when the document is written."""

    number: int

    def __new__(cls, index: int) -> Interface:
        made = super().__new__(cls, str(index))
        made.number = index
        return made


# -- elements ---------------------------------------------------------------------------------------
def element_json(element: Element, stateless: bool = False) -> Any:
    from kubenet_course.userland.commands.nft.json_statements import statement_json

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


def _osf(expr: Osf) -> Any:
    return {"osf": {"key": expr.key, **({"ttl": expr.ttl} if expr.ttl else {})}}


def _ipsec(expr: Ipsec) -> Any:
    fields: dict[str, Any] = {"key": expr.key.split()[-1]}
    if " " in expr.key:
        fields["family"] = expr.key.split()[0]
    return {"ipsec": {**fields, "dir": expr.direction, "spnum": expr.number}}


def _option(expr: Option) -> Any:
    if expr.raw is not None:
        return {expr.header: {"base": int(expr.name), "offset": expr.raw[0], "len": expr.raw[1]}}
    if expr.header == "tcp option" and expr.name.isdigit() and not expr.part:
        return {"tcp option": {"base": int(expr.name), "offset": 0, "len": 8}}
    if expr.header in ("tcp option", "ip option", "sctp chunk"):
        fields = {"name": expr.name}
        if expr.part:
            fields["field"] = expr.part
        return {expr.header: fields}
    return {"exthdr": {"name": expr.name if expr.header == "exthdr" else expr.header, **({"field": expr.part} if expr.part else {})}}


def verdict_json(expr: Verdict) -> Any:
    return {expr.kind: {"target": expr.chain} if expr.chain else None}


def _binop(expr: Binop) -> Any:
    return {expr.op: [expr_json(expr.left), expr_json(expr.right)]}


def _range(expr: Range) -> Any:
    return {"range": [value_json(Value(expr.kind, expr.low)), value_json(Value(expr.kind, expr.high))]}


_EXPRESSIONS: dict[type, Any] = {
    Value: _value, Payload: _payload, RawPayload: _raw, Ct: _ct, Rt: _rt, Fib: _fib, Numgen: _numgen, Hash: _hash,
    Option: _option, Verdict: verdict_json, Binop: _binop, Range: _range,
    Meta: lambda expr: {"meta": {"key": expr.key}},
    Osf: _osf, Ipsec: _ipsec,
    Socket: lambda expr: {"socket": {"key": expr.key, **({"level": expr.level} if expr.level is not None else {})}},
    Prefix: lambda expr: {"prefix": {"addr": expr.kind.text(expr.value), "len": expr.length}},
    Wildcard: lambda expr: "*",
    Concat: lambda expr: {"concat": [expr_json(part) for part in expr.parts]},
    SetRef: lambda expr: f"@{expr.name}",
    SetExpr: lambda expr: {"set": [element_json(element) for element in expr.elements]},
    MapExpr: lambda expr: {"map": {"key": expr_json(expr.key), "data": expr_json(expr.mappings)}},
}  # fmt: skip
