"""``type ipvlan`` (ip/iplink_ipvlan.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, matches

MODES = ("l2", "l3", "l3s")


def parse(words: Words, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {"flag": "bridge"}
    flag_given = False
    while words.more:
        word = words.take()
        if matches(word, "mode"):
            mode = words.value()
            if mode not in MODES:
                raise Quit(1, 'Error: argument of "mode" must be either "l2", "l3" or "l3s"\n')
            found["mode"] = mode
        elif word in ("private", "vepa", "bridge") or (matches(word, "bridge") and word):
            if flag_given:
                raise Quit(1, f'Error: duplicate option: "{word}"\n')
            flag_given = True
            found["flag"] = word if word in ("private", "vepa") else "bridge"
        elif matches(word, "help"):
            raise Quit(1, usage_text("ip", "link ipvlan"))
        else:
            raise Quit(1, f'ipvlan: unknown option "{word}"?\n' + usage_text("ip", "link ipvlan"))
    return found


def show(info: dict[str, Any]) -> str:
    flag = next(word for word in ("bridge", "private", "vepa") if info.get(word))
    return f" mode {info['mode']} {flag} "
