"""getopt(3) one option at a time, for programs that act on each as they read it.

    for name, value in (options := Getopt(argv, "ab:", {"count=": "c"})): ...
    options.operands

`options.parse` reads the whole line first; here a wrong option is only found when its turn comes, so
the errors come in the real program's order. Raises `OptionError`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kubenet_course.userland.options import Options, _long, _short


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
        words = self.words
        while words:
            word = words.pop(0)
            if word == "--":
                self.operands += words
                return
            found: Options = []
            if word.startswith("--") and self.long is not None:
                _long(word, words, self.long, found)
                yield from found
            elif word.startswith("-") and len(word) > 1:
                yield from self._cluster(word, words)
            else:
                self.operands.append(word)
                if not self.permute:
                    self.operands += words
                    return

    def _cluster(self, word: str, words: list[str]) -> Iterator[tuple[str, str]]:
        """The letters of one word, each handed out before the next is looked at."""
        at = 1
        while at < len(word):
            found: Options = []
            letter = word[at]
            where = self.short.find(letter) if letter != ":" else -1
            takes = where >= 0 and self.short[where + 1 : where + 2] == ":"
            if where >= 0 and not takes:
                yield letter, ""
                at += 1
                continue
            _short("-" + (word[at:] if takes else letter), words, self.short, "", found)
            yield from found
            if takes:
                return
            at += 1
