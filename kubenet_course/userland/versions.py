"""Natural order of version numbers in names (filevercmp), for `sort -V` and `ls -v`."""

from __future__ import annotations

import re


def _weight(char: str) -> int:
    if char == "~":
        return -2
    return ord(char) if char.isalpha() else ord(char) + 256


def version_key(text: str) -> tuple:
    """A key that sorts ``a2`` before ``a10``."""
    suffix = re.search(r"(?:\.[A-Za-z~][A-Za-z0-9~]*)*$", text)
    body = text[: suffix.start()] if suffix and suffix.start() else text
    parts: list[tuple] = []
    for letters, digits in re.findall(r"(\D*)(\d*)", body):
        if letters or digits:
            parts.append((tuple([_weight(char) for char in letters] + [-1]), int(digits or 0)))
    return (
        0 if not text else 1 if text == "." else 2 if text == ".." else 3,
        not text.startswith("."),
        parts,
        text,
    )
