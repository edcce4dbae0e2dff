"""Expressions and statements of libnftables' JSON in nft's words."""

from __future__ import annotations

from typing import Any

from kubenet_course.errors import KubenetError
from kubenet_course.userland.commands.nft.errors import Unsupported


class BadJson(KubenetError):
    """The document is not what libnftables-json(5) describes."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        #: What it is part of, from inside out.
        self.within: list[str] = []
        #: Nothing is said of what it is part of.
        self.alone = False


class Missing(BadJson):
    """An item that must be there; `column` counts in the words that asked for it, as the real one's does."""

    def __init__(self, item: str, column: int = 4):
        super().__init__(f"Object item not found: {item}")
        self.column = column


OPERATORS = ("|", "&", "^", "<<", ">>")
VERDICTS = ("accept", "drop", "continue", "return", "jump", "goto")
#: Words of meta that stand without it.
BARE = frozenset({"iif", "oif", "iifname", "oifname", "iifgroup", "oifgroup", "iiftype", "oiftype", "skuid", "skgid"})


#: What addresses with colons are made of.
ADDRESS = frozenset("0123456789abcdefABCDEF:./")


def quoted(text: Any) -> str:
    return f'"{text}"'


def _word(text: str) -> str:
    if text.startswith("@") or text == "*":
        return text
    if ":" in text and not set(text) <= ADDRESS:
        return quoted(text)
    plain = text.replace(":", "").replace(".", "").replace("-", "").replace("_", "").replace("/", "").isalnum()
    return text if plain else quoted(text)


# -- expressions ------------------------------------------------------------------------------------
def value(expr: Any) -> str:
    if isinstance(expr, bool):
        return "exists" if expr else "missing"
    if isinstance(expr, str):
        return _word(expr)
    if isinstance(expr, (int, float)):
        return str(expr)
    if isinstance(expr, list):
        return ",".join(value(part) for part in expr)
    if not isinstance(expr, dict) or not expr:
        raise BadJson("Unexpected JSON type for expression.")
    kind = next(iter(expr))
    if kind in OPERATORS:
        parts = expr[kind]
        words = (" | ".join(value(each) for each in part) if isinstance(part, list) else value(part) for part in parts)
        return "(" + f" {kind} ".join(f"({word})" if " | " in word else word for word in words) + ")"
    if kind in VERDICTS:
        target = (expr[kind] or {}).get("target") if isinstance(expr[kind], dict) else None
        return f"{kind} {target}" if target else kind
    method = _EXPRESSIONS.get(kind)
    if method is None:
        raise BadJson(f"Unknown expression type '{kind}'.")
    return method(expr[kind])


def _member(member: Any) -> str:
    if isinstance(member, list) and len(member) == 2:
        return f"{_member(member[0])} : {value(member[1])}"
    return value(member)


def _set(members: Any) -> str:
    found = members if isinstance(members, list) else [members]
    return "{ " + ", ".join(_member(each) for each in found) + " }"


def _payload(data: dict[str, Any]) -> str:
    if "base" in data:
        return f"@{data['base']},{data['offset']},{data['len']}"
    return f"{data['protocol']} {data['field']}"


def _elem(data: dict[str, Any]) -> str:
    words = value(data["val"])
    if "timeout" in data:
        words += f" timeout {data['timeout']}s"
    if "expires" in data:
        words += f" expires {data['expires']}s"
    if "comment" in data:
        words += f" comment {quoted(data['comment'])}"
    for kind in ("counter", "limit", "quota"):
        if kind in data:
            words += " " + statement({kind: data[kind]})
    return words


def _hash(word: str, data: dict[str, Any]) -> str:
    of = f" {value(data['expr'])}" if "expr" in data else ""
    seed = f" seed {data['seed']}" if "seed" in data else ""
    return f"{word}{of} mod {data['mod']}{seed}" + (f" offset {data['offset']}" if data.get("offset") else "")


def _ct(data: dict[str, Any]) -> str:
    direction = f"{data['dir']} " if "dir" in data else ""
    family = f"{data['family']} " if "family" in data else ""
    return f"ct {direction}{family}{data['key']}"


def _option(word: str, data: dict[str, Any]) -> str:
    if "base" in data:
        return f"{word} @{data['base']},{data['offset']},{data['len']}"
    return f"{word} {data['name']}" + (f" {data['field']}" if "field" in data else "")


_EXPRESSIONS: dict[str, Any] = {
    "payload": _payload, "set": _set, "elem": _elem, "ct": _ct,
    "meta": lambda data: data["key"] if data["key"] in BARE else f"meta {data['key']}",
    "prefix": lambda data: f"{value(data['addr'])}/{data['len']}",
    "range": lambda data: f"{value(data[0])}-{value(data[1])}",
    "concat": lambda data: " . ".join(value(part) for part in data),
    "map": lambda data: f"{value(data['key'])} map {value(data['data'])}",
    "fib": lambda data: f"fib {' . '.join(data['flags'] if isinstance(data['flags'], list) else [data['flags']])} {data['result']}",
    "rt": lambda data: f"rt {data['family'] + ' ' if 'family' in data else ''}{data['key']}",
    "socket": lambda data: f"socket {data['key']}",
    "numgen": lambda data: f"numgen {data['mode']} mod {data['mod']}" + (f" offset {data['offset']}" if data.get("offset") else ""),
    "jhash": lambda data: _hash("jhash", data), "symhash": lambda data: _hash("symhash", data),
    "exthdr": lambda data: f"exthdr {data['name']}" if "field" not in data else f"{data['name']} {data['field']}",
    "tcp option": lambda data: _option("tcp option", data), "ip option": lambda data: _option("ip option", data),
    "sctp chunk": lambda data: _option("sctp chunk", data),
    "osf": lambda data: f"osf {'ttl ' + data['ttl'] + ' ' if 'ttl' in data else ''}{data['key']}",
    "ipsec": lambda data: (
        f"ipsec {data['dir']} spnum {data.get('spnum', 0)} {data['family'] + ' ' if 'family' in data else ''}{data['key']}"
    ),
}  # fmt: skip


# -- statements -------------------------------------------------------------------------------------
def statement(data: Any) -> str:
    if not isinstance(data, dict) or not data:
        raise BadJson("Unexpected JSON type for statement.")
    kind = next(iter(data))
    if kind in VERDICTS:
        return value(data)
    method = _STATEMENTS.get(kind)
    if method is None:
        if kind in ("xt", "flow", "queue"):
            raise Unsupported(f"nft: {kind} is not emulated")
        raise BadJson(f"Unknown statement object '{kind}'.")
    return method(data[kind])


def _match(data: dict[str, Any]) -> str:
    op = data.get("op", "==")
    if "left" not in data or "right" not in data:
        raise Missing("left" if "left" not in data else "right", 4 if "left" not in data else 9)
    left, right = data["left"], data["right"]
    for side, part in (("LHS", left), ("RHS", right)):
        try:
            shown = value(part)
        except BadJson as bad:
            bad.within.append(f"Invalid {side} of relational.")
            raise
    if op == "in" or op == "==" and not isinstance(right, dict):
        return f"{value(left)} {shown}" if op == "in" or not _binary(left) else f"{value(left)} == {shown}"
    return f"{value(left)} {op} {shown}"


def _binary(left: Any) -> bool:
    return isinstance(left, dict) and next(iter(left), "") in OPERATORS


def _limit(data: dict[str, Any]) -> str:
    unit = data.get("rate_unit")
    words = f"limit rate {'over ' if data.get('inv') else ''}{data['rate']}"
    words += f" {unit}/{data['per']}" if unit and unit != "packets" else f"/{data['per']}"
    if data.get("burst"):
        words += f" burst {data['burst']} {data.get('burst_unit', 'packets')}"
    return words


def _counter(data: Any) -> str:
    if isinstance(data, dict) and data:
        return f"counter packets {data.get('packets', 0)} bytes {data.get('bytes', 0)}"
    return f"counter name {value(data)}" if data else "counter"


def _quota(data: Any) -> str:
    if not isinstance(data, dict) or "val" not in data:
        return f"quota name {value(data)}"
    words = f"quota {'over ' if data.get('inv') else ''}{data['val']} {data.get('val_unit', 'bytes')}"
    return words + (f" used {data['used']} {data.get('used_unit', 'bytes')}" if data.get("used") else "")


def _log(data: Any) -> str:
    words = ["log"]
    for key, value_ in (data or {}).items():
        if key == "flags":
            for flag in [value_] if isinstance(value_, str) else value_:
                words.append(f"flags {flag}")
        else:
            words.append(f"{key} {quoted(value_) if key == 'prefix' else value_}")
    return " ".join(words)


def _reject(data: Any) -> str:
    if not data or "type" not in data:
        return "reject"
    if data["type"] == "tcp reset":
        return "reject with tcp reset"
    return f"reject with {data['type']}" + (f" type {value(data['expr'])}" if "expr" in data else "")


def _nat(word: str, data: Any) -> str:
    words = word
    data = data or {}
    if "family" in data:
        words += f" {data['family']}"
    if data.get("type_flags"):
        words += f" {data['type_flags']}"
    if "addr" in data or "port" in data:
        words += " to"
    if "addr" in data:
        address = value(data["addr"])
        words += f" [{address}]" if ":" in address and isinstance(data["addr"], str) and "port" in data else f" {address}"
    if "port" in data:
        words += f"{'' if 'addr' in data else ' '}:{value(data['port'])}"
    flags = data.get("flags", ())
    return words + (f" {flags if isinstance(flags, str) else ','.join(flags)}" if flags else "")


def _update(data: dict[str, Any]) -> str:
    name = data.get("set") or data.get("map")
    more = "".join(" " + statement(each) for each in data.get("stmt", ()))
    to = f" : {value(data['data'])}" if "data" in data else ""
    return f"{data['op']} {name} {{ {value(data['elem'])}{more}{to} }}"


def _meter(data: dict[str, Any]) -> str:
    size = f" size {data['size']}" if "size" in data else ""
    return f"meter {data['name']}{size} {{ {value(data['key'])} {statement(data['stmt'])} }}"


def _tproxy(data: dict[str, Any]) -> str:
    address = value(data["addr"]) if "addr" in data else ""
    if ":" in address:
        address = f"[{address}]"
    family = f"{data['family']} " if "family" in data else ""
    return f"tproxy {family}to {address}" + (f":{value(data['port'])}" if "port" in data else "")


def _synproxy(data: Any) -> str:
    if data and not isinstance(data, dict) or isinstance(data, dict) and not {"mss", "wscale", "flags"} & set(data) and data:
        return f"synproxy name {value(data)}"
    data = data or {}
    flags = data.get("flags", ())
    words = [f"{key} {data[key]}" for key in ("mss", "wscale") if key in data]
    return " ".join(["synproxy", *words, *([flags] if isinstance(flags, str) else flags)])


def _fwd(data: dict[str, Any]) -> str:
    if "addr" not in data:
        return f"fwd to {value(data['dev'])}"
    return f"fwd {data['family']} to {value(data['addr'])} device {value(data['dev'])}"


_STATEMENTS: dict[str, Any] = {
    "match": _match, "counter": _counter, "quota": _quota, "log": _log, "reject": _reject, "set": _update, "map": _update,
    "limit": lambda data: _limit(data) if isinstance(data, dict) and "rate" in data else f"limit name {value(data)}",
    "vmap": lambda data: f"{value(data['key'])} vmap {value(data['data'])}",
    "mangle": lambda data: f"{value(data['key'])} set {value(data['value'])}",
    "notrack": lambda data: "notrack",
    "ct count": lambda data: f"ct count {'over ' if data.get('inv') else ''}{data['val']}",
    "ct helper": lambda data: f"ct helper set {quoted(data) if isinstance(data, str) else value(data)}",
    "ct timeout": lambda data: f"ct timeout set {quoted(data)}", "ct expectation": lambda data: f"ct expectation set {quoted(data)}",
    "meter": _meter, "tproxy": _tproxy, "synproxy": _synproxy, "fwd": _fwd, "reset": lambda data: f"reset {value(data)}",
    "dup": lambda data: f"dup to {value(data['addr'])}" + (f" device {value(data['dev'])}" if "dev" in data else ""),
    "snat": lambda data: _nat("snat", data), "dnat": lambda data: _nat("dnat", data),
    "masquerade": lambda data: _nat("masquerade", data), "redirect": lambda data: _nat("redirect", data),
}  # fmt: skip
