"""conntrack's command line: options of the protocols are known only after -p."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.netfilter.conntrack_entry import (
    IPS_DST_NAT,
    IPS_DST_NAT_DONE,
    IPS_SRC_NAT,
    IPS_SRC_NAT_DONE,
    ConntrackEntry,
    Tuple,
)
from kubenet_course.kernel.netfilter.conntrack_tcp import NAMES
from kubenet_course.userland.commands.conntrack.show import NUMBERS
from kubenet_course.userland.commands.iptables.getopt import Getopt
from kubenet_course.userland.commands.iptables.names import MachineNames
from kubenet_course.wire.addresses import IPv4Address, IPv6Address, parse_address, prefix_mask

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

COMMANDS = {"L": "::", "G": "::", "D": "::", "I": "::", "U": "::", "E": "::", "F": "::", "C": "::", "S": "", "V": "", "h": "", "A": "::"}
LONG_COMMANDS = {
    "dump": "L", "get": "G", "delete": "D", "create": "I", "update": "U", "event": "E", "flush": "F", "count": "C",
    "stats": "S", "version": "V", "help": "h", "add": "A",
}  # fmt: skip
SHORT = {
    **COMMANDS, "s": ":", "d": ":", "r": ":", "q": ":", "p": ":", "f": ":", "t": ":", "u": ":", "m": ":", "c": ":",
    "z": "", "o": ":", "n": "::", "g": "::", "j": "::", "e": ":", "w": ":", "b": ":", "a": ":", "i": ":", "l": ":", "R": ":",
}  # fmt: skip
LONG = {
    **{name: (letter, COMMANDS[letter]) for name, letter in LONG_COMMANDS.items()},
    "orig-src": ("s", ":"), "src": ("s", ":"), "orig-dst": ("d", ":"), "dst": ("d", ":"), "reply-src": ("r", ":"),
    "reply-dst": ("q", ":"), "protonum": ("p", ":"), "timeout": ("t", ":"), "status": ("u", ":"), "zero": ("z", ""),
    "mark": ("m", ":"), "secmark": ("c", ":"), "output": ("o", ":"), "src-nat": ("n", "::"), "dst-nat": ("g", "::"),
    "any-nat": ("j", "::"), "event-mask": ("e", ":"), "zone": ("w", ":"), "buffer-size": ("b", ":"), "family": ("f", ":"),
    "label": ("l", ":"), "id": ("i", ":"),
}  # fmt: skip
PORT_OPTIONS = {
    "sport": "sport", "orig-port-src": "sport", "dport": "dport", "orig-port-dst": "dport", "reply-port-src": "rsport",
    "reply-port-dst": "rdport", "mask-port-src": "", "mask-port-dst": "", "tuple-port-src": "", "tuple-port-dst": "",
}  # fmt: skip
ICMP_OPTIONS = {"icmp-type": "type", "icmp-code": "code", "icmp-id": "id"}
ICMP6_OPTIONS = {"icmpv6-type": "type", "icmpv6-code": "code", "icmpv6-id": "id"}
STATUSES = {"EXPECTED": 1, "SEEN_REPLY": 2, "ASSURED": 4, "FIXED_TIMEOUT": 1024}
EVENTS = ("NEW", "UPDATE", "DESTROY")
OUTPUTS = ("xml", "extended", "timestamp", "id", "ktimestamp", "labels", "save", "userspace")


#: What a command has no use for (generic_opt_check()), and the options in the order in which they are looked at.
ILLEGAL = {
    "C": "sdrqptuzemifngobjw", "S": "sdrqptuzemifngobjw", "F": "sdrqptuzemingobjw", "L": "tebi", "E": "tuzi", "D": "jzeb",
    "U": "jwzeb",
}  # fmt: skip
ORDER = {
    "s": "src", "d": "dst", "r": "reply-src", "q": "reply-dst", "p": "protonum", "t": "timeout", "u": "status", "z": "zero",
    "e": "event-mask", "m": "mark", "i": "id", "f": "family", "n": "src-nat", "g": "dst-nat", "o": "output",
    "b": "buffer-size", "j": "any-nat", "w": "zone",
}  # fmt: skip


class Bad(Exception):
    """A command line that makes no sense: status 2, with a hint."""


class Failure(Exception):
    """The kernel said no: status 1."""


class Request:
    """What the command line asks for."""

    def __init__(self) -> None:
        self.command = ""
        self.table = "conntrack"
        self.family = 4
        self.family_given = False
        self.protocol: int | None = None
        #: source, destination, reply source, reply destination: (address, mask)
        self.addresses: dict[str, tuple[Any, int]] = {}
        self.ports: dict[str, int] = {}
        self.icmp: dict[str, int] = {}
        self.state: str | None = None
        self.status = 0
        self.mark: tuple[int, int] | None = None
        self.nat: dict[str, Any] = {}
        #: Ports of `-n` and `-g`.
        self.nat_ports: dict[str, int] = {}
        self.timeout: int | None = None
        self.zone: int | None = None
        self.output: set[str] = set()
        self.events: tuple[str, ...] = EVENTS
        self.zero = False
        self.ident: int | None = None
        self.given: set[str] = set()

    def matches(self, ct: ConntrackEntry, *, updating: bool = False) -> bool:
        if self.family_given and ct.family != self.family:
            return False
        if self.protocol is not None and ct.protocol != self.protocol:
            return False
        values = {"s": ct.orig[0], "d": ct.orig[1], "r": ct.reply[0], "q": ct.reply[1]}
        for key, (address, mask) in self.addresses.items():
            if values[key].family != address.family or values[key] & mask != address & mask:  # type: ignore[attr-defined]
                return False
        ports = {"sport": ct.orig[3], "dport": ct.orig[4], "rsport": ct.reply[3], "rdport": ct.reply[4]}
        if any(ports[key] != port for key, port in self.ports.items()):
            return False
        icmp = {"type": ct.orig[4] >> 8, "code": ct.orig[4] & 255, "id": ct.orig[3]}
        if any(icmp[key] != value for key, value in self.icmp.items()):
            return False
        if self.state is not None and (ct.tcp is None or ct.tcp.name != self.state):
            return False
        if self.status and ct.status & self.status != self.status:
            return False
        if self.mark is not None and not updating and ct.mark & self.mark[1] != self.mark[0]:
            return False
        if self.ident is not None and ct.ident != self.ident:
            return False
        if self.zone is not None and ct.zone != self.zone:
            return False
        return self._nat_matches(ct)

    def _nat_matches(self, ct: ConntrackEntry) -> bool:
        """-n: the source was rewritten, to this address where one is given; -g, -j likewise."""
        source = bool(ct.status & IPS_SRC_NAT)
        destination = bool(ct.status & IPS_DST_NAT)
        # What is no port of an ICMP message never equals its mirror image, so that it counts as translated.
        icmp = ct.protocol in (1, 58)
        for kind, wanted in self.nat.items():
            by_source = source and wanted in (None, ct.reply[1])
            by_destination = destination and wanted in (None, ct.reply[0])
            by_source |= icmp and wanted is None and bool(ct.status & IPS_SRC_NAT_DONE)
            by_destination |= icmp and wanted is None and bool(ct.status & IPS_DST_NAT_DONE)
            if kind == "n" and not by_source or kind == "g" and not by_destination:
                return False
            if kind == "j" and not (by_source or by_destination):
                return False
        return True

    def tuple(self) -> Tuple:
        """The original tuple for -G and -I."""
        if self.protocol is None:
            raise Bad("You need to supply the `--protonum' option for this command")
        if "s" not in self.addresses or "d" not in self.addresses:
            raise Bad("you have to specify `--src' and `--dst'")
        if self.protocol in (6, 17) and len({"sport", "dport"} & self.ports.keys()) == 1:
            raise Bad("you have to specify `--sport' and `--dport'")
        source, destination = self.addresses["s"][0], self.addresses["d"][0]
        if self.protocol in (1, 58):
            kind = self.icmp.get("type", 8 if self.protocol == 1 else 128) << 8 | self.icmp.get("code", 0)
            return source, destination, self.protocol, self.icmp.get("id", 0), kind
        return source, destination, self.protocol, self.ports.get("sport", 0), self.ports.get("dport", 0)

    def reply_tuple(self, default: Tuple) -> Tuple:
        source = self.addresses.get("r", (self.nat.get("g") or default[0], 0))[0]
        destination = self.addresses.get("q", (self.nat.get("n") or default[1], 0))[0]
        sport = self.ports.get("rsport", self.nat_ports.get("g", default[3]))
        dport = self.ports.get("rdport", self.nat_ports.get("n", default[4]))
        return source, destination, default[2], sport, dport


def parse(proc: Process, words: list[str]) -> Request:
    request = Request()
    names = MachineNames(proc)
    opts = Getopt(words, SHORT, LONG)
    while (word := opts.next()) is not None:
        name = word.name
        if name is None:
            raise Bad(f"unknown type `{word.text}'")
        if name == "?":
            raise Bad(f"unknown option `{opts.previous()}'")
        if name == ":":
            raise Bad(f"option `{opts.previous()}' requires an argument")
        if name in COMMANDS:
            set_command(request, name, opts, word.argument)
        elif len(name) == 1:
            argument = word.argument
            if SHORT[name] == "::" and argument is None and opts.peek() is not None:
                argument = opts.take()
            option(proc, request, name, argument or "", names, opts)
        else:
            protocol_option(request, name, word.argument or "", names)
    check(request)
    return request


def set_command(request: Request, letter: str, opts: Getopt, argument: str | None) -> None:
    if request.command:
        raise Bad("Invalid commands combination")
    request.command = letter
    if argument is None and COMMANDS[letter] and opts.peek() is not None:
        argument = opts.take()
    if argument is not None:
        if argument not in ("conntrack", "expect", "dying", "unconfirmed"):
            raise Bad(f"unknown type `{argument}'")
        request.table = argument


def option(proc: Process, request: Request, letter: str, text: str, names: MachineNames, opts: Getopt) -> None:
    request.given.add(letter)
    if letter in ("s", "d", "r", "q"):
        request.addresses[letter] = address(text)
        request.family = request.addresses[letter][0].family
        request.family_given = True
    elif letter == "p":
        request.protocol = protocol(text)
        known = ICMP_OPTIONS if request.protocol == 1 else ICMP6_OPTIONS if request.protocol == 58 else PORT_OPTIONS
        opts.extra.update(dict.fromkeys(known, ":"))
        if request.protocol in (6, 132, 33):
            opts.extra["state"] = ":"
        if request.protocol == 58:
            request.family, request.family_given = 6, True
    elif letter == "f":
        if text not in ("ipv4", "ipv6"):
            raise Bad(f"`{text}' unsupported protocol")
        request.family, request.family_given = int(text[-1]), True
    elif letter in ("n", "g", "j"):
        where, colon, port = text.rpartition(":") if text and "." in text and ":" in text else (text, "", "")
        request.nat[letter] = address(where)[0] if where else None
        if colon:
            request.nat_ports[letter] = integer(port)
    elif letter == "u":
        for word in text.split(","):
            if word == "UNSET":
                raise Failure("invalid parameters")
            if word not in STATUSES:
                raise Bad(f"Bad parameter `{text}'")
            request.status |= STATUSES[word]
    elif letter == "m":
        value, slash, mask = text.partition("/")
        request.mark = (integer(value), integer(mask) if slash else 0xFFFFFFFF)
    elif letter == "t":
        request.timeout = integer(text)
    elif letter == "w":
        request.zone = integer(text)
    elif letter == "z":
        request.zero = True
    elif letter == "o":
        for word in text.split(","):
            if word not in OUTPUTS:
                raise Bad(f"Bad parameter `{text}'")
        request.output |= set(text.split(","))
    elif letter == "e":
        wanted = tuple({"NEW": "NEW", "UPDATES": "UPDATE", "UPDATE": "UPDATE", "DESTROY": "DESTROY", "ALL": "ALL"}.get(word, "")
                       for word in text.split(","))  # fmt: skip
        if "" in wanted:
            raise Bad(f"Bad parameter `{text}'")
        request.events = EVENTS if "ALL" in wanted else wanted
    elif letter == "i":
        request.ident = integer(text)
    elif letter == "a":
        proc.error(f"WARNING: ignoring -{letter}, deprecated option.")
    elif letter == "l":
        proc.error("nfct_labelmap_new: No such file or directory")
        raise Bad(f"unknown label '{text}'")


def protocol_option(request: Request, name: str, text: str, names: MachineNames) -> None:
    if name in PORT_OPTIONS:
        key = PORT_OPTIONS[name]
        value = integer(text)  # a name is no number: 0
        if key:
            request.ports[key] = value & 0xFFFF
    elif name == "state":
        if text not in (*NAMES, "LISTEN"):
            raise Bad(f"unknown TCP state `{text}'")
        request.state = text
    else:
        request.icmp[(ICMP_OPTIONS | ICMP6_OPTIONS)[name]] = integer(text)


def check(request: Request) -> None:
    for letter, name in ORDER.items():
        if letter in request.given and letter in ILLEGAL.get(request.command, ""):
            raise Bad(f"Illegal option `--{name}' with this command")
    for letter, name in (("p", "protonum"), ("t", "timeout")):
        if request.command == "I" and letter not in request.given:
            raise Bad(f"You need to supply the `--{name}' option for this command")


def protocol(text: str) -> int:
    if text.isdigit():
        return int(text)
    if text.lower() not in NUMBERS:
        raise Bad(f"`{text}' unsupported protocol")
    return NUMBERS[text.lower()]


def address(text: str) -> tuple[Any, int]:
    address_text, slash, mask_text = text.partition("/")
    try:
        found: IPv4Address | IPv6Address = parse_address(address_text)
        bits = found.bits
        if slash and not mask_text.isdigit():
            return found, int(parse_address(mask_text))
        length = int(mask_text) if slash else bits
        if length > bits:
            raise Bad("Invalid netmask")
    except ValueError:
        raise Bad(f"Invalid IP address `{text}'") from None
    return found, prefix_mask(bits, length)


def integer(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0
