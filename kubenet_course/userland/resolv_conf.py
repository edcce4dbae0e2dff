"""/etc/resolv.conf as libc reads it (resolv/res_init.c), with LOCALDOMAIN and RES_OPTIONS.

What it does not understand it passes over; BIND's programs do not (dns/client/resconf.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.wire.addresses import IpAddress, IPv4Address, IPv6Address

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

MAX_NAMESERVERS = 3
#: MAXRESOLVSORT
MAX_SORT = 10
#: RES_MAXNDOTS, RES_MAXRETRANS, RES_MAXRETRY
LIMITS = {"ndots": 15, "timeout": 30, "attempts": 5}
FLAGS = (
    "rotate",
    "edns0",
    "use-vc",
    "single-request",
    "single-request-reopen",
    "trust-ad",
    "no-aaaa",
    "no-tld-query",
    "no-reload",
    "debug",
)


@dataclass
class ResolvConf:
    """`servers` are (address, scope), at most three; `timeout` in s; `flags` the options without a value."""

    servers: list[tuple[IpAddress, str]] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    ndots: int = 1
    timeout: int = 5
    attempts: int = 2
    flags: set[str] = field(default_factory=set)
    #: `sortlist`: networks as (number, mask), the preferred ones first.
    sortlist: list[tuple[int, int]] = field(default_factory=list)

    def sorted(self, addresses: list[IpAddress]) -> list[IpAddress]:
        """IPv4 addresses as gethostbyname(3) gives them out: by the first network of `sortlist` that they are in."""

        def rank(address: IpAddress) -> int:
            places = enumerate(self.sortlist)
            return next((place for place, (net, mask) in places if int(address) & mask == net), len(self.sortlist))

        return sorted(addresses, key=rank)


def scoped_address(text: str) -> tuple[IpAddress, str] | None:
    """An address in numbers, as `nameserver` takes it, and the scope after % ("" without); None where it is none."""
    from kubenet_course.userland.resolver import inet_aton

    four: IPv4Address | None = inet_aton(text)
    if four is not None:
        return four, ""
    head, _, scope = text.partition("%")
    try:
        return IPv6Address.parse(head), scope
    except ValueError:
        return None


def parse(text: str) -> ResolvConf:
    """Read the file's text. The last `domain` or `search` line counts."""
    conf = ResolvConf()
    for line in text.splitlines():
        if line[:1] in (";", "#"):
            continue
        words = line.split()
        # A keyword begins its line; nothing stands before it.
        if not words or line[0].isspace() or len(words) < 2:
            continue
        keyword, *values = words
        if keyword == "nameserver":
            address = scoped_address(values[0])
            if address is not None and len(conf.servers) < MAX_NAMESERVERS:
                conf.servers.append(address)
        elif keyword == "domain":
            conf.search = values[:1]
        elif keyword == "search":
            conf.search = values
        elif keyword == "sortlist":
            conf.sortlist = [net for net in map(_network, values[:MAX_SORT]) if net is not None]
        elif keyword == "options":
            set_options(conf, values)
    return conf


def _network(text: str) -> tuple[int, int] | None:
    """One entry of `sortlist`: ADDRESS[/MASK], the mask being that of the address's class where there is none."""
    from kubenet_course.userland.resolver import inet_aton

    address, slash, mask = text.partition("/")
    number = inet_aton(address)
    bits = inet_aton(mask) if slash else None
    if number is None:
        return None
    first = int(number) >> 24
    natural = 0xFF000000 if first < 128 else 0xFFFF0000 if first < 192 else 0xFFFFFF00
    whole = int(bits) if bits is not None else natural
    return int(number) & whole, whole


def set_options(conf: ResolvConf, words: list[str]) -> None:
    """res_setoptions(): numbers up to their limits, flags; unknown words are passed over."""
    for word in words:
        name, colon, value = word.partition(":")
        if colon and name in LIMITS:
            sign = -1 if value.startswith("-") else 1
            digits = value.removeprefix("-")
            digits = digits[: next((at for at, letter in enumerate(digits) if not letter.isdigit()), len(digits))]
            number = min(sign * int(digits or "0"), LIMITS[name])
            setattr(conf, name, number & 15 if name == "ndots" else number)  # ndots has four bits
        elif word in FLAGS:
            conf.flags.add(word)


def load(proc: Process) -> ResolvConf:
    """res_init(): without a name server the machine itself is asked."""
    try:
        text = proc.files.read("/etc/resolv.conf", proc).decode("utf-8", "surrogateescape")
    except KernelError:
        text = ""
    conf = parse(text)
    if not conf.servers:
        conf.servers = [(IPv4Address.parse("127.0.0.1"), "")]
    local = proc.env.get("LOCALDOMAIN")
    if local is not None:
        conf.search = local.split() if local.strip() else []
    set_options(conf, proc.env.get("RES_OPTIONS", "").split())
    conf.timeout = max(conf.timeout, 1)
    return conf
