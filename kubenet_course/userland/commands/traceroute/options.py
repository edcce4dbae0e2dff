"""The command line of traceroute, and what libsupp's CLIF says of mistakes in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kubenet_course.userland.commands.traceroute.texts import USAGE, VERSION
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import (
    EAI_ADDRFAMILY,
    AddressInfo,
    ResolverError,
    address_text,
    getaddrinfo,
)
from kubenet_course.wire.addresses import ANY4, IpAddress

#: Options by letter: the name of its argument ("" for none) and its long name.
TABLE = {
    "4": ("", ""), "6": ("", ""), "d": ("", "debug"), "F": ("", "dont-fragment"), "f": ("first_ttl", "first"),
    "g": ("gate,...", "gateway"), "I": ("", "icmp"), "T": ("", "tcp"), "i": ("device", "interface"),
    "m": ("max_ttl", "max-hops"), "N": ("squeries", "sim-queries"), "n": ("", ""), "p": ("port", "port"),
    "t": ("tos", "tos"), "l": ("flow_label", "flowlabel"), "w": ("MAX,HERE,NEAR", "wait"), "q": ("nqueries", "queries"),
    "r": ("", ""), "s": ("src_addr", "source"), "z": ("sendwait", "sendwait"), "e": ("", "extensions"),
    "A": ("", "as-path-lookups"), "M": ("name", "module"), "O": ("OPTS,...", "options"), "U": ("", "udp"),
    "D": ("", "dccp"), "P": ("prot", "protocol"), "V": ("", "version"),
}  # fmt: skip
LONG_ONLY = {"sport": "num", "fwmark": "num", "mtu": "", "back": "", "help": ""}
UNSUPPORTED = {
    "g": "source routing", "A": "AS look-ups", "D": "DCCP", "P": "raw protocols", "O": "module options",
    "mtu": "MTU discovery", "sport": "a fixed source port",
}  # fmt: skip
MODULES = {"default": "default", "icmp": "icmp", "tcp": "tcp", "udp": "udp"}


class Leave(Exception):
    """Stop with `text` on standard error."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass
class TraceOptions:
    """What was asked for; times in seconds."""

    host: str = ""
    address: IpAddress = ANY4
    scope: str = ""
    family: int = 0
    dont_fragment: bool = False
    first_hop: int = 1
    max_hops: int = 30
    method: str = "default"
    device: str = ""
    simultaneous: int = 16
    numeric: bool = False
    port: int = 0
    tos: int = 0
    flow_label: int = 0
    wait: float = 5.0
    here: float = 3.0
    near: float = 10.0
    probes: int = 3
    source: IpAddress | None = None
    send_wait: float = 0.0
    mark: int = 0
    backward: bool = False
    dont_route: bool = False
    packet_length: int = 0

    @property
    def address_text(self) -> str:
        return address_text(self.address, self.scope)


async def parse(proc: Process, name: str, argv: list[str]) -> TraceOptions:
    """The options with the target's address; raises Leave."""
    options = TraceOptions(
        family=6 if name == "traceroute6" else 0, method="tcp" if name == "tcptraceroute" else "default"
    )
    if len(argv) == 1:
        raise Leave(0, USAGE)
    position, at = 0, 1
    while at < len(argv):
        word = argv[at]
        if word.startswith("--") and len(word) > 2:
            at = await _long(proc, options, argv, at)
        elif word.startswith("-") and len(word) > 1 and word != "--":
            at = await _short(proc, options, argv, at)
        else:
            if word != "--":
                position += 1
                await _operand(proc, options, word, position, at)
            at += 1
    if not options.host:
        raise Leave(2, 'Specify "host" missing argument.\n')
    _check(options)
    return options


async def _long(proc: Process, options: TraceOptions, argv: list[str], at: int) -> int:
    text, equals, value = argv[at][2:].partition("=")
    letter = next((letter for letter, (_, long) in TABLE.items() if long and long == text), None)
    argument = TABLE[letter][0] if letter is not None else LONG_ONLY.get(text)
    if argument is None:
        raise Leave(2, f"Bad option `{argv[at]}' (argc {at})\n")
    if argument and not equals:
        raise Leave(2, f"Option `--{text}' (argc {at}) requires an argument: `--{text}={argument}'\n")
    await _take(proc, options, letter or text, value, f"--{text}", at)
    return at + 1


async def _short(proc: Process, options: TraceOptions, argv: list[str], at: int) -> int:
    word = argv[at]
    for index in range(1, len(word)):
        letter = word[index]
        if letter not in TABLE:
            raise Leave(2, f"Bad option `-{letter}' (argc {at})\n")
        argument = TABLE[letter][0]
        if not argument:
            await _take(proc, options, letter, "", f"-{letter}", at)
            continue
        value = word[index + 1 :]
        if not value:
            if at + 1 >= len(argv):
                raise Leave(
                    2, f"Option `-{letter}' (argc {at}) requires an argument: `-{letter} {argument}'\n"
                )
            at += 1
            value = argv[at]
        await _take(proc, options, letter, value, f"-{letter}", at)
        break
    return at + 1


_FLAGS = {"F": "dont_fragment", "n": "numeric", "r": "dont_route", "back": "backward"}
_NUMBERS = {
    "f": "first_hop", "m": "max_hops", "N": "simultaneous", "p": "port", "t": "tos", "l": "flow_label", "q": "probes",
    "fwmark": "mark",
}  # fmt: skip


async def _take(proc: Process, options: TraceOptions, key: str, value: str, shown: str, at: int) -> None:
    if key in UNSUPPORTED:
        raise Leave(2, f"kubenet: traceroute: {shown} ({UNSUPPORTED[key]}) is not emulated\n")
    try:
        if key in _FLAGS:
            setattr(options, _FLAGS[key], True)
        elif key in _NUMBERS:
            setattr(options, _NUMBERS[key], _number(value))
        elif key in "46":
            options.family = int(key)
        elif key in ("I", "T", "U"):
            options.method = {"I": "icmp", "T": "tcp", "U": "udp"}[key]
        elif key == "M":
            if value not in MODULES:
                raise Leave(2, f"Unknown traceroute module {value}\n")
            options.method = value
        elif key == "i":
            options.device = value
        elif key == "w":
            _wait(options, value)
        elif key == "z":
            options.send_wait = _decimal(value)
        elif key == "s":
            options.source = (await _resolve(proc, value, options.family)).address
        elif key == "V":
            raise Leave(0, VERSION)
        elif key == "help":
            raise Leave(0, USAGE)
    except (ValueError, ResolverError) as error:
        text = f"{value}: {error}\n" if isinstance(error, ResolverError) else ""
        raise Leave(2, f"{text}Cannot handle `{shown}' option with arg `{value}' (argc {at})\n") from None


async def _operand(proc: Process, options: TraceOptions, word: str, position: int, at: int) -> None:
    if position == 1:
        try:
            found = await _resolve(proc, word, options.family)
        except ResolverError as error:
            raise Leave(
                2, f'{word}: {error}\nCannot handle "host" cmdline arg `{word}\' on position 1 (argc {at})\n'
            ) from None
        options.host, options.address, options.scope = word, found.address, found.scope
        options.family = found.family
    elif position == 2:
        try:
            options.packet_length = _number(word)
        except ValueError:
            raise Leave(
                2, f'Cannot handle "packetlen" cmdline arg `{word}\' on position 2 (argc {at})\n'
            ) from None
    else:
        raise Leave(2, f"Extra arg `{word}' (position {position}, argc {at})\n")


async def _resolve(proc: Process, text: str, family: int) -> AddressInfo:
    """getaddr(): the first IPv4 address where both families are known and none was asked for."""
    found = await getaddrinfo(proc, text, family)
    best = next((info for info in found if info.family == 4), found[0])
    if family and best.family != family:
        raise ResolverError(EAI_ADDRFAMILY)
    return best


def _number(text: str) -> int:
    """strtoul(…, 0) of the whole text."""
    match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,15})|(\d{1,18})", text)
    if match is None or not text.isascii():
        raise ValueError(text)
    if match[1]:
        return int(match[1], 16)
    return int(text, 8) if text[0] == "0" and len(text) > 1 else int(text)


def _decimal(text: str) -> float:
    if re.fullmatch(r"[+-]?(\d{1,18}\.?\d{0,18}|\.\d{1,18})", text) is None or not text.isascii():
        raise ValueError(text)
    return float(text)


def _wait(options: TraceOptions, text: str) -> None:
    parts = [_decimal(part) for part in text.split(",")]
    if len(parts) > 3:
        raise ValueError(text)
    for name, part in zip(("wait", "here", "near"), parts):
        setattr(options, name, part)
    if len(parts) == 1:
        options.here, options.near = options.here, options.near


def _check(options: TraceOptions) -> None:
    """The checks that main() makes in this order."""
    if not options.first_hop or options.first_hop > options.max_hops:
        raise Leave(2, "first hop out of range\n")
    if options.max_hops > 255:
        raise Leave(2, "max hops cannot be more than 255\n")
    if not 1 <= options.probes <= 10:
        raise Leave(2, "no more than 10 probes per hop\n")
    if options.wait < 0 or options.here < 0 or options.near < 0:
        raise Leave(2, f"bad wait specifications `{options.wait:g},{options.here:g},{options.near:g}' used\n")
    if options.packet_length > 65000:
        raise Leave(2, f"too big packetlen {options.packet_length} specified\n")
    if options.source is not None and options.source.family != options.family:
        raise Leave(2, "IP version mismatch in addresses specified\n")
    if options.send_wait < 0:
        raise Leave(2, f"bad sendtime `{options.send_wait:g}' specified\n")
    if options.send_wait >= 10:
        options.send_wait /= 1000
    options.port &= 0xFFFF
    options.simultaneous = max(1, min(options.simultaneous, 255 * 10))
    if not options.packet_length:
        options.packet_length = 40 + (20 if options.family == 4 else 40)
