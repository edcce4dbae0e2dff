"""``type gre``: see `_iptnl.py`."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.kinds._iptnl import parse_tunnel
from kubenet_course.userland.commands.ip.kinds._iptnl import show_tunnel as show
from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Words

__all__ = ["parse", "show"]


def parse(words: Words, session: Session) -> dict[str, Any]:
    return parse_tunnel(words, session, "gre")
