"""getopt_long(3) as iptables uses it: options in any order, other words returned as they come.

`extra` are long options of the extensions loaded so far; they may grow while parsing. Long options
may be shortened as long as they stay unambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Word(NamedTuple):
    """A found option: `name` is its long name or short letter, None for another word, ``?`` unknown,
    ``:`` for a missing argument."""

    name: str | None
    argument: str | None
    text: str


class Getopt:
    """`short` maps a letter to "" (no argument), ":" or "::"; `long` a name to (letter, kind)."""

    def __init__(self, words: list[str], short: dict[str, str], long: dict[str, tuple[str, str]]):
        self.words = words
        self.short = short
        self.long = long
        self.extra: dict[str, str] = {}
        self.at = 0
        self._cluster = ""
        self.ended = False

    def previous(self) -> str:
        """argv[optind - 1]."""
        return self.words[self.at - 1]

    def peek(self) -> str | None:
        """The next word, if it is no option and no ``!`` (argv[optind])."""
        if self.at < len(self.words):
            word = self.words[self.at]
            if not word.startswith(("-", "!")) or word == "":
                return word
        return None

    def take(self) -> str:
        word = self.words[self.at]
        self.at += 1
        return word

    def next(self) -> Word | None:
        if self._cluster:
            return self._short()
        if self.at >= len(self.words):
            return None
        word = self.words[self.at]
        self.at += 1
        if self.ended:
            return Word(None, word, word)
        if word == "--":
            self.ended = True
            return self.next()
        if word.startswith("--"):
            return self._long(word)
        if word.startswith("-") and len(word) > 1:
            self._cluster = word[1:]
            return self._short()
        return Word(None, word, word)

    def _short(self) -> Word:
        letter, self._cluster = self._cluster[0], self._cluster[1:]
        kind = self.short.get(letter)
        if kind is None:
            self._cluster_done()
            return Word("?", letter, f"-{letter}")
        if not kind:
            return Word(letter, None, f"-{letter}")
        rest, self._cluster = self._cluster, ""
        if rest:
            return Word(letter, rest, f"-{letter}")
        if kind == "::":
            return Word(letter, None, f"-{letter}")
        if self.at >= len(self.words):
            return Word(":", letter, f"-{letter}")
        return Word(letter, self.take(), f"-{letter}")

    def _cluster_done(self) -> None:
        return

    def _long(self, word: str) -> Word:
        name, equals, value = word[2:].partition("=")
        found = self._match(name, self.long.keys() | self.extra.keys())
        if found is None:
            return Word("?", name, word)
        if found in self.extra:
            target, kind = found, self.extra[found]
        else:
            target, kind = self.long[found]
        if not kind:
            return Word("?", name, word) if equals else Word(target, None, f"--{found}")
        if equals:
            return Word(target, value, f"--{found}")
        if kind == "::":
            return Word(target, None, f"--{found}")
        if self.at >= len(self.words):
            return Word(":", found, word)
        return Word(target, self.take(), f"--{found}")

    def _match(self, name: str, known: Iterable[str]) -> str | None:
        candidates = set(known)
        if name in candidates:
            return name
        found = sorted(candidate for candidate in candidates if candidate.startswith(name))
        if not name or not found:
            return None
        if len(found) == 1:
            return found[0]
        # Ambiguous, unless all of them mean the same.
        meanings = {self.extra.get(candidate) or self.long.get(candidate) for candidate in found}
        same = len(meanings) == 1 and all(candidate in self.long for candidate in found)
        return found[0] if same else None
