"""getopt(3) one option at a time, for programs that act on each as they read it.

    for name, value in (options := Getopt(argv, "ab:", {"count=": "c"})): ...
    options.operands

`options.parse` reads the whole line first; here a wrong option is only found when its turn comes, so
the errors come in the real program's order. Raises `OptionError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from kubenet_course.userland.options import OptionError, Options, _long


class Getopt:
    """Letters and long names as in `options.parse`; `operands` is complete after the last option."""

    def __init__(
        self, argv: list[str], short: str, long: dict[str, str] | None = None, *, permute: bool = True
    ):
        self.words = argv[1:]
        self.short = short
        self.long = long
        self.permute = permute
        self.operands: list[str] = []

    def __iter__(self) -> Iterator[tuple[str, str]]:
        words, colons = self.words, _letters(self.short)
        while words:
            word = words.pop(0)
            if not word.startswith("-") or word == "-":
                self.operands.append(word)
                if not self.permute:
                    break
            elif word == "--":
                break
            elif word.startswith("--") and self.long is not None:
                found: Options = []
                _long(word, words, self.long, found)
                yield from found
            else:
                for at, letter in enumerate(word[1:], 2):
                    takes = colons.get(letter)
                    if takes is None:
                        raise OptionError(f"invalid option -- '{letter}'")
                    value = word[at:] if takes else ""
                    if takes == 1 and not value:
                        if not words:
                            raise OptionError(f"option requires an argument -- '{letter}'")
                        value = words.pop(0)
                    yield letter, value
                    if takes:
                        break
        self.operands += words


@lru_cache(64)
def _letters(short: str) -> dict[str, int]:
    """Each letter of ``ab:c::`` and how many colons follow it; not to be changed."""
    found: dict[str, int] = {}
    for letter, colons in re.findall(r"([^:])(:*)", short):
        found.setdefault(letter, len(colons))
    return found
