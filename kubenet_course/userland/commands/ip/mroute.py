"""``ip mroute`` and ``ip mrule``: multicast routing, which needs a daemon that this machine does not have."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported

#: Options of ``ip mroute show`` that take a word.
TAKING = ("table", "iif", "to")


def run(words: Words, session: Session) -> int:
    """ip/ipmroute.c: there is no route to show."""
    word = words.take() if words.more else "show"
    if matches(word, "help"):
        session.usage("mroute")
    if not any(matches(word, name) for name in ("show", "lst", "list")):
        raise Quit(255, f'Command "{word}" is unknown, try "ip mroute help".\n')
    while words.more:
        word = words.take()
        if word not in TAKING:
            unsupported(f"ip mroute show: {word}")
        words.value()
    with session.output():
        return 0


def run_rules(words: Words, session: Session) -> int:
    """ip/iprule.c for the families of multicast: the one rule that each has."""
    word = words.take() if words.more else "show"
    if matches(word, "help"):
        session.usage("rule")
    if any(matches(word, name) for name in ("add", "delete", "flush", "save", "restore")):
        unsupported(f"ip mrule {word}")
    if not any(matches(word, name) for name in ("show", "lst", "list")):
        raise Quit(255, f'Command "{word}" is unknown, try "ip rule help".\n')
    with session.output() as out:
        out.open_object()
        out.any("priority", "%u:\t", 32767)
        out.fp("from ")
        out.any("src", "%s ", "all")
        out.any("table", "lookup %s", "main" if session.options.family == 6 else "default")
        out.fp("\n")
        out.close()
    return 0
