"""``ip vrf``: the VRF devices and their tables (ip/ipvrf.c)."""

from __future__ import annotations

from kubenet_course.kernel.devices.vrf import Vrf
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported


def run(words: Words, session: Session) -> int:
    if not words.more:
        return _show(None, session)
    word = words.take()
    if matches(word, "identify") or matches(word, "pids") or matches(word, "exec"):
        unsupported(f"ip vrf {word}")
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
