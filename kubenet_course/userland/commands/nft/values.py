"""Constants: what a word or number means for the type it is compared with (datatype_parse())."""

from __future__ import annotations

import re
from typing import Any, Protocol

from kubenet_course.kernel.netfilter.nf_tables.datatypes import PROTOCOLS, TIME_DATE, DataType
from kubenet_course.kernel.netfilter.nf_tables.expressions import Expr, Loc, Value
from kubenet_course.userland.commands.nft.errors import NftError
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress


class Names(Protocol):
    """Names on the machine where nft runs."""

    def service_port(self, name: str, protocol: str | None = None) -> int | None: ...
    def protocol_number(self, name: str) -> int | None: ...
    def user_id(self, name: str) -> int | None: ...
    def group_id(self, name: str) -> int | None: ...
    def host_addresses(self, name: str, family: int) -> list[Any]: ...
    def device_index(self, name: str) -> int | None: ...


def parse_word(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> Any:
    """The value of a word for a type; NftError in nft's words."""
    special = _SPECIAL.get(kind.name)
    if kind is TIME_DATE:
        return _date(word, kind, bits, names, loc)
    if special is not None:
        return special(word, kind, bits, names, loc)
    if kind.base == "string":
        return _name(word, kind, bits, names, loc)
    if word in kind.symbols:
        return kind.symbols[word]
    value = number(word)
    if value is not None:
        return in_range(value, kind, bits, loc)
    if kind.name == "ct_label":
        raise NftError(f'/etc/connlabel.conf: could not parse conntrack label "{word}"', loc)
    if kind.error:
        raise NftError(f"Could not parse {kind.error}", loc)
    if kind.name == "invalid":
        raise NftError("Can't parse symbolic invalid expressions", loc)
    raise NftError("Could not parse integer", loc)


def number(word: str) -> int | None:
    try:
        return int(word, 16 if word[:2] in ("0x", "0X") else 8 if word[:1] == "0" else 10)
    except ValueError:
        return None


def in_range(value: int, kind: DataType, bits: int, loc: Loc | None) -> int:
    width = bits or kind.bits
    if width and value >> width:
        if kind.name == "inet_service":
            raise NftError("Service out of range", loc)
        if kind.name == "inet_proto":
            raise NftError("Protocol out of range", loc)
        raise NftError(f"Value {value} exceeds valid range 0-{(1 << width) - 1}", loc)
    return value


def _address4(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    try:
        return int(IPv4Address.parse(word))
    except ValueError:
        return _host(word, 4, names, loc)


def _address6(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    try:
        return int(IPv6Address.parse(word))
    except ValueError:
        return _host(word, 6, names, loc)


def _host(word: str, family: int, names: Names, loc: Loc | None) -> int:
    found = names.host_addresses(word, family)
    if len(found) > 1:
        raise NftError("Hostname resolves to multiple addresses", loc)
    if found:
        return int(found[0])
    numeric = re.fullmatch(r"[0-9.]+", word)
    try:
        (IPv6Address if family == 4 else IPv4Address).parse(word)
    except ValueError:
        failure = names.host_failure(word, family) if hasattr(names, "host_failure") else ""
        reason = failure or ("Name or service not known" if numeric else "Temporary failure in name resolution")
    else:
        reason = "Address family for hostname not supported"
    raise NftError(f"Could not resolve hostname: {reason}", loc)


def _mac(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{1,2}:){5}[0-9A-Fa-f]{1,2}", word):
        raise NftError("Invalid LL address", loc)
    return int(MacAddress(int("".join(part.zfill(2) for part in word.split(":")), 16)))


def _service(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    value = number(word)
    if value is not None:
        return in_range(value, kind, bits, loc)
    port = names.service_port(word)
    if port is None:
        raise NftError("Could not resolve service: Servname not supported for ai_socktype", loc)
    return port


def _protocol(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    value = number(word)
    if value is not None:
        return in_range(value, kind, bits, loc)
    found = {"icmpv6": 58}.get(word) or names.protocol_number(word) or PROTOCOLS.get(word)
    if found is None:
        raise NftError("Could not resolve protocol name", loc)
    return found


def _interface(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    found = names.device_index(word)
    if found is not None:
        return found
    value = number(word)
    if value is None:
        raise NftError("Interface does not exist", loc)
    return value


def _name(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> str:
    if not word:
        raise NftError("Empty string is not allowed", loc)
    size = (bits or kind.bits or 128) // 8
    if word == "*":
        raise NftError("All-wildcard strings are not supported", loc)
    if len(word.encode()) > size - (0 if word.endswith("*") else 1) and size and kind.name in ("ifname", "string"):
        raise NftError(f"String exceeds maximum length of {size}", loc)
    return re.sub(r"\\+\*$", r"\\*", word)


def _user(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    found = names.user_id(word) if kind.name == "uid" else names.group_id(word)
    if found is None:
        found = number(word)
    if found is None:
        raise NftError("User does not exist" if kind.name == "uid" else "Group does not exist", loc)
    return found


def _time(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    from kubenet_course.userland.commands.nft.pieces import milliseconds

    if re.fullmatch(r"\d+", word):
        return int(word) * 1000
    try:
        return milliseconds(word)
    except NftError:
        raise NftError("wrong time format", loc) from None


def _date(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    import datetime

    value = number(word)
    if value is not None:
        return value * 10**9
    for pattern in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            moment = datetime.datetime.strptime(word, pattern)
        except ValueError:
            continue
        return int((moment - datetime.datetime(1970, 1, 1)).total_seconds()) * 10**9
    raise NftError("Cannot parse date", loc)


def _hour(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    value = number(word)
    if value is not None:
        return value
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", word)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        raise NftError("wrong time format", loc)
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0)


def _day(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    for day, value in kind.symbols.items():
        if word.lower() in (day.lower(), day[:3].lower()):
            return value
    count = number(word)
    if count is None:
        raise NftError("Could not parse Day of week of packet reception", loc)
    return count


def _class(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    if word in ("none", "root"):
        return 0 if word == "none" else 0xFFFFFFFF
    major, colon, minor = word.partition(":")
    try:
        return int(major or "0", 16) << 16 | int(minor or "0", 16) if colon else int(word, 0)
    except ValueError:
        raise NftError("Could not parse TC classid", loc) from None


def _boolean(word: str, kind: DataType, bits: int, names: Names, loc: Loc | None) -> int:
    if word in kind.symbols:
        return kind.symbols[word]
    value = number(word)
    if value is None:
        raise NftError("Could not parse boolean type", loc)
    return in_range(value, kind, 1, loc)


_SPECIAL: dict[str, Any] = {
    "ipv4_addr": _address4, "ipv6_addr": _address6, "ether_addr": _mac, "inet_service": _service, "inet_proto": _protocol,
    "iface_index": _interface, "ifname": _name, "uid": _user, "gid": _user, "time": _time, "hour": _hour, "day": _day,
    "classid": _class, "boolean": _boolean,
}  # fmt: skip


def from_integer(value: int, kind: DataType, bits: int, loc: Loc | None) -> Expr:
    """A number typed where `kind` is wanted."""
    if kind.base == "string":
        return Value(kind, str(value), bits, loc=loc)
    if kind is TIME_DATE:
        return Value(kind, value * 10**9, bits, loc=loc)
    if kind.name == "time":
        return Value(kind, value * 1000, bits, loc=loc)
    if kind.name == "ct_label" and value >= 128:
        raise NftError(f"{value}: bit {value} out of range (128 max)", loc)
    if kind.name == "boolean":
        bits = 8
    if kind.name == "ether_addr":  # its digits are read as those of an address
        if len(str(value)) > 2:
            raise NftError("Invalid LL address", loc)
        return Value(kind, int(str(value), 16), bits, loc=loc)
    if kind.name == "day" and not 0 <= value <= 6:
        raise NftError(f"Value {value} exceeds valid range 0-6", loc)
    return Value(kind, in_range(value, kind, bits, loc), bits, loc=loc)
