"""ping: ICMP echo to a host, as iputils 20221126 does it.

`options.py` reads the command line, `session.py` is the loop and the statistics, `v4.py` and `v6.py`
are the two families: their sockets, their header line, their error texts.
"""

from __future__ import annotations

from kubenet_course.userland.commands.ping.options import PingOptions, UsageError, parse
from kubenet_course.userland.commands.ping.session import Fatal
from kubenet_course.userland.commands.ping.v4 import Ping4
from kubenet_course.userland.commands.ping.v6 import Ping6
from kubenet_course.userland.process import Process
from kubenet_course.userland.resolver import EAI_ADDRFAMILY, ResolverError, getaddrinfo, numeric_address

NAMES = ("ping", "ping4", "ping6")


async def main(proc: Process, argv: list[str]) -> int:
    name = argv[0].rpartition("/")[2]
    try:
        options = parse(proc, name, argv)
        if options is None:
            return 0
        return await _run(proc, name, options)
    except UsageError as error:
        proc.stderr.write(error.text.encode("utf-8", "surrogateescape"))
        return error.status
    except Fatal as error:
        proc.error(error.message if error.message.startswith("kubenet:") else f"{name}: {error.message}")
        return error.status


async def _run(proc: Process, name: str, options: PingOptions) -> int:
    """The addresses of the target in turn; the first that can be used at all is pinged."""
    if options.verbose:
        family = {0: "AF_UNSPEC", 4: "AF_INET", 6: "AF_INET6"}[options.family]
        proc.error(
            f"{name}: sock4.fd: 3 (socktype: SOCK_RAW), sock6.fd: 4 (socktype: SOCK_RAW), hints.ai_family: {family}\n"
        )
    if numeric_address_only(proc, options.target):
        options.numeric = True
    try:
        found = await getaddrinfo(proc, options.target)
        chosen = [info for info in found if options.family in (0, info.family)]
        if not chosen:
            raise ResolverError(EAI_ADDRFAMILY)
    except ResolverError as error:
        raise Fatal(2, f"{options.target}: {error}") from None
    info = chosen[0]
    canonical = info.canonname or ""
    if options.verbose:
        proc.print(
            f"ai->ai_family: AF_INET{'6' if info.family == 6 else ''}, ai->ai_canonname: '{canonical}'"
        )
    if info.family == 6:
        return await Ping6(proc, name, options, info, options.target).run()
    return await Ping4(proc, name, options, info, canonical).run()


def numeric_address_only(proc: Process, text: str) -> bool:
    """Whether the target is an address: then no names are looked up for what is printed."""
    try:
        return numeric_address(proc, text) is not None
    except ResolverError:
        return False
