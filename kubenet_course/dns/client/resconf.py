"""/etc/resolv.conf as BIND's libirs reads it (lib/irs/resconf.c), for dig, host and nslookup.

Another grammar than libc's (userland/resolv_conf.py), on purpose: other limits, comments after words, keywords whose
words are on the next line; and a line that it cannot take makes the program give up ("parse of /etc/resolv.conf failed").
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubenet_course.errors import KernelError, KubenetError
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolv_conf import scoped_address
from kubenet_course.userland.resolver import inet_aton
from kubenet_course.wire.addresses import IpAddress

MAX_NAMESERVERS = 8
MAX_SEARCH = 8


class BadConfiguration(KubenetError):
    """resolv.conf has a line that BIND refuses."""


@dataclass
class ResolvConf:
    """`servers` are (address, scope) in order; `timeout` (s) and `attempts` are None where not set."""

    servers: list[tuple[IpAddress, str]] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    ndots: int = 1
    timeout: int | None = None
    attempts: int | None = None


def parse(text: str) -> ResolvConf:
    """Raises BadConfiguration. A keyword without words takes those of the next line, as there."""
    found = ResolvConf()
    domain = ""
    lines = iter(text.split("\n"))
    for line in lines:
        if line[:1] in ("#", ";"):
            continue
        keyword, *words = line.split()[:1] + _words(" ".join(line.split()[1:])) if line.split() else [""]
        if keyword not in ("nameserver", "domain", "search", "options", "sortlist"):
            continue
        if not words:
            words = _words(next(lines, ""))
        if keyword in ("nameserver", "domain") and len(words) != 1:
            raise BadConfiguration(keyword)
        if keyword == "nameserver":
            address = scoped_address(words[0])
            if address is None:
                raise BadConfiguration(words[0])
            if len(found.servers) < MAX_NAMESERVERS:
                found.servers.append(address)
        elif keyword == "domain":
            domain, found.search = words[0], []
        elif keyword == "search":
            domain, found.search = "", words[:MAX_SEARCH]
        elif keyword == "options":
            for word in words:
                _option(found, word)
        elif not words or any(inet_aton(word.partition("/")[0]) is None for word in words):
            raise BadConfiguration("sortlist")
    if domain:
        found.search = [domain]
    return found


def _words(line: str) -> list[str]:
    words = []
    for word in line.split():
        if word[0] in "#;":
            break
        words.append(word)
    return words


def _option(found: ResolvConf, word: str) -> None:
    name, colon, value = word.partition(":")
    if not colon or name not in ("ndots", "timeout", "attempts"):
        return
    if not (value.isascii() and value.isdigit()) or int(value) > 255:
        raise BadConfiguration(word)
    setattr(found, name, int(value))


def load(proc: Process) -> ResolvConf:
    """The machine's file; one that is not there says nothing."""
    try:
        text = proc.files.read("/etc/resolv.conf", proc).decode("utf-8", "surrogateescape")
    except KernelError:
        return ResolvConf()
    return parse(text)
