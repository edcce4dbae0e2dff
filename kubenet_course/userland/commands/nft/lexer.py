"""From text to tokens, asking the parser which words it takes where (nft's start conditions)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from kubenet_course.userland.commands.nft.words import (
    CONTEXTUAL,
    GLOBAL,
    GLOBAL_CLASSES,
    OPERATOR_WORDS,
    SHOWN,
    SYNONYMS,
)
from kubenet_course.wire.addresses import IPv6Address


class Word(NamedTuple):
    """One token: its terminal, its text (quotes taken off), where it begins and ends."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def shown(self) -> str:
        """As an error names it."""
        return SHOWN.get(self.kind) or self.text


#: Would the parser take this terminal now?
Takes = Callable[[str], bool]
_SKIP = re.compile(r"(?:[ \t]|\\\n|#[^\n]*)+")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{1,2}:){5}[0-9A-Fa-f]{1,2}(?![0-9A-Za-z:])")
_IP6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?:(?<=:)\d{1,3}(?:\.\d{1,3}){3}|(?:\.\d{1,3}){3})?")
_IP4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_HEX = re.compile(r"0[xX][0-9A-Fa-f]+")
_TIME = re.compile(r"(?:\d+d)?(?:\d+h)?(?:\d+m(?!s))?(?:\d+s)?(?:\d+ms)?")
_CLASSID = re.compile(r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{1,4}(?=[ \t\n:\-},])")
_TAGGED = re.compile(r"8021(?:q|ad)")
_OCTAL = re.compile(r"0[0-7]*|0[xX][0-9A-Fa-f]+")
_DECIMAL = re.compile(r"\d+")
_STRING = re.compile(r"[A-Za-z_.][A-Za-z0-9/\-_.]*")
_ASTERISK = re.compile(r"[A-Za-z_.][A-Za-z0-9/\-_.]*(?:\\?\*)")
_QUOTED = re.compile(r'"([^"]*)"')
_OPERATORS = (
    ("==", "REL_OP"), ("!=", "REL_OP"), ("<=", "REL_OP"), (">=", "REL_OP"), ("<<", "LSHIFT"), (">>", "RSHIFT"),
    ("<", "REL_OP"), (">", "REL_OP"), ("&", "AMPERSAND"), ("|", "PIPE"), ("^", "CARET"), ("!", "NOT"), ("/", "SLASH"),
    ("*", "ASTERISK"), ("-", "DASH"), ("@", "AT"), ("+", "PLUS"), ("$", "DOLLAR"), ("=", "EQUALS"), ("}", "RBRACE"),
    ("(", "LPAR"), (")", "RPAR"), ("[", "LBRACKET"), ("]", "RBRACKET"), (":", "COLON"), (",", "COMMA"), (".", "DOT"),
)  # fmt: skip


@lru_cache(1)
def _global_words() -> dict[str, str]:
    words = {word: kind for kind, word in GLOBAL.items()}
    words.update((word, kind) for kind, group in GLOBAL_CLASSES.items() for word in group)
    return words


@lru_cache(1)
def _contextual_words() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for kind, group in CONTEXTUAL.items():
        for word in group:
            found.setdefault(word, []).append(kind)
    return {word: tuple(kinds) for word, kinds in found.items()}


class Scanner:
    """Gives one token after the other; `next(takes)` asks what the parser would take."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0
        #: Braces that are open: True inside a set's, where a newline is nothing.
        self.braces: list[bool] = []

    def next(self, takes: Takes) -> Word:
        text = self.text
        while True:
            skipped = _SKIP.match(text, self.at)
            if skipped is not None:
                self.at = skipped.end()
            if self.at >= len(text):
                return Word("$END", "", len(text), len(text))
            if text[self.at] in "\n\r" and self.braces and self.braces[-1]:
                self.at += 1
                continue
            word = self._word(takes)
            self.at = word.end
            return word

    def _word(self, takes: Takes) -> Word:
        text, at = self.text, self.at
        letter = text[at]
        if letter == "\n":
            return Word("NEWLINE", "\n", at, at + 1)
        if letter == ";":
            return Word("SEMICOLON", ";", at, at + 1)
        if letter == "{":
            kind = "BBRACE" if takes("BBRACE") else "SBRACE"
            self.braces.append(kind == "SBRACE")
            return Word(kind, "{", at, at + 1)
        if letter == '"':
            found = _QUOTED.match(text, at)
            return Word("QUOTED_STRING", found[1], at, found.end()) if found else Word("JUNK", '"', at, at + 1)
        literal = self._literal(at)
        if literal is not None:
            return literal
        if letter.isascii() and (letter.isalpha() or letter in "_."):
            return self._string(at, takes)
        for sign, kind in _OPERATORS:
            if text.startswith(sign, at):
                if kind == "RBRACE" and self.braces:
                    self.braces.pop()
                return Word(kind, sign, at, at + len(sign))
        return Word("JUNK", letter, at, at + 1)

    def _literal(self, at: int) -> Word | None:
        """The longest of addresses, numbers and times."""
        text = self.text
        if text[at] == "[":
            close = text.find("]", at)
            if close > 0 and _valid6(text[at + 1 : close]):
                return Word("STRING", text[at + 1 : close], at, close + 1)
            return None
        if not (text[at].isdigit() or text[at] in ":abcdefABCDEF"):
            return None
        best = ("", 0)
        found = _MAC.match(text, at)
        if found is not None:
            best = ("STRING", found.end())
        found = _IP6.match(text, at)
        if found is not None:
            end = found.end()
            while end > at + 1 and not _valid6(text[at:end]):
                end -= 1
            if end > at + 1 and end > best[1]:
                best = ("STRING", end)
        if text[at].isdigit():
            for pattern, kind in ((_IP4, "STRING"), (_HEX, "NUM"), (_DECIMAL, "NUM"), (_TIME, "STRING"), (_TAGGED, "STRING")):
                found = pattern.match(text, at)
                if found is not None and found.end() > max(best[1], at):
                    best = (kind, found.end())
        found = _CLASSID.match(text, at)
        if found is not None and found.end() > max(best[1], at):
            best = ("STRING", found.end())
        if not best[0]:
            return None
        string = _STRING.match(text, at)
        if string is not None and string.end() > best[1]:
            return None
        kind, end = best
        if kind == "NUM" and text[at] == "0" and not _OCTAL.fullmatch(text, at, end):
            kind = "STRING"  # strtoull() does not read it to the end
        if kind == "NUM" and end - at > 16 and int(text[at:end], 16 if text[at : at + 2] in ("0x", "0X") else 10) >> 64:
            kind = "STRING"  # more than strtoull() can hold
        return Word(kind, text[at:end], at, end)

    def _string(self, at: int, takes: Takes) -> Word:
        text = self.text
        found = _ASTERISK.match(text, at)
        if found is not None:
            return Word("ASTERISK_STRING", found[0], at, found.end())
        found = _STRING.match(text, at)
        assert found is not None
        word, end = found[0], found.end()
        if word == ".":
            return Word("DOT", word, at, end)
        for kind in _contextual_words().get(SYNONYMS.get(word, word), ()):
            if takes(kind):
                return Word(kind, SYNONYMS.get(word, word), at, end)
        kind = _global_words().get(word, "STRING")
        return Word(kind, OPERATOR_WORDS.get(word, word) if kind == "REL_OP" else word, at, end)


def _valid6(text: str) -> bool:
    try:
        IPv6Address.parse(text)
    except ValueError:
        return False
    return True
