"""What a match or target of iptables is: its options, its words, its work.

An extension is one file in matches/ or targets/ with one class, found by its name. The class says

    options     what may follow -m NAME or -j NAME (a tuple of `Opt`)
    check()     what must hold when all options are read
    save()      the words of iptables-save, e.g. ``--dport 80``
    listing()   the words of iptables -L, with names where `names` is given, else numbers
    nft()       nft's translation, or None where nft prints ``xt match NAME``
    refused()   the errno with which the kernel refuses it at that place, or 0
    compile()   a function of (skb, state): True or False of a match, a verdict of a target

Values of options land in `self.values[key]`; `self.inverted` holds the keys given with ``!``.
Length: one small function for each kind of value that an option may have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from kubenet_course import errno
from kubenet_course.errors import KubenetError
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, MacAddress, parse_address

if TYPE_CHECKING:
    from kubenet_course.kernel.netfilter.rule import XtRule
    from kubenet_course.kernel.netns import NetNamespace

PARAMETER_PROBLEM, VERSION_PROBLEM, RESOURCE_PROBLEM = 2, 3, 4


class XtablesError(KubenetError):
    """A rule that iptables refuses: its exit code and sentence (xtables_error())."""

    def __init__(self, code: int, message: str):
        super().__init__(code, message)
        self.code = code
        self.message = message


def warn_of_device_name(name: str, names: Names) -> None:
    """xtables_parse_interface(): characters that no device's name has."""
    if "/" in name or " " in name:
        names.warn(f"Warning: weird character in interface `{name}' ('/' and ' ' are not allowed by the kernel).")


def problem(message: str) -> XtablesError:
    return XtablesError(PARAMETER_PROBLEM, message)


class Names(Protocol):
    """Names of ports, protocols, users and hosts on the machine where the command runs."""

    def service_port(self, name: str, protocol: str | None = None) -> int | None: ...
    def service_name(self, port: int, protocol: str | None = None) -> str | None: ...
    def protocol_number(self, name: str) -> int | None: ...
    def protocol_name(self, number: int) -> str | None: ...
    def user_id(self, name: str) -> int | None: ...
    def user_name(self, number: int) -> str | None: ...
    def group_id(self, name: str) -> int | None: ...
    def group_name(self, number: int) -> str | None: ...
    def host_addresses(self, name: str, family: int) -> list[Any]: ...
    def host_failure(self, name: str, family: int) -> str: ...
    def address_name(self, address: Any, mask: int) -> str: ...
    def set_exists(self, name: str) -> bool: ...
    def warn(self, line: str) -> None: ...


class Opt(NamedTuple):
    """One option. `key` names its value where several spellings mean the same."""

    name: str
    kind: str = "none"
    invert: bool = False
    mand: bool = False
    multi: bool = False
    low: int | float = 0
    high: int | float | None = None
    excl: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    key: str = ""
    words: int = 1

    @property
    def id(self) -> str:
        return self.key or self.name


class Place(NamedTuple):
    """Where a rule stands, as the kernel checks it."""

    table: str
    hooks: frozenset[int]
    family: int
    net: NetNamespace
    #: By the old interface, which asks the kernel's own matches where nf_tables has expressions.
    legacy: bool = False


class Extension:
    """Base of matches and targets."""

    name: ClassVar[str] = ""
    #: Other names under which it is asked for.
    aliases: ClassVar[tuple[str, ...]] = ()
    #: The name in iptables -L where it is not `name`.
    listed_name: ClassVar[str] = ""
    families: ClassVar[tuple[int, ...]] = (4, 6)
    options: ClassVar[tuple[Opt, ...]] = ()
    #: The kernel's conditions; None for anywhere.
    tables: ClassVar[tuple[str, ...] | None] = None
    hooks: ClassVar[tuple[int, ...] | None] = None
    protocols: ClassVar[tuple[int, ...] | None] = None
    conntrack: bool = False
    #: iptables knows the extension, the kernel does not.
    missing: ClassVar[bool] = False
    #: What the tool says, once, when it prints such a rule.
    complaint: ClassVar[str] = ""
    #: How the tool ends its sentence about an option's missing second word.
    full_stop: ClassVar[str] = "."

    def __init__(self, family: int):
        self.family = family
        self.values: dict[str, Any] = {}
        self.inverted: set[str] = set()
        self.net: NetNamespace | None = None
        self.rule: XtRule | None = None

    # -- grammar ----------------------------------------------------------------------------
    def option(self, name: str) -> Opt | None:
        return next((opt for opt in self.options if opt.name == name), None)

    def parse(self, opt: Opt, text: str, invert: bool, names: Names) -> None:
        """xtables_option_parse(): one option with its argument."""
        known = next(other for other in self.options if other.id == opt.id)  # the sentences name the first spelling
        if opt.id in self.values and not opt.multi:
            raise problem(f'{self.name}: option "--{known.name}" can only be used once.\n')
        if invert and not opt.invert:
            raise problem(f'{self.name}: option "--{known.name}" cannot be inverted.\n')
        value = PARSERS[opt.kind](self, known, text, names)
        self.values[opt.id] = value
        if invert:
            self.inverted.add(opt.id)
        self.parsed(opt, value, invert)

    def parsed(self, opt: Opt, value: Any, invert: bool) -> None:
        """Called after each option."""

    def finish(self, names: Names) -> None:
        """The extension's own check, then xtables_options_fcheck()."""
        self.check(names)
        for opt in self.options:
            if opt.mand and opt.id not in self.values and not (opt.key and opt.key != opt.name):
                raise problem(f'{self.name}: option "--{opt.name}" must be specified\n')
            if opt.id not in self.values:
                continue
            for other in self.options:
                if other.id == opt.id:
                    continue
                if other.id in opt.also and other.id not in self.values:
                    raise problem(f'{self.name}: option "--{opt.name}" also requires "--{other.name}".\n')
                if other.id in opt.excl and other.id in self.values:
                    raise problem(f'{self.name}: option "--{opt.name}" cannot be used together with "--{other.name}".\n')

    def check(self, names: Names) -> None:
        """Raise XtablesError where the options do not go together; any of them may be missing."""

    def vanishes(self) -> bool:
        """iptables-nft translates it to nothing at all, so that it is not there when read back."""
        return False

    def hidden(self) -> Any:
        """What the tool's own record of the options holds and no word says: where it differs, -C and -D find no such rule."""
        return None

    # -- words ------------------------------------------------------------------------------
    def save(self) -> str:
        return ""

    def listing(self, names: Names | None) -> str:
        return ""

    def nft(self, rule: XtRule) -> str | None:
        return None

    def bang(self, key: str) -> str:
        return "! " if key in self.inverted else ""

    # -- kernel -----------------------------------------------------------------------------
    def refused(self, place: Place, rule: XtRule) -> int:
        """checkentry(): 0, or the errno."""
        if self.tables is not None and place.table not in self.tables:
            return errno.EINVAL
        if self.hooks is not None and not place.hooks <= set(self.hooks):
            return errno.EINVAL
        if self.protocols is not None and (rule.protocol not in self.protocols or rule.protocol_inverted):
            return errno.EINVAL
        return 0

    def attach(self, net: NetNamespace, rule: XtRule) -> None:
        self.net, self.rule = net, rule
        if self.conntrack:
            from kubenet_course.kernel.netfilter.conntrack import conntrack

            conntrack(net).get(self.family)

    def detach(self, net: NetNamespace) -> None:
        if self.conntrack:
            net.rooms["conntrack"].put(self.family)

    def compile(self, net: NetNamespace) -> Callable[[Any, Any], Any]:
        raise NotImplementedError


# -- values -------------------------------------------------------------------------------------
RANGES = {
    "uint8": 0xFF, "uint16": 0xFFFF, "uint32": 0xFFFFFFFF, "uint64": 0xFFFFFFFFFFFFFFFF,
    "uint8rc": 0xFF, "uint16rc": 0xFFFF, "uint32rc": 0xFFFFFFFF, "uint64rc": 0xFFFFFFFFFFFFFFFF,
}  # fmt: skip
_NUMBER = re.compile(r"\s*\+?(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")


def number(text: str, high: int = 0xFFFFFFFFFFFFFFFF, low: int = 0) -> int | None:
    """strtoul(text, base 0) of the whole text within bounds, else None."""
    found = _NUMBER.match(text)
    if found is None or found.end() != len(text):
        return None
    value = _value(found.group(1))
    return value if low <= value <= high else None


def _value(digits: str) -> int:
    if digits[:2] in ("0x", "0X"):
        return int(digits, 16)
    return int(digits, 8) if len(digits) > 1 and digits[0] == "0" else int(digits)


def _text_bound(value: int | float) -> str:
    return f"{value:.0f}" if isinstance(value, float) else str(value)


def _parse_none(ext: Extension, opt: Opt, text: str, names: Names) -> Any:
    return True


def _parse_string(ext: Extension, opt: Opt, text: str, names: Names) -> str:
    if len(text.encode()) < opt.low:
        raise problem(f"Argument must have a minimum length of {opt.low} characters\n")
    if opt.high is not None and len(text.encode()) > opt.high - 1:
        return text.encode()[: int(opt.high) - 1].decode(errors="ignore")
    return text


def _parse_int(ext: Extension, opt: Opt, text: str, names: Names) -> int:
    high = opt.high if opt.high is not None else RANGES[opt.kind]
    value = number(text, int(high), int(opt.low))
    if value is None:
        raise problem(f'{ext.name}: bad value for option "--{opt.name}", or out of range ({opt.low}-{high}).\n')
    return value


def _parse_range(ext: Extension, opt: Opt, text: str, names: Names) -> tuple[int, int]:
    """xtopt_parse_mint(): ``a``, ``a:b``, ``:b`` or ``a:``."""
    high = int(opt.high if opt.high is not None else RANGES[opt.kind])
    parts = text.split(":")
    values = []
    for position, part in enumerate(parts):
        if position == 2:
            raise problem(f'{ext.name}: Too many components for option "--{opt.name}" (max: 2)\n')
        if part == "":
            values.append(int(opt.low) if position == 0 else high)
            continue
        found = _NUMBER.match(part)
        if found is None or _value(found.group(1)) > high or _value(found.group(1)) < opt.low:
            raise problem(
                f'{ext.name}: bad value for option "--{opt.name}" near "{":".join(parts[position:])}", '
                f"or out of range ({opt.low}-{high}).\n"
            )
        if found.end() != len(part):
            rest = ":".join([part[found.end() :], *parts[position + 1 :]])
            raise problem(f'{ext.name}: Argument to "--{opt.name}" has unexpected characters near "{rest}".\n')
        values.append(_value(found.group(1)))
    return (values[0], values[-1])


def _parse_port(ext: Extension, opt: Opt, text: str, names: Names) -> int:
    value = _port_number(text, names)
    if value is None:
        raise problem(f'Port "{text}" does not resolve to anything.\n')
    return value


def _port_number(text: str, names: Names) -> int | None:
    """xtables_getportbyname(): a service's name, or a number (its low 16 bits)."""
    found = names.service_port(text)
    if found is not None:
        return found
    value = min(int(text), 2**64 - 1) & 0xFFFFFFFF if re.fullmatch("[0-9]+", text) else -1  # strtoul(), as an int
    return value & 0xFFFF if 0 <= value < 2**31 else None


def _parse_ports(ext: Extension, opt: Opt, text: str, names: Names) -> tuple[int, int]:
    parts = text.split(":")
    values = []
    for position, part in enumerate(parts):
        if position == 2:
            raise problem(f'{ext.name}: Too many components for option "--{opt.name}" (max: 2)\n')
        if part == "":
            values.append(0 if position == 0 else 0xFFFF)
            continue
        value = _port_number(part, names)
        if value is None:
            raise problem(f'Port "{part}" does not resolve to anything.\n')
        values.append(value)
    return (values[0], values[-1])


def _parse_mark(ext: Extension, opt: Opt, text: str, names: Names) -> tuple[int, int]:
    """XTTYPE_MARKMASK32: value[/mask]."""
    values = []
    for part in text.split("/", 1):
        found = _NUMBER.match(part)
        if found is None or _value(found.group(1)) > 0xFFFFFFFF:
            raise problem(f'{ext.name}: bad integer value for option "--{opt.name}", or out of range.\n')
        values.append(_value(found.group(1)))
        if found.end() != len(part):
            raise problem(f'{ext.name}: trailing garbage after value for option "--{opt.name}".\n')
    return values[0], values[1] if len(values) > 1 else 0xFFFFFFFF


def _parse_double(ext: Extension, opt: Opt, text: str, names: Names) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not opt.low <= value <= (opt.high if opt.high is not None else float("inf")):
        low, high = _text_bound(float(opt.low)), _text_bound(float(opt.high or 0))
        raise problem(f'{ext.name}: bad value for option "--{opt.name}", or out of range ({low}-{high}).\n')
    return value


def _parse_mac(ext: Extension, opt: Opt, text: str, names: Names) -> MacAddress:
    if not re.fullmatch(r"([0-9A-Fa-f]{1,2}:){5}[0-9A-Fa-f]{1,2}", text):
        raise problem("Invalid MAC address specified.")
    return MacAddress.parse(":".join(part.zfill(2) for part in text.split(":")))


def _parse_protocol(ext: Extension, opt: Opt, text: str, names: Names) -> int:
    return protocol_number(text, names)


def protocol_number(text: str, names: Names) -> int:
    """xtables_parse_protocol(): a number to 255, a well known or an /etc/protocols name."""
    value = number(text, 255)
    if value is not None:
        return value
    if text == "all":
        return 0
    found = PROTOCOL_NUMBERS.get(text)
    if found is None:
        found = names.protocol_number(text)
    if found is None:
        raise problem(f'unknown protocol "{text}" specified')
    return found


#: What iptables knows without /etc/protocols, in its order (the first name of a number is printed).
PROTOCOL_CHAIN = (
    ("tcp", 6), ("sctp", 132), ("udp", 17), ("udplite", 136), ("icmp", 1), ("icmpv6", 58), ("ipv6-icmp", 58),
    ("esp", 50), ("ah", 51), ("ipv6-mh", 135), ("mh", 135), ("all", 0),
)  # fmt: skip
PROTOCOL_NUMBERS = {name: value for name, value in PROTOCOL_CHAIN if value}


def _parse_host(ext: Extension, opt: Opt, text: str, names: Names) -> Any:
    return host(text, ext.family, names)


def host(text: str, family: int, names: Names) -> Any:
    """getaddrinfo() of one address or name of the family."""
    try:
        address = parse_address(text)
    except ValueError:
        address = None
    if address is not None and address.family == family:
        return address
    found = names.host_addresses(text, family) if address is None else []
    if not found:
        sentence = "Address family for hostname not supported" if address is not None else names.host_failure(text, family)
        raise problem(f"getaddrinfo: {sentence}\n")
    return found[0]


def _parse_hostmask(ext: Extension, opt: Opt, text: str, names: Names) -> tuple[Any, int]:
    """An address with a mask, as (address, mask); host bits are kept."""
    address_text, slash, mask_text = text.partition("/")
    bits = 32 if ext.family == 4 else 128
    address = host(address_text, ext.family, names)
    return address, _parse_plenmask(ext, opt, mask_text, names) & (1 << bits) - 1 if slash else (1 << bits) - 1


def _parse_plenmask(ext: Extension, opt: Opt, text: str, names: Names) -> int:
    """XTTYPE_PLENMASK: a prefix length or a mask. IPv4's may be longer: more bits than an address has."""
    bits = 32 if ext.family == 4 else 128
    length = number(text, 0xFFFFFFFF if ext.family == 4 else bits)
    if length is not None:
        return (1 << min(length, 255)) - 1 << max(bits - length, 0)
    try:
        address = parse_address(text)
    except ValueError:
        address = None
    if address is None or address.family != ext.family:
        raise problem(
            f'{ext.name}: bad value for option "--{opt.name}", neither a valid network mask nor valid CIDR (0-{bits}).\n'
        )
    return int(address)


def parse_mask(text: str, family: int) -> int:
    """A prefix length (too long ones are cut to a host's) or a mask."""
    bits = 32 if family == 4 else 128
    length = number(text)
    if length is not None:
        length = min(length, bits)
        return ((1 << length) - 1) << (bits - length)
    try:
        return int(parse_address(text))
    except ValueError:
        raise problem("getaddrinfo: Temporary failure in name resolution\n") from None


PARSERS: dict[str, Callable[[Extension, Opt, str, Names], Any]] = {
    "none": _parse_none, "string": _parse_string, "string?": _parse_string, "uint8": _parse_int, "uint16": _parse_int, "uint32": _parse_int,
    "uint64": _parse_int, "uint8rc": _parse_range, "uint16rc": _parse_range, "uint32rc": _parse_range,
    "uint64rc": _parse_range, "port": _parse_port, "portrc": _parse_ports, "markmask": _parse_mark,
    "double": _parse_double, "mac": _parse_mac, "protocol": _parse_protocol, "host": _parse_host,
    "hostmask": _parse_hostmask, "plenmask": _parse_plenmask,
}  # fmt: skip


# -- printing -----------------------------------------------------------------------------------
def quote(text: str) -> str:
    """xtables_save_string(): plain where it can be, else in double quotes."""
    if text and re.fullmatch(r"[A-Za-z0-9_\-]+", text):
        return text
    return '"' + re.sub(r"([\\\"'])", r"\\\1", text) + '"'


def prefix_of(mask: int, bits: int) -> int | None:
    """The prefix length of a mask, None where it has holes."""
    inverse = ~mask & ((1 << bits) - 1)
    return bits - inverse.bit_length() if inverse & (inverse + 1) == 0 else None


def mask_text(mask: int, family: int) -> str:
    """``/24``, ``/255.0.255.0``, or ``""`` for one address."""
    bits = 32 if family == 4 else 128
    length = prefix_of(mask, bits)
    if length == bits:
        return ""
    if length is None:
        return f"/{IPv4Address(mask) if family == 4 else IPv6Address(mask)}"
    return f"/{length}"


def range_text(low: int, high: int, separator: str = ":") -> str:
    return str(low) if low == high else f"{low}{separator}{high}"


def mark_text(value: int, mask: int) -> str:
    return f"0x{value:x}" if mask == 0xFFFFFFFF else f"0x{value:x}/0x{mask:x}"
