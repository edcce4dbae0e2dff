"""``type vrf`` (ip/iplink_vrf.c)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, Words, invarg, matches


def parse(words: Words, session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if matches(word, "table"):
            text = words.value()
            table = session.tables.number("table", text)
            if table is None:
                invarg("invalid table ID\n", text)
            found["table"] = table
        elif matches(word, "help"):
            raise Quit(1, usage_text("ip", "link vrf"))
        else:
            raise Quit(1, f'vrf: unknown option "{word}"?\n' + usage_text("ip", "link vrf"))
    return found


def show(info: dict[str, Any]) -> str:
    return f"table {info['table']} "
