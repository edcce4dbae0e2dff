"""What the kinds' parsers share."""

from __future__ import annotations

from typing import NoReturn

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, invarg, number


def unknown(kind: str, word: str) -> NoReturn:
    """An option that the kind does not have: named, with the kind's usage."""
    raise Quit(255, f'{kind}: unknown command "{word}"?\n' + usage_text("ip", f"link {kind}"))


def explain(session: Session, kind: str) -> NoReturn:
    """``type KIND help``: the kind's usage."""
    raise Quit(255, usage_text("ip", f"link {kind}"))


def take_number(text: str, what: str, high: int = 0xFFFFFFFF) -> int:
    """A number from 0 to `high`; ``invalid WHAT`` otherwise."""
    value = number(text, 0, high)
    if value is None:
        invarg(f"invalid {what}", text)
    return value
