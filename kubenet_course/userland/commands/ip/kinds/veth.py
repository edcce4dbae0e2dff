"""``type veth [peer …]``: the words after ``peer`` are those of ``ip link add`` for the other end (iplink_vxcan.c's
and link_veth.c's way)."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.kinds._options import explain_kind
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Words


def parse(words: Words, session: Session) -> dict[str, Any]:
    if not words.more:
        return {}
    word = words.take()
    if word != "peer":
        explain_kind("veth", 1)
    from kubenet_course.userland.commands.ip.link_parse import LinkWords

    parsed = LinkWords(session, peer=True)
    parsed.parse(words)
    return {"peer": parsed.request}


def show(info: dict[str, Any]) -> str:
    return ""
