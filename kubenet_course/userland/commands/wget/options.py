"""wget's command line (src/main.c, src/init.c)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from kubenet_course.userland.options import OptionError, parse

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

USAGE = "Usage: wget [OPTION]... [URL]...\n\nTry `wget --help' for more options."
#: Long options as `parse` takes them → the short name they are kept under.
LONG = {
    "output-document=": "O", "quiet": "q", "server-response": "S", "spider": "spider", "timeout=": "T", "tries=": "t", "no-verbose": "nv",
    "verbose": "v", "header=": "header", "user-agent=": "U", "post-data=": "post-data", "method=": "method", "body-data=": "post-data",
    "inet4-only": "4", "inet6-only": "6", "no-check-certificate": "no-check-certificate", "connect-timeout=": "connect-timeout", "read-timeout=": "read-timeout",  # noqa: E501
    "dns-timeout=": "ignored=", "max-redirect=": "max-redirect", "directory-prefix=": "P", "output-file=": "o", "append-output=": "a",
    "waitretry=": "waitretry", "no-cache": "ignored", "content-on-error": "content-on-error", "no-proxy": "ignored", "progress=": "progress",  # noqa: E501
    "show-progress": "ignored", "no-clobber": "nc", "bind-address=": "bind-address", "retry-connrefused": "retry-connrefused",
    "no-http-keep-alive": "ignored", "no-hsts": "ignored", "force-html": "F", "input-file=": "i", "continue": "c", "recursive": "r",
    "background": "b", "timestamping": "N", "mirror": "m", "limit-rate=": "limit-rate", "user=": "user", "password=": "password",
}  # fmt: skip
UNSUPPORTED = {"F": "-F", "i": "-i", "c": "-c", "r": "-r", "b": "-b", "N": "-N", "m": "-m", "limit-rate": "--limit-rate", "user": "--user",
               "password": "--password", "x": "-x", "k": "-k", "p": "-p", "l": "-l", "A": "-A", "R": "-R", "D": "-D", "H": "-H", "L": "-L",
               "content-on-error": "--content-on-error", "E": "-E", "K": "-K", "B": "-B", "e": "-e", "w": "-w", "Q": "-Q"}  # fmt: skip


class Failure(Exception):
    """The URL could not be had: wget's exit status (src/exits.h); everything is said already.

    1 usage, 3 files, 4 network, 5 TLS, 6 authentication, 8 the server's answer. `retry`: another try may help.
    """

    def __init__(self, status: int, retry: bool = False):
        super().__init__(status)
        self.status, self.retry = status, retry


class Settings:
    """What the command line said: options by their short name, else their long one."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.values: dict[str, str] = {}
        self.headers: list[str] = []

    def seconds(self, *names: str, default: float) -> float:
        """The first of the options that was given, in s."""
        return next((_period(self.values[name]) for name in names if name in self.values), default)

    def number(self, name: str, default: int) -> int:
        """What was given: the digits that begin it, as simple_atoi() takes them."""
        return _number(self.values[name]) if name in self.values else default


def _number(text: str) -> int:
    """cmd_number(); ValueError, with wget's words, for one below 0."""
    found = re.match(r"\s*([+-]?)(\d*)", text)
    assert found is not None
    if found[1] == "-" and found[2].strip("0"):
        raise ValueError(f"Invalid number ‘{text}’.")
    return int(found[2] or 0)


def _period(text: str) -> float:
    """cmd_time(): s, or minutes, hours, days or weeks with their letter; ValueError, with wget's words."""
    found = re.fullmatch(r"(-?)(\d+\.?\d*|\.\d+)([smhdw]?)", text)
    if found is None:
        raise ValueError(f"Invalid time period ‘{text}’")
    if found[1]:
        raise ValueError(f"Negative time period ‘{text}’")
    return float(found[2]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[found[3]]


#: Options that are read as numbers or as times.
CHECKED: Mapping[str, Callable[[str], float]] = MappingProxyType({
    "t": _number, "max-redirect": _number, "T": _period, "connect-timeout": _period, "read-timeout": _period, "waitretry": _period,
})  # fmt: skip


def read_options(proc: Process, argv: list[str]) -> tuple[Settings, list[str]] | int:
    """The settings and the URLs, or the status after everything is said."""
    words = [
        "--no-verbose" if word == "-nv" else "--no-clobber" if word == "-nc" else word
        for word in argv
        if word not in ("-nd", "-nH")
    ]
    try:
        options, urls = parse(words, "qvSdO:T:t:U:P:o:a:46Fi:crbNmxkpl:A:R:D:HLEKB:e:w:Q:Vh", LONG)
    except OptionError as problem:
        if problem.unsupported:
            return problem.report(proc, "wget")
        proc.error(f"wget: {problem.message}")
        proc.error(USAGE)
        return 2
    settings = Settings()
    for name, value in options:
        if name in UNSUPPORTED:
            proc.error(f"kubenet: wget: option {UNSUPPORTED[name]} is not emulated")
            return 1
        settings.flags.add(name)
        settings.values[name] = value
        if name == "header":
            settings.headers.append(value)
    if "V" in settings.flags:
        proc.print("GNU Wget 1.21.3 built on linux-gnu.")
        return 0
    for name, read in CHECKED.items():
        try:
            read(settings.values.get(name, "0"))
        except ValueError as problem:
            proc.error(f"wget: --{ {'T': 'timeout', 't': 'tries'}.get(name, name) }: {problem}")
            return 2
    if not urls:
        proc.error("wget: missing URL")
        proc.error(USAGE)
        return 1
    return settings, urls
