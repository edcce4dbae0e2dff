"""JSON as programs written in Go read and write it, for CNI's plugins are such programs.

`check` finds the first mistake of a text in the words of Go's encoding/json; `decode` brings a text into
the shape of a `Struct`: keys are found without regard to case, null changes nothing, an unknown key is
passed over, and a value of another type is a `GoJsonError` that names the field. `dumps` writes: four
spaces, and <, > and & as escapes.

# encoding/json: scanner.go, decode.go, encode.go
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kubenet_course.errors import KubenetError

SPACE = " \t\r\n"
_LITERALS = ("true", "false", "null")


class GoJsonError(KubenetError):
    """A text that is no JSON, or not in the shape that was asked for; its words are Go's."""


class GoTypeError(GoJsonError):
    """A value of another type than the field's: json.UnmarshalTypeError."""

    def __init__(self, value: str, go: str, where: str = ""):
        super().__init__(f"json: cannot unmarshal {value} into Go {where or 'value'} of type {go}")
        self.value = value
        self.go = go


# -- the scanner ----------------------------------------------------------------------------------
class _Scanner:
    """Walks through a text once; `fail` is the first thing that is wrong."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0

    def fail(self, where: str) -> GoJsonError:
        if self.at >= len(self.text):
            return GoJsonError("unexpected end of JSON input")
        return GoJsonError(f"invalid character {_quote(self.text[self.at])} {where}")

    def space(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def value(self, depth: int = 0) -> None:
        char = self.space()
        if depth > 500:
            raise GoJsonError("exceeded max depth")
        if char == "{":
            self.members("}", depth)
        elif char == "[":
            self.members("]", depth)
        elif char == '"':
            self.string()
        elif char and char in "-0123456789":
            self.number()
        elif char and char in "tfn":
            self.literal()
        else:
            raise self.fail("looking for beginning of value")

    def members(self, end: str, depth: int) -> None:
        """The inside of an object or a list."""
        self.at += 1
        if self.space() == end:
            self.at += 1
            return
        while True:
            if end == "}":
                if self.space() != '"':
                    raise self.fail("looking for beginning of object key string")
                self.string()
                if self.space() != ":":
                    raise self.fail("after object key")
                self.at += 1
            self.value(depth + 1)
            char = self.space()
            if char == end:
                self.at += 1
                return
            if char != ",":
                raise self.fail("after object key:value pair" if end == "}" else "after array element")
            self.at += 1

    def string(self) -> None:
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return
            if char < " ":
                raise self.fail("in string literal")
            self.at += 1
            if char == "\\":
                self.escape()
        raise self.fail("")

    def escape(self) -> None:
        char = self.text[self.at : self.at + 1]
        if not char or char not in '"\\/bfnrtu':
            raise self.fail("in string escape code")
        self.at += 1
        if char == "u":
            for _ in range(4):
                if self.text[self.at : self.at + 1].lower() not in tuple("0123456789abcdef"):
                    raise self.fail("in \\u hexadecimal character escape")
                self.at += 1

    def digits(self, where: str) -> None:
        if not self.text[self.at : self.at + 1].isdigit():
            raise self.fail(where)
        while self.text[self.at : self.at + 1].isdigit():
            self.at += 1

    def number(self) -> None:
        if self.text[self.at] == "-":
            self.at += 1
        if self.text[self.at : self.at + 1] == "0":
            self.at += 1
        else:
            self.digits("in numeric literal")
        if self.text[self.at : self.at + 1] == ".":
            self.at += 1
            self.digits("after decimal point in numeric literal")
        if self.text[self.at : self.at + 1] in ("e", "E"):
            self.at += 1
            if self.text[self.at : self.at + 1] in ("+", "-"):
                self.at += 1
            self.digits("in exponent of numeric literal")

    def literal(self) -> None:
        word = next(word for word in _LITERALS if word[0] == self.text[self.at])
        for expected in word:
            if self.text[self.at : self.at + 1] != expected:
                raise self.fail(f"in literal {word} (expecting {_quote(expected)})")
            self.at += 1


def _quote(char: str) -> str:
    if char == "'":
        return r"'\''"
    if char == '"':
        return "'\"'"
    return f"'{json.dumps(char, ensure_ascii=False)[1:-1]}'"


def check(text: str) -> None:
    """Raise GoJsonError for the first mistake in a whole text."""
    scanner = _Scanner(text)
    scanner.value()
    if scanner.space():
        raise scanner.fail("after top-level value")


def loads(text: str | bytes) -> Any:
    """The value of a text, as Python has it; raises GoJsonError."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    check(text)
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 400 else float("inf")


# -- shapes ---------------------------------------------------------------------------------------
Reader = Callable[[Any], Any]


@dataclass(frozen=True)
class Kind:
    """A scalar: which values of JSON it takes, what Go calls it, and how its text is read."""

    go: str
    takes: tuple[type, ...]
    zero: Any = None
    read: Reader | None = None


@dataclass(frozen=True)
class Struct:
    """An object with known keys. `name` is what Go calls its type ("" for one without a name)."""

    name: str
    fields: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    go: str = ""
    optional: bool = False
    #: It reads itself (UnmarshalJSON): a mistake inside ends everything, and is told of by the field outside.
    custom: bool = False

    def zero(self) -> dict[str, Any]:
        found = {key: _zero(shape) for key, shape in self.fields.items()}
        found.update(self.defaults)
        return found


@dataclass(frozen=True)
class ListOf:
    item: Any
    go: str = ""


@dataclass(frozen=True)
class MapOf:
    item: Any
    go: str = "map"


def read_ip(text: str) -> Any:
    """net.IP: an address, or GoJsonError."""
    found = parse_ip(text)
    if found is None and text:
        raise GoJsonError(f"invalid IP address: {text}")
    return found


def parse_ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """net.ParseIP: None for what is none. An IPv4 address in an IPv6 one is the IPv4 address."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if found.version == 6:
        if found.scope_id:
            return None
        return found.ipv4_mapped or found
    return found


def read_cidr(text: str) -> Any:
    """net.ParseCIDR, keeping the host's bits: an interface, or GoJsonError."""
    address, slash, length = text.partition("/")
    found = parse_ip(address)
    if found is None or not slash or not length.isascii() or not length.isdigit() or len(length) > 3:
        raise GoJsonError(f"invalid CIDR address: {text}")
    if int(length) > found.max_prefixlen:
        raise GoJsonError(f"invalid CIDR address: {text}")
    return ipaddress.ip_interface(f"{found}/{int(length)}")


def read_ip_or_cidr(text: str) -> Any:
    """An address with or without a prefix length: the address; None for no text."""
    if not text:
        return None
    if "/" in text:
        return read_cidr(text).ip
    found = parse_ip(text)
    if found is None:
        raise GoJsonError(f"invalid IP address {text}")
    return found


STRING = Kind("string", (str,), "")
BOOL = Kind("bool", (bool,), False)
INT = Kind("int", (int,), 0)
UINT = Kind("uint", (int,), 0)
UINT32 = Kind("uint32", (int,), 0)
UINT64 = Kind("uint64", (int,), 0)
OPTIONAL_INT = Kind("int", (int,), None)
OPTIONAL_BOOL = Kind("bool", (bool,), None)
OPTIONAL_STRING = Kind("string", (str,), None)
RAW = Kind("raw", ())
IP = Kind("net.IP", (str,), None, read_ip)
IPNET = Kind("types.IPNet", (str,), None, read_cidr)
IP_OR_CIDR = Kind("ip.IP", (str,), None, read_ip_or_cidr)


def _zero(shape: Any) -> Any:
    if isinstance(shape, Struct):
        return None if shape.optional else shape.zero()
    return shape.zero if isinstance(shape, Kind) else None


def _go_name(shape: Any) -> str:
    if isinstance(shape, Struct):
        return shape.go or f"main.{shape.name}"
    if isinstance(shape, ListOf):
        return shape.go or "[]" + _go_name(shape.item)
    if isinstance(shape, MapOf):
        return shape.go
    return str(shape.go)


def _value_name(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _field(owner: Struct | None, path: tuple[str, ...]) -> str:
    return f"struct field {owner.name}.{'.'.join(path)}" if owner and path else ""


class _Decoder:
    """Goes on after a value of the wrong type, as Go does, and remembers the first."""

    def __init__(self) -> None:
        self.saved: GoJsonError | None = None

    def wrong(
        self, value: Any, shape: Any, owner: Struct | None, path: tuple[str, ...], name: str = ""
    ) -> Any:
        if self.saved is None:
            self.saved = GoTypeError(name or _value_name(value), _go_name(shape), _field(owner, path))
        return _zero(shape)

    def value(self, value: Any, shape: Any, owner: Struct | None, path: tuple[str, ...], before: Any) -> Any:
        if value is None:
            return before
        if isinstance(shape, Struct):
            return self.object(value, shape, owner, path, before)
        if isinstance(shape, ListOf):
            if not isinstance(value, list):
                return self.wrong(value, shape, owner, path)
            return [self.value(item, shape.item, owner, path, _zero(shape.item)) for item in value]
        if isinstance(shape, MapOf):
            if not isinstance(value, dict):
                return self.wrong(value, shape, owner, path)
            return {
                key: self.value(item, shape.item, owner, path, _zero(shape.item))
                for key, item in value.items()
            }
        return self.scalar(value, shape, owner, path)

    def scalar(self, value: Any, shape: Kind, owner: Struct | None, path: tuple[str, ...]) -> Any:
        if shape is RAW:
            return value
        if type(value) not in shape.takes:
            if shape.read is not None and shape.go == "types.IPNet":
                raise GoTypeError(_value_name(value), "string", _field(owner, path))
            exact = isinstance(value, float) and int in shape.takes
            return self.wrong(value, shape, owner, path, f"number {value:g}" if exact else "")
        if shape.takes == (int,):
            low, high = _LIMITS[shape.go]
            if not low <= value <= high:
                return self.wrong(value, shape, owner, path, f"number {value}")
        return shape.read(value) if shape.read else value

    def object(
        self, value: Any, shape: Struct, owner: Struct | None, path: tuple[str, ...], before: Any
    ) -> Any:
        if not isinstance(value, dict):
            if shape.custom and owner is not None:
                raise GoTypeError(_value_name(value), _go_name(shape), _field(owner, path))
            self.wrong(value, shape, owner, path)
            return before
        if shape.custom and owner is not None:
            try:
                return shape_of(value, shape)
            except GoTypeError as error:
                raise GoTypeError(error.value, error.go, _field(owner, path)) from None
        found = dict(before) if before is not None else shape.zero()
        folded = {key.lower(): key for key in shape.fields}
        for key, item in value.items():
            name = key if key in shape.fields else folded.get(key.lower())
            if name is not None:
                found[name] = self.value(item, shape.fields[name], shape, (*path, name), found[name])
        return found


_LIMITS = {
    "int": (-(2**63), 2**63 - 1),
    "uint": (0, 2**64 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}


def decode(text: str | bytes, shape: Struct) -> dict[str, Any]:
    """A text as the fields of `shape`; what is missing has its zero value. Raises GoJsonError."""
    return shape_of(loads(text), shape)


def shape_of(value: Any, shape: Struct) -> dict[str, Any]:
    """A value that is already read, as the fields of `shape`."""
    decoder = _Decoder()
    found = decoder.value(value, shape, None, (), shape.zero())
    if decoder.saved is not None:
        raise decoder.saved
    return dict(found)


# -- writing --------------------------------------------------------------------------------------
def dumps(value: Any, indent: int | None = 4, sort_keys: bool = False) -> str:
    """As json.MarshalIndent(value, "", "    ") writes it; indent None: as json.Marshal."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False, sort_keys=sort_keys)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def quoted(text: str) -> str:
    """%q."""
    return json.dumps(text, ensure_ascii=False)
