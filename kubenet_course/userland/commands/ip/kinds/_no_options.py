"""Kinds whose link_util takes no options: iproute2 ignores what follows ``type KIND``."""

from __future__ import annotations

from typing import Any

from kubenet_course.userland.commands.ip.session import Session
from kubenet_course.userland.commands.ip.words import Words


def ignore(words: Words, session: Session) -> dict[str, Any]:
    words.rest()
    return {}


def nothing(info: dict[str, Any]) -> str:
    return ""
