"""netcat's command line: options, host and ports (netcat.c: main(), build_ports())."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kubenet_course.userland.options import OptionError, parse
from kubenet_course.userland.process import Exit
from kubenet_course.userland.services import service_port

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process


USAGE = """usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]
\t  [-m minttl] [-O length] [-P proxy_username] [-p source_port]
\t  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]
\t  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]
\t  [destination] [port]"""

HELP = (
    """OpenBSD netcat (Debian patchlevel 1.219-1)
%s
\tCommand Summary:
\t\t-4\t\tUse IPv4
\t\t-6\t\tUse IPv6
\t\t-b\t\tAllow broadcast
\t\t-C\t\tSend CRLF as line-ending
\t\t-D\t\tEnable the debug socket option
\t\t-d\t\tDetach from stdin
\t\t-F\t\tPass socket fd
\t\t-h\t\tThis help text
\t\t-I length\tTCP receive buffer length
\t\t-i interval\tDelay interval for lines sent, ports scanned
\t\t-k\t\tKeep inbound sockets open for multiple connects
\t\t-l\t\tListen mode, for inbound connects
\t\t-M ttl\t\tOutgoing TTL / Hop Limit
\t\t-m minttl\tMinimum incoming TTL / Hop Limit
\t\t-N\t\tShutdown the network socket after EOF on stdin
\t\t-n\t\tSuppress name/port resolutions
\t\t-O length\tTCP send buffer length
\t\t-P proxyuser\tUsername for proxy authentication
\t\t-p port\t\tSpecify local port for remote connects
\t\t-q secs\t\tquit after EOF on stdin and delay of secs
\t\t-r\t\tRandomize remote ports
\t\t-S\t\tEnable the TCP MD5 signature option
\t\t-s sourceaddr\tLocal source address
\t\t-T keyword\tTOS value
\t\t-t\t\tAnswer TELNET negotiation
\t\t-U\t\tUse UNIX domain socket
\t\t-u\t\tUDP mode
\t\t-V rtable\tSpecify alternate routing table
\t\t-v\t\tVerbose
\t\t-W recvlimit\tTerminate after receiving a number of packets
\t\t-w timeout\tTimeout for connects and final net reads
\t\t-X proto\tProxy protocol: "4", "5" (SOCKS) or "connect"
\t\t-x addr[:port]\tSpecify proxy address and port
\t\t-Z\t\tDCCP mode
\t\t-z\t\tZero-I/O mode [used for scanning]
\tPort numbers can be individual or ranges: lo-hi [inclusive]"""
    % USAGE
)

#: Words of -T (netcat.c: map_tos()).
TOS_WORDS = {
    "lowdelay": 0x10,
    "throughput": 0x08,
    "reliability": 0x04,
    "critical": 0xA0,
    "inetcontrol": 0xC0,
    "netcontrol": 0xE0,
    "ef": 0xB8,
}
UNSUPPORTED = {"F": "-F", "P": "-P", "S": "-S", "U": "-U", "V": "-V", "X": "-X", "x": "-x", "Z": "-Z"}


class Settings:
    """What the command line said; times in s."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.family = 0
        self.timeout: float | None = None
        self.quit: float | None = None
        self.interval = 0.0
        self.source = ""
        self.source_port = ""
        self.tos = 0
        self.ttl = 0
        self.limit = 0
        self.verbose = 0
        self.host = ""
        self.ports: list[int] = []

    @property
    def udp(self) -> bool:
        return "u" in self.flags

    @property
    def protocol(self) -> str:
        return "udp" if self.udp else "tcp"


def die(proc: Process, message: str) -> Exit:
    """errx(): the message is said, and the exit to raise."""
    proc.error(f"nc: {message}")
    return Exit(1)


def read_options(proc: Process, argv: list[str]) -> Settings:
    """What the command line asks for. Exit, with netcat's words, where it asks for nothing sensible."""
    try:
        options, operands = parse(argv, "46bCDdFhI:i:klM:m:NnO:P:p:q:rSs:T:tUuV:vW:w:X:x:Zz")
    except OptionError as problem:
        if problem.unsupported:
            raise Exit(problem.report(proc, "nc")) from None
        proc.error(f"nc: {problem.message}")
        proc.error(USAGE)
        raise Exit(1) from None
    settings = Settings()
    for name, value in options:
        _option(proc, settings, name, value)
    _operands(proc, settings, operands)
    return settings


def _number(proc: Process, what: str, text: str, low: int = 0) -> int:
    try:
        value = int(text)
    except ValueError:
        value = low - 1
    if value < low or value > 2**31 // 1000 * 1000:
        raise die(proc, f"{what} invalid: {text}")
    return value


def _option(proc: Process, settings: Settings, name: str, value: str) -> None:
    if name == "h":
        proc.error(HELP)
        raise Exit(0)
    if name == "X" and value not in ("4", "5", "connect"):
        raise die(proc, "unsupported proxy protocol")
    if name in UNSUPPORTED:
        proc.error(f"kubenet: nc: option {UNSUPPORTED[name]} is not emulated")
        raise Exit(1)
    if name in "46":
        settings.family = int(name)
    elif name == "v":
        settings.verbose += 1
    elif name == "w":
        settings.timeout = _number(proc, "timeout", value) or None
    elif name == "q":
        quit_after = _number(proc, "quit timer", value, -(2**31))
        settings.quit = quit_after if quit_after >= 0 else None
    elif name == "i":
        settings.interval = _number(proc, "interval", value)
    elif name == "p":
        settings.source_port = value
    elif name == "s":
        settings.source = value
    elif name == "W":
        settings.limit = _number(proc, "receive limit", value, 1)
    elif name == "M":
        settings.ttl = _number(proc, "ttl", value)
    elif name == "T":
        settings.tos = _tos(proc, value)
    settings.flags.add(name)


def _tos(proc: Process, word: str) -> int:
    """A word, a class selector (cs3), an assured forwarding class (af21: RFC 2597) or a number."""
    name = word.lower()
    if name in TOS_WORDS:
        return TOS_WORDS[name]
    if found := re.fullmatch(r"cs0*([0-7])", name):
        return int(found[1]) * 32
    if found := re.fullmatch(r"af([1-4])([1-3])", name):
        return int(found[1]) * 32 + int(found[2]) * 8
    try:
        value = int(word, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= 255:
        raise die(proc, f"illegal tos value {word}")
    return value


def _operands(proc: Process, settings: Settings, operands: list[str]) -> None:
    """Which words are the host and the port (netcat's own rules)."""
    flags = settings.flags
    if "l" in flags and "z" in flags and operands:
        raise die(proc, "cannot use -z and -l")
    if "k" in flags and "l" not in flags:
        raise die(proc, "must use -l with -k")
    words = list(operands)
    if "l" in flags:
        if settings.source_port and len(words) < 2:
            if words and settings.source_port and words[0].isdigit():
                proc.error(USAGE)
                raise Exit(1)
            words.append(settings.source_port)
        if settings.source and len(words) == 1:
            words.insert(0, settings.source)
        if not words:
            raise die(proc, "missing port number")
        if len(words) == 1:
            words.insert(0, "")
    elif not words:
        proc.error(USAGE)
        raise Exit(1)
    elif len(words) == 1:
        raise die(proc, "missing port number")
    if len(words) > 2 and "l" in flags:
        proc.error(USAGE)
        raise Exit(1)
    settings.host = words[0]
    for word in words[1:]:
        settings.ports += _ports(proc, settings, word)
    if "r" in flags:
        proc.system.host.random.shuffle(settings.ports)


def _ports(proc: Process, settings: Settings, word: str) -> list[int]:
    """build_ports(): a number, a service's name, or a range."""
    port = None if "n" in settings.flags else service_port(proc, word, settings.protocol)
    if port is not None:
        return [port]
    low, dash, high = word.partition("-")
    if dash and low:
        if "l" in settings.flags:
            raise die(proc, f"cannot use -l with multiple ports: {word}")
        first, last = sorted((_port(proc, low), _port(proc, high)))
        return list(range(first, last + 1))
    return [_port(proc, word)]


def _port(proc: Process, word: str) -> int:
    try:
        value = int(word)
    except ValueError:
        raise die(proc, f"port number invalid: {word}") from None
    if value < 1 or value > 65535:
        raise die(proc, f"port number too {'small' if value < 1 else 'large'}: {word}")
    return value
