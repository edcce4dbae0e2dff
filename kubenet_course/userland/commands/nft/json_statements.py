"""nft -j: statements (libnftables-json(5))."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.nf_tables import statements as st
from kubenet_course.kernel.netfilter.nf_tables.expressions import Binop, Option, Payload, Value
from kubenet_course.kernel.netfilter.nf_tables.exthdrs import TCP_NAMES
from kubenet_course.userland.commands.nft.json_expressions import expr_json, verdict_json


def sized(number: int) -> tuple[int, str]:
    size, unit = st.size_text(number).split()
    return int(size), unit




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
    rate, unit = sized(statement.rate) if statement.in_bytes else (statement.rate, "")
    fields: dict[str, Any] = {"rate": rate, "burst": statement.burst, "per": statement.unit}
    if statement.in_bytes:
        burst, burst_unit = sized(statement.burst) if statement.burst else (0, "bytes")
        fields = {"rate": rate, "burst": burst, "per": statement.unit}
        if statement.over:
            fields["inv"] = True
        fields |= {"rate_unit": unit, "burst_unit": burst_unit}
        return {"limit": fields}
    if statement.over:
        fields["inv"] = True
    return {"limit": fields}


def _quota(statement: st.Quota) -> dict[str, Any]:
    value, unit = sized(statement.bytes)
    fields: dict[str, Any] = {"val": value, "val_unit": unit}
    if statement.over:
        fields["inv"] = True
    if statement.used:
        used, used_unit = sized(statement.used)
        fields |= {"used": used, "used_unit": used_unit}
    return {"quota": fields}


def _log(statement: st.Log) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if statement.prefix is not None:
        fields["prefix"] = statement.prefix
    if statement.group is not None:
        fields["group"] = statement.group
    if statement.snaplen is not None and statement.group is not None:
        fields["snaplen"] = statement.snaplen
    if statement.threshold is not None and statement.group is not None:
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


def _fwd(statement: st.Fwd) -> dict[str, Any]:
    fields = {"dev": expr_json(statement.device)}
    if statement.address is not None:
        fields |= {"family": statement.family, "addr": expr_json(statement.address)}
    return {"fwd": fields}


def _tproxy(statement: st.Tproxy) -> dict[str, Any]:
    fields: dict[str, Any] = {"family": statement.family} if statement.family else {}
    if statement.address is not None:
        fields["addr"] = expr_json(statement.address)
    if statement.port is not None:
        fields["port"] = expr_json(statement.port)
    return {"tproxy": fields}


def _synproxy(statement: st.Synproxy) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if statement.flags & st.SYN_MSS:
        fields["mss"] = statement.mss
    if statement.flags & st.SYN_WSCALE:
        fields["wscale"] = statement.wscale
    words = statement.flag_words()
    if words:
        fields["flags"] = words
    return {"synproxy": fields or None}


def _meter(statement: st.Meter) -> dict[str, Any]:
    key: Any = expr_json(statement.element.key)
    if statement.element.timeout is not None:
        key = {"elem": {"val": key, "timeout": statement.element.timeout // 1000}}
    inner = statement_json(statement.statement, stateless=True)
    return {"meter": {"key": key, "stmt": inner, "size": statement.size, "name": statement.name}}


def _object(statement: st.ObjectRef) -> dict[str, Any]:
    return {statement.kind: expr_json(statement.name)}


_STATEMENTS: dict[type, Any] = {
    st.Match: _match, st.Limit: _limit, st.Quota: _quota, st.Log: _log, st.Reject: _reject, st.Nat: _nat,
    st.SetUpdate: _update, st.ObjectRef: _object, st.Fwd: _fwd, st.Tproxy: _tproxy, st.Synproxy: _synproxy, st.Meter: _meter,
    st.ResetOption: lambda statement: {"reset": (
        expr_json(Option("tcp option", TCP_NAMES[statement.kind])) if statement.kind in TCP_NAMES
        else {"tcp option": {"base": statement.kind, "offset": 0, "len": 0}}
    )},
    st.VerdictStatement: lambda statement: verdict_json(statement.verdict),
    st.VerdictMap: lambda statement: {"vmap": {"key": expr_json(statement.key), "data": expr_json(statement.mappings)}},
    st.Counter: lambda statement: {"counter": {"packets": statement.packets, "bytes": statement.bytes}},
    st.ConnLimit: lambda statement: {"ct count": {"val": statement.count, **({"inv": True} if statement.over else {})}},
    st.Assign: lambda statement: {"mangle": {"key": expr_json(statement.target), "value": expr_json(statement.value)}},
    st.Notrack: lambda statement: {"notrack": None},
    st.Dup: lambda statement: {
        "dup": {"addr": expr_json(statement.address), **({"dev": expr_json(statement.device)} if statement.device is not None else {})}
    },
}  # fmt: skip
