"""``bridge vni``: VNI filters of VXLAN devices (bridge/vni.c), which are not emulated: there are never any."""

from __future__ import annotations

from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported


def run(words: Words, session: Session) -> int:
    word = words.take() if words.more else "show"
    if matches(word, "add") or matches(word, "delete"):
        unsupported(f"bridge vni {word}")
    if matches(word, "help"):
        session.usage("bridge vni")
    if not (matches(word, "show") or matches(word, "lst") or matches(word, "list")):
        raise Quit(255, f'Command "{word}" is unknown, try "bridge vni help".\n')
    with session.output() as out:
        out.fp("dev               vni              group/remote   \n")
    return 0
