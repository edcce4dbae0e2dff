"""What the kinds' parsers share."""

from __future__ import annotations

from typing import Any, NoReturn

from kubenet_course.userland.commands.ip.session import Session, usage_text
from kubenet_course.userland.commands.ip.words import Quit, invarg, number


def unknown(kind: str, word: str, status: int = 255) -> NoReturn:
    """An option that the kind does not have: named, with the kind's usage."""
    raise Quit(status, f'{kind}: unknown command "{word}"?\n' + usage_text("ip", f"link {kind}"))


def explain(session: Session, kind: str) -> NoReturn:
    """``type KIND help``: the kind's usage."""
    raise Quit(255, usage_text("ip", f"link {kind}"))


def explain_kind(kind: str, status: int) -> NoReturn:
    raise Quit(status, usage_text("ip", f"link {kind}"))


def text_of(info: dict[str, Any], words: dict[str, str]) -> str:
    """The plain form of a kind's data: each name (or the word that stands for it) and value."""
    return "".join(f"{words.get(key, key)} {_plain(value)} " for key, value in info.items())


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:7.2f}" if isinstance(value, float) else str(value)


def take_number(text: str, what: str, high: int = 0xFFFFFFFF) -> int:
    """A number from 0 to `high`; ``invalid WHAT`` otherwise."""
    value = number(text, 0, high)
    if value is None:
        invarg(f"invalid {what}", text)
    return value


def on_or_off(key: str, text: str, status: int) -> bool:
    """parse_on_off() in the wording of bridge ports."""
    if text in ("on", "off"):
        return text == "on"
    raise Quit(status, f'Error: argument of "{key}" must be one of "off", "on", not "{text}"\n')
