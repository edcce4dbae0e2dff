"""The command line of ping, and its complaints about it (iputils ping/ping.c, iputils_common.c)."""

from __future__ import annotations

import math
import re

from kubenet_course.userland.getopt import Getopt
from kubenet_course.userland.options import OptionError
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import ResolverError, numeric_address
from kubenet_course.wire.addresses import IpAddress

LETTERS = "h4bRT:6F:N:aABc:CdDe:fI:i:l:Lm:M:nOp:qQ:rs:S:t:UvVw:W:"
INT_MAX, LONG_MAX, UINT_MAX = 2**31 - 1, 2**63 - 1, 2**32 - 1

USAGE = """
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -a                 use audible ping
  -A                 use adaptive ping
  -B                 sticky source address
  -c <count>         stop after <count> replies
  -C                 call connect() syscall on socket creation
  -D                 print timestamps
  -d                 use SO_DEBUG socket option
  -e <identifier>    define identifier for ping session, default is random for
                     SOCK_RAW and kernel defined for SOCK_DGRAM
                     Imply using SOCK_RAW (for IPv4 only for identifier 0)
  -f                 flood ping
  -h                 print help and exit
  -I <interface>     either interface name or address
  -i <interval>      seconds between sending each packet
  -L                 suppress loopback of multicast packets
  -l <preload>       send <preload> number of packages while waiting replies
  -m <mark>          tag the packets going out
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -O                 report outstanding replies
  -p <pattern>       contents of padding byte
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -S <size>          use <size> as SO_SNDBUF socket option value
  -t <ttl>           define time to live
  -U                 print user-to-user latency
  -v                 verbose output
  -V                 print version and exit
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response

IPv4 options:
  -4                 use IPv4
  -b                 allow pinging broadcast
  -R                 record route
  -T <timestamp>     define timestamp, can be one of <tsonly|tsandaddr|tsprespec>

IPv6 options:
  -6                 use IPv6
  -F <flowlabel>     define flow label, default is random
  -N <nodeinfo opt>  use icmp6 node info query, try <help> as argument

For more details see ping(8).
"""

NODEINFO_HELP = """ping -6 -N <nodeinfo opt>
Help:
  help
Query:
  name
  ipv6
  ipv6-all
  ipv6-compatible
  ipv6-global
  ipv6-linklocal
  ipv6-sitelocal
  ipv4
  ipv4-all
Subject:
  subject-ipv6=addr
  subject-ipv4=addr
  subject-name=name
  subject-fqdn=name
"""

VERSION = """ping from iputils 20221126
libcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes
"""

_STRTOL = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|\d+)")
_STRTOD = re.compile(r"\s*[+-]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)")


class UsageError(Exception):
    """`text` goes to standard error as it is; `status` is the exit status."""

    def __init__(self, text: str, status: int):
        super().__init__(text)
        self.text = text
        self.status = status


class PingOptions:
    """What was asked for, or the default; times in ms unless said otherwise."""

    target: str = ""
    family: int = 0
    adaptive: bool = False
    audible: bool = False
    broadcast: bool = False
    count: int = 0
    timestamps: bool = False
    identifier: int | None = None
    flood: bool = False
    flow_label: int = 0
    interval: int | None = None
    device: str = ""
    source: IpAddress | None = None
    strict_source: bool = False
    preload: int = 1
    no_loop: bool = False
    mark: int = 0
    pmtudisc: str = ""
    numeric: bool = False
    outstanding: bool = False
    pattern: bytes = b""
    quiet: bool = False
    tos: int = 0
    dont_route: bool = False
    size: int = 56
    ttl: int | None = None
    verbose: bool = False
    deadline: int = 0
    linger: float = 10.0
    #: An option of IPv4 that is not emulated; IPv6 ignores those.
    unsupported: str = ""

    def __init__(self, family: int = 0):
        self.family = family
        #: Lines printed while the options were read (PATTERN: …).
        self.notes: list[str] = []


def parse(proc: Process, name: str, argv: list[str]) -> PingOptions | None:
    """The options; None where -V or -N help was answered. Raises UsageError."""
    options = PingOptions(family={"ping4": 4, "ping6": 6}.get(name, 0))
    words = Getopt(argv, LETTERS)
    try:
        for letter, value in words:
            if letter == "V":
                proc.print(VERSION, end="")
                return None
            if letter == "h":
                raise UsageError(USAGE, 2)
            if letter == "N" and value == "help":
                proc.print(NODEINFO_HELP, end="")
                return None
            _take(proc, name, options, letter, value)
            if letter == "p":
                proc.print(options.notes.pop())
    except OptionError as error:
        raise UsageError(f"{name}: {error.message}\n{USAGE}", 2) from None
    if not words.operands:
        raise UsageError(f"{name}: usage error: Destination address required\n", 1)
    if len(words.operands) > 1:
        raise UsageError(USAGE, 2)
    options.target = words.operands[0]
    if options.interval is None:
        options.interval = 0 if options.flood else 1000
    return options


_FLAGS = {
    "a": "audible", "A": "adaptive", "b": "broadcast", "B": "strict_source", "D": "timestamps", "f": "flood",
    "L": "no_loop", "n": "numeric", "O": "outstanding", "q": "quiet", "r": "dont_route", "v": "verbose",
}  # fmt: skip
_NUMBERS = {
    "c": ("count", 1, LONG_MAX), "e": ("identifier", 0, 65535), "l": ("preload", 1, 65536), "m": ("mark", 0, UINT_MAX),
    "s": ("size", 0, INT_MAX), "t": ("ttl", 0, 255), "w": ("deadline", 0, INT_MAX),
}  # fmt: skip


def _take(proc: Process, name: str, options: PingOptions, letter: str, value: str) -> None:
    """One option. -C, -d, -S and -U change nothing that could be seen here."""
    if letter in _FLAGS:
        setattr(options, _FLAGS[letter], True)
    elif letter in _NUMBERS:
        attribute, low, high = _NUMBERS[letter]
        setattr(options, attribute, number(name, value, low, high))
    elif letter in "46":
        if options.family and options.family != int(letter) and name == "ping":
            raise UsageError(f"{name}: only one -4 or -6 option may be specified\n", 2)
        options.family = int(letter)
    elif letter == "F":
        options.flow_label = _hex_or_number(name, value) & 0xFFFFF
    elif letter == "i":
        options.interval = _interval(proc, name, value)
    elif letter == "I":
        _source(proc, options, value)
    elif letter == "M":
        if value not in ("do", "dont", "want"):
            raise UsageError(f"{name}: invalid -M argument: {value}\n", 2)
        options.pmtudisc = value
    elif letter == "p":
        _pattern(name, options, value)
    elif letter == "Q":
        options.tos = _tos(name, value)
    elif letter == "S":
        number(name, value, 1, INT_MAX)
    elif letter == "W":
        options.linger = _linger(proc, name, value)
    elif letter == "R":
        options.unsupported = "-R (record route)"
    elif letter == "T":
        if value not in ("tsonly", "tsandaddr") and not value.startswith("tsprespec"):
            raise UsageError(f"{name}: invalid timestamp type: {value}\n", 2)
        options.unsupported = "-T (IP timestamps)"
    elif letter == "N":
        raise UsageError(f"kubenet: {name}: -N (node information queries) is not emulated\n", 2)


def number(name: str, text: str, low: int, high: int) -> int:
    """strtol_or_err(): a number from `low` to `high`, in C's notations."""
    match = _STRTOL.fullmatch(text)
    if match is None or not text.isascii():
        raise UsageError(f"{name}: invalid argument: '{text}'\n", 1)
    digits = match[2]
    base = 16 if digits[:2] in ("0x", "0X") else 8 if len(digits) > 1 and digits[0] == "0" else 10
    try:
        value = int(digits[:64], base)
    except ValueError:
        raise UsageError(f"{name}: invalid argument: '{text}'\n", 1) from None
    value = -value if match[1] == "-" else value
    if not -(2**63) <= value < 2**63 or len(digits) > 64:
        raise UsageError(f"{name}: invalid argument: '{text}': Numerical result out of range\n", 1)
    if not low <= value <= high:
        raise UsageError(f"{name}: invalid argument: '{text}': out of range: {low} <= value <= {high}\n", 1)
    return value


def _hex_or_number(name: str, text: str) -> int:
    match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,16})|(\d{1,18})", text)
    if match is None or not text.isascii():
        raise UsageError(f"{name}: Invalid flowinfo {text}\n", 2)
    return int(match[1], 16) if match[1] else int(match[2])


def _tos(name: str, text: str) -> int:
    """parse_tos(): decimal or hexadecimal."""
    match = re.fullmatch(r"0[xX]([0-9a-fA-F]{1,16})|(\d{1,18})", text)
    if match is None or not text.isascii():
        raise UsageError(f"{name}: bad TOS value: {text}\n", 2)
    value = int(match[1], 16) if match[1] else int(match[2])
    if value > 255:
        raise UsageError(f"{name}: the decimal value of TOS bits must be in range 0-255: {value}\n", 2)
    return value


def _seconds(proc: Process, name: str, text: str) -> float:
    """ping_strtod(): a number of seconds; what follows it is complained about, not refused."""
    match = _STRTOD.match(text) if text.isascii() else None
    value = float(match[0]) if match else 0.0
    rest = text[match.end() :] if match else text
    if rest or not text:
        proc.error(f"{name}: option argument contains garbage: {rest}")
        proc.error(f"{name}: this will become fatal error in the future")
    return value if math.isfinite(value) else 1e300


def _interval(proc: Process, name: str, text: str) -> int:
    seconds = _seconds(proc, name, text)
    if seconds >= INT_MAX / 1000:
        raise UsageError(f"{name}: bad timing interval: {text}\n", 2)
    return max(int(seconds * 1000), 0)


def _linger(proc: Process, name: str, text: str) -> float:
    seconds = _seconds(proc, name, text)
    if seconds < 0 or seconds > INT_MAX / 1_000_000:
        raise UsageError(f"{name}: bad linger time: {text}\n", 2)
    return seconds


def _source(proc: Process, options: PingOptions, text: str) -> None:
    """-I: an address is a source, with ``%device`` where it is one of IPv6; anything else is a device."""
    address, percent, device = text.partition("%")
    try:
        found = numeric_address(proc, address)
    except ResolverError:
        found = None
    if found is not None and not address.isdigit() and (found[0].family == 6 or not percent):
        options.source = found[0]
        options.strict_source = True
        if percent:
            options.device = device
    else:
        options.device = text


def _pattern(name: str, options: PingOptions, text: str) -> None:
    """fill(): up to 16 bytes in hexadecimal."""
    if re.fullmatch(r"[0-9a-fA-F]*", text) is None:
        raise UsageError(f"{name}: patterns must be specified as hex digits: {text}\n", 2)
    octets = [int(text[at : at + 2], 16) for at in range(0, min(len(text), 32), 2)]
    options.pattern = bytes(octets)
    options.notes.append("PATTERN: 0x" + "".join(f"{octet:02x}" for octet in octets))
