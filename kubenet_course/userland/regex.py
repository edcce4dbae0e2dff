"""POSIX regular expressions, basic and extended with GNU's additions, as Python's `re`.

Leftmost-first instead of leftmost-longest is the one difference that remains. ValueError carries
glibc's message for a pattern that it would refuse.
"""

from __future__ import annotations

import re
from functools import lru_cache

from kubenet_course.userland.files.pattern import CLASSES

_GNU = {"w": r"\w", "W": r"\W", "s": r"\s", "S": r"\S", "b": r"\b", "B": r"\B", "<": r"\b(?=\w)",
        ">": r"\b(?<=\w)", "`": r"\A", "'": r"\Z"}  # fmt: skip


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    """The bracket expression at `start` and the index after it."""
    i = start + 1
    negate = pattern[i : i + 1] == "^"
    i += negate
    out: list[str] = []
    first = True
    while True:
        if i >= len(pattern):
            raise ValueError("Unmatched [, [^, [:, [., or [=")
        char = pattern[i]
        if char == "]" and not first:
            break
        first = False
        if char == "[" and pattern[i + 1 : i + 2] in (":", ".", "="):
            kind = pattern[i + 1]
            end = pattern.find(kind + "]", i + 2)
            if end < 0:
                raise ValueError("Unmatched [, [^, [:, [., or [=")
            name = pattern[i + 2 : end]
            if kind == ":":
                if name not in CLASSES:
                    raise ValueError("Invalid character class name")
                out.append(CLASSES[name])
            else:
                out.append(re.escape(name))
            i = end + 2
            continue
        if pattern[i + 1 : i + 2] == "-" and pattern[i + 2 : i + 3] not in ("]", ""):
            last = pattern[i + 2]
            if last < char:
                raise ValueError("Invalid range end")
            out.append(f"{re.escape(char)}-{re.escape(last)}")
            i += 3
            continue
        out.append(re.escape(char))
        i += 1
    inside = "".join(out)
    return (f"[^{inside}]" if negate else f"[{inside}]"), i + 1


def _interval(text: str) -> str | None:
    """The quantifier of ``{…}``'s inside, or None where it is none."""
    match = re.fullmatch(r"(\d*)(,?)(\d*)", text)
    if match is None or not text or text == ",":
        return None if text != "," else "*"
    low, comma, high = match.groups()
    if int(low or 0) > 32767 or int(high or 0) > 32767:
        raise ValueError("Regular expression too big")
    if high and int(low or 0) > int(high):
        raise ValueError("Invalid content of \\{\\}")
    return f"{{{low or 0}{comma}{high}}}"


@lru_cache(512)
def basic(pattern: str) -> str:
    """A basic regular expression (grep, sed)."""
    return _Translator(pattern, False).translate()


@lru_cache(512)
def extended(pattern: str) -> str:
    """An extended regular expression (grep -E, sed -E, awk, ``=~``)."""
    return _Translator(pattern, True).translate()


class _Translator:
    def __init__(self, pattern: str, ere: bool):
        self.pattern = pattern
        self.ere = ere
        self.out: list[str] = []
        self.groups: list[int] = []
        self.count = 0
        self.atom = False

    def add(self, text: str, atom: bool = True) -> None:
        self.out.append(text)
        self.atom = atom

    def quantify(self, text: str) -> None:
        """Put a quantifier on the last atom; a second one wraps it."""
        if self.out and self.out[-1] and self.out[-1][-1] in "*+?}" and self.out[-1] in ("*", "+", "?"):
            if self.out[-1] == text:
                return
            self.out[-1] = "*"
            return
        self.out.append(text)

    def translate(self) -> str:
        pattern, i = self.pattern, 0
        while i < len(pattern):
            char = pattern[i]
            if char == "\\":
                i = self.escaped(i)
            elif char == "[":
                text, i = _bracket(pattern, i)
                self.add(text)
            elif char == ".":
                self.add(".")
                i += 1
            elif char == "*":
                if self.atom:
                    self.quantify("*")
                else:
                    self.add("\\*" if not self.ere else "")
                i += 1
            elif char == "^":
                start = i == 0 or pattern[i - 1] in "(|" or pattern[:i].endswith(("\\(", "\\|", "\n"))
                self.add("^" if self.ere or start else "\\^", not (self.ere or start))
                i += 1
            elif char == "$":
                rest = pattern[i + 1 :]
                end = not rest or rest.startswith(("\\)", "\\|", "\n"))
                self.add("$" if self.ere or end else "\\$", not (self.ere or end))
                i += 1
            elif self.ere and char in "(){}|+?":
                i = self.special(char, i)
            else:
                self.add(re.escape(char))
                i += 1
        if self.groups:
            raise ValueError("Unmatched ( or \\(")
        return "".join(self.out)

    def escaped(self, i: int) -> int:
        following = self.pattern[i + 1 : i + 2]
        if not following:
            raise ValueError("Trailing backslash")
        if following in _GNU:
            self.add(_GNU[following], following in "wWsS")
        elif following.isdecimal() and following != "0":
            if int(following) > self.count:
                raise ValueError("Invalid back reference")
            self.add(f"(?:\\{following})")
        elif not self.ere and following in "(){}|+?":
            return self.special(following, i + 1)
        elif following == "n":
            self.add("n" if self.ere else "\\n")
        else:
            self.add(re.escape(following))
        return i + 2

    def special(self, char: str, i: int) -> int:
        pattern = self.pattern
        if char == "(":
            self.count += 1
            self.groups.append(self.count)
            self.add("(", False)
        elif char == ")":
            if not self.groups:
                if not self.ere:
                    raise ValueError("Unmatched ) or \\)")
                self.add("\\)")
                return i + 1
            self.groups.pop()
            self.add(")")
        elif char == "|":
            self.add("|", False)
        elif char in "+?":
            if self.atom:
                self.quantify(char)
            elif not self.ere:
                self.add("\\" + char)
        elif char == "{":
            close = pattern.find("}" if self.ere else "\\}", i)
            if close < 0 and not self.ere:
                raise ValueError("Unmatched \\{")
            body = pattern[i + 1 : close] if close >= 0 else ""
            quantifier = _interval(body) if close >= 0 else None
            if quantifier is None or (self.ere and not self.atom):
                if not self.ere:
                    raise ValueError("Invalid content of \\{\\}")
                self.add("\\{")
                return i + 1
            self.out[-1] = f"(?:{self.out[-1]})" if self.out and self.out[-1] in "*+?" else self.out[-1]
            self.out.append(quantifier)
            return close + (1 if self.ere else 2)
        else:
            if not self.ere:
                raise ValueError(
                    "Unmatched ) or \\)" if char == ")" else "Invalid preceding regular expression"
                )
            self.add("\\}")
        return i + 1
