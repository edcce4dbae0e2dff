"""Small things that building uses: pieces of statements, places in the text, numbers and times."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kubenet_course.kernel.netfilter.nf_tables.expressions import Loc
from kubenet_course.userland.commands.nft.errors import NftError


class Token(str):
    """A word of the text: `type` is its terminal; where it begins and ends."""

    __slots__ = ("type", "start_pos", "end_pos")

    type: str
    start_pos: int
    end_pos: int

    def __new__(cls, kind: str, text: str, start: int, end: int) -> Token:
        made = super().__new__(cls, text)
        made.type, made.start_pos, made.end_pos = kind, start, end
        return made


class Tail(NamedTuple):
    """A piece of a statement or block: its kind and value."""

    kind: str
    value: Any
    loc: Loc | None = None
    #: Where its text ends, if `loc` is its first word alone.
    end: int | None = None


def loc_of(thing: Any) -> Loc | None:
    if isinstance(thing, Token):
        return thing.start_pos, thing.end_pos
    found = getattr(thing, "loc", None)
    if found is None and getattr(thing, "table_loc", None) is not None:
        last = thing.handle_loc or thing.name_loc or thing.table_loc
        return ((thing.family_loc or thing.table_loc)[0], last[1])
    if found is None and hasattr(thing, "children"):
        places = [place for place in map(loc_of, thing.children) if place is not None]
        return (places[0][0], places[-1][1]) if places else None
    return found


def real(children: list[Any]) -> list[Any]:
    return [child for child in children if child is not None]


def span(children: list[Any]) -> Loc | None:
    places = [place for place in map(loc_of, children) if place is not None]
    return (places[0][0], places[-1][1]) if places else None


def number(token: Any) -> int:
    return int(token, 16 if str(token)[:2] in ("0x", "0X") else 8 if str(token)[0] == "0" else 10)


def sized(value: int, unit: str, loc: Loc | None) -> int:
    sizes = {"bytes": 0, "kbytes": 10, "mbytes": 20, "gbytes": 30}
    if unit not in sizes or unit == "gbytes":
        raise NftError("Wrong rate format", loc)
    return value << sizes[unit]


def last_number(node: Any) -> int | None:
    return number(node.children[-1]) if node.children else None


_TIME = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$")


def milliseconds(word: Any) -> int:
    """time_parse(): 1d2h3m4s5ms."""
    found = _TIME.match(str(word))
    if found is None or not found[0]:
        raise NftError("wrong time format", loc_of(word))
    days, hours, minutes, seconds, rest = (int(part or 0) for part in found.groups())
    return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + rest
