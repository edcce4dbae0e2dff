"""The LALR parser: from text to commands, with bison's way of saying what was unexpected and going on after it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from kubenet_course.userland.commands.nft.errors import NftError, Problem, Sources
from kubenet_course.userland.commands.nft.lexer import Scanner, Takes, Word
from kubenet_course.userland.commands.nft.words import CONTEXTUAL, GLOBAL, GLOBAL_CLASSES, ORDER, SHOWN

MAX_ERRORS = 10
#: Terminals that are not counted among what could have been.
_HIDDEN = frozenset({"ERROR", "JUNK"})


@lru_cache(1)
def _lark() -> Any:
    from lark import Lark
    from lark.lexer import Lexer

    from kubenet_course.userland.commands.nft.build import Builder

    class NoLexer(Lexer):
        """Tokens are fed by hand."""

        __future_interface__ = True

        def __init__(self, conf: Any):
            pass

        def lex(self, lexer_state: Any, parser_state: Any) -> Any:
            return iter(())

    grammar = files("kubenet_course.userland.commands.nft").joinpath("grammar.lark").read_text(encoding="utf-8")
    terminals = sorted(set(re.findall(r"\b[A-Z][A-Z0-9_]*\b", re.sub(r"//.*", "", grammar))))
    grammar += "\n%declare " + " ".join(terminals)
    return Lark(grammar, parser="lalr", lexer=NoLexer, maybe_placeholders=True, transformer=Builder())


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
        from lark import Token
        from lark.exceptions import UnexpectedToken

        self._open(name, text)
        interactive = _lark().parse_interactive("")
        state = interactive.parser_state
        states = state.parse_conf.parse_table.states
        while True:
            accepted = states[state.position]
            try:
                word, base = self._next(lambda kind: _takes(state, states, kind))
            except NftError as error:
                self.problems.append(error.problem)
                return []
            if word.kind in accepted:
                token = Token(word.kind, word.text, base + word.start, None, None, None, None, base + word.end)
                try:
                    result = state.feed_token(token, word.kind == "$END")
                except UnexpectedToken:
                    pass
                except NftError as error:
                    self.problems.append(error.problem)
                    if not self._skip(state, states, word, base):
                        return []
                    continue
                else:
                    if word.kind == "$END":
                        return list(result)
                    if word.kind in ("NEWLINE", "SEMICOLON"):
                        self._include(state)
                    continue
            if not self._recover(state, states, word, base):
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

    def _include(self, state: Any) -> None:
        """An include is read as soon as its line is complete: its tokens come before what follows."""
        values = state.value_stack
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
    def _recover(self, state: Any, states: Any, word: Word, base: int) -> bool:
        """Say what was unexpected, go back to a place that takes an error, skip to the line's end."""
        _default_reductions(state, states)
        braces = self._scanners[-1][0].braces
        expecting = _expecting(states[state.position])
        if word.kind in ("$END", "SEMICOLON") and braces and braces[-1]:
            expecting = ", expecting comma or '}'"  # what may be after an element and the ends of lines
        sentence = f"syntax error, unexpected {word.shown}{expecting}"
        self.problems.append(Problem(sentence, ((base + word.start, base + max(word.end, word.start + 1)),)))
        return self._skip(state, states, word, base)

    def _skip(self, state: Any, states: Any, word: Word, base: int) -> bool:
        if len(self.problems) >= MAX_ERRORS or word.kind == "$END":
            return False
        while state.state_stack and not _shifts(states[state.position], "ERROR"):
            state.state_stack.pop()
            if state.value_stack:
                state.value_stack.pop()
            if not state.state_stack:
                return False
        from lark import Token

        state.feed_token(Token("ERROR", "", base + word.start, None, None, None, None, base + word.end))
        scanner, _ = self._scanners[-1]
        scanner.braces = [False] * len(scanner.braces)
        while word.kind not in ("NEWLINE", "SEMICOLON"):
            if word.kind == "$END":
                return False
            word, base = self._next(_nothing)
        state.feed_token(Token(word.kind, word.text, base + word.start, None, None, None, None, base + word.end))
        return True


def _shifts(entries: Any, kind: str) -> bool:
    """Whether a state takes the terminal as it stands."""
    from lark.grammar import Rule

    entry = entries.get(kind)
    return entry is not None and not isinstance(entry[1], Rule)


def _nothing(kind: str) -> bool:
    return False


def _takes(state: Any, states: Any, kind: str) -> bool:
    """Whether the terminal can be shifted now, after the reductions that it would bring (nothing is done)."""
    from lark.grammar import Rule

    entry = states[state.position].get(kind)
    if entry is None or not isinstance(entry[1], Rule):
        return entry is not None
    stack = list(state.state_stack)
    while entry is not None and isinstance(entry[1], Rule):
        rule = entry[1]
        if rule.expansion:
            del stack[-len(rule.expansion) :]
        stack.append(states[stack[-1]][rule.origin.name][1])
        entry = states[stack[-1]].get(kind)
    return entry is not None


def _default_reductions(state: Any, states: Any) -> None:
    """What bison does before it looks at an unexpected token: the state's most usual reduction."""
    from lark.grammar import Rule

    for _ in range(200):
        if "$END" in states[state.position] and "TABLE" in states[state.position]:
            return  # where a command may begin, anything may be
        rules = Counter(
            argument for _, argument in states[state.position].values() if isinstance(argument, Rule) and argument.origin.name != "start"
        )
        if not rules:
            return
        rule = rules.most_common(1)[0][0]
        size = len(rule.expansion)
        children = state.value_stack[-size:] if size else []
        if size:
            del state.state_stack[-size:]
            del state.value_stack[-size:]
        if rule.origin.name not in states[state.state_stack[-1]]:
            return
        try:
            value = state.parse_conf.callbacks[rule](children) if None not in children else None  # what lost a part is lost
        except NftError:
            value = None
        state.state_stack.append(states[state.state_stack[-1]][rule.origin.name][1])
        state.value_stack.append(value)


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
