"""Backslash escapes of ``$'…'`` and of ``${x@E}``."""

from __future__ import annotations

import re

_ESCAPES = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip


def ansi_escape(text: str, at: int) -> tuple[str, int]:
    """The character of the backslash escape at `at` and how long the escape is."""
    char = text[at + 1 : at + 2]
    if char in _ESCAPES and char:
        return _ESCAPES[char], 2
    for pattern, base in ((r"\\([0-7]{1,3})", 8), (r"\\x([0-9A-Fa-f]{1,2})", 16)):
        match = re.compile(pattern).match(text, at)
        if match:
            return byte_char(int(match[1], base) & 0xFF), len(match[0])
    match = re.compile(r"\\(?:u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8}))").match(text, at)
    if match:
        number = int(match[1] or match[2], 16)
        return (chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else ""), len(match[0])
    match = re.compile(r"\\c(.)", re.S).match(text, at)
    if match:
        return chr(ord(match[1]) & 0x1F), 3
    return "\\" + char, 1 + len(char)


def byte_char(number: int) -> str:
    """A byte as the string that surrogateescape gives it."""
    return bytes([number]).decode("utf-8", "surrogateescape")
