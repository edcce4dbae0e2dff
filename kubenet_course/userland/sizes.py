"""Numbers with suffixes, read and written as coreutils does."""

from __future__ import annotations

import math
import re

_POWERS = {letter: power for power, letter in enumerate("KMGTPEZY", 1)}


def size_number(text: str) -> int | None:
    """``10``, ``4k``, ``2MB``, ``1b`` as a number; None where it is none."""
    match = re.fullmatch(r"\+?(\d+)(?:(b)|([kKMGTPEZY])(iB|B)?)?", text)
    if match is None:
        return None
    number = int(match[1])
    if match[2]:
        return number * 512
    if match[3]:
        base = 1000 if match[4] == "B" else 1024
        return number * base ** _POWERS[match[3].upper()]
    return number


def human(size: int, base: int = 1024) -> str:
    """``1.5K`` as ``ls -h`` and ``df -h`` write it: rounded up, three digits at most."""
    if size < base:
        return str(size)
    number = float(size)
    letter = ""
    for power in range(8):
        number /= base
        letter = ("K" if base == 1024 else "k") if power == 0 else "KMGTPEZY"[power]
        if number < base:
            break
    tenths = math.ceil(number * 10 - 1e-9) / 10
    if tenths < 10:
        return f"{tenths:.1f}{letter}"
    return f"{math.ceil(number - 1e-9)}{letter}"
