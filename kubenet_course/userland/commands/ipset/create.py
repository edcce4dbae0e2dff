"""``ipset create``: the options of each set type."""

from __future__ import annotations

from typing import Any

from kubenet_course.kernel.netfilter.ipset import BY_NAME, IpSet, SetError, Sets, SetType
from kubenet_course.userland.commands.ipset.errors import Failed, UsageError
from kubenet_course.wire.addresses import IPv4Address

MAX_TIMEOUT = 2147483
COMMON = ("timeout", "counters", "comment", "skbinfo")
HASH = ("family", "-4", "-6", "inet", "inet6", "hashsize", "maxelem", "forceadd", "bucketsize", "initval", *COMMON)
WITH_VALUE = frozenset(
    {"timeout", "family", "hashsize", "maxelem", "netmask", "markmask", "range", "size", "bucketsize", "initval"}
)


def options_of(kind: SetType) -> tuple[str, ...]:
    if kind.name == "list:set":
        return ("size", *COMMON)
    if kind.name.startswith("bitmap"):
        return ("range", *COMMON, *(("netmask",) if kind.name == "bitmap:ip" else ()))
    extra = ("netmask",) if kind.name == "hash:ip" else ("markmask",) if kind.name == "hash:ip,mark" else ()
    return HASH + extra


def number(text: str, low: int, high: int) -> int:
    try:
        value = int(text, 0) if not text.lstrip("-").startswith("0") or text[:2].lower() == "0x" else int(text, 8)
    except ValueError:
        raise Failed(f"Syntax error: '{text}' is invalid as number") from None
    if not low <= value <= high:
        raise Failed(f"Syntax error: '{text}' is out of range {low}-{high}")
    return value


def create(room: Sets, name: str, type_name: str, words: list[str], exist: bool) -> None:
    if len(name) > 31:
        raise Failed(f"Syntax error: setname '{name}' is longer than 31 characters")
    if not name:
        raise Failed("Syntax error: setname is empty")
    kind = BY_NAME.get(type_name)
    if kind is None:
        raise Failed(f"Syntax error: typename '{type_name}' is unknown")
    options = parse_options(kind, words)
    if "range" not in options and kind.name.startswith("bitmap"):
        raise UsageError("Mandatory option `range' is missing")
    old = room.find(name)
    if old is not None:
        same = old.type is kind and old.family == options.get("family", 4) and old.timeout == options.get("timeout")
        if exist and same:
            return
        raise SetError("Set cannot be created: set with the same name already exists")
    defaults(kind, options)
    room.create(IpSet(room.net, name, kind, options))


def defaults(kind: SetType, options: dict[str, Any]) -> None:
    if kind.name == "list:set":
        options.setdefault("size", 8)
    elif kind.name.startswith("hash"):
        options.setdefault("family", 4)
        options.setdefault("maxelem", 65536)
        options.setdefault("bucketsize", 12)
        options["hashsize"] = max(64, 1 << (options.get("hashsize", 1024) - 1).bit_length())


def parse_options(kind: SetType, words: list[str]) -> dict[str, Any]:
    known = options_of(kind)
    options: dict[str, Any] = {}
    words = list(words)
    while words:
        word = words.pop(0)
        if word not in known:
            raise UsageError(f"Unknown argument: `{word}'")
        value = ""
        if word in WITH_VALUE:
            if not words:
                raise UsageError(f"Missing mandatory argument of option `{word}'")
            value = words.pop(0)
        one_option(kind, word, value, options)
    return options


def one_option(kind: SetType, word: str, value: str, options: dict[str, Any]) -> None:
    if word in ("-4", "inet"):
        options["family"] = 4
    elif word in ("-6", "inet6"):
        options["family"] = 6
    elif word == "family":
        if value not in ("inet", "inet6", "ipv4", "ipv6", "-4", "-6"):
            raise Failed(f"Syntax error: unknown inet family {value}")
        options["family"] = 6 if "6" in value else 4
    elif word == "timeout":
        options["timeout"] = number(value, 0, MAX_TIMEOUT)
    elif word in ("hashsize", "maxelem", "size", "initval", "markmask"):
        options[word] = number(value, 0, 0xFFFFFFFF)
    elif word == "bucketsize":
        options[word] = max(2, number(value, 2, 14) // 2 * 2)
    elif word == "netmask":
        options[word] = netmask(value, options.get("family", 4))
    elif word == "range":
        options[word] = parse_range(kind, value)
    else:
        options[word] = True


def netmask(value: str, family: int) -> int:
    bits = 32 if family == 4 else 128
    try:
        return number(value, 1, bits)
    except Failed as failure:
        raise Failed(f"{failure}\nSyntax error: netmask is out of the inclusive range of 1-{bits}") from None


def parse_range(kind: SetType, value: str) -> tuple[int, int]:
    if kind.name == "bitmap:port":
        low_text, dash, high_text = value.partition("-")
        if not dash:
            raise UsageError("Mandatory option `to' is missing")
        low, high = number(low_text, 0, 65535), number(high_text, 0, 65535)
        return min(low, high), max(low, high)
    try:
        if "/" in value:
            address_text, _, length_text = value.partition("/")
            length = number(length_text, 0, 32)
            low = IPv4Address.parse(address_text) >> (32 - length) << (32 - length)
            high = low + (1 << (32 - length)) - 1
        else:
            low_text, dash, high_text = value.partition("-")
            if not dash:
                raise ValueError(value)
            low, high = int(IPv4Address.parse(low_text)), int(IPv4Address.parse(high_text))
    except ValueError:
        raise Failed(f"Syntax error: IP/cidr or IP-IP range must be specified: {value}") from None
    if high - low > 0xFFFF:
        raise Failed("The range you specified exceeds the size limit of the set type")
    return low, high
