"""`ip` of iproute2 6.1 (ip/ip.c): global options, objects and their abbreviations, batches.

An object is a module of this package with `run(words, session) -> int`; the order of OBJECTS decides what an
abbreviation means (``ip l`` is link, ``ip n`` neighbor, ``ip r`` route).
"""

from __future__ import annotations

import shlex
from importlib import import_module
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.options import parse_options
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("ip",)
VERSION = "ip utility, iproute2-6.1.0, libbpf 1.1.2"

#: (object, module or "" where it is not emulated, usage), in the order in which abbreviations are tried.
OBJECTS = (
    ("address", "address", "address"),
    ("addrlabel", "addrlabel", "addrlabel"),
    ("maddress", "maddr", "maddress"),
    ("route", "route", "route"),
    ("rule", "rule", "rule"),
    ("neighbor", "neigh", "neighbor"),
    ("neighbour", "neigh", "neighbor"),
    ("ntable", "ntable", "ntable"),
    ("ntbl", "ntable", "ntable"),
    ("link", "link", "link"),
    ("l2tp", "", "l2tp"),
    ("fou", "", "fou"),
    ("ila", "", "ila"),
    ("macsec", "", "macsec"),
    ("tunnel", "tunnel", "tunnel"),
    ("tunl", "tunnel", "tunnel"),
    ("tuntap", "tuntap", "tuntap"),
    ("tap", "tuntap", "tap"),
    ("token", "token", "token"),
    ("tcpmetrics", "tcp_metrics", "tcpmetrics"),
    ("tcp_metrics", "tcp_metrics", "tcpmetrics"),
    ("monitor", "monitor", "monitor"),
    ("xfrm", "", "xfrm"),
    ("mroute", "mroute", "mroute"),
    ("mrule", "mrule", "rule"),
    ("netns", "netns", "netns"),
    ("netconf", "netconf", "netconf"),
    ("vrf", "vrf", "vrf"),
    ("sr", "", "sr"),
    ("nexthop", "nexthop", "nexthop"),
    ("mptcp", "", "mptcp"),
    ("ioam", "", "ioam"),
    ("help", "help", "ip"),
    ("stats", "", "stats"),
)



async def main(proc: Process, argv: list[str]) -> int:
    session: Session | None = None
    try:
        words = Words(argv[1:])
        options, netns = parse_options(words)
        session = Session(proc, options)
        if netns is not None:
            session.switch(netns)
        if options.batch is not None:
            return await _batch(session, options.batch)
        if not words.more:
            session.usage("ip")
        return await run_object(words, session)
    except Quit as leave:
        if leave.message:
            (proc.print if leave.status == 0 else proc.error)(leave.message, end="")
        return leave.status


async def run_object(words: Words, session: Session) -> int:
    """do_cmd()."""
    word = words.take()
    for name, module, usage in OBJECTS:
        if not matches(word, name):
            continue
        if name == "help":
            session.usage("ip")
        if not module:
            if words.more and matches(words.peek, "help"):
                session.usage(usage, 0 if usage == "stats" else 255)
            unsupported(f"ip {name}")
        handler = import_module(f"{__name__}.{module}")
        try:
            result = handler.run(words, session)
            return result if isinstance(result, int) else await result
        except KernelError as failure:
            raise Quit(2, session.rtnl_error(failure)) from None
    raise Quit(1, f'Object "{word}" is unknown, try "ip help".\n')


async def _batch(session: Session, path: str) -> int:
    """do_batch(): one command a line, ``#`` comments, a backslash continues; stops at the first failure."""
    proc = session.proc
    if path == "-":
        text = (await proc.stdin.read()).decode("utf-8", "surrogateescape")
    else:
        try:
            text = proc.files.read_text(path, proc, proc.cwd)
        except KernelError as failure:
            raise Quit(1, f'Cannot open file "{path}" for reading: {failure.strerror}\n') from None
    status = 0
    pending = ""
    for number, line in enumerate(text.splitlines(), 1):
        line = pending + line.split("#", 1)[0]
        if line.endswith("\\"):
            pending = line[:-1]
            continue
        pending = ""
        words = shlex.split(line, posix=True) if line.count('"') % 2 == 0 and line.count("'") % 2 == 0 else line.split()
        if not words:
            continue
        try:
            failed = await run_object(Words(words), session)
        except Quit as leave:
            if leave.message:
                proc.error(leave.message, end="")
            if leave.status == 255:
                return 255
            failed = leave.status
        if failed:
            proc.error(f"Command failed {path}:{number}")
            status = 1
            if not session.options.force:
                break
    return status
