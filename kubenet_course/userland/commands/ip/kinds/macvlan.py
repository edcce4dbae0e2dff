"""``type macvlan`` (ip/iplink_macvlan.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, matches, unsupported

MODES = ("private", "vepa", "bridge", "passthru", "source")


def parse(words: Words, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if matches(word, "mode"):
            mode = words.value()
            if mode not in MODES:
                raise Quit(
                    1,
                    'Error: argument of "mode" must be "private", "vepa", "bridge", "passthru" or "source", '
                    f'not "{mode}"\n',
                )
            if mode == "source":
                unsupported("macvlan mode source")
            found["mode"] = mode
        elif matches(word, "nopromisc"):
            found["nopromisc"] = True
        elif matches(word, "help"):
            raise Quit(1, usage_text("ip", "link macvlan"))
        elif word in ("flag", "macaddr", "bcqueuelen"):
            unsupported(f"macvlan {word}")
        else:
            raise Quit(1, f'macvlan: unknown option "{word}"?\n' + usage_text("ip", "link macvlan"))
    return found


def show(info: dict[str, Any]) -> str:
    promisc = "nopromisc " if info.get("nopromisc") else ""
    queues = f"bcqueuelen {info['bcqueuelen']} usedbcqueuelen {info['usedbcqueuelen']} "
    return f"mode {info['mode']} {promisc}{queues}"
