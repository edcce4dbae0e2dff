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
        elif keyword == "options":
            set_options(conf, values)
    return conf


def set_options(conf: ResolvConf, words: list[str]) -> None:
    """res_setoptions(): numbers up to their limits, flags; unknown words are passed over."""
    for word in words:
        name, colon, value = word.partition(":")
        if colon and name in LIMITS:
            digits = value[
                : next((at for at, letter in enumerate(value) if not letter.isdigit()), len(value))
            ]
            setattr(conf, name, min(int(digits or "0"), LIMITS[name]))
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
    conf.attempts = max(conf.attempts, 1)
    conf.timeout = max(conf.timeout, 1)
    return conf
