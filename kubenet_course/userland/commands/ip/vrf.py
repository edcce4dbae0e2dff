"""``ip vrf``: the VRF devices and their tables (ip/ipvrf.c)."""

from __future__ import annotations

from collections.abc import Awaitable

from kubenet_course.errors import KernelError
from kubenet_course.kernel.devices.vrf import Vrf
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, invarg, matches, u32


def run(words: Words, session: Session) -> int | Awaitable[int]:
    if not words.more:
        return _show(None, session)
    word = words.take()
    if matches(word, "identify"):
        return _identify(words, session)
    if matches(word, "pids"):
        return _pids(words, session)
    if matches(word, "exec"):
        return _exec(words, session)
    if any(matches(word, verb) for verb in ("show", "lst", "list")):
        return _show(words.take() if words.more else None, session)
    if matches(word, "help"):
        session.usage("vrf")
    raise Quit(255, f'Command "{word}" is unknown, try "ip vrf help".\n')


def _show(name: str | None, session: Session) -> int:
    """ipvrf_show()."""
    if name is not None:
        dev = session.find(name)
        if not isinstance(dev, Vrf):
            raise Quit(255, "Invalid VRF\n")
        session.proc.print(f"{dev.name} {dev.table}")
        return 0
    vrfs = [dev for dev in session.net.devices.values() if isinstance(dev, Vrf)]
    with session.output() as out:
        out.fp(f"{'Name':<16}  {'Table':>5}\n-----------------------\n")
        for dev in vrfs:
            out.open_object()
            out.any("name", "%-16s", dev.name)
            out.any("table", " %5d\n", dev.table)
            out.close()
        if not vrfs:
            out.fp("No VRF has been configured\n")
    return 0


def _identify(words: Words, session: Session) -> int:
    """ipvrf_identify(): the VRF that a process's sockets are bound to, nothing for none."""
    proc = session.proc
    found = proc
    if words.more:
        text = words.take()
        pid = u32(text)
        if pid is None:
            invarg("Invalid pid\n", text)
        named = proc.files.pidns.members.get(pid)
        if named is None:
            raise Quit(1, "Failed to lookup vrf association: No such file or directory\n")
        found = named
    if words.more:
        invarg("Extra arguments specified", words.peek)
    if found.vrf and found.net is session.net:
        proc.print(found.vrf)
    return 0


def _pids(words: Words, session: Session) -> int:
    """ipvrf_pids()."""
    if not words.more:
        raise Quit(1, "Invalid arguments\n")
    name = words.take()
    if name != "default" and not isinstance(session.find(name), Vrf):
        raise Quit(1, "Invalid VRF name\n")
    proc = session.proc
    for other in proc.files.pidns.sorted():
        if other.vrf == name and other.net is session.net:
            proc.print(f"{proc.files.pidns.number(other):5d}  {other.comm}")
    return 0


async def _exec(words: Words, session: Session) -> int:
    """ipvrf_exec(): the process goes on as another program, its sockets bound to the VRF."""
    if not words.more:
        raise Quit(1, "No VRF name specified\n")
    name = words.take()
    if not words.more:
        raise Quit(1, "No command specified\n")
    if name != "default" and not isinstance(session.find(name), Vrf):
        raise Quit(255, "Invalid VRF name\n")
    argv = words.rest()
    proc = session.proc
    proc.vrf = "" if name == "default" else name
    try:
        program, loaded = proc.files.tree.load_program(argv, proc.env, proc.cwd, proc.files)
    except KernelError as failure:
        raise Quit(1, f'exec of "{argv[0]}" failed: {failure.strerror}\n') from None
    proc.script = loaded is not argv
    proc.argv = loaded
    return await program(proc, loaded)
