"""`bridge` of iproute2 6.1: ports, forwarding database, VLANs and groups of bridges (bridge/bridge.c).

An object is a module of this package with `run(words, session) -> int`.
"""

from __future__ import annotations

import shlex
from importlib import import_module
from typing import TYPE_CHECKING

from kubenet_course.errors import KernelError
from kubenet_course.userland.commands.ip.session import Options, Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process

NAMES = ("bridge",)
VERSION = "bridge utility, 6.1.0\n"

#: (object, module or "" where it is not emulated), in the order in which abbreviations are tried.
OBJECTS = (("link", "link"), ("fdb", "fdb"), ("mdb", "mdb"), ("vlan", "vlan"), ("vni", "vni"), ("monitor", ""), ("help", "help"))


async def main(proc: Process, argv: list[str]) -> int:
    words = Words(argv[1:])
    try:
        options, netns = _options(words)
        session = Session(proc, options, "bridge")
        if netns is not None:
            session.switch(netns)
        if options.batch is not None:
            return await _batch(session, options.batch)
        if not words.more:
            session.usage("bridge")
        return run_object(words, session)
    except Quit as leave:
        if leave.message:
            (proc.print if leave.status == 0 else proc.error)(leave.message, end="")
        return leave.status


def _options(words: Words) -> tuple[Options, str | None]:
    options = Options()
    netns: str | None = None
    while words.more and words.peek.startswith("-"):
        given = words.take()
        if given == "--":
            break
        word = given[1:] if given.startswith("--") else given
        if matches(word, "-help"):
            raise Quit(255, usage_text("bridge", "bridge"))
        if matches(word, "-Version"):
            raise Quit(0, VERSION)
        if matches(word, "-stats") or matches(word, "-statistics"):
            options.stats += 1
        elif matches(word, "-details"):
            options.details += 1
        elif matches(word, "-oneline"):
            options.oneline = True
        elif matches(word, "-timestamp"):
            options.timestamp += 1
        elif matches(word, "-family"):
            words.value()
        elif word in ("-4", "-6"):
            options.family = int(word[1:])
        elif matches(word, "-netns"):
            netns = words.take() if words.more else "(null)"
        elif matches(word, "-color") or word.startswith("-color="):
            options.color = word.startswith("-c") and word != "-color=never" and word != "-color=auto"
        elif matches(word, "-compressvlans"):
            options.compress = True
        elif matches(word, "-force"):
            options.force = True
        elif matches(word, "-json"):
            options.json = True
        elif matches(word, "-pretty"):
            options.pretty = True
        elif matches(word, "-batch"):
            if not words.more:
                raise Quit(255, usage_text("bridge", "bridge"))
            options.batch = words.take()
        else:
            raise Quit(255, f'Option "{word}" is unknown, try "bridge help".\n')
    return options, netns


def run_object(words: Words, session: Session) -> int:
    word = words.take()
    for name, module in OBJECTS:
        if not matches(word, name):
            continue
        if name == "help":
            session.usage("bridge")
        if not module:
            if words.more and matches(words.peek, "help"):
                session.usage("bridge monitor")
            if words.more and words.peek not in ("file", "link", "fdb", "mdb", "vlan", "vni", "all"):
                raise Quit(255, f'Argument "{words.peek}" is unknown, try "bridge monitor help".\n')
            unsupported(f"bridge {name}")
        try:
            status: int = import_module(f"{__name__}.{module}").run(words, session)
        except KernelError as failure:
            raise Quit(255, session.rtnl_error(failure)) from None
        return status
    raise Quit(255, f'Object "{word}" is unknown, try "bridge help".\n')


async def _batch(session: Session, path: str) -> int:
    proc = session.proc
    if path == "-":
        text = (await proc.stdin.read()).decode("utf-8", "surrogateescape")
    else:
        try:
            text = proc.files.read_text(path, proc, proc.cwd)
        except KernelError as failure:
            raise Quit(1, f'Cannot open file "{path}" for reading: {failure.strerror}\n') from None
    status = 0
    for number, line in enumerate(text.splitlines(), 1):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        try:
            run_object(Words(words), session)
        except Quit as leave:
            proc.error(leave.message, end="")
            proc.error(f"Command failed {path}:{number}")
            status = 1
            if not session.options.force:
                break
    return status
