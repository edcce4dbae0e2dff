"""ipvsadm's options: popt's clusters and long forms, which command takes which,
and the complaints (ipvsadm.c: parse_options())."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubenet_course.kernel.ipvs import state
from kubenet_course.wire.addresses import IpAddress, IPv4Address, parse_address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

TRY = "Try `ipvsadm -h' or 'ipvsadm --help' for more information.\n"


class Fail(Exception):
    """The command ends with this message on standard error and this status."""

    def __init__(self, message: str, status: int = 2):
        super().__init__(message, status)
        self.message = message
        self.status = status


#: (long name, letter, takes a value, what it is): commands, then options.
COMMANDS = {
    "add-service": "A", "edit-service": "E", "delete-service": "D", "flush": "C", "clear": "C",
    "restore": "R", "save": "S",
    "list": "L", "add-server": "a", "edit-server": "e", "delete-server": "d", "zero": "Z", "set": "",
    "start-daemon": "",
    "stop-daemon": "", "help": "h", "version": "v",
}  # fmt: skip
BY_LETTER = {letter: name for name, letter in COMMANDS.items() if letter and name != "clear"} | {"l": "list"}
VALUES = {
    "tcp-service": "t", "udp-service": "u", "sctp-service": "", "fwmark-service": "f", "scheduler": "s",
    "netmask": "M",
    "real-server": "r", "weight": "w", "u-threshold": "x", "l-threshold": "y", "mcast-interface": "",
    "syncid": "",
    "sched-flags": "b", "pe": "", "tun-type": "", "tun-port": "",
}  # fmt: skip
SWITCHES = {
    "persistent": "p", "gatewaying": "g", "ipip": "i", "masquerading": "m", "numeric": "n",
    "connection": "c", "ops": "o",
    "stats": "", "rate": "", "thresholds": "", "persistent-conn": "", "exact": "", "sort": "", "nosort": "",
    "timeout": "",
    "daemon": "", "ipv6": "6",
}  # fmt: skip
#: How messages call an option.
NAMES = {
    "numeric": "numeric", "connection": "connection", "tcp-service": "service-address",
    "udp-service": "service-address",
    "fwmark-service": "service-address", "scheduler": "scheduler", "persistent": "persistent",
    "netmask": "netmask",
    "real-server": "real-server", "gatewaying": "forwarding-method", "ipip": "forwarding-method",
    "masquerading": "forwarding-method", "weight": "weight", "u-threshold": "u-threshold",
    "l-threshold": "l-threshold",
    "timeout": "timeout", "daemon": "daemon", "stats": "stats", "rate": "rate", "thresholds": "thresholds",
    "persistent-conn": "persistent-conn", "nosort": "nosort", "sort": "sort", "exact": "exact",
    "ops": "ops", "pe": "pe",
    "sched-flags": "sched-flags",
}  # fmt: skip
SERVICE = {"service-address", "scheduler", "persistent", "netmask", "ops", "pe", "sched-flags"}
SERVER = {"service-address", "real-server", "forwarding-method", "weight", "u-threshold", "l-threshold"}
ALLOWED: dict[str, set[str]] = {
    "add-service": SERVICE, "edit-service": SERVICE, "delete-service": {"service-address"}, "flush": set(),
    "list": {
        "numeric", "connection", "service-address", "timeout", "daemon", "stats", "rate", "thresholds",
        "persistent-conn",
        "nosort", "sort", "exact",
    },
    "add-server": SERVER, "edit-server": SERVER, "delete-server": {"service-address", "real-server"},
    "zero": {"service-address"}, "save": {"numeric"}, "restore": set(), "set": set(), "help": set(),
    "version": set(),
}  # fmt: skip
REQUIRED = {
    "add-service": ("service-address",), "edit-service": ("service-address",),
    "delete-service": ("service-address",),
    "add-server": ("service-address", "real-server"), "edit-server": ("service-address", "real-server"),
    "delete-server": ("service-address", "real-server"),
}  # fmt: skip
EXCLUSIVE = ("connection", "service-address", "timeout", "daemon")
SERVICES = {"http": 80, "https": 443, "domain": 53, "ssh": 22, "ftp": 21, "smtp": 25, "http-alt": 8080}


class Request:
    """One parsed command line."""

    def __init__(self, proc: Process):
        self.proc = proc
        self.command = ""
        self.options: set[str] = set()
        self.family = 4
        self.protocol = 0
        self.address: IpAddress | None = None
        self.port = 0
        self.fwmark = 0
        self.scheduler = ""
        self.sched_flags: list[str] = []
        self.persistent = 0
        self.netmask: Any = None
        self.one_packet = False
        self.pe = ""
        self.real: IpAddress | None = None
        self.real_port: int | None = None
        self.forward = state.DROUTE
        self.weight = 1
        self.upper = self.lower = 0
        self.timeouts: tuple[int, ...] = ()

    @property
    def virtual_given(self) -> bool:
        return "service-address" in self.options

    @property
    def key(self) -> tuple[Any, ...]:
        if self.fwmark:
            return (self.family, "fwm", self.fwmark)
        return (self.family, self.protocol, self.address, self.port)

    def mark(self, option: str) -> None:
        """set_option(): each only once."""
        name = NAMES[option]
        if name in self.options:
            raise Fail(f"multiple '{name}' options specified\n")
        self.options.add(name)


def read(words: list[str], proc: Process) -> Request:
    """parse_options() and verify_options()."""
    request = Request(proc)
    if not words:
        request.command = "list"
        return request
    queue = _split(words)
    option, text = queue.pop(0)
    if option not in COMMANDS or text is not None and option == "":
        raise Fail(TRY, 255)
    request.command = option
    if option in ("start-daemon", "stop-daemon"):
        raise Fail(f"kubenet: ipvsadm --{option} is not emulated\n")
    if option == "set":
        _set(request, queue)
        return request
    while queue:
        option, text = queue.pop(0)
        if option == "":
            raise Fail(f"unexpected argument {text}\n")
        if option in COMMANDS:
            letter = COMMANDS[option]
            raise Fail(f"invalid option `{'-' + letter if letter else '--' + option}'\n")
        _take(request, option, text, queue)
    _verify(request)
    return request


def _split(words: list[str]) -> list[tuple[str, str | None]]:
    """popt: (option, value); a word that is no option is ("", word)."""
    letters = {letter: name for name, letter in (*VALUES.items(), *SWITCHES.items()) if letter} | BY_LETTER
    found: list[tuple[str, str | None]] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in COMMANDS and name not in VALUES and name not in SWITCHES:
                if not found:
                    raise Fail(TRY, 255)
                raise Fail(f"--{name}: unknown option\n", 255)
            if name in VALUES and not equals:
                if position >= len(words):
                    raise Fail(f"--{name}: missing argument\n", 255)
                value, equals = words[position], "="
                position += 1
            found.append((name, value if equals else None))
        elif word.startswith("-") and len(word) > 1:
            rest = word[1:]
            while rest:
                letter, rest = rest[0], rest[1:]
                name = letters.get(letter, "")
                if not name:
                    if not found:
                        raise Fail(TRY, 255)
                    raise Fail(f"-{letter}: unknown option\n", 255)
                if name in VALUES:
                    if not rest and position >= len(words):
                        raise Fail(f"-{letter}: missing argument\n", 255)
                    found.append((name, rest or words[position]))
                    position += not rest
                    break
                found.append((name, None))
        else:
            found.append(("", word))
    return found


def _take(request: Request, option: str, text: str | None, queue: list[tuple[str, str | None]]) -> None:
    if option in ("tcp-service", "udp-service"):
        request.mark(option)
        request.protocol = state.TCP if option == "tcp-service" else state.UDP
        parsed = _service(text or "", request)
        if parsed is None:
            raise Fail("illegal virtual server address[:port] specified\n")
        request.address, port = parsed
        request.port = port or 0
        request.family = request.address.family
    elif option == "fwmark-service":
        request.mark(option)
        request.fwmark = _number(text, 1, 0xFFFFFFFF, f"invalid fwmark value `{text}' specified\n")
    elif option == "scheduler":
        request.mark(option)
        request.scheduler = text or ""
    elif option == "sched-flags":
        request.mark(option)
        request.sched_flags = (text or "").split(",")
    elif option == "persistent":
        request.mark(option)
        request.persistent = 360
        value = text
        if value is None and queue and queue[0][0] == "":
            value = queue.pop(0)[1]
        if value is not None:
            request.persistent = _number(
                value, 1, 31 * 24 * 3600, f"invalid timeout value `{value}' specified\n"
            )
    elif option == "netmask":
        request.mark(option)
        request.netmask = _netmask(text or "")
    elif option == "real-server":
        request.mark(option)
        parsed = _service(text or "", request)
        if parsed is None:
            raise Fail("illegal real server address[:port] specified\n")
        request.real, request.real_port = parsed
    elif option in ("gatewaying", "ipip", "masquerading"):
        request.mark(option)
        request.forward = {"gatewaying": state.DROUTE, "ipip": state.TUNNEL, "masquerading": state.MASQ}[
            option
        ]
    elif option == "weight":
        request.mark(option)
        request.weight = _number(text, 0, 2**31 - 1, "illegal weight specified\n")
    elif option in ("u-threshold", "l-threshold"):
        request.mark(option)
        value_number = _number(text, 0, 2**31 - 1, f"illegal {option} specified\n")
        setattr(request, "upper" if option[0] == "u" else "lower", value_number)
    elif option == "ops":
        request.mark(option)
        request.one_packet = True
    elif option == "pe":
        raise Fail("kubenet: ipvsadm --pe is not emulated\n")
    elif option == "ipv6":
        request.family = 6
    elif option in SWITCHES:
        request.mark(option)
    else:
        raise Fail(f"kubenet: ipvsadm --{option} is not emulated\n")


def _set(request: Request, queue: list[tuple[str, str | None]]) -> None:
    words = [text for option, text in queue if option == "" and text is not None]
    if len(words) < 3:
        raise Fail("--set option requires 3 timeout values\n")
    request.timeouts = tuple(
        _number(word, 0, 31 * 24 * 3600, f"invalid timeout value `{word}' specified\n") for word in words[:3]
    )


def _number(text: str | None, low: int, high: int, message: str) -> int:
    try:
        value = int(text or "", 0)
    except ValueError:
        raise Fail(message) from None
    if not low <= value <= high:
        raise Fail(message)
    return value


def _netmask(text: str) -> Any:
    try:
        return parse_address(text)
    except ValueError:
        return _number(text, 1, 128, "invalid netmask specified\n")


def _service(text: str, request: Request) -> tuple[IpAddress, int | None] | None:
    """parse_service(): ADDRESS[:PORT], [ADDRESS6][:PORT]; the port by number or name."""
    if text.startswith("["):
        body, bracket, rest = text[1:].partition("]")
        if not bracket or rest and not rest.startswith(":"):
            return None
        port_text = rest[1:] if rest else None
    else:
        body, colon, tail = text.partition(":")
        port_text = tail if colon else None
    try:
        address = parse_address(body)
    except ValueError:
        return None
    if text.startswith("[") == isinstance(address, IPv4Address):
        return None
    if port_text is None:
        return address, None
    if port_text in SERVICES:
        return address, SERVICES[port_text]
    if not port_text.isdigit() or int(port_text) > 65535:
        return None
    return address, int(port_text)


def _verify(request: Request) -> None:
    """generic_opt_check() and what main() checks after it."""
    command = request.command
    for name in REQUIRED.get(command, ()):
        if name not in request.options:
            raise Fail(f"You need to supply the '{name}' option for the '{command}' command\n")
    for name in ("numeric", *NAMES.values()):
        if name in request.options and name not in ALLOWED[command]:
            raise Fail(f"Illegal '{name}' option with the '{command}' command\n")
    if command == "list":
        both = [name for name in EXCLUSIVE if name in request.options]
        if len(both) > 1:
            raise Fail(
                f"The option '{both[1]}' conflicts with the '{both[0]}' option in the 'list' command\n"
            )
        if (
            both
            and both[0] != "service-address"
            and request.options & {"stats", "rate", "thresholds", "persistent-conn"}
        ):
            raise Fail("options conflicts in the list command\n")
    if command in ("add-service", "edit-service"):
        if not request.fwmark and not request.port and not request.persistent:
            raise Fail("Zero port specified for non-persistent service\n")
        if request.one_packet and not (request.fwmark or request.protocol == state.UDP):
            raise Fail("One-Packet Scheduling is only for UDP virtual services\n")
