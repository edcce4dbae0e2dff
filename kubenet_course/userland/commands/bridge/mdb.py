"""``bridge mdb``: multicast groups behind a bridge's ports (bridge/mdb.c). Groups are not snooped, so there are none."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "show"
    if matches(word, "add") or matches(word, "delete"):
        unsupported(f"bridge mdb {word}")
    if matches(word, "help"):
        session.usage("bridge mdb")
    if not (matches(word, "show") or matches(word, "lst") or matches(word, "list")):
        raise Quit(255, f'Command "{word}" is unknown, try "bridge mdb help".\n')
    only = None
    while words.more:
        word = words.take()
        if word == "dev":
            text = words.value()
            only = session.find(text)
            if only is None:
                raise Quit(255, f'Cannot find device "{text}"\n')
        elif word == "vid":
            words.value()
    with session.output() as out:
        out.open_object()
        out.open_array("mdb")
        out.close()
        out.open_object("router")
        out.close()
        out.close()
    return 0
