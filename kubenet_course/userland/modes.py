"""File modes in octal and symbols, as chmod(1), mkdir -m and umask read and ls writes them."""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)")


class ModeError(Exception):
    """Not a mode."""


def change_mode(text: str, mode: int, is_dir: bool, umask: int) -> int:
    """`mode` after ``u+x,go=r`` or ``755``; raises ModeError."""
    if re.fullmatch(r"[0-7]{1,5}", text):
        value = int(text, 8)
        if value > 0o7777:
            raise ModeError(text)
        if is_dir and len(text) < 5:
            value |= mode & 0o6000
        return value
    for clause in text.split(","):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise ModeError(text)
        mode = _clause(match[1], match[2], mode, is_dir, umask)
    return mode


def _clause(who: str, actions: str, mode: int, is_dir: bool, umask: int) -> int:
    classes = who.replace("a", "ugo") or "ugo"
    for operator, letters in re.findall(r"([-+=])([rwxXstugo]*)", actions):
        bits = _bits(letters, mode, is_dir)
        mask = 0
        special = 0
        for one in set(classes):
            shift = {"u": 6, "g": 3, "o": 0}[one]
            mask |= bits << shift
            if "s" in letters and one in "ug":
                special |= 0o4000 if one == "u" else 0o2000
        if "t" in letters and ("o" in classes or not who):
            special |= 0o1000
        if not who:
            mask &= ~umask
        if operator == "+":
            mode |= mask | special
        elif operator == "-":
            mode &= ~(mask | special)
        else:
            clear = 0
            for one in set(classes):
                clear |= {"u": 0o4700, "g": 0o2070, "o": 0o1007}[one]
            mode = mode & ~clear | mask | special
    return mode


def _bits(letters: str, mode: int, is_dir: bool) -> int:
    if letters in ("u", "g", "o") and letters:
        return mode >> {"u": 6, "g": 3, "o": 0}[letters] & 7
    bits = 4 * ("r" in letters) + 2 * ("w" in letters) + ("x" in letters)
    if "X" in letters and (is_dir or mode & 0o111):
        bits |= 1
    return bits
