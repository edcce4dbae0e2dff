"""The LALR parser: from text to commands, with bison's way of saying what was unexpected and going on after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kubenet_course.userland import lalr
from kubenet_course.userland.commands.nft.errors import NftError, Problem, Sources
from kubenet_course.userland.commands.nft.lexer import Scanner, Takes, Word
from kubenet_course.userland.commands.nft.pieces import Token
from kubenet_course.userland.commands.nft.words import CONTEXTUAL, GLOBAL, GLOBAL_CLASSES, ORDER, SHOWN

MAX_ERRORS = 10
#: Terminals that are not counted among what could have been.
_HIDDEN = frozenset({"ERROR", "JUNK"})


@lru_cache(1)
def _grammar() -> lalr.Grammar:
    from kubenet_course.userland.commands.nft.build import Builder

    return lalr.load("kubenet_course.userland.commands.nft", lalr.methods_of(Builder()))


class Parser:
    """Parses one text (and what it includes); `sources` keeps the texts for errors."""

    def __init__(self, sources: Sources, read: Callable[[str], list[tuple[str, str]]]):
        self.sources = sources
        #: From the words after `include` to (name, text) of each file.
        self.read = read
        self.problems: list[Problem] = []
        self._scanners: list[tuple[Scanner, int]] = []
        self._included: set[int] = set()

    def parse(self, name: str, text: str) -> list[Any]:
        """The commands and definitions of a text in their order; `problems` says what was wrong."""
        self._open(name, text)
        parse = lalr.Parse(_grammar())
        while True:
            accepted = parse.row
            try:
                word, base = self._next(parse.takes)
            except NftError as error:
                self.problems.append(error.problem)
                return []
            if word.kind in accepted:
                token = Token(word.kind, word.text, base + word.start, base + word.end)
                try:
                    result = parse.feed(token)
                except lalr.UnexpectedToken:
                    pass
                except NftError as error:
                    self.problems.append(error.problem)
                    if not self._skip(parse, word, base):
                        return []
                    continue
                else:
                    if word.kind == "$END":
                        return list(result)
                    if word.kind in ("NEWLINE", "SEMICOLON"):
                        self._include(parse)
                    continue
            if not self._recover(parse, word, base):
                return []

    def _open(self, name: str, text: str) -> None:
        source = self.sources.add(name, text)
        self._scanners.append((Scanner(text), source.base))

    def _next(self, takes: Takes) -> tuple[Word, int]:
        scanner, base = self._scanners[-1]
        word = scanner.next(takes)
        while word.kind == "$END" and len(self._scanners) > 1:
            self._scanners.pop()
            scanner, base = self._scanners[-1]
            word = scanner.next(takes)
        return word, base

    def _include(self, parse: lalr.Parse) -> None:
        """An include is read as soon as its line is complete: its tokens come before what follows."""
        values = parse.values
        if len(values) >= 3 and getattr(values[-3], "type", "") == "INCLUDE" and values[-2].start_pos not in self._included:
            if len(self._scanners) > 16:
                place = (values[-2].start_pos, values[-2].end_pos)
                raise NftError("Include nested too deeply, max 16 levels", place)
            self._included.add(values[-2].start_pos)
            try:
                found = self.read(str(values[-2]))
            except NftError as error:
                self.problems.append(error.problem._replace(places=((values[-3].start_pos, values[-1].end_pos),)))
                return
            for name, text in reversed(found):
                self._open(name, text)

    # -- mistakes ---------------------------------------------------------------------------
    def _recover(self, parse: lalr.Parse, word: Word, base: int) -> bool:
        """Say what was unexpected, go back to a place that takes an error, skip to the line's end."""
        _default_reductions(parse)
        braces = self._scanners[-1][0].braces
        expecting = _expecting(parse.row)
        if word.kind in ("$END", "SEMICOLON") and braces and braces[-1]:
            expecting = ", expecting comma or '}'"  # what may be after an element and the ends of lines
        sentence = f"syntax error, unexpected {word.shown}{expecting}"
        self.problems.append(Problem(sentence, ((base + word.start, base + max(word.end, word.start + 1)),)))
        return self._skip(parse, word, base)

    def _skip(self, parse: lalr.Parse, word: Word, base: int) -> bool:
        if len(self.problems) >= MAX_ERRORS or word.kind == "$END":
            return False
        while not isinstance(parse.row.get("ERROR"), int):
            parse.states.pop()
            if not parse.states:
                return False
            parse.values.pop()
        parse.feed(Token("ERROR", "", base + word.start, base + word.end))
        scanner, _ = self._scanners[-1]
        scanner.braces = [False] * len(scanner.braces)
        while word.kind not in ("NEWLINE", "SEMICOLON"):
            if word.kind == "$END":
                return False
            word, base = self._next(_nothing)
        parse.feed(Token(word.kind, word.text, base + word.start, base + word.end))
        return True


def _nothing(kind: str) -> bool:
    return False


def _default_reductions(parse: lalr.Parse) -> None:
    """What bison does before it looks at an unexpected token: the state's most usual reduction."""
    for _ in range(200):
        if "$END" in parse.row and "TABLE" in parse.row:
            return  # where a command may begin, anything may be
        rules = Counter(rule for rule in parse.row.values() if isinstance(rule, lalr.Rule) and rule.origin != "start")
        if not rules:
            return
        rule = rules.most_common(1)[0][0]
        size = rule.size
        children = parse.values[-size:] if size else []
        if size:
            del parse.states[-size:]
            del parse.values[-size:]
        target = parse.row.get(rule.origin)
        if not isinstance(target, int):
            return
        try:
            value = rule.reduce(children) if None not in children else None  # what lost a part is lost
        except NftError:
            value = None
        parse.states.append(target)
        parse.values.append(value)


def _expecting(entries: Any) -> str:
    """", expecting a or b" where it is one of at most four."""
    kinds = [kind for kind in entries if kind.isupper() or kind == "$END"]
    count = sum(len(CONTEXTUAL.get(kind) or GLOBAL_CLASSES.get(kind) or "1") for kind in kinds if kind not in _HIDDEN)
    kinds = [kind for kind in kinds if kind not in _HIDDEN]
    if not 0 < count <= 4:
        return ""
    place = {word: number for number, word in enumerate(ORDER)}
    found: set[str] = set()
    for kind in kinds:
        found.update(CONTEXTUAL.get(kind) or GLOBAL_CLASSES.get(kind) or (SHOWN.get(kind) or GLOBAL.get(kind) or kind.lower(),))
    words = sorted(found, key=lambda word: place.get(word, len(ORDER)))
    if words == ["sequence", "options"]:
        words[0] = "seq"  # a token of its own after log flags tcp
    return ", expecting " + " or ".join(words)
