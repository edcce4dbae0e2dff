"""Operators of ``${…}`` on a value: cut, replace, change case, quote, slice."""

from __future__ import annotations

import re
from functools import lru_cache

from kubenet_course.userland.files.pattern import matches, translate


@lru_cache(512)
def _compiled(pattern: str, lazy: bool, head: str, tail: str) -> re.Pattern[str]:
    try:
        return re.compile(head + f"(?:{translate(pattern, True, lazy)})" + tail, re.S)
    except re.error:
        return re.compile(r"(?!)")


def remove_prefix(value: str, pattern: str, longest: bool) -> str:
    match = _compiled(pattern, not longest, "", "").match(value)
    return value[match.end() :] if match else value


def remove_suffix(value: str, pattern: str, longest: bool) -> str:
    order = range(len(value) + 1) if longest else range(len(value), -1, -1)
    whole = _compiled(pattern, False, "", "")
    for at in order:
        if whole.fullmatch(value, at):
            return value[:at]
    return value


def replace(value: str, op: str, pattern: str, replacement: str) -> str:
    """``/`` first, ``//`` all, ``/#`` at the beginning, ``/%`` at the end."""
    if not pattern:
        if op == "/#":
            return replacement + value
        return value + replacement if op == "/%" else value
    if op == "/%":
        for at in range(len(value) + 1):
            if _compiled(pattern, False, "", "").fullmatch(value, at):
                return value[:at] + replacement
        return value
    finder = _compiled(pattern, False, "\\A" if op == "/#" else "", "")
    out: list[str] = []
    at = 0
    while at <= len(value):
        match = finder.search(value, at)
        if match is None:
            break
        if match.end() == match.start():
            if match.start() >= len(value):
                break
            out.append(value[at : match.start() + 1])
            at = match.start() + 1
            continue
        out.append(value[at : match.start()] + replacement)
        at = match.end()
        if op != "//":
            break
    return "".join(out) + value[at:]


def change_case(value: str, op: str, pattern: str) -> str:
    """``^`` first letter up, ``^^`` all, ``,`` down, ``~`` other case; only what matches `pattern`."""
    change = {"^": str.upper, ",": str.lower, "~": str.swapcase}[op[0]]
    letters = [
        change(char) if (at == 0 or len(op) == 2) and (not pattern or matches(char, pattern)) else char
        for at, char in enumerate(value)
    ]
    return "".join(letters)


def quote(text: str) -> str:
    """``${x@Q}``."""
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        return ansi_quote(text)
    return "'" + text.replace("'", "'\\''") + "'"


def ansi_quote(text: str) -> str:
    """``$'…'``."""
    names = {"\a": "a", "\b": "b", "\x1b": "E", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
    out = []
    for char in text:
        if char in names:
            out.append("\\" + names[char])
        elif char in "\\'":
            out.append("\\" + char)
        elif ord(char) < 32 or ord(char) == 127:
            out.append(f"\\{ord(char):03o}")
        elif 0xDC80 <= ord(char) <= 0xDCFF:
            out.append(f"\\{ord(char) - 0xDC00:03o}")
        else:
            out.append(char)
    return "$'" + "".join(out) + "'"


def quote_backslash(text: str) -> str:
    """``printf %q``: backslashes where they are needed."""
    if not text:
        return "''"
    if any(
        ord(char) < 32 or ord(char) >= 0xDC80 and ord(char) <= 0xDCFF or ord(char) == 127 for char in text
    ):
        return ansi_quote(text)
    out = [
        "\\" + char if char in " '\"\\|&;()<>!{}*[]?^$`," or (char in "~#" and at == 0) else char
        for at, char in enumerate(text)
    ]
    return "".join(out)


def quote_trace(text: str) -> str:
    """How ``set -x`` shows a word."""
    if not text:
        return "''"
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        return ansi_quote(text)
    if any(char in " '\"\\|&;()<>!{}*[]?^$`" for char in text) or text[0] in "~#":
        return "'" + text.replace("'", "'\\''") + "'"
    return text


def quote_double(text: str) -> str:
    """How ``declare -p`` shows a value."""
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        return ansi_quote(text)
    return '"' + re.sub(r'([$`"\\])', r"\\\1", text) + '"'
