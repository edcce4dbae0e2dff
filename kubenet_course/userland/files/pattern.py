"""Shell patterns (POSIX 2.13, glob(7)): ``*``, ``?``, ``[a-z]``, ``[!x]``, ``[[:digit:]]``, backslash.

One translation serves pathname expansion, `case`, ``${x#pattern}``, ``[[ x == pattern ]]`` and
`find -name`. A backslash makes the next character literal; that is how the shell hands over what
was quoted.
"""

from __future__ import annotations

import re
from functools import lru_cache

CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "word": "a-zA-Z0-9_",
    "xdigit": "0-9A-Fa-f",
}


def has_magic(pattern: str, extended: bool = False) -> bool:
    """Whether `pattern` holds an unescaped ``*``, ``?`` or a complete ``[…]``; `extended`: or ``@(…)``."""
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\":
            i += 2
            continue
        if char in "*?" or (char == "[" and _bracket_end(pattern, i) > 0):
            return True
        if extended and char in "+@!" and pattern[i + 1 : i + 2] == "(":
            return True
        i += 1
    return False


def unescape(pattern: str) -> str:
    """The text that a pattern without magic stands for."""
    return re.sub(r"\\(.)", r"\1", pattern, flags=re.S) if "\\" in pattern else pattern


def escape(text: str) -> str:
    """A pattern that matches just `text`."""
    return re.sub(r"([\\*?\[\]!^+@()|-])", r"\\\1", text)


def _bracket_end(pattern: str, start: int) -> int:
    """Index after the ``]`` that closes the ``[`` at `start`; 0 where nothing closes it."""
    i = start + 1
    if i < len(pattern) and pattern[i] in "!^":
        i += 1
    first = True
    while i < len(pattern):
        char = pattern[i]
        if char == "]" and not first:
            return i + 1
        first = False
        if char == "\\":
            i += 2
        elif char == "[" and i + 1 < len(pattern) and pattern[i + 1] in ":.=":
            end = pattern.find(pattern[i + 1] + "]", i + 2)
            i = end + 2 if end > 0 else i + 1
        else:
            i += 1
    return 0


def _bracket(body: str) -> str:
    """The regular expression of a bracket expression's inside."""
    negate = body[:1] in ("!", "^")
    if negate:
        body = body[1:]
    out: list[str] = []
    i = 0
    while i < len(body):
        char = body[i]
        if char == "[" and body[i + 1 : i + 2] in (":", ".", "="):
            end = body.find(body[i + 1] + "]", i + 2)
            if end > 0:
                name = body[i + 2 : end]
                out.append(CLASSES.get(name, "") if body[i + 1] == ":" else re.escape(name))
                i = end + 2
                continue
        if char == "\\" and i + 1 < len(body):
            i += 1
            char = body[i]
        if body[i + 1 : i + 2] == "-" and i + 2 < len(body):
            last = body[i + 2]
            i += 2
            if last == "\\" and i + 1 < len(body):
                i += 1
                last = body[i]
            if char <= last:
                out.append(f"{re.escape(char)}-{re.escape(last)}")
        else:
            out.append(re.escape(char))
        i += 1
    inside = "".join(out)
    if not inside:
        return "[^\\x00]" if negate else "(?!)"
    return f"[^{inside}]" if negate else f"[{inside}]"


def _close(pattern: str, start: int) -> int:
    """Index of the ``)`` that matches the ``(`` at `start`, or -1."""
    depth, i = 0, start
    while i < len(pattern):
        char = pattern[i]
        if char == "\\":
            i += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return -1


def _alternatives(body: str) -> list[str]:
    parts, depth, last, i = [], 0, 0, 0
    while i < len(body):
        char = body[i]
        if char == "\\":
            i += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|" and depth == 0:
            parts.append(body[last:i])
            last = i + 1
        i += 1
    return [*parts, body[last:]]


def translate(pattern: str, extended: bool = False, lazy: bool = False) -> str:
    """The regular expression (no anchors) of a shell pattern; `extended` knows ``@(a|b)`` too."""
    out: list[str] = []
    star = ".*?" if lazy else ".*"
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if extended and char in "?*+@!" and pattern[i + 1 : i + 2] == "(":
            end = _close(pattern, i + 1)
            if end > 0:
                inner = "|".join(translate(part, True, lazy) for part in _alternatives(pattern[i + 2 : end]))
                out.append(
                    f"(?:(?!(?:{inner})\\Z).*)"
                    if char == "!"
                    else f"(?:{inner})" + {"@": "", "?": "?", "*": "*", "+": "+"}[char]
                )
                i = end + 1
                continue
        if char == "*":
            if out[-1:] != [star]:
                out.append(star)
        elif char == "?":
            out.append(".")
        elif char == "[" and (end := _bracket_end(pattern, i)):
            out.append(_bracket(pattern[i + 1 : end - 1]))
            i = end
            continue
        elif char == "\\" and i + 1 < len(pattern):
            i += 1
            out.append(re.escape(pattern[i]))
        else:
            out.append(re.escape(char))
        i += 1
    return "".join(out)


@lru_cache(1024)
def compile_pattern(pattern: str, extended: bool = False, ignore_case: bool = False) -> re.Pattern[str]:
    """A compiled pattern for `fullmatch`."""
    flags = re.S | (re.I if ignore_case else 0)
    try:
        return re.compile(translate(pattern, extended), flags)
    except re.error:
        return re.compile(re.escape(unescape(pattern)), flags)


def matches(text: str, pattern: str, extended: bool = False, ignore_case: bool = False) -> bool:
    """Whether the whole of `text` matches."""
    return compile_pattern(pattern, extended, ignore_case).fullmatch(text) is not None
